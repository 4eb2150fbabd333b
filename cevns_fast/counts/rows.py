"""From amplitudes and cross sections to what the rate kernel integrates.

An interaction lists terms and amplitudes; here they become cells, T^j times a moment of the flux, and the coefficients
with which cells make up each row of the result: a row for each monomial of the couplings that are left open.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._kernels.rates import LOWEST_T_POWER, Terms
from cevns_fast._kernels.rates import templates as templates_kernel
from cevns_fast._support.remember import Memory, remember
from cevns_fast._validate import Floats
from cevns_fast.constants import MEV2_CM2
from cevns_fast.counts.flux import FluxMoments, flux_moments
from cevns_fast.counts.folding import Folding
from cevns_fast.counts.panels import IntegrationTarget, Plan
from cevns_fast.counts.plan import plan_of
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.sources import Source
from cevns_fast.interactions.process import (
    AmplitudePolynomial,
    Batch,
    Complexes,
    Exponents,
    Part,
    Process,
    Shape,
    channels_of,
)
from cevns_fast.nuclear.nuclei import Nuclide
from cevns_fast.parallel.threads import in_ranges

Integers = NDArray[np.int64]
Masses = tuple[Batch, Batch]  # of what leaves, and of the mediator
# MeV; what is lighter is massless. T_min = m⁴/(4M(2E + M) T_max), and 1/T² leaves the range of numbers below
# T = 1e-154: for beams of 1 to 100 MeV that is m = 1e-36 to 1e-37.
LIGHTEST = 1e-30


@dataclass(frozen=True, eq=False)
class Setting:
    """What an experiment brings to all interactions."""

    source: Source
    plan: Plan
    nuclides: tuple[Nuclide, ...]
    factor: Floats  # [targets]: nuclei × neutrinos per area
    #: [kernel's bins, bins]: what makes counts of all bins from what is integrated.
    matrix: Floats | Folding | None = None


@remember(maxsize=128)
def setting_of(experiment: Experiment, rtol: float, parts: tuple[Part, ...] = (), electrons: bool = False) -> Setting:
    """What an experiment brings to all interactions, remembered."""
    detector = experiment.detector.of_electrons if electrons else experiment.detector
    detector, matrix = sampled(detector)
    plan = plan_of(experiment.source, detector, rtol, parts)
    nuclei = detector.nuclei[[t.index for t in plan.targets]]
    nuclides = tuple(dict.fromkeys(t.nuclide for t in plan.targets))
    factor = nuclei * (experiment.fluence * MEV2_CM2)
    return Setting(experiment.source, plan, nuclides, factor, plan.folding if matrix is None else matrix)


def sampled(detector: Detector) -> tuple[Detector, Floats | None]:
    """What is integrated, and the matrix that makes counts of all bins of it.

    A detector with a response matrix is integrated with bins that are the matrix's energies: once for all variants.
    """
    if not isinstance(detector.response, ResponseMatrix):
        return detector, None
    return detector.replace(response=detector.response.sampled, bins=()), detector.response.table


class _TermLayout(NamedTuple):
    """How a process becomes the kernel's terms: an entry is one term in one row of the result."""

    cell_power: Integers
    cell_lane: Integers
    pair_row: Integers
    pair_cell: Integers
    first_entry: Integers
    term: Integers  # of each entry
    part: Integers  # among the pairs (row, channel) in use
    mass_power: Integers
    sign: Floats
    T_power: Integers


@remember(maxsize=256)
def _layout(shape: Shape, used: tuple[tuple[int, int], ...], moments: FluxMoments) -> _TermLayout:
    """The layout for pairs (row, channel)."""
    channels = channels_of(shape)
    power_of = [T_power - LOWEST_T_POWER for _, _, T_power, *_ in shape]
    cell_of = list(zip(power_of, moments.lane, strict=True))
    cells = sorted(
        {
            cell
            for _, channel in used
            for cell, of_term in zip(cell_of, shape, strict=True)
            if of_term[:2] == channels[channel]
        }
    )
    entries = sorted(
        (row, cells.index(cell_of[term]), term, part)
        for part, (row, channel) in enumerate(used)
        for term, of_term in enumerate(shape)
        if of_term[:2] == channels[channel]
    )
    pairs = list(dict.fromkeys(entry[:2] for entry in entries))
    sizes = Counter(entry[:2] for entry in entries)
    cell_power, cell_lane = np.array(cells).T.copy()
    pair_row, pair_cell = np.array(pairs).T.copy()
    _, _, term, part = np.array(entries).T.copy()
    return _TermLayout(
        cell_power, cell_lane, pair_row, pair_cell,
        first_entry=np.cumsum([0, *(sizes[pair] for pair in pairs)]),
        term=term,
        part=part,
        mass_power=np.array([of_term[5] for of_term in shape])[term],
        sign=np.array(moments.sign)[term],
        T_power=np.array([of_term[2] for of_term in shape])[term],
    )  # fmt: skip


