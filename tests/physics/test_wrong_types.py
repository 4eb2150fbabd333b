"""Every public callable, each argument of a wrong type: `ValueError` or `TypeError` with the argument's name."""

import inspect
from importlib.util import find_spec

import numpy as np
import pytest

import cevns_fast as cf

SPECTRUM = cf.TabulatedSpectrum((1.0, 8.0), (1e12, 1e10))
ARGON = cf.nuclide("Ar40")
TARGET = cf.Target.of("Ar", {"Ar": 1})
DETECTOR = cf.Detector(TARGET, 1.0, (1.0, 2.0))
EFT = cf.SingletEFT(10.0)


class Anything:
    """An object that nothing knows."""

    def __repr__(self):
        return "Anything()"


WRONG = (None, True, "text", b"bytes", 1j, float("nan"), -1, 10**400, [], {}, {"x": object()}, object(), Anything, len,
         [[1.0], [1.0, 2.0]], ["a"], [None], np.array([1j]), np.array(["x"]), np.array([object()]), {1, 2}, (),
         range(0), lambda: None)  # fmt: skip


def dsigma(E, T, nucleus, beam, p):
    return p[0] ** 2


@pytest.fixture(scope="module")
def calls(csi, tmp_path_factory):
    """Name → (callable, arguments that are right, arguments for which anything may be given)."""
    fit = cf.Likelihood(csi, model=EFT, parameters=("C_S", "a_M"))
    bounded = cf.Likelihood(csi, model=EFT, parameters=("C_S",), bounds={"C_S": (-1.0, 1.0)})
    scan = cf.correlation_scan(csi, EFT, ("C_S", "a_M"), [-0.1, 0.0, 0.1], [-1e-3, 0.0, 1e-3])
    folder = tmp_path_factory.mktemp("wrong")
    scan_file = folder / "scan.nc"
    scan.save(scan_file)
    limits_file = cf.limit_scan(csi, EFT, "C_S").save(folder / "limits.nc")
    chain = np.zeros((2, 10, 2))
    background = cf.Background("b", [1.0], 0.1)
    return {
        "minimum_neutrino_energy": dict(T=0.01, m_chi=1.0, M=4e4),
        "recoil_range": dict(E=30.0, m_chi=1.0, M=4e4),
        "scattering_angle": dict(E=30.0, T=0.01, m_chi=1.0, M=4e4),
        "scattering_angle_extremum": dict(E=30.0, m_chi=1.0, M=4e4),
        "threshold_energy": dict(m_chi=1.0, M=4e4),
        "HelmFormFactor": dict(convention="rms", skin=0.9, neutron_radius=None),
        "Nuclide": dict(name="X", Z=1, N=1, atomic_mass=2.0, abundance=0.0, charge_radius=None),
        "PointNucleus": {},
        "Target": dict(name="x", nuclides=(ARGON,), counts=(1.0,)),
        "helm_form_factor": dict(nuclide=ARGON, T=0.01, convention="rms", skin=0.9),
        "nuclide": dict(name="Ar40"),
        "TabulatedSpectrum": dict(energies=(1.0, 2.0), values=(1.0, 2.0), interpolation="log", uncertainty=0.0),
        "PionDecayAtRest": dict(distance=20.0, neutrinos_per_proton=0.08),
        "Reactor": dict(thermal_power=3.0, distance=20.0, total_flux=None, fission_fractions={"U235": 1.0},
                        high_energy="mueller", low_energy="kopeikin", energy_per_fission=200.0, endpoint=8.0),
        "TabulatedSource": dict(spectrum=SPECTRUM, total_flux=1e13, antineutrino=True, species="anti_nu_e"),
        "FluxComponent": dict(name="nu", antineutrino=False, spectrum=np.ones_like, breakpoints=(1.0, 2.0), lines=(),
                              flavour="e"),
        "GammaSmearing": dict(shape_per_unit=1.0),
        "GaussianSmearing": dict(statistical=1.0, constant=0.1, linear=0.1),
        "PoissonSmearing": {},
        "LindhardQuenching": dict(element="Ge", k=0.16),
        "LinearQuenching": dict(intercept=0.2, slope=0.1),
        "PolynomialQuenching": dict(coefficients=(0.2, 0.1)),
        "LogisticAcceptance": dict(plateau=0.5, steepness=1.0, midpoint=5.0, threshold=1.0),
        "Table": dict(x=(1.0, 2.0), y=(0.1, 0.2)),
        "Response": dict(light_yield=1.0, quenching=1.0, acceptance=1.0, smearing=None, observable="x",
                         recoil_threshold=0.0),
        "Detector": dict(target=TARGET, mass=1.0, bins=(1.0, 2.0), response=cf.Response(),
                         form_factor=cf.PointNucleus(), electron_response=None),
        "OffsetLogisticAcceptance": dict(amplitude=1.2, steepness=0.3, midpoint=10.0, offset=-0.3),
        "ResponseMatrix": dict(energies=(0.001, 0.002), probabilities=[[0.1, 0.2], [0.3, 0.4]], observable="x"),
        "ExponentialEfficiency": dict(start=0.5, rate=0.05),
        "ProtonPulse": dict(mean=0.5, width=0.1, pion_lifetime=0.026, muon_lifetime=2.197, efficiency=0.9),
        "TimeAxis": dict(edges=(0.0, 1.0), fractions=None, pulse=cf.ProtonPulse(0.5, 0.1)),
        "ReleaseAxis": dict(name="z", probabilities=[1.0, 0.0]),
        "SharedScale": dict(name="s", on="signal", active=True, uncertainty=0.1, constraint="gaussian", up=None,
                            down=None),
        "SignalVariation": dict(name="s", on="signal", active=True, up={"exposure": 2.0}, down={"exposure": 1.0}),
        "BackgroundVariation": dict(name="s", on="b", active=True, up=[1.0], down=None),
        "Solar": dict(fluxes={"8B": 5e6}, sin2_theta12=0.3, sin2_theta13=0.02, sin2_theta23=0.5, delta_cp=0.0,
                      delta_m2_21=7.5e-5),
        "Background": dict(name="b", counts=[1.0], uncertainty=0.1),
        "BackgroundRate": dict(per_day_keV_kg=1.0, per_day_keVee_kg=None, exposure_per_day=1.0),
        "StandardModelFraction": dict(fraction=0.1),
        "Experiment": dict(
            name="e", source=cf.Reactor(total_flux=1e13), detector=DETECTOR.replace(bins=(0.1, 0.2)), exposure=1.0,
            observed=[1.0], steady_state=[1.0], steady_state_weight=1.0, backgrounds=(background,),
            signal_uncertainty=0.1, signal_uncertainty_on="prediction", variance="observed", shape_uncertainty=0.0,
            simulated_truth=cf.StandardModel(), description="", citation="", excluded=(), time=None, release=None,
            calibration=None, sigma=None, statistic="poisson", nuisances=(), data_set="", contains=(), approximate="",
            published="",
        ),
        "available_experiments": {},
        "load": dict(name="coherent-csi-2017"),
        "StandardModel": dict(sin2_theta_w=0.23, couplings="radiative", axial=True),
        "SingletEFT": dict(m_chi=1.0, a_M=0.0, C_S=0.0),
        "ScalarMediator": dict(m_chi=1.0, m_S=1.0, y_bar=1e-4),
        "VectorMediator": dict(m_chi=1.0, m_zprime=10.0, gchi_gq=1e-6),
        "NSI": dict(eps_ee_u=0.1, eps_emu_d=0.1j),
        "LightVector": dict(m_zprime=10.0, g=1e-5, charges="Lmu-Ltau", mixing=0.0),
        "MagneticMoment": dict(mu_e=1e-9, mu_mu=1e-9, mu_tau=0.0),
        "ChargeRadius": dict(ee=1e-32, emu=1e-32j),
        "Millicharge": dict(ee=1e-9, emu=1e-9j),
        "ElectronEFT": dict(m_chi=1.0, S=0.1, P=0.1, V=0.1, A=0.1, T=0.1, a_M=0.0, a_E=0.0, m_mediator=None,
                            flavours=("e", "mu")),
        "OscillatedSource": dict(source=csi.source, delta_m2=1.0, Ue4_sq=0.1, Umu4_sq=0.1, Utau4_sq=0.1,
                                 distance=10.0),
        "NonUnitarySource": dict(source=csi.source, mixing=np.eye(3), normalised=True, from_muon_decay=False),
        "KleinNystrand": dict(convention="rms", range=0.7, neutron_radius=None),
        "SymmetrisedFermi": dict(convention="rms", diffuseness=0.52, neutron_radius=None),
        "magnetic_moment": dict(a_M=1e-3, helicity="left"),
        "dipole_coupling": dict(magnetic_moment=1e-9, helicity="left"),
        "contact_scalar": dict(y_squared=1e-6, m_S=100.0),
        "contact_vector": dict(g_squared=1e-6, m_zprime=100.0),
        "generalised_interaction": dict(kind="S", xi=0.1, N=78),
        "smeft_scalar": dict(c=1.0, scale=1e6),
        "smeft_magnetic_moment": dict(c=1.0, scale=1e6),
        "run_to_low_energy": dict(kind="S"),
        "nsi_from_wilson": None,  # of an optional package; tests/physics/test_matching.py
        "Electron": None,
        "effective_electrons": dict(element="Xe", T=0.01),
        "NumericalInteraction": dict(dsigma=dsigma, parameters={"g": 1.0}, couplings={"g": 2}, final_mass=None,
                                     E_breakpoints=(30.0,), T_breakpoints=(0.01,)),
        "EFTConvention": {},
        "LoopConvention": {},
        "LoopFunctions": None,
        "F_G": dict(m_chi=10.0, m_zprime=20.0, m_q=4180.0),
        "loop_functions": dict(m_chi=10.0, m_zprime=20.0, threads=1),
        "Templates": None,
        "event_rate": dict(experiment=csi, interaction=EFT, standard_model=True, target="nuclei", method="moments",
                           rtol=1e-9, threads=1),
        "templates": dict(experiment=csi, interaction=EFT, couplings=("C_S",), phases=None, standard_model=True,
                          target="nuclei", rtol=1e-9, threads=1),
        "differential_cross_section": dict(interaction=EFT, nuclide=ARGON, E=30.0, T=0.01, flavour="mu",
                                           antineutrino=False, standard_model=False, form_factor=None),
        "recoil_spectrum": dict(experiment=csi, interaction=EFT, T=0.01, standard_model=True, target="nuclei"),
        "ScaleNuisance": dict(name="s", uncertainty=0.1, experiments=None),
        "ShapeNuisance": dict(name="s", up=(csi,), down=(csi,)),
        "AsymmetricNuisance": dict(name="s", up=0.3, down=-0.2, experiments=None),
        "BackgroundShape": dict(name="s", background="b", up=[1.0, 2.0], down=[1.0, 1.0]),
        "CovarianceMatrix": dict(name="s", matrix=[[1.0, 0.0], [0.0, 2.0]], experiments=None),
        "Parameter": None,
        "Likelihood": dict(experiments=csi, standard_model=True, statistic="gaussian", nuisances=(), model=EFT,
                           parameters=("C_S",), fixed=None, phases=None, bounds={"C_S": (-1.0, 1.0)}, rtol=1e-9),
        "LimitCurve": None,
        "limit_scan": dict(experiment=csi, interactions=EFT, coupling="C_S", cl=0.9, delta_chi2=None, phase=1.0,
                           standard_model=True, statistic="gaussian", nuisances=(), rtol=1e-9, threads=1),
        "BestFit": None,
        "FeldmanCousins": None,
        "GoodnessOfFit": None,
        "best_fit": dict(fit=bounded),
        "feldman_cousins": dict(fit=bounded, points={"C_S": [0.0, 0.1]}, cl=0.9, toys=50, seed=0, executor=None,
                                threads=1, checkpoint=None, progress=None),
        "Discovery": None,
        "discovery": dict(fit=bounded, couplings={"C_S": 0.02}),
        "ConfidenceMap": None,
        "feldman_cousins_map": dict(fit=fit, names=("C_S", "a_M"), x=[0.0, 0.1], y=[0.0, 1e-3], toys=50, seed=0, cl=0.9,
                                    adaptive=True, executor=None, threads=1, checkpoint=None, progress=None),
        "goodness_of_fit": dict(fit=bounded, toys=50, seed=0, executor=None, threads=1, checkpoint=None, progress=None),
        "correlation_scan": dict(experiment=csi, interaction=EFT, couplings=("C_S",), axes=[0.0, 0.1],
                                 profile=(), phases=None, standard_model=True, statistic="gaussian", nuisances=(),
                                 out=None, threads=1, executor=None, checkpoint=None, progress=None, rtol=1e-9),
        "PriorTransform": None,
        "minuit_cost": dict(fit=fit),
        "prior_transform": dict(fit=bounded, priors=None),
        "scipy_problem": dict(fit=bounded),
        "starting_points": dict(fit=bounded, n=3, seed=0),
        "to_inference_data": dict(fit=fit, samples=chain),
        **{name: dict(fit=fit) if find_spec(package) else None for name, package in FRAMEWORKS.items()},
        "cobaya_names": dict(fit=fit),
        "popxf_predictions": dict(experiments=csi, interaction=EFT, couplings=("C_S",)),
        "popxf_measurements": dict(experiments=csi),
        "pyhf_parameters": None,
        "pyhf_workspace": dict(experiments=csi, interaction=EFT, couplings=("C_S",)),
        "write_c_interface": dict(directory=folder / "c", overwrite=True),
        "get_num_threads": {},
        "set_num_threads": dict(n=None),
        "Contours": None,
        "Scan": None,
        "open_scan": dict(path=scan_file),
        "open_limits": dict(path=limits_file),
        "OutOfReachWarning": None,
        "AccuracyWarning": None,
        "Experiment.replace": (csi.replace, {}),
        "Experiment.mask": (csi.mask, dict(bins=[0])),
        "Detector.replace": (DETECTOR.replace, {}),
        "Detector.bin_response": (DETECTOR.bin_response, dict(T=0.01)),
        "Detector.response_to_mean": (DETECTOR.response_to_mean, dict(mean=[1.0])),
        "Target.of": (cf.Target.of, dict(name="x", composition={"Ar": 1}, nuclides=())),
        "EFT.replace": (EFT.replace, {}),
        "Templates.counts": (cf.templates(csi, EFT).counts, dict(couplings={"C_S": 0.1})),
        "Likelihood.chi2": (fit.chi2, dict(interaction=EFT)),
        "Likelihood.chi2_of_counts": (fit.chi2_of_counts, dict(counts=np.ones(12))),
        "Likelihood.nuisances": (fit.nuisances, dict(interaction=EFT)),
        "Likelihood.batch": (fit.batch, dict(thetas=[[0.0, 0.0]])),
        "Likelihood.call": (fit.__call__, dict(theta=[0.0, 0.0])),
        "Likelihood.log_likelihood": (fit.log_likelihood, dict(theta=[0.0, 0.0])),
        "Likelihood.gradient": (fit.gradient, dict(theta=[0.0, 0.0])),
        "Likelihood.hessian": (fit.hessian, dict(theta=[0.0, 0.0])),
        "Likelihood.value_and_gradient": (fit.value_and_gradient, dict(theta=[0.0, 0.0])),
        "Likelihood.pulls": (fit.pulls, dict(theta=[0.0, 0.0])),
        "Likelihood.counts": (fit.counts, dict(theta=[0.0, 0.0])),
        "Likelihood.export": (fit.export, dict(path=folder / "fit.cevns")),
        "Scan.contours": (scan.contours, dict(cl=0.9)),
        "Scan.area": (scan.area, dict(cl=0.9)),
        "Scan.correlation": (scan.correlation, dict(cl=0.9)),
        "Scan.save": (scan.save, dict(path=folder / "other.nc")),
    }  # fmt: skip


