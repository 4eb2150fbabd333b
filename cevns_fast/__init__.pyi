"""What `cevns_fast` offers, for type checkers. Written by setup_helpers/write_stub.py from `_HOMES`."""

from cevns_fast import constants as constants
from cevns_fast import cosmology as cosmology
from cevns_fast import reference as reference
from cevns_fast.counts.piecewise import AccuracyWarning as AccuracyWarning
from cevns_fast.counts.spectrum import differential_cross_section as differential_cross_section
from cevns_fast.counts.spectrum import recoil_spectrum as recoil_spectrum
from cevns_fast.counts.templates import Templates as Templates
from cevns_fast.counts.templates import event_rate as event_rate
from cevns_fast.counts.templates import templates as templates
from cevns_fast.experiments.acceptances import LogisticAcceptance as LogisticAcceptance
from cevns_fast.experiments.acceptances import OffsetLogisticAcceptance as OffsetLogisticAcceptance
from cevns_fast.experiments.axes import ExponentialEfficiency as ExponentialEfficiency
from cevns_fast.experiments.axes import ProtonPulse as ProtonPulse
from cevns_fast.experiments.axes import ReleaseAxis as ReleaseAxis
from cevns_fast.experiments.axes import TimeAxis as TimeAxis
from cevns_fast.experiments.backgrounds import Background as Background
from cevns_fast.experiments.backgrounds import BackgroundRate as BackgroundRate
from cevns_fast.experiments.backgrounds import StandardModelFraction as StandardModelFraction
from cevns_fast.experiments.built_in import available_experiments as available_experiments
from cevns_fast.experiments.built_in import load as load
from cevns_fast.experiments.detectors import Detector as Detector
from cevns_fast.experiments.experiment import Experiment as Experiment
from cevns_fast.experiments.functions import Table as Table
from cevns_fast.experiments.oscillated import NonUnitarySource as NonUnitarySource
from cevns_fast.experiments.oscillated import OscillatedSource as OscillatedSource
from cevns_fast.experiments.quenching import LindhardQuenching as LindhardQuenching
from cevns_fast.experiments.quenching import LinearQuenching as LinearQuenching
from cevns_fast.experiments.quenching import PolynomialQuenching as PolynomialQuenching
from cevns_fast.experiments.reach import OutOfReachWarning as OutOfReachWarning
from cevns_fast.experiments.response_matrix import ResponseMatrix as ResponseMatrix
from cevns_fast.experiments.responses import Response as Response
from cevns_fast.experiments.shared import BackgroundVariation as BackgroundVariation
from cevns_fast.experiments.shared import SharedScale as SharedScale
from cevns_fast.experiments.shared import SignalVariation as SignalVariation
from cevns_fast.experiments.smearing import GammaSmearing as GammaSmearing
from cevns_fast.experiments.smearing import GaussianSmearing as GaussianSmearing
from cevns_fast.experiments.smearing import PoissonSmearing as PoissonSmearing
from cevns_fast.experiments.solar import Solar as Solar
from cevns_fast.experiments.sources import FluxComponent as FluxComponent
from cevns_fast.experiments.sources import PionDecayAtRest as PionDecayAtRest
from cevns_fast.experiments.sources import Reactor as Reactor
from cevns_fast.experiments.sources import TabulatedSource as TabulatedSource
from cevns_fast.experiments.spectra import TabulatedSpectrum as TabulatedSpectrum
from cevns_fast.inference.best_fit import BestFit as BestFit
from cevns_fast.inference.best_fit import best_fit as best_fit
from cevns_fast.inference.cls import Discovery as Discovery
from cevns_fast.inference.cls import discovery as discovery
from cevns_fast.inference.confidence_map import ConfidenceMap as ConfidenceMap
from cevns_fast.inference.confidence_map import feldman_cousins_map as feldman_cousins_map
from cevns_fast.inference.correlation import correlation_scan as correlation_scan
from cevns_fast.inference.limit_curve import LimitCurve as LimitCurve
from cevns_fast.inference.limit_curve import open_limits as open_limits
from cevns_fast.inference.limits import limit_scan as limit_scan
from cevns_fast.inference.opening import open_scan as open_scan
from cevns_fast.inference.regions import Contours as Contours
from cevns_fast.inference.scan_result import Scan as Scan
from cevns_fast.inference.toys import FeldmanCousins as FeldmanCousins
from cevns_fast.inference.toys import GoodnessOfFit as GoodnessOfFit
from cevns_fast.inference.toys import feldman_cousins as feldman_cousins
from cevns_fast.inference.toys import goodness_of_fit as goodness_of_fit
from cevns_fast.interactions.electromagnetic import ChargeRadius as ChargeRadius
from cevns_fast.interactions.electromagnetic import MagneticMoment as MagneticMoment
from cevns_fast.interactions.electromagnetic import Millicharge as Millicharge
from cevns_fast.interactions.electron_eft import ElectronEFT as ElectronEFT
from cevns_fast.interactions.light_vector import LightVector as LightVector
from cevns_fast.interactions.loop_functions import F_G as F_G
from cevns_fast.interactions.loop_functions import LoopFunctions as LoopFunctions
from cevns_fast.interactions.loop_functions import loop_functions as loop_functions
from cevns_fast.interactions.matching import contact_scalar as contact_scalar
from cevns_fast.interactions.matching import contact_vector as contact_vector
from cevns_fast.interactions.matching import dipole_coupling as dipole_coupling
from cevns_fast.interactions.matching import generalised_interaction as generalised_interaction
from cevns_fast.interactions.matching import magnetic_moment as magnetic_moment
from cevns_fast.interactions.matching import nsi_from_wilson as nsi_from_wilson
from cevns_fast.interactions.matching import run_to_low_energy as run_to_low_energy
from cevns_fast.interactions.matching import smeft_magnetic_moment as smeft_magnetic_moment
from cevns_fast.interactions.matching import smeft_scalar as smeft_scalar
from cevns_fast.interactions.nsi import NSI as NSI
from cevns_fast.interactions.numerical import NumericalInteraction as NumericalInteraction
from cevns_fast.interactions.scalar_mediator import ScalarMediator as ScalarMediator
from cevns_fast.interactions.singlet_eft import EFTConvention as EFTConvention
from cevns_fast.interactions.singlet_eft import SingletEFT as SingletEFT
from cevns_fast.interactions.standard_model import StandardModel as StandardModel
from cevns_fast.interactions.vector_mediator import LoopConvention as LoopConvention
from cevns_fast.interactions.vector_mediator import VectorMediator as VectorMediator
from cevns_fast.interop.c_interface import write_c_interface as write_c_interface
from cevns_fast.interop.cobaya import cobaya_likelihood as cobaya_likelihood
from cevns_fast.interop.cobaya import cobaya_names as cobaya_names
from cevns_fast.interop.differentiable import jax_log_likelihood as jax_log_likelihood
from cevns_fast.interop.differentiable import pytensor_log_likelihood as pytensor_log_likelihood
from cevns_fast.interop.differentiable import torch_log_likelihood as torch_log_likelihood
from cevns_fast.interop.fitters import PriorTransform as PriorTransform
from cevns_fast.interop.fitters import minuit_cost as minuit_cost
from cevns_fast.interop.fitters import prior_transform as prior_transform
from cevns_fast.interop.fitters import scipy_problem as scipy_problem
from cevns_fast.interop.fitters import starting_points as starting_points
from cevns_fast.interop.fitters import to_inference_data as to_inference_data
from cevns_fast.interop.histfactory import pyhf_parameters as pyhf_parameters
from cevns_fast.interop.histfactory import pyhf_workspace as pyhf_workspace
from cevns_fast.interop.popxf import popxf_measurements as popxf_measurements
from cevns_fast.interop.popxf import popxf_predictions as popxf_predictions
from cevns_fast.likelihood.likelihood import Likelihood as Likelihood
from cevns_fast.likelihood.nuisances import AsymmetricNuisance as AsymmetricNuisance
from cevns_fast.likelihood.nuisances import BackgroundShape as BackgroundShape
from cevns_fast.likelihood.nuisances import CovarianceMatrix as CovarianceMatrix
from cevns_fast.likelihood.nuisances import ScaleNuisance as ScaleNuisance
from cevns_fast.likelihood.nuisances import ShapeNuisance as ShapeNuisance
from cevns_fast.likelihood.parameters import Parameter as Parameter
from cevns_fast.nuclear.electrons import ELECTRON as ELECTRON
from cevns_fast.nuclear.electrons import Electron as Electron
from cevns_fast.nuclear.electrons import effective_electrons as effective_electrons
from cevns_fast.nuclear.form_factors import HelmFormFactor as HelmFormFactor
from cevns_fast.nuclear.form_factors import KleinNystrand as KleinNystrand
from cevns_fast.nuclear.form_factors import PointNucleus as PointNucleus
from cevns_fast.nuclear.form_factors import SymmetrisedFermi as SymmetrisedFermi
from cevns_fast.nuclear.form_factors import helm_form_factor as helm_form_factor
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy as minimum_neutrino_energy
from cevns_fast.nuclear.kinematics import recoil_range as recoil_range
from cevns_fast.nuclear.kinematics import scattering_angle as scattering_angle
from cevns_fast.nuclear.kinematics import scattering_angle_extremum as scattering_angle_extremum
from cevns_fast.nuclear.kinematics import threshold_energy as threshold_energy
from cevns_fast.nuclear.nuclei import Nuclide as Nuclide
from cevns_fast.nuclear.nuclei import Target as Target
from cevns_fast.nuclear.nuclei import nuclide as nuclide
from cevns_fast.parallel.threads import get_num_threads as get_num_threads
from cevns_fast.parallel.threads import set_num_threads as set_num_threads