class Integrand(NamedTuple):
    """What the kernel integrates for one process."""

    moments: FluxMoments
    terms: Terms
    T_power: Integers  # of each entry


class Rows(NamedTuple):
    """The kernel's rows: one for each monomial, and a second where complex couplings see more."""

    exponents: tuple[Exponents, ...]
    complex_ones: tuple[int, ...]  # which of them have a second row
    of_process: tuple[Integrand | None, ...]


Processes = Mapping[Nuclide, Sequence[Process]]
Amplitudes = Mapping[Nuclide, Sequence[AmplitudePolynomial]]


def rows_of(
    setting: Setting, processes: Processes, amplitudes: Amplitudes, sources: Sequence[Source] | None = None
) -> Rows:
    """Rows and integrands, remembered by content: a fit changes the mass more often than the amplitudes.

    `sources` are those of each process, the parts of the setting's that are in one state; None: all of it for each.
    """
    structures = tuple([process.structure for each in processes.values() for process in each])
    polynomials = [polynomial.items() for each in amplitudes.values() for polynomial in each]
    if any([s.coefficients is None for s in structures]) or any([len(a) > 1 for p in polynomials for _, a in p]):
        return _make_rows(
            setting, processes, amplitudes, sources
        )  # a number for each of a batch: large, and not seen again
    key = (
        setting,
        sources if sources is None else tuple(sources),
        structures,
        tuple([process.propagator_power for each in processes.values() for process in each]),
        tuple([tuple([(e, a.shape, a.tobytes()) for e, a in items]) for items in polynomials]),
    )
    found = _remembered_rows.get(key)
    if found is None:
        found = _remembered_rows.keep(key, _make_rows(setting, processes, amplitudes, sources))
    return found


_remembered_rows: Memory[Rows] = Memory(maxsize=256)


def _make_rows(
    setting: Setting, processes: Processes, amplitudes: Amplitudes, sources: Sequence[Source] | None
) -> Rows:
    """Rows and integrands of amplitudes and processes."""
    targets, scale = setting.plan.targets, setting.factor[:, None, None, None]
    per_process = list(zip(*(processes[t.nuclide] for t in targets), strict=True))
    weights: list[dict[Exponents, Floats]] = []  # for each process, [targets, n or 1, channels, 2]
    for i, per_target in enumerate(per_process):
        channels = channels_of(per_target[0].structure.shape)
        found = [_weights(amplitudes[t.nuclide][i], t, channels) for t in targets]
        weights.append({e: np.array([w[e] for w in found]) * scale for e in found[0]})
    constant = (0,) * len(next(iter(weights[0])))
    exponents = sorted({constant, *(e for w in weights for e in w)}, key=lambda e: (sum(e), tuple(-x for x in e)))
    complex_ones = [e for e in exponents if any(e in w and w[e][..., 1].any() for w in weights)]
    rows = [(e, 0) for e in exponents] + [(e, 1) for e in complex_ones]
    integrands = tuple(
        _integrand(
            setting.source if sources is None else sources[i],
            per_process[i],
            [(row, w[e][..., part]) for row, (e, part) in enumerate(rows) if e in w],
        )
        for i, w in enumerate(weights)
    )
    return Rows(tuple(exponents), tuple(exponents.index(e) for e in complex_ones), integrands)


def _integrand(
    source: Source, per_target: Sequence[Process], weights: Sequence[tuple[int, Floats]]
) -> Integrand | None:
    """What the kernel integrates for a process, with weights[targets, n or 1, channels] in some of the rows."""
    structure = per_target[0].structure
    in_use = [(row, np.flatnonzero(w.any(axis=(0, 1))), w) for row, w in weights]
    used = tuple((row, c) for row, channels, _ in in_use for c in channels.tolist())
    if not used:
        return None
    moments = flux_moments(source, structure.lanes)
    layout = _layout(structure.shape, used, moments)
    weight = np.concatenate([w[..., channels] for _, channels, w in in_use], axis=-1)  # [targets, n or 1, parts]
    coefficient = [
        (process.coefficients()[layout.term] * layout.sign[:, None]).T * w[:, layout.part]
        for process, w in zip(per_target, weight, strict=True)
    ]
    terms = Terms(
        layout.cell_power, layout.cell_lane, layout.pair_row, layout.pair_cell, layout.first_entry,
        layout.mass_power, np.ascontiguousarray(coefficient), per_target[0].propagator_power,
    )  # fmt: skip
    return Integrand(moments, terms, layout.T_power)