# What is right after all, by the argument's place; an empty sequence is one where many are taken.
FINE = {
    "text": {("Target", "name"), ("Target.of", "name"), ("Nuclide", "name"), ("Background", "name"),
             ("Experiment", "name"), ("Experiment", "description"), ("Experiment", "citation"),
             *(("Experiment", name) for name in ("data_set", "approximate", "published")),
             *((kind, name) for kind in ("SharedScale", "SignalVariation", "BackgroundVariation")
               for name in ("name", "on")), ("ReleaseAxis", "name"), ("ResponseMatrix", "observable"),
             ("Response", "observable"),
             ("FluxComponent", "name"), ("TabulatedSource", "species"), ("ScaleNuisance", "name"),
             ("ShapeNuisance", "name"), ("ScaleNuisance", "on"), ("AsymmetricNuisance", "name"),
             ("AsymmetricNuisance", "on"), ("BackgroundShape", "name"), ("BackgroundShape", "background"),
             ("CovarianceMatrix", "name"), ("write_c_interface", "directory"), ("Likelihood.export", "path"),
             ("Scan.save", "path"), ("feldman_cousins", "checkpoint"), ("feldman_cousins_map", "checkpoint"),
             ("goodness_of_fit", "checkpoint"), ("popxf_measurements", "name"),
             ("correlation_scan", "checkpoint")},
    "function": {("ProtonPulse", "efficiency"), ("Response", "quenching"), ("Response", "acceptance"),
                 ("FluxComponent", "spectrum")},
}  # fmt: skip
FRAMEWORKS = {
    "jax_log_likelihood": "jax", "torch_log_likelihood": "torch", "pytensor_log_likelihood": "pytensor",
    "cobaya_likelihood": "cobaya",
}  # fmt: skip
# Where "text" is the folder that an earlier call has made.
FILES = {("Likelihood.export", "path"), ("Scan.save", "path")}
# Arguments that an error names otherwise: by the thing they are.
CALLED = {
    ("nuclide", "name"): "nuclide", ("load", "name"): "experiment", ("Background", "counts"): "background 'b'",
    ("limit_scan", "interactions"): "interaction", ("correlation_scan", "axes"): "grid of C_S",
    ("templates", "couplings"): "coupling", ("correlation_scan", "couplings"): "coupling",
    ("correlation_scan", "profile"): "coupling", ("pyhf_workspace", "couplings"): ("coupling", "unit of x"),
    ("Likelihood", "parameters"): "bounds", ("feldman_cousins", "points"): "C_S", ("best_fit", "fixed"): "parameter",
    ("feldman_cousins_map", "x"): "C_S", ("feldman_cousins_map", "y"): "a_M",
    ("feldman_cousins_map", "names"): "parameter", ("Templates.counts", "couplings"): "coupling",
    ("Likelihood", "bounds"): "bounds", ("popxf_predictions", "couplings"): "coupling",
}  # fmt: skip


