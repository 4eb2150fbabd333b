"""Event rates by nested adaptive quadrature, CL Eq. (10).

N_b = Σ_nuclides (number of nuclei) Σ_species (fluence) ∫ dT R_b(T) ∫ dE φ(E) dσ/dT(E, T)

The inner integral runs from E_min(T) to the end of the spectrum, split at the breakpoints of the
spectrum; the outer one over the recoils that the spectrum's last neutrinos can cause, split wherever the
response or the inner integral has a kink: at T_min(E_b) and T_max(E_b) of every breakpoint E_b. A line
has no inner integral.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cevns_fast.constants import AVOGADRO, MEV2_CM2, SIN2_THETA_W
from cevns_fast.reference.axes import weights
from cevns_fast.reference.channel import Channel
from cevns_fast.reference.cross_sections import channels, target_mass
from cevns_fast.reference.electrons import effective_electrons, shells
from cevns_fast.reference.fluxes import Flux, fluxes
from cevns_fast.reference.kinematics import RecoilRange, headroom, minimum_energy, recoil_range
from cevns_fast.reference.quadrature import integrate
from cevns_fast.reference.responses import Window, windows

__all__ = ["contributions", "event_rate", "event_rate_terms", "nuclei", "recoil_spectrum"]

Floats = NDArray[np.float64]

#: A panel in T spans at most this factor: 1/T is then a mild function on it.
PANEL_RATIO = 4.0
#: Panels below this fraction of T_max are one, for m = 0 where the geometric grading would never end.
SMALLEST_PANEL = 1e-16


class StandardModel(NamedTuple):
    """The fields of `cevns_fast.StandardModel`, which the reference does not import."""

    sin2_theta_w: float = SIN2_THETA_W
    couplings: str = "tree"
    axial: bool = False


class Scatterer(NamedTuple):
    """A kind of target particle."""

    target: Any
    """A nuclide, or "electron"."""
    number: float
    response: Any
    """The detector whose response counts its recoils."""
    electrons: Any = None
    """Of an element: how many of its electrons a recoil T can free. None for a nucleus."""


class Recoils(NamedTuple):
    """dσ/dT of one channel on one nuclide, averaged over the neutrinos of one line or one spectrum."""

    range: RecoilRange
    kinks: list[float]  # recoil energies
    terms: Callable[[float, float, float], Floats]
    """(T, T - T_min, T_max - T) → the terms, MeV⁻³."""


def nuclei(detector: Any) -> list[tuple[Any, float]]:
    """Nuclides of the target with the numbers of their nuclei: m_det N_A/M_mol of CL Eq. (10)."""
    target = detector.target
    composition = list(zip(target.nuclides, target.counts, strict=True))
    molar_mass = sum(count * nuclide.atomic_mass for nuclide, count in composition)
    formula_units = 1000 * detector.mass / molar_mass * AVOGADRO
    return [(nuclide, count * formula_units) for nuclide, count in composition]


def scatterers(detector: Any, target: str) -> list[Scatterer]:
    """Nuclei, electrons or both: "all" counts electrons where the detector has a response to them."""
    found: list[Scatterer] = []
    if target in ("all", "nuclei"):
        found += [Scatterer(nuclide, number, detector) for nuclide, number in nuclei(detector)]
    seen = getattr(detector, "electron_response", None)
    if target == "electrons" and seen is None:
        raise ValueError("target = 'electrons': the detector has no electron_response")
    if target in ("all", "electrons") and seen is not None:
        seeing = detector.replace(response=seen, electron_response=None)
        for nuclide, number in nuclei(detector):
            element = nuclide.name.rstrip("0123456789")
            found.append(Scatterer("electron", number, seeing, element))
    return found


def _line(channel: Channel, M: float, flux: Flux, energy: float, intensity: float) -> Recoils | None:
    limits = recoil_range(energy, M, channel.mass)
    if limits is None or limits.high <= 0:
        return None
    E = np.array([energy])
    arriving = flux.at(E)

    def terms(T: float, below: float, above: float) -> Floats:
        return intensity * channel.terms(E, T, arriving)[:, 0]

    return Recoils(limits, [], terms)


def _continuum(channel: Channel, M: float, flux: Flux) -> Recoils | None:
    breakpoints, end = flux.breakpoints, flux.breakpoints[-1]
    m, spectrum = channel.mass, flux.spectrum
    limits = recoil_range(end, M, m)
    if spectrum is None or limits is None or limits.high <= 0:
        return None
    images = [recoil_range(E, M, m) for E in breakpoints[:-1]]
    kinks = [T for image in images if image is not None for T in (image.low, image.high)]

    def terms(T: float, below: float, above: float) -> Floats:
        """∫ φ(E) dσ/dT dE from E_min(T), in panels that are known by their upper end and their width."""
        E_min = max(minimum_energy(T, M, m), breakpoints[0])
        upper = np.array([E for E in breakpoints[1:-1] if E > E_min] + [end])
        width = np.diff(upper, prepend=E_min)
        if upper.size == 1 and E_min > breakpoints[0]:
            width[0] = headroom(end, T, M, m, below, above)
        to_end = np.maximum(end - upper, 0.0)

        def integrand(panel: NDArray[np.intp], s: Floats, r: Floats) -> Floats:
            u = width[panel] * r
            E = upper[panel] - u
            weight = width[panel] * spectrum(E, to_end[panel] + u)
            return np.asarray(weight * channel.terms(E, T, flux.at(E)))

        return np.asarray(integrate(integrand, upper.size).sum(axis=1))

    return Recoils(limits, kinks, terms)


def _recoils(channel: Channel, M: float, flux: Flux) -> list[Recoils]:
    found = [_line(channel, M, flux, *line) for line in flux.lines]
    if flux.spectrum is not None:
        found.append(_continuum(channel, M, flux))
    return [recoils for recoils in found if recoils is not None]


def _panels(low: float, high: float, breaks: list[float]) -> list[float]:
    """Ends of panels from low to high: at the breaks, and graded geometrically."""
    ends = [low, *sorted({T for T in breaks if low < T < high}), high]
    graded = [low]
    for a, b in pairwise(ends):
        start = max(a, SMALLEST_PANEL * high)
        inner = [] if a >= start else [start]
        steps = max(1, math.ceil(math.log(b / start) / math.log(PANEL_RATIO)))
        inner += [start * (b / start) ** (k / steps) for k in range(1, steps)]
        graded += [T for T in inner if graded[-1] < T < b] + [b]
    return graded


def _binned(recoils: Recoils, window: Window) -> Any:
    """∫ R_b(T) (terms) dT for the bins of a window, float64[n_bins, n_terms]; None without a recoil."""
    limits = recoils.range
    low, high = max(window.low, limits.low), min(window.high, limits.high)
    if low >= high:
        return None
    ends = _panels(low, high, [*recoils.kinks, *window.breaks])
    below = np.array([T - limits.low for T in ends])
    above = np.array([limits.high - T for T in ends])
    width = np.diff(ends)
    if len(ends) == 2 and low == limits.low and high == limits.high:
        width[0] = above[0] = below[1] = limits.width
    shape = (0, 0)

    def integrand(panel: NDArray[np.intp], s: Floats, r: Floats) -> Floats:
        nonlocal shape
        columns = []
        for i, s_i, r_i in zip(panel.tolist(), s.tolist(), r.tolist(), strict=True):
            from_low, from_high = width[i] * s_i, width[i] * r_i
            # From the nearer end of the panel: T is never rounded onto a kink.
            T = ends[i] + from_low if s_i < 0.5 else ends[i + 1] - from_high
            terms = recoils.terms(T, below[i] + from_low, above[i + 1] + from_high)
            both = width[i] * window.response(T)[:, None] * terms
            shape = both.shape
            columns.append(both.ravel())
        return np.array(columns).T

    return integrate(integrand, len(ends) - 1).sum(axis=1).reshape(shape)


def _all_channels(interaction: Any, standard_model: Any, target: Any, form_factor: Any) -> list[Channel]:
    """Those of the interaction, and of the Standard Model if wanted and not the interaction itself."""
    if standard_model is False or type(interaction).__name__ == "StandardModel":
        return channels(interaction, target, form_factor)
    weak = StandardModel() if standard_model is True else standard_model
    return channels(weak, target, form_factor) + channels(interaction, target, form_factor, weak)


def _windows(scatterer: Scatterer) -> list[Window]:
    """The response to a scatterer's recoils; a bound electron is not there for the smallest of them."""
    found = windows(scatterer.response)
    if scatterer.electrons is None:
        return found
    element = scatterer.electrons
    edges = tuple(binding for binding, _ in shells()[element][1])

    def of_bound(window: Window) -> Window:
        def response(T: float) -> Floats:
            return effective_electrons(element, T) * window.response(T)

        return window._replace(breaks=(*window.breaks, *edges), response=response)

    return [of_bound(window) for window in found]


