"""Moments of a flux: μ_k(x) = ∫_x^∞ φ(E) E^k dE of all its components, as piecewise polynomials of x."""

from dataclasses import dataclass, replace

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._kernels.rates import COEFFICIENTS, Flux
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.experiments.experiment import Experiment, without_data
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.responses import Response
from cevns_fast.experiments.sources import FluxComponent, Source, kinks_of
from cevns_fast.interactions.process import Beam

Lane = tuple[bool, int]  # odd under ν ↔ ν̄, power of E

# Neutrinos below 10 to this power of a spectrum's first energy after 0 make recoils too small and rare to be seen.
_LOWEST_DECADE = -12
# What panels are judged by: every power of E that is even, and the odd ones of the interferences.
EVEN_LANES: tuple[Lane, ...] = tuple((False, k) for k in range(-2, 3))
ODD_LANES: tuple[Lane, ...] = tuple((True, k) for k in range(-2, 1))
JUDGED_LANES = EVEN_LANES + ODD_LANES
# A spectrum that takes more, and so short ones, between two kinks is too steep for the panels between their images.
_MANY_PIECES, _SHORT_PIECE = 8, 0.01


@dataclass(frozen=True, eq=False)
class FluxMoments:
    """Moments of a flux, and where those that were asked for are among them."""

    flux: Flux
    lane: tuple[int, ...]
    sign: tuple[float, ...]
    source: Source
    distinct: tuple[Lane, ...]  # parity and power of each lane that there is


@remember(maxsize=128)
@np.errstate(under="ignore")  # what is negligible is zero
def flux_moments(source: Source, lanes: tuple[Lane, ...]) -> FluxMoments:
    """Moments of all flux components together, of these parities and powers of E."""
    components, kinks = source.components, kinks_of(source)
    parities = {c.antineutrino for c in components}
    # Where there are no neutrinos, or nothing else, odd moments are even ones up to a sign.
    kept = [lane if len(parities) > 1 else (False, lane[1]) for lane in lanes]
    distinct = tuple(dict.fromkeys(kept))
    signs = [[-c.neutrinos if odd and c.antineutrino else c.neutrinos for odd, _ in distinct] for c in components]
    powers = np.array([k for _, k in distinct], dtype=np.float64)

    def density(E: Floats) -> Floats:
        total = np.zeros((len(distinct), E.size))
        for component, sign in zip(components, signs, strict=True):
            if component.spectrum is None:
                continue
            inside = (E > component.breakpoints[0]) & (E < component.breakpoints[-1])
            if inside.any():
                values = validate.real("values of a spectrum", component.spectrum(E[inside]))
                total[:, inside] += np.outer(sign, values) * E[inside] ** powers[:, None]
        return total

    # Digits that a spectrum's own rounding leaves, where it says so: a function of a large phase has fewer.
    noise = max(getattr(c.spectrum, "noise", 0.0) for c in components)
    ends = _ends(kinks, density)
    fitted = piecewise.fit(density, ends, floor=noise, name="spectrum", degree=COEFFICIENTS - 1)
    lines = []
    for component, sign in zip(components, signs, strict=True):
        for energy, intensity in component.lines:
            lines.append((energy, intensity * np.array(sign) * energy**powers))
    found = piecewise.moments(fitted, lines)
    if lanes == JUDGED_LANES:
        cuts = _cuts(np.array(kinks, dtype=np.float64), found.breaks)
    else:  # fewer lanes may take fewer pieces: panels would not be those that were judged
        cuts = flux_moments(source, JUDGED_LANES).flux.kinks
    return FluxMoments(
        Flux.of(found.breaks, cuts, found.value, found.coefficients),
        lane=tuple(distinct.index(lane) for lane in kept),
        sign=tuple(-1.0 if odd and parities == {True} else 1.0 for odd, _ in lanes),
        source=source,
        distinct=distinct,
    )


@dataclass(frozen=True, eq=False)
class PartOfSource:
    """Some of a source's components."""

    components: tuple[FluxComponent, ...]
    fluence_per_exposure: float
    exposure_unit: str


#: States in flavour space that differ by no more than this are one.
_SAME_STATE = 1e-12