def call(function, arguments):
    """By name, but for what goes before starred arguments."""
    signature = inspect.signature(function)
    starred = [p.name for p in signature.parameters.values() if p.kind is p.VAR_POSITIONAL]
    if not starred:
        return function(**arguments)
    arguments, names = dict(arguments), list(signature.parameters)
    before = [arguments.pop(name) for name in names[: names.index(starred[0])]]
    return function(*before, arguments.pop(starred[0]), **arguments)


def is_fine(name, argument, wrong, right):
    """Whether that value is none of the wrong ones after all."""
    if isinstance(wrong, str) or (callable(wrong) and not isinstance(wrong, type)):
        return (name, argument) in FINE["text" if isinstance(wrong, str) else "function"]
    return any(type(wrong) is type(each) and repr(wrong) == repr(each) for each in right)


def test_everything_public_is_tried(calls):
    names = {name for name in cf.__all__ if callable(getattr(cf, name)) and not isinstance(getattr(cf, name), type(cf))}
    assert names <= set(calls)


def names_of(function):
    """The arguments that have names of their own."""
    kinds = (inspect.Parameter.VAR_KEYWORD,)
    return {p.name: p for p in inspect.signature(function).parameters.values() if p.kind not in kinds}


@pytest.mark.filterwarnings("ignore")  # numbers that are out of reach are none of the right type's business
def test_wrong_types_are_refused_by_name(calls, tmp_path, monkeypatch):
    """`ValueError` or `TypeError`, and the argument is in the message; never an error from the depths."""
    monkeypatch.chdir(tmp_path)
    faults = []
    for name, given in calls.items():
        if given is None:
            continue
        function, right = given if isinstance(given, tuple) else (getattr(cf, name), given)
        arguments = names_of(function)
        defaults = {p.name: p.default for p in arguments.values() if isinstance(p.default, int | float | str | None)}
        right = defaults | right
        call(function, right)  # what is right passes
        for argument in right:
            if argument not in arguments:  # a keyword that the function hands on
                continue
            for wrong in WRONG:
                if argument == "progress" and callable(wrong):  # its own error is the user's
                    continue
                if isinstance(wrong, str) and (name, argument) in FILES:
                    continue
                try:
                    call(function, {**right, argument: wrong})
                except (ValueError, TypeError) as error:
                    known = CALLED.get((name, argument), ())
                    known = (argument, *((known,) if isinstance(known, str) else known))
                    if not any(each in str(error) for each in known):
                        faults.append(f"{name}({argument}={wrong!r:.40}): {type(error).__name__}: {error!s:.90}")
                except Exception as error:
                    faults.append(f"{name}({argument}={wrong!r:.40}): {type(error).__name__}: {error!s:.90}")
                else:
                    if wrong_kind(wrong, right[argument]) and not is_fine(name, argument, wrong, [right[argument]]):
                        faults.append(f"{name}({argument}={wrong!r:.40}): accepted")
    assert not faults, "\n".join([f"{len(faults)} faults", *faults[:100]])


def wrong_kind(wrong, right):
    """Whether a value is surely of another kind than what is right: None, numbers, sequences and mappings may do."""
    return (
        isinstance(wrong, str | bytes | Anything) or isinstance(wrong, type) or type(wrong) is object or callable(wrong)
    )
