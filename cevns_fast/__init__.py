"""Coherent neutrino–nucleus scattering and the production of new fermions, fast.

A source, a detector and an interaction become templates; templates become counts, χ², limits and scans.
"""

from cevns_fast._support import drawn, moved
from cevns_fast._support.loading import load as _load

__version__ = "0.1.0"

# Public names and their homes. The façade is lazy: what they need is loaded when they are asked for.
# `python setup_helpers/write_stub.py` then tells type checkers and editors.
_HOMES = {
    "constants": ("",),
    "cosmology": ("",),
    "reference": ("",),
    "nuclear.kinematics": (
        "minimum_neutrino_energy",
        "recoil_range",
        "scattering_angle",
        "scattering_angle_extremum",
        "threshold_energy",
    ),
    "nuclear.nuclei": ("Nuclide", "Target", "nuclide"),
    "nuclear.electrons": ("ELECTRON", "Electron", "effective_electrons"),
    "nuclear.form_factors": (
        "HelmFormFactor",
        "KleinNystrand",
        "PointNucleus",
        "SymmetrisedFermi",
        "helm_form_factor",
    ),
    "experiments.spectra": ("TabulatedSpectrum",),
    "experiments.axes": ("ExponentialEfficiency", "ProtonPulse", "ReleaseAxis", "TimeAxis"),
    "experiments.shared": ("BackgroundVariation", "SharedScale", "SignalVariation"),
    "experiments.solar": ("Solar",),
    "experiments.sources": ("FluxComponent", "PionDecayAtRest", "Reactor", "TabulatedSource"),
    "experiments.oscillated": ("NonUnitarySource", "OscillatedSource"),
    "experiments.functions": ("Table",),
    "experiments.quenching": (
        "LindhardQuenching",
        "LinearQuenching",
        "PolynomialQuenching",
    ),
    "experiments.acceptances": (
        "LogisticAcceptance",
        "OffsetLogisticAcceptance",
    ),
    "experiments.smearing": (
        "GammaSmearing",
        "GaussianSmearing",
        "PoissonSmearing",
    ),
    "experiments.responses": ("Response",),
    "experiments.response_matrix": ("ResponseMatrix",),
    "experiments.detectors": ("Detector",),
    "experiments.backgrounds": ("Background", "BackgroundRate", "StandardModelFraction"),
    "experiments.reach": ("OutOfReachWarning",),
    "experiments.built_in": ("available_experiments", "load"),
    "experiments.experiment": ("Experiment",),
    "interactions.standard_model": ("StandardModel",),
    "interactions.nsi": ("NSI",),
    "interactions.light_vector": ("LightVector",),
    "interactions.electromagnetic": ("ChargeRadius", "MagneticMoment", "Millicharge"),
    "interactions.matching": (
        "contact_scalar",
        "contact_vector",
        "dipole_coupling",
        "generalised_interaction",
        "magnetic_moment",
        "nsi_from_wilson",
        "run_to_low_energy",
        "smeft_magnetic_moment",
        "smeft_scalar",
    ),
    "interactions.electron_eft": ("ElectronEFT",),
    "interactions.singlet_eft": ("EFTConvention", "SingletEFT"),
    "interactions.scalar_mediator": ("ScalarMediator",),
    "interactions.loop_functions": ("F_G", "LoopFunctions", "loop_functions"),
    "interactions.vector_mediator": ("LoopConvention", "VectorMediator"),
    "interactions.numerical": ("NumericalInteraction",),
    "counts.piecewise": ("AccuracyWarning",),
    "counts.templates": ("Templates", "event_rate", "templates"),
    "counts.spectrum": ("differential_cross_section", "recoil_spectrum"),
    "likelihood.nuisances": (
        "AsymmetricNuisance",
        "BackgroundShape",
        "CovarianceMatrix",
        "ScaleNuisance",
        "ShapeNuisance",
    ),
    "likelihood.parameters": ("Parameter",),
    "likelihood.likelihood": ("Likelihood",),
    "inference.limit_curve": ("LimitCurve", "open_limits"),
    "inference.limits": ("limit_scan",),
    "inference.best_fit": ("BestFit", "best_fit"),
    "inference.toys": ("FeldmanCousins", "GoodnessOfFit", "feldman_cousins", "goodness_of_fit"),
    "inference.correlation": ("correlation_scan",),
    "inference.cls": ("Discovery", "discovery"),
    "inference.confidence_map": ("ConfidenceMap", "feldman_cousins_map"),
    "interop.fitters": (
        "PriorTransform",
        "minuit_cost",
        "prior_transform",
        "scipy_problem",
        "starting_points",
        "to_inference_data",
    ),
    "interop.histfactory": ("pyhf_parameters", "pyhf_workspace"),
    "interop.c_interface": ("write_c_interface",),
    "interop.cobaya": ("cobaya_likelihood", "cobaya_names"),
    "interop.differentiable": ("jax_log_likelihood", "pytensor_log_likelihood", "torch_log_likelihood"),
    "interop.popxf": ("popxf_measurements", "popxf_predictions"),
    "parallel.threads": ("get_num_threads", "set_num_threads"),
    "inference.regions": ("Contours",),
    "inference.opening": ("open_scan",),
    "inference.scan_result": ("Scan",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names if name}
_MODULES = tuple(home for home, names in _HOMES.items() if names == ("",))

__all__ = [*_HOME_OF, *_MODULES, "__version__"]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _load(f"{__name__}.{name}")
    if name in _HOME_OF:
        value = getattr(_load(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


moved.install()
drawn.install(
    figures=lambda: _load(f"{__name__}.output.of_objects"), pictures=lambda: _load(f"{__name__}.output.pictures")
)


def __dir__() -> list[str]:
    return sorted(__all__)
