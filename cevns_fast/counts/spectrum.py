"""Differential cross sections and recoil spectra: what templates integrate, at points."""

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import MEV2_CM2
from cevns_fast.counts.flux import flux_moments, moments_at
from cevns_fast.counts.templates import (
    WithStandardModel,
    check_experiment,
    checked_interactions,
    double_integral,
    standard_model_counts,
)
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import AmplitudePolynomial, Interaction, Process
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclear.form_factors import FormFactor, HelmFormFactor
from cevns_fast.nuclear.kinematics import minimum_neutrino_energy, recoil_range
from cevns_fast.nuclear.nuclei import Nuclide


def _form_factor_products(factor: FormFactor, nuclide: Nuclide, T: Floats) -> Floats:
    """F_p², F_p F_n and F_n²."""
    F_p, F_n = factor.proton(nuclide, T), factor.neutron(nuclide, T)
    return np.stack([F_p * F_p, F_p * F_n, F_n * F_n])


def _propagator(process: Process, nuclide: Nuclide, T: Floats) -> Floats:
    """1/P(T) = (2MT + m²)^p."""
    mediator = float(np.asarray(process.mediator_mass))
    return np.asarray((2 * nuclide.mass * T + mediator**2) ** process.propagator_power)


def _weighted_terms(
    process: Process, amplitudes: AmplitudePolynomial, odd_sign: float
) -> list[tuple[int, int, Floats]]:
    """Terms of a cross section as (j, k, c × [pp, pn, nn weights])."""
    a = next(iter(amplitudes.values()))[0]  # [helicities, amplitudes, 2]
    found = []
    for term in process.terms:
        x, y = a[:, term.first].conj(), a[:, term.second]
        products = (x[:, 0] * y[:, 0], x[:, 0] * y[:, 1] + x[:, 1] * y[:, 0], x[:, 1] * y[:, 1])
        coefficient = float(np.asarray(term.coefficient * process.final_mass**term.mass_power))
        coefficient *= odd_sign if term.odd else 1.0
        weights = coefficient * np.array([float(np.sum(each.real)) for each in products])
        found.append((term.T_power, term.E_power, weights))
    return found


def differential_cross_section(
    interaction: Interaction,
    nuclide: Nuclide,
    E: ArrayLike,
    T: ArrayLike,
    *,
    antineutrino: bool = False,
    form_factor: FormFactor | None = None,
) -> Floats | float:
    """dσ/dT of the interaction alone, with form factors.

    Parameters
    ----------
    interaction : Interaction
        Pass a `StandardModel` for the Standard Model.
    nuclide : Nuclide
    E : array_like
        Neutrino energy, MeV, > 0.
    T : array_like
        Recoil energy, MeV, >= 0; broadcasts against E.
    antineutrino : bool
    form_factor : HelmFormFactor or PointNucleus, optional

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
    """
    if not isinstance(interaction, Interaction):
        raise ValueError(f"interaction = {interaction!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
    if not isinstance(nuclide, Nuclide):
        raise ValueError(f"nuclide = {nuclide!r}: must be a Nuclide, e.g. cevns_fast.nuclide('Cs133')")
    energies, recoils = validate.array("E", E, minimum=0.0), validate.array("T", T, minimum=0.0)
    try:
        energies, recoils = np.broadcast_arrays(energies, recoils)
    except ValueError:
        raise ValueError(f"E: shape {energies.shape} and T: shape {recoils.shape} must broadcast") from None
    factor = HelmFormFactor() if form_factor is None else form_factor
    if not all(callable(getattr(factor, name, None)) for name in ("proton", "neutron")):
        raise ValueError(f"form_factor = {form_factor!r}: must be a HelmFormFactor or PointNucleus")
    validate.flag("antineutrino", antineutrino)
    kind = type(interaction)
    result = np.zeros(energies.shape)
    if isinstance(interaction, NumericalInteraction):
        lowest, highest = recoil_range(energies, interaction.mass_of_final_state, nuclide.mass)
        allowed = (recoils >= lowest) & (recoils <= highest)
        result[allowed] = MEV2_CM2 * double_integral().cross_section(
            interaction, nuclide, energies[allowed], recoils[allowed], antineutrino, factor
        )
        return float(result) if result.ndim == 0 else result
    safe_T, safe_E = np.where(recoils > 0, recoils, 1.0), np.where(energies > 0, energies, 1.0)
    products = _form_factor_products(factor, nuclide, recoils)
    for process, amplitudes in zip(
        kind.processes([interaction], nuclide), kind.amplitudes([interaction], nuclide, (), {}), strict=True
    ):
        lowest, highest = recoil_range(energies, float(np.asarray(process.final_mass)), nuclide.mass)
        allowed = (recoils >= lowest) & (recoils <= highest)  # both NaN below threshold
        value = np.zeros(energies.shape)
        for j, k, weights in _weighted_terms(process, amplitudes, -1.0 if antineutrino else 1.0):
            if not np.any(weights):
                continue
            power = safe_T**j if j < 0 else recoils**j
            value += power * safe_E**k * np.tensordot(weights, products, axes=1)
        result += np.where(allowed, value / _propagator(process, nuclide, recoils), 0.0)
    result *= MEV2_CM2
    return float(result) if result.ndim == 0 else result


def recoil_spectrum(
    experiment: Experiment,
    interaction: Interaction,
    T: ArrayLike,
    *,
    standard_model: WithStandardModel = True,
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
    recoils = validate.array("T", T, minimum=0.0)
    if np.any(recoils == 0):
        raise ValueError("T = 0.0: must be > 0")
    parts = [interaction]
    if not isinstance(interaction, StandardModel) and standard_model is not False:
        standard_model_counts(experiment, standard_model, beside=[interaction])  # refuses what is not a model
        parts.append(StandardModel() if standard_model is True else standard_model)
    flat = recoils.ravel()
    result = np.zeros(flat.size)
    nuclei = experiment.detector.nuclei * experiment.fluence * MEV2_CM2
    for part in parts:
        for nuclide, amount in zip(experiment.detector.target.nuclides, nuclei, strict=True):
            result += amount * _spectrum(experiment, part, nuclide, flat)
    return float(result[0]) if recoils.ndim == 0 else result.reshape(recoils.shape)


def _spectrum(experiment: Experiment, interaction: Interaction, nuclide: Nuclide, T: Floats) -> Floats:
    """Σ_components ∫dE φ(E) dσ/dT for one nucleus and unit fluence, MeV⁻³."""
    if isinstance(interaction, NumericalInteraction):
        return np.asarray(double_integral().spectrum(experiment, interaction, nuclide, T))
    kind = type(interaction)
    products = _form_factor_products(experiment.detector.form_factor, nuclide, T)
    result = np.zeros(T.size)
    for process, amplitudes in zip(
        kind.processes([interaction], nuclide), kind.amplitudes([interaction], nuclide, (), {}), strict=True
    ):
        lanes = tuple(dict.fromkeys((t.odd, t.E_power) for t in process.terms))
        E = np.asarray(minimum_neutrino_energy(T, process.final_mass, nuclide.mass))
        moments = moments_at(flux_moments(experiment.source, lanes), E)
        value = np.zeros(T.size)
        for term, (j, _, weights) in zip(process.terms, _weighted_terms(process, amplitudes, 1.0), strict=True):
            lane = lanes.index((term.odd, term.E_power))
            value += T**j * moments[lane] * np.tensordot(weights, products, axes=1)
        result += value / _propagator(process, nuclide, T)
    return result