__version__: str
__all__ = [
    "ELECTRON",
    "F_G",
    "NSI",
    "AccuracyWarning",
    "AsymmetricNuisance",
    "Background",
    "BackgroundRate",
    "BackgroundShape",
    "BackgroundVariation",
    "BestFit",
    "ChargeRadius",
    "ConfidenceMap",
    "Contours",
    "CovarianceMatrix",
    "Detector",
    "Discovery",
    "EFTConvention",
    "Electron",
    "ElectronEFT",
    "Experiment",
    "ExponentialEfficiency",
    "FeldmanCousins",
    "FluxComponent",
    "GammaSmearing",
    "GaussianSmearing",
    "GoodnessOfFit",
    "HelmFormFactor",
    "KleinNystrand",
    "LightVector",
    "Likelihood",
    "LimitCurve",
    "LindhardQuenching",
    "LinearQuenching",
    "LogisticAcceptance",
    "LoopConvention",
    "LoopFunctions",
    "MagneticMoment",
    "Millicharge",
    "NonUnitarySource",
    "Nuclide",
    "NumericalInteraction",
    "OffsetLogisticAcceptance",
    "OscillatedSource",
    "OutOfReachWarning",
    "Parameter",
    "PionDecayAtRest",
    "PointNucleus",
    "PoissonSmearing",
    "PolynomialQuenching",
    "PriorTransform",
    "ProtonPulse",
    "Reactor",
    "ReleaseAxis",
    "Response",
    "ResponseMatrix",
    "ScalarMediator",
    "ScaleNuisance",
    "Scan",
    "ShapeNuisance",
    "SharedScale",
    "SignalVariation",
    "SingletEFT",
    "Solar",
    "StandardModel",
    "StandardModelFraction",
    "SymmetrisedFermi",
    "Table",
    "TabulatedSource",
    "TabulatedSpectrum",
    "Target",
    "Templates",
    "TimeAxis",
    "VectorMediator",
    "__version__",
    "available_experiments",
    "best_fit",
    "cobaya_likelihood",
    "cobaya_names",
    "constants",
    "contact_scalar",
    "contact_vector",
    "correlation_scan",
    "cosmology",
    "differential_cross_section",
    "dipole_coupling",
    "discovery",
    "effective_electrons",
    "event_rate",
    "feldman_cousins",
    "feldman_cousins_map",
    "generalised_interaction",
    "get_num_threads",
    "goodness_of_fit",
    "helm_form_factor",
    "jax_log_likelihood",
    "limit_scan",
    "load",
    "loop_functions",
    "magnetic_moment",
    "minimum_neutrino_energy",
    "minuit_cost",
    "nsi_from_wilson",
    "nuclide",
    "open_limits",
    "open_scan",
    "popxf_measurements",
    "popxf_predictions",
    "prior_transform",
    "pyhf_parameters",
    "pyhf_workspace",
    "pytensor_log_likelihood",
    "recoil_range",
    "recoil_spectrum",
    "reference",
    "run_to_low_energy",
    "scattering_angle",
    "scattering_angle_extremum",
    "scipy_problem",
    "set_num_threads",
    "smeft_magnetic_moment",
    "smeft_scalar",
    "starting_points",
    "templates",
    "threshold_energy",
    "to_inference_data",
    "torch_log_likelihood",
    "write_c_interface",
]
