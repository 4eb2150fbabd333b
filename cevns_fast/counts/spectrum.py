"""Differential cross sections and recoil spectra: what templates integrate, at points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import MEV2_CM2
from cevns_fast.counts.flux import beams_of, flux_moments, moments_at
from cevns_fast.counts.polynomial import (
    WithStandardModel,
    check_experiment,
    checked_interactions,
    chosen_model,
)
from cevns_fast.counts.recipe import TargetParticles, double_integral
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.sources import Source
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import (
    FLAVOURS,
    Beam,
    Collision,
    Interaction,
    Part,
    Process,
    Scattering,
    Term,
)
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclear.electrons import BoundElectrons, Electron
from cevns_fast.nuclear.form_factors import FormFactor, HelmFormFactor
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy, recoil_range
from cevns_fast.nuclear.nuclei import Nuclide


def _factors(form_factor: FormFactor, target: Nuclide, parts: Sequence[Part], T: Floats) -> Floats:
    """What each part of an amplitude comes with, float64[2 + parts, *T.shape]."""
    F_p, F_n = form_factor.proton(target, T), form_factor.neutron(target, T)
    return np.stack([F_p, F_n, *(F_p * part(2 * target.mass * T) for part in parts)])


def _propagator(process: Process, target: Nuclide, T: Floats) -> Floats:
    """1/P(T) = (2MT + m²)^p."""
    mediator = float(np.asarray(process.mediator_mass))
    return np.asarray((2 * target.mass * T + mediator**2) ** process.propagator_power)


def _terms_at(scattering: Scattering, factors: Floats, odd_sign: float) -> list[tuple[Term, Floats]]:
    """Terms of a cross section, each with c m^l Σ_h Re[a_h* b_h] at every T."""
    process, polynomial = scattering
    (amplitudes,) = (each[0] for each in polynomial.values())  # [helicities, amplitudes, parts]
    at_T = np.tensordot(amplitudes, factors, axes=1)  # [helicities, amplitudes, *T.shape]
    found = []
    for term in process.terms:
        coefficient = float(np.asarray(term.coefficient * process.final_mass**term.mass_power))
        coefficient *= odd_sign if term.odd else 1.0
        product = np.sum((at_T[:, term.first].conj() * at_T[:, term.second]).real, axis=0)
        found.append((term, coefficient * product))
    return found


def differential_cross_section(
    interaction: Interaction,
    nuclide: Nuclide,
    E: ArrayLike,
    T: ArrayLike,
    *,
    flavour: str | tuple[complex, complex, complex] = "e",
    antineutrino: bool = False,
    standard_model: WithStandardModel = False,
    form_factor: FormFactor | None = None,
) -> Floats | float:
    """dσ/dT of an interaction, with form factors; on an electron that of a free one.

    Parameters
    ----------
    interaction : Interaction
        Pass a `StandardModel` for the Standard Model.
    nuclide : Nuclide
        Or `ELECTRON`.
    E : array_like
        Neutrino energy, MeV, > 0.
    T : array_like
        Recoil energy, MeV, >= 0; broadcasts against E.
    flavour : "e", "mu", "tau" or (complex, complex, complex)
        Of the neutrino, by name or as the state (⟨e|ν⟩, ⟨μ|ν⟩, ⟨τ|ν⟩); it matters to interactions that tell flavours
        apart.
    antineutrino : bool
    standard_model : bool or StandardModel
        Whether the Standard Model is added, with the interference; by default the interaction is alone.
    form_factor : HelmFormFactor, KleinNystrand, SymmetrisedFermi or PointNucleus, optional

    Returns
    -------
    float or ndarray
        cm²/MeV; 0 outside the kinematically allowed range.

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    Chang & Liao 2020, Eq. (2), and the equation each interaction names.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cs = cf.nuclide("Cs133")
    >>> f"{cf.differential_cross_section(cf.StandardModel(), cs, E=30.0, T=0.005):.3e}"
    '1.457e-36'
    >>> tree = cf.StandardModel(sin2_theta_w=0.23857)
    >>> f"{cf.differential_cross_section(tree, cf.ELECTRON, E=30.0, T=0.01, flavour='mu'):.3e}"
    '2.158e-45'
    """
    if not isinstance(interaction, Interaction):
        raise ValueError(f"interaction = {interaction!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
    if not isinstance(nuclide, Nuclide):
        raise ValueError(f"nuclide = {nuclide!r}: must be a Nuclide, e.g. cevns_fast.nuclide('Cs133'), or ELECTRON")
    energies, recoils = validate.array("E", E, minimum=0.0), validate.array("T", T, minimum=0.0)
    try:
        energies, recoils = np.broadcast_arrays(energies, recoils)
    except ValueError:
        raise ValueError(f"E: shape {energies.shape} and T: shape {recoils.shape} must broadcast") from None
    validate.flag("antineutrino", antineutrino)
    beam = Beam(_state(flavour), bool(antineutrino))
    factor: FormFactor = HelmFormFactor() if form_factor is None else form_factor
    if not all(callable(getattr(factor, name, None)) for name in ("proton", "neutron")):
        raise ValueError(f"form_factor = {form_factor!r}: must be a HelmFormFactor or PointNucleus")
    if isinstance(nuclide, Electron):
        factor = BoundElectrons()
    model = None if isinstance(interaction, StandardModel) else chosen_model(standard_model)
    result = np.zeros(energies.shape)
    for each in [interaction] if model is None else [model, interaction]:
        if each is interaction and model is not None:
            each.check_standard_model(model)
        result += _cross_section(each, Collision(nuclide, beam, model), factor, energies, recoils)
    return float(result) if result.ndim == 0 else result


def _state(flavour: Any) -> tuple[complex, complex, complex]:
    """A flavour by name, or a normalised state."""
    if isinstance(flavour, str):
        validate.choice("flavour", flavour, FLAVOURS)
        e, mu, tau = (complex(flavour == name) for name in FLAVOURS)
        return e, mu, tau
    if not isinstance(flavour, tuple | list | np.ndarray) or len(flavour) != 3:
        raise ValueError(
            f"flavour = {flavour!r}: must be one of {', '.join(map(repr, FLAVOURS))} or a state of 3 numbers"
        )
    e, mu, tau = (validate.coupling("flavour", value) for value in flavour)
    if abs(abs(e) ** 2 + abs(mu) ** 2 + abs(tau) ** 2 - 1) > 1e-9:
        raise ValueError(f"flavour = {flavour!r}: must be a state of norm 1")
    return e, mu, tau


def _cross_section(
    interaction: Interaction, collision: Collision, form_factor: FormFactor, E: Floats, T: Floats
) -> Floats:
    """dσ/dT of the interaction alone but for its interference, cm²/MeV."""
    kind, target, beam = type(interaction), collision.target, collision.beam
    assert beam is not None
    result = np.zeros(E.shape)
    if isinstance(interaction, NumericalInteraction):
        if not isinstance(target, Electron):
            lowest, highest = recoil_range(E, interaction.mass_of_final_state, target.mass)
            here = (T >= lowest) & (T <= highest)
            found = double_integral().cross_section(interaction, target, E[here], T[here], beam, form_factor)
            result[here] = MEV2_CM2 * found
        return result
    safe_T, safe_E = np.where(T > 0, T, 1.0), np.where(E > 0, E, 1.0)
    parts = kind.parts([interaction], collision.standard_model)
    factors = _factors(form_factor, target, parts, T)
    if not kind.tells_flavours([interaction], isinstance(target, Electron), collision.standard_model):
        collision = collision._replace(beam=None)
    for scattering in kind.scatterings([interaction], collision, (), {}):
        process = scattering.process
        lowest, highest = recoil_range(E, float(np.asarray(process.final_mass)), target.mass)
        allowed = (T >= lowest) & (T <= highest)  # both NaN below threshold
        value = np.zeros(E.shape)
        for term, weight in _terms_at(scattering, factors, -1.0 if beam.antineutrino else 1.0):
            power = safe_T**term.T_power if term.T_power < 0 else T**term.T_power
            value += power * safe_E**term.E_power * weight
        result += np.where(allowed, value / _propagator(process, target, T), 0.0)
    return result * MEV2_CM2


def recoil_spectrum(
    experiment: Experiment,
    interaction: Interaction,
    T: ArrayLike,
    *,
    standard_model: WithStandardModel = True,
    target: TargetParticles = "all",
) -> Floats | float:
    """dN/dT of an experiment's exposure, before acceptance and smearing.

    Parameters
    ----------
    experiment : Experiment
    interaction : Interaction
    T : array_like
        Recoil energy, MeV, > 0.
    standard_model : bool or StandardModel
        Whether the Standard Model is added to new physics.
    target : {"all", "nuclei", "electrons"}
        What recoils: "all" includes electrons where the detector has a response to them.

    Returns
    -------
    float or ndarray
        Counts per MeV, summed over nuclides and neutrino species.

    Raises
    ------
    ValueError
        If an argument is refused.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> round(cf.recoil_spectrum(csi, cf.StandardModel(), T=0.010) / 1000, 1)  # counts per keV at 10 keV
    38.7
    """
    check_experiment(experiment)
    checked_interactions(interaction)
    validate.choice("target", target, ("all", "nuclei", "electrons"))
    recoils = validate.array("T", T, minimum=0.0)
    if np.any(recoils == 0):
        raise ValueError("T = 0.0: must be > 0")
    include: WithStandardModel = False if isinstance(interaction, StandardModel) else standard_model
    model = chosen_model(include)
    if model is not None:
        interaction.check_standard_model(model)
    detectors = [experiment.detector] if target != "electrons" else []
    if target == "electrons" or (target == "all" and experiment.detector.electron_response is not None):
        detectors.append(experiment.detector.of_electrons)
    flat = recoils.ravel()
    result = np.zeros(flat.size)
    for detector in detectors:
        amounts = detector.nuclei * experiment.fluence * MEV2_CM2
        for each in [interaction] if model is None else [interaction, model]:
            for nuclide, amount in zip(detector.target.nuclides, amounts, strict=True):
                result += amount * _spectrum(experiment.source, detector.form_factor, each, nuclide, model, flat)
    return float(result[0]) if recoils.ndim == 0 else result.reshape(recoils.shape)


def _spectrum(
    source: Source,
    form_factor: FormFactor,
    interaction: Interaction,
    target: Nuclide,
    model: StandardModel | None,
    T: Floats,
) -> Floats:
    """Σ_components ∫dE φ(E) dσ/dT for one target particle and unit fluence, MeV⁻³."""
    kind = type(interaction)
    if isinstance(interaction, NumericalInteraction):
        if isinstance(target, Electron):
            return np.zeros(T.size)
        return np.asarray(double_integral().spectrum(source, form_factor, interaction, target, T))
    factors = _factors(form_factor, target, kind.parts([interaction], model), T)
    beams: Sequence[tuple[Beam | None, Source]] = ((None, source),)
    if kind.tells_flavours([interaction], isinstance(target, Electron), model):
        beams = beams_of(source)
    result = np.zeros(T.size)
    for beam, share in beams:
        for scattering in kind.scatterings([interaction], Collision(target, beam, model), (), {}):
            process = scattering.process
            lanes = tuple(dict.fromkeys((t.odd, t.E_power) for t in process.terms))
            E = np.asarray(minimum_neutrino_energy(T, process.final_mass, target.mass))
            moments = moments_at(flux_moments(share, lanes), E)
            value = np.zeros(T.size)
            for term, weight in _terms_at(scattering, factors, 1.0):
                value += T**term.T_power * moments[lanes.index((term.odd, term.E_power))] * weight
            result += value / _propagator(process, target, T)
    return result