def integrate(plan: Plan, integrand: Integrand, masses: Masses, out: Floats, threads: int) -> None:
    """Add one process to out[n, rows, n_bins]."""
    n = len(out)
    final_mass, mediator_mass = masses_of(plan, integrand, masses, n)
    flux, panels, terms = integrand.moments.flux, plan.panels, integrand.terms
    in_ranges(lambda a, b: templates_kernel(flux, panels, terms, final_mass, mediator_mass, a, b, out), n, threads)


def masses_of(plan: Plan, integrand: Integrand, masses: Masses, n: int) -> tuple[Floats, Floats]:
    """Final and mediator masses of a batch of n; `ValueError` if its rate diverges."""
    final_mass, mediator_mass = _of_all(masses[0], n), _of_all(masses[1], n)
    if plan.reaches_zero:
        _refuse_infrared(integrand, final_mass, mediator_mass)
        final_mass[final_mass < LIGHTEST], mediator_mass[mediator_mass < LIGHTEST] = 0.0, 0.0
    return final_mass, mediator_mass


def _of_all(mass: Batch, n: int) -> Floats:
    """A mass for each interaction of a batch."""
    return np.array([mass] * n) if isinstance(mass, float) else np.array(np.broadcast_to(mass, n), dtype=np.float64)


def _refuse_infrared(integrand: Integrand, final_mass: Floats, mediator_mass: Floats) -> None:
    """A rate that diverges at T = 0 has no value there."""
    terms = integrand.terms
    for i in np.flatnonzero(final_mass < LIGHTEST):
        propagator = terms.propagator_power if mediator_mass[i] < LIGHTEST else 0
        row = terms.coefficient[:, min(i, terms.coefficient.shape[1] - 1)]
        if np.any(row[:, (integrand.T_power < propagator) & (terms.mass_power == 0)]):
            raise ValueError(
                f"m_chi = {float(final_mass[i])!r}: the rate diverges at zero recoil, which this detector sees; "
                "m_chi, the lowest bin or recoil_threshold must be > 0"
            )


def _weights(
    amplitudes: AmplitudePolynomial, target: IntegrationTarget, channels: Sequence[tuple[int, int]]
) -> dict[Exponents, Floats]:
    """What multiplies each channel, by monomial: Σ_h Re[a_h* b_h] and its complex partner, [n or 1, channels, 2]."""
    kept = {e: a for e, a in amplitudes.items() if a.any()} or dict(list(amplitudes.items())[:1])
    exponents = list(kept)
    # [monomials, n, helicities, amplitudes, parts]
    stack = np.stack(np.broadcast_arrays(*kept.values())) if len(kept) > 1 else kept[exponents[0]][None]

    def of(part: tuple[int, ...]) -> Complexes:
        return stack[..., part[0]] if len(part) == 1 else np.asarray(stack[..., :2].sum(axis=-1))

    left = of(target.left)
    right = left if target.left == target.right else of(target.right)
    gram = np.einsum("inha,jnhb->ijnab", left.conj(), right)
    if right is not left:
        gram += np.einsum("inha,jnhb->ijnab", right.conj(), left)
    first, second = (np.array(index) for index in zip(*channels, strict=True))
    picked = gram[..., first, second]  # [monomials, monomials, n, channels]
    found: dict[Exponents, Floats] = {}
    for i, left_exponents in enumerate(exponents):
        for j in range(i, len(exponents)):
            key = tuple(a + b for a, b in zip(left_exponents, exponents[j], strict=True))
            value = np.zeros((*picked.shape[2:], 2))
            if i == j:
                value[..., 0] = picked[i, i].real
            else:
                value[..., 0] = (picked[i, j] + picked[j, i]).real
                value[..., 1] = (picked[i, j] - picked[j, i]).imag
            found[key] = found[key] + value if key in found else value
    return found