@remember(maxsize=128)
def beams_of(source: Source) -> tuple[tuple[Beam, Source], ...]:
    """The pure states of a source's neutrinos, each with the part of the source that is in it.

    A density matrix is the sum of its eigenstates, which do not interfere.
    """
    found: dict[tuple[tuple[complex, ...], bool], list[FluxComponent]] = {}
    for component in source.components:
        rho = component.density
        if rho is None:
            raise ValueError(
                f"flavour of {component.name!r} = None: must be stated for an interaction that tells flavours apart"
            )
        weights, states = np.linalg.eigh(rho)
        for weight, state in zip(weights.tolist(), states.T, strict=True):
            if abs(weight) <= _SAME_STATE * np.abs(weights).max():
                continue
            state = state * (np.abs(state[np.argmax(np.abs(state))]) / state[np.argmax(np.abs(state))])
            key = tuple(np.round(state, 13).tolist()), component.antineutrino
            share = replace(component, flavour=((weight, 0, 0), (0, 0, 0), (0, 0, 0)))  # as many, of one state
            found.setdefault(key, []).append(share)
    return tuple(
        (Beam(state, antineutrino), PartOfSource(tuple(parts), source.fluence_per_exposure, source.exposure_unit))  # type: ignore[arg-type]
        for (state, antineutrino), parts in found.items()
    )


def has_coherent_flavours(source: Source) -> bool:
    """Whether some of a source's neutrinos are in a state of several flavours."""
    return any(np.count_nonzero(beam.state) > 1 for beam, _ in beams_of(source))


@remember(maxsize=128)
def parts_of(experiment: Experiment, electrons: bool) -> tuple[Experiment, ...]:
    """An experiment for each response to what recoils, with the neutrinos that it is for; one, if they are alike."""
    detector, release = experiment.detector, experiment.release
    if electrons and release is not None:
        release = release.of_electrons
    responses = {} if electrons else detector.responses
    if not responses and release is experiment.release:
        return (experiment,)
    found: dict[Response | ResponseMatrix, list[FluxComponent]] = {}
    for each in experiment.source.components:
        found.setdefault(responses.get(each.name, detector.response), []).append(each)
    source, parts = experiment.source, []
    for response, components in found.items():
        some = PartOfSource(tuple(components), source.fluence_per_exposure, source.exposure_unit)
        part = without_data(
            some, detector.with_response(response), experiment.exposure, experiment.time, release,
            experiment.calibration, experiment.excluded,
        )  # fmt: skip
        parts.append(part)
    return tuple(parts)


@remember(maxsize=128)
def groups_of(experiment: Experiment) -> tuple[Source, ...]:
    """The parts of an experiment's source that are spread alike along its axes beside the observable."""
    source, spread = experiment.source, experiment.spread
    if len(spread.groups) == 1:
        return (source,)
    return tuple(PartOfSource(each, source.fluence_per_exposure, source.exposure_unit) for each in spread.groups)


def _ends(kinks: tuple[float, ...], density: piecewise.VectorFunction) -> list[float]:
    """Ends of intervals on which the density is smooth, with one below the lowest kink.

    There are no neutrinos there, but a line at the lowest kink counts below it and not above: it takes a piece on
    either side to tell. A spectrum that begins at E = 0 with more than E² has poles there: decades approach it.
    """
    first, *others = kinks
    if first > 0:
        return [0.5 * first, *kinks]
    near, far = np.abs(density(others[0] * np.array([1e-6, 1e-3]))).T
    if np.all(near <= 2 * far):
        return list(kinks)
    return [*(others[0] * 10.0**k for k in range(_LOWEST_DECADE, 0)), *others]


def _cuts(kinks: Floats, breaks: Floats) -> Floats:
    """Energies whose images cut the recoil integral: kinks, and where a flank is so steep that it took many pieces."""
    short = np.diff(breaks, append=np.inf) < _SHORT_PIECE * breaks
    inside = breaks[short & (breaks > kinks[min(1, len(kinks) - 1)]) & (breaks < kinks[-1])]
    between = np.searchsorted(kinks, inside, side="right")
    many = np.bincount(between, minlength=len(kinks) + 1) > _MANY_PIECES
    return np.union1d(kinks, inside[many[between]])


def moments_at(moments: FluxMoments, E: Floats) -> Floats:
    """Flux moments above energies E, float64[lanes, len(E)]; 0 beyond the end point."""
    return np.asarray(moments.flux.at(E)[list(moments.lane)] * np.array(moments.sign)[:, None])