def _seeing(scatterer: Scatterer) -> dict[str, Scatterer]:
    """The scatterer as it is seen in each kind of neutrinos, by species; in all others as that of no name."""
    detector = scatterer.response
    found = {"": scatterer}
    if scatterer.electrons is None:
        for name, response in dict(getattr(detector, "component_responses", ())).items():
            seeing = detector.replace(response=response, component_responses=())
            found[name] = scatterer._replace(response=seeing)
    return found


def contributions(
    experiment: Any, interaction: Any, *, standard_model: Any = True, target: str = "all"
) -> list[list[Any]]:
    """For each bin its contributions, counts: one for each scatterer, species, channel and term.

    Parameters are those of `event_rate`. A term is one line of CL Eq. (2) (a product of two couplings), integrated
    over the bin.

    Returns
    -------
    list of list of float
        Of all bins; those that are left out may have none.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017").mask(range(1, 12))
    >>> len(cf.reference.rates.contributions(csi, cf.StandardModel())[0])  # two nuclides, three species
    6
    """
    detector = experiment.detector
    species = fluxes(experiment.source, experiment.exposure)
    others = weights(experiment, species[0].species).shape[1]
    collected: list[list[Any]] = [[] for _ in range((len(detector.bins) - 1) * others)]
    wanted = {i // others for i in range(len(collected)) if i not in getattr(experiment, "excluded", ())}
    for scatterer in scatterers(detector, target):
        of_electrons = scatterer.electrons is not None
        spread = [weights(experiment, flux.species, of_electrons) for flux in species]
        seen = {
            name: [window for window in _windows(each) if wanted.intersection(window.bins)]
            for name, each in _seeing(scatterer).items()
        }
        M = target_mass(scatterer.target)
        for channel in _all_channels(interaction, standard_model, scatterer.target, detector.form_factor):
            for flux, weight in zip(species, spread, strict=True):
                for recoils in _recoils(channel, M, flux):
                    for window in seen.get(flux.species, seen[""]):
                        counts = _binned(recoils, window)
                        if counts is None:
                            continue
                        for b, terms in zip(window.bins, counts, strict=True):
                            here = scatterer.number * flux.fluence * MEV2_CM2 * terms
                            for k in range(others):
                                collected[b * others + k].extend(weight[b, k] * here)
    return collected


def event_rate(experiment: Any, interaction: Any, *, standard_model: Any = True, target: str = "all") -> Floats:
    """Expected counts in each bin.

    Parameters
    ----------
    experiment : Experiment
    interaction : StandardModel or any interaction
    standard_model : bool or StandardModel
        Whether, or with which weak mixing angle, the Standard Model's counts are added. A `StandardModel` as
        the interaction is not added to itself.
    target : {"all", "nuclei", "electrons"}
        "all" counts electrons where the detector has a response to them.

    Returns
    -------
    ndarray
        float64[n_bins].

    Raises
    ------
    ArithmeticError
        If the rate diverges (a dipole with m_χ = 0 in a bin that reaches down to T = 0).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017").mask(range(1, 12))  # one bin: this takes its time
    >>> slow, fast = cf.reference.event_rate(csi, cf.StandardModel()), cf.event_rate(csi, cf.StandardModel())
    >>> bool(abs(slow / fast - 1).max() < 1e-10)
    True
    """
    parts = contributions(experiment, interaction, standard_model=standard_model, target=target)
    return _kept(experiment, [math.fsum(terms) for terms in parts])


def event_rate_terms(experiment: Any, interaction: Any, *, standard_model: Any = True, target: str = "all") -> Floats:
    """Sum of the absolute values of the terms of each bin: the scale on which rounding errors are judged.

    A term is one line of CL Eq. (2) (a product of two couplings), integrated over the bin for one nuclide
    and one neutrino species. Parameters are those of `event_rate`.

    Returns
    -------
    ndarray
        float64[n_bins].

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017").mask(range(1, 12))
    >>> terms = cf.reference.event_rate_terms(csi, cf.StandardModel())
    >>> bool((terms >= (1 - 1e-10) * cf.event_rate(csi, cf.StandardModel())).all())
    True
    """
    parts = contributions(experiment, interaction, standard_model=standard_model, target=target)
    return _kept(experiment, [math.fsum(map(abs, terms)) for terms in parts])


def _kept(experiment: Any, values: list[float]) -> Floats:
    """Without the bins that are left out."""
    excluded = getattr(experiment, "excluded", ())
    return np.array([value for i, value in enumerate(values) if i not in excluded])


def recoil_spectrum(experiment: Any, interaction: Any, T: ArrayLike, *, standard_model: Any = True) -> Any:
    """dN/dT before quenching, smearing and acceptance, summed over nuclides and species.

    Parameters
    ----------
    experiment : Experiment
    interaction : StandardModel or any interaction
    T : array_like
        Recoil energies, MeV, > 0.
    standard_model : bool or StandardModel
        As in `event_rate`.

    Returns
    -------
    float or ndarray
        Counts/MeV.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> slow = cf.reference.recoil_spectrum(csi, cf.StandardModel(), 0.010)
    >>> abs(slow / cf.recoil_spectrum(csi, cf.StandardModel(), 0.010) - 1) < 1e-10
    True
    """
    species = fluxes(experiment.source, experiment.exposure)
    parts = [
        (number * flux.fluence * MEV2_CM2, recoils)
        for nuclide, number in nuclei(experiment.detector)
        for channel in _all_channels(interaction, standard_model, nuclide, experiment.detector.form_factor)
        for flux in species
        for recoils in _recoils(channel, target_mass(nuclide), flux)
    ]

    def one(T: float) -> float:
        return math.fsum(
            norm * math.fsum(recoils.terms(T, T - recoils.range.low, recoils.range.high - T))
            for norm, recoils in parts
            if recoils.range.low < T < recoils.range.high
        )

    result = np.vectorize(one, otypes=[float])(T)
    return float(result) if np.ndim(result) == 0 else result
