"""Templates and event rates."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast import _validate as validate
from cevns_fast import quadrature
from cevns_fast._kernels.rates import LOWEST_T_POWER, Terms
from cevns_fast._kernels.rates import templates as templates_kernel
from cevns_fast._validate import Floats
from cevns_fast.constants import MEV2_CM2
from cevns_fast.experiments import Experiment
from cevns_fast.interactions.process import (
    AmplitudePolynomial,
    Batch,
    Complexes,
    Exponents,
    Interaction,
    Process,
    Shape,
    channels_of,
)
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.nuclei import Nuclide
from cevns_fast.quadrature import IntegrationTarget, Quadrature
from cevns_fast.sources import Source
from cevns_fast.threads import checked

WithStandardModel = bool | StandardModel
Integers = NDArray[np.int64]
DEFAULT_RTOL = 1e-11
LIGHTEST = 1e-30  # MeV: what is lighter is massless, or T_min ∝ m⁴ and 1/T² leave the range of numbers


class CountPolynomial(NamedTuple):
    """Counts of a batch of interactions as a polynomial in open couplings.

    Attributes
    ----------
    couplings : tuple of str
    exponents : tuple of tuple of int
        One monomial each, the constant first.
    values : float64[n, monomials, n_bins]
    imaginary : float64[n, monomials, n_bins]
        What multiplies Im(x_i* x_j) of complex couplings in a mixed monomial x_i x_j.
    """

    couplings: tuple[str, ...]
    exponents: tuple[Exponents, ...]
    values: Floats
    imaginary: Floats


@dataclass(frozen=True, eq=False)
class Templates:
    """Counts as a polynomial in couplings: the Standard Model, and one template for each product of couplings.

    Attributes
    ----------
    couplings : tuple of str
        The open couplings.
    standard_model : float64[n_bins]
        Counts of the Standard Model (zeros if it was left out) and of whatever no open coupling multiplies.
    pairs : tuple of tuple of str
        The couplings whose product multiplies each template: ("a_M", "C_S"), ("y_bar",) * 4, …
    values : float64[n_pairs, n_bins]
        With a leading axis for a list of interactions.
    """

    couplings: tuple[str, ...]
    standard_model: Floats
    pairs: tuple[tuple[str, ...], ...]
    values: Floats
    imaginary: Floats

    def counts(self, couplings: Mapping[str, complex]) -> Floats:
        """Counts per bin for values of the open couplings; those not named are zero.

        Raises
        ------
        ValueError
            If a coupling is not open, or not a finite number.
        """
        for name, value in couplings.items():
            validate.choice("coupling", name, self.couplings)
            validate.coupling(name, value)
        x = {name: complex(couplings.get(name, 0.0)) for name in self.couplings}
        real, imaginary = np.empty(len(self.pairs)), np.zeros(len(self.pairs))
        for i, pair in enumerate(self.pairs):
            if len(pair) <= 2:  # with a fixed coupling, or one that is open
                product = x[pair[0]].conjugate() * x[pair[1]] if len(pair) == 2 else x[pair[0]]
                real[i], imaginary[i] = product.real, product.imag
            else:
                real[i] = math.prod(x[name].real for name in pair)
                if any(x[name].imag for name in pair):
                    raise ValueError(f"{pair[0]} = {x[pair[0]]!r}: must be real")
        return self.standard_model + real @ self.values + imaginary @ self.imaginary


def count_polynomial(
    experiment: Experiment,
    batch: Sequence[Interaction],
    couplings: Sequence[str] = (),
    phases: Mapping[str, complex] | None = None,
    *,
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> CountPolynomial:
    """Counts of interactions of one kind, as a polynomial in the couplings that are left open."""
    kind = type(batch[0])
    names = kind.check_couplings(couplings, phases or {})
    setting = _setting(experiment, rtol)
    processes = {n: kind.processes(batch, n) for n in setting.nuclides}
    amplitudes = {n: kind.amplitudes(batch, n, names, phases or {}) for n in setting.nuclides}
    rows = _rows(setting, processes, amplitudes)
    n = len(rows.exponents)
    out = np.zeros((len(batch), n + len(rows.complex_ones), experiment.n_bins))
    for process, integrand in zip(processes[setting.nuclides[0]], rows.of_process, strict=True):
        if integrand is not None:
            _integrate(setting.plan, integrand, process, out, threads)
    imaginary = np.zeros((len(batch), n, experiment.n_bins))
    for i, place in enumerate(rows.complex_ones):
        imaginary[:, place] = out[:, n + i]
    return CountPolynomial(names, rows.exponents, out[:, :n], imaginary)


@dataclass(frozen=True, eq=False)
class _Setting:
    """What an experiment brings to all interactions."""

    source: Source
    plan: Quadrature
    nuclides: tuple[Nuclide, ...]
    factor: Floats  # [targets]: nuclei × neutrinos per area


@lru_cache(maxsize=128)
def _setting(experiment: Experiment, rtol: float) -> _Setting:
    """The same, remembered."""
    plan = quadrature.quadrature(experiment.source, experiment.detector, rtol)
    nuclei = experiment.detector.nuclei[[t.index for t in plan.targets]]
    nuclides = tuple(dict.fromkeys(t.nuclide for t in plan.targets))
    return _Setting(experiment.source, plan, nuclides, nuclei * (experiment.fluence * MEV2_CM2))


class _Layout(NamedTuple):
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


@lru_cache(maxsize=256)
def _layout(shape: Shape, used: tuple[tuple[int, int], ...], moments: quadrature.FluxMoments) -> _Layout:
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
    return _Layout(
        cell_power, cell_lane, pair_row, pair_cell,
        first_entry=np.cumsum([0, *(sizes[pair] for pair in pairs)]),
        term=term,
        part=part,
        mass_power=np.array([of_term[5] for of_term in shape])[term],
        sign=np.array(moments.sign)[term],
        T_power=np.array([of_term[2] for of_term in shape])[term],
    )  # fmt: skip


class _Integrand(NamedTuple):
    """What the kernel integrates for one process."""

    moments: quadrature.FluxMoments
    terms: Terms
    T_power: Integers  # of each entry


class _Rows(NamedTuple):
    """The kernel's rows: one for each monomial, and a second where complex couplings see more."""

    exponents: tuple[Exponents, ...]
    complex_ones: tuple[int, ...]  # which of them have a second row
    of_process: tuple[_Integrand | None, ...]


Processes = Mapping[Nuclide, Sequence[Process]]
Amplitudes = Mapping[Nuclide, Sequence[AmplitudePolynomial]]


def _rows(setting: _Setting, processes: Processes, amplitudes: Amplitudes) -> _Rows:
    """Rows and integrands, remembered by content: a fit changes the mass more often than the amplitudes."""
    every = [process for each in processes.values() for process in each]
    structures = [process.structure for process in every]
    numbers = [s.coefficients.tobytes() for s in structures if s.coefficients is not None]
    polynomials = [polynomial.items() for each in amplitudes.values() for polynomial in each]
    if len(numbers) < len(structures) or any([len(a) > 1 for items in polynomials for _, a in items]):
        return _make_rows(setting, processes, amplitudes)  # a number for each of a batch: large, and not seen again
    key = (
        setting,
        tuple([id(structure.shape) for structure in structures]),
        tuple(numbers),
        tuple([process.propagator_power for process in every]),
        tuple([tuple([(e, a.shape, a.tobytes()) for e, a in items]) for items in polynomials]),
    )
    found = _remembered_rows.get(key)
    if found is None:
        if len(_remembered_rows) >= _MOST_REMEMBERED:
            _remembered_rows.clear()
        found = _remembered_rows[key] = _make_rows(setting, processes, amplitudes)
    return found


_remembered_rows: dict[Any, _Rows] = {}
_MOST_REMEMBERED = 256


def _make_rows(setting: _Setting, processes: Processes, amplitudes: Amplitudes) -> _Rows:
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
        _integrand(setting, per_process[i], [(row, w[e][..., part]) for row, (e, part) in enumerate(rows) if e in w])
        for i, w in enumerate(weights)
    )
    return _Rows(tuple(exponents), tuple(exponents.index(e) for e in complex_ones), integrands)


def _integrand(
    setting: _Setting, per_target: Sequence[Process], weights: Sequence[tuple[int, Floats]]
) -> _Integrand | None:
    """What the kernel integrates for a process, with weights[targets, n or 1, channels] in some of the rows."""
    structure = per_target[0].structure
    in_use = [(row, np.flatnonzero(w.any(axis=(0, 1))), w) for row, w in weights]
    used = tuple((row, c) for row, channels, _ in in_use for c in channels.tolist())
    if not used:
        return None
    moments = quadrature.flux_moments(setting.source, structure.lanes)
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
    return _Integrand(moments, terms, layout.T_power)


def _integrate(plan: Quadrature, integrand: _Integrand, process: Process, out: Floats, threads: int) -> None:
    """Add one process to out[n, rows, n_bins]."""
    n = len(out)
    final_mass, mediator_mass = _of_all(process.final_mass, n), _of_all(process.mediator_mass, n)
    if plan.reaches_zero:
        _refuse_infrared(integrand, final_mass, mediator_mass)
        final_mass[final_mass < LIGHTEST], mediator_mass[mediator_mass < LIGHTEST] = 0.0, 0.0
    flux, panels, terms = integrand.moments.flux, plan.panels, integrand.terms
    in_ranges(lambda a, b: templates_kernel(flux, panels, terms, final_mass, mediator_mass, a, b, out), n, threads)


def _of_all(mass: Batch, n: int) -> Floats:
    """A mass for each interaction of a batch."""
    return np.array([mass] * n) if isinstance(mass, float) else np.array(np.broadcast_to(mass, n), dtype=np.float64)


def _refuse_infrared(integrand: _Integrand, final_mass: Floats, mediator_mass: Floats) -> None:
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


def in_ranges(run: Any, n: int, threads: int) -> None:
    """Run a kernel over 0 … n − 1, split between threads; each index writes its own output."""
    if threads <= 1 or n < 2:
        run(0, n)
        return
    edges = np.linspace(0, n, min(threads, n) + 1).astype(int).tolist()
    with ThreadPoolExecutor(len(edges) - 1) as pool:
        list(pool.map(run, edges[:-1], edges[1:]))


def _weights(
    amplitudes: AmplitudePolynomial, target: IntegrationTarget, channels: Sequence[tuple[int, int]]
) -> dict[Exponents, Floats]:
    """What multiplies each channel, by monomial: Σ_h Re[a_h* b_h] and its complex partner, [n or 1, channels, 2]."""
    kept = {e: a for e, a in amplitudes.items() if a.any()} or dict(list(amplitudes.items())[:1])
    exponents = list(kept)
    stack = np.stack(np.broadcast_arrays(*kept.values()))  # [monomials, n, helicities, amplitudes, 2]
    grams: list[Complexes] = []
    for p, q in {"both": ((2, 2),), "pp": ((0, 0),), "nn": ((1, 1),), "pn": ((0, 1), (1, 0))}[target.form_factors]:
        left, right = (stack.sum(axis=-1) if i == 2 else stack[..., i] for i in (p, q))
        grams.append(np.einsum("inha,jnhb->ijnab", left.conj(), right))
    gram = sum(grams[1:], grams[0])
    first, second = (np.array(index) for index in zip(*channels, strict=True))
    picked = gram[..., first, second]  # [monomials, monomials, n, channels]
    found: dict[Exponents, Floats] = {}
    for i, left_exponents in enumerate(exponents):
        for j in range(i, len(exponents)):
            key = tuple(a + b for a, b in zip(left_exponents, exponents[j], strict=True))
            if i == j:
                value = np.stack([picked[i, i].real, np.zeros_like(picked[i, i].real)], axis=-1)
            else:
                value = np.stack([(picked[i, j] + picked[j, i]).real, (picked[i, j] - picked[j, i]).imag], axis=-1)
            found[key] = found[key] + value if key in found else value
    return found


_DEFAULT_MODEL = StandardModel()


@lru_cache(maxsize=256)
def _standard_model(experiment: Experiment, model: StandardModel, rtol: float) -> Floats:
    """Counts of the Standard Model, remembered for this object and for all that differ in data only."""
    return _of_detector(experiment.source, experiment.detector, experiment.exposure, model, rtol)


@lru_cache(maxsize=256)
def _of_detector(source: Any, detector: Any, exposure: float, model: StandardModel, rtol: float) -> Floats:
    """Counts of the Standard Model, read-only."""
    bare = Experiment("", source, detector, exposure, None, np.zeros(detector.n_bins))
    counts: Floats = count_polynomial(bare, [model], rtol=rtol).values[0, 0].copy()
    counts.setflags(write=False)
    return counts


def standard_model_counts(
    experiment: Experiment,
    model: WithStandardModel,
    rtol: float = DEFAULT_RTOL,
    beside: Sequence[Interaction] = (),
) -> Floats:
    """Counts of the Standard Model that goes with interactions: the default one, a stated one or none."""
    if model is False:
        return np.zeros(experiment.n_bins)
    if model is not True and not isinstance(model, StandardModel):
        raise ValueError(f"standard_model = {model!r}: must be True, False or a StandardModel")
    chosen = _DEFAULT_MODEL if model is True else model
    if beside and type(beside[0]).check_weak_mixing_angle is not Interaction.check_weak_mixing_angle:
        for each in beside:
            each.check_weak_mixing_angle(chosen.sin2_theta_w)
    return _standard_model(experiment, chosen, rtol)


def check_experiment(experiment: Any) -> None:
    """`ValueError` unless it is an experiment."""
    if not isinstance(experiment, Experiment):
        raise ValueError(f"experiment = {experiment!r}: must be an Experiment, e.g. cevns_fast.load(...)")


def checked_interactions(interaction: Any, rtol: Any = DEFAULT_RTOL, threads: Any = 1) -> list[Interaction]:
    """The interactions as a list; `ValueError` for arguments of the wrong kind."""
    if not 1e-14 <= validate.number("rtol", rtol) <= 1e-2:
        raise ValueError(f"rtol = {rtol!r}: must be from 1e-14 to 1e-2")
    checked(threads)
    found = [interaction]
    if not isinstance(interaction, Interaction) and isinstance(interaction, Iterable):
        found = list(interaction)
    if not found:
        raise ValueError("interaction = []: must hold at least one interaction")
    strangers = {kind for kind in set(map(type, found)) if not issubclass(kind, Interaction)}
    if strangers:
        each = next(each for each in found if type(each) in strangers)
        raise ValueError(f"interaction = {each!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
    return found


def templates(
    experiment: Experiment,
    interaction: Interaction | Sequence[Interaction],
    couplings: Sequence[str] | None = None,
    *,
    phases: Mapping[str, complex] | None = None,
    standard_model: WithStandardModel = True,
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> Templates:
    """Counts as a polynomial in couplings.

    Parameters
    ----------
    experiment : Experiment
    interaction : Interaction or sequence of Interaction
        One, or several of the same kind (a scan over masses), which adds a leading axis to the values.
    couplings : sequence of str, optional
        The couplings to leave open; the interaction's values of the others stay fixed. By default all those
        of `interaction.default_couplings`.
    phases : mapping of str to complex, optional
        Fixed complex directions of open couplings, of modulus 1.
    standard_model : bool or StandardModel
        Whether, and with which weak mixing angle, the Standard Model is included.
    rtol : float
        Accuracy of the integrals.
    threads : int
        Threads to use; results do not depend on their number.

    Returns
    -------
    Templates

    Raises
    ------
    ValueError
        If an argument is refused, or the interactions are of different kinds.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> t = cf.templates(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=10.0))
    >>> len(t.pairs), t.values.shape
    (10, (10, 12))
    """
    check_experiment(experiment)
    batch = checked_interactions(interaction, rtol, threads)
    kind = type(batch[0])
    if any(type(each) is not kind for each in batch):
        raise ValueError("interaction: all interactions of a list must be of one kind")
    names = kind.default_couplings if couplings is None else tuple(couplings)
    polynomial = count_polynomial(experiment, batch, names, phases, rtol=rtol, threads=threads)
    include = False if kind is StandardModel else standard_model
    constant = np.broadcast_to(standard_model_counts(experiment, include, rtol, batch), (len(batch), experiment.n_bins))
    constant = constant + polynomial.values[:, 0]
    pairs = [
        tuple(n for n, e in zip(names, exponents, strict=True) for _ in range(e))
        for exponents in polynomial.exponents[1:]
    ]
    values, imaginary = polynomial.values[:, 1:], polynomial.imaginary[:, 1:]
    if isinstance(interaction, Interaction):
        constant, values, imaginary = constant[0], values[0], imaginary[0]
    return Templates(names, constant, tuple(pairs), values, imaginary)


def event_rate(
    experiment: Experiment,
    interaction: Interaction | Sequence[Interaction],
    *,
    standard_model: WithStandardModel = True,
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> Floats:
    """Expected counts per bin, without backgrounds.

    Parameters
    ----------
    experiment : Experiment
    interaction : Interaction or sequence of Interaction
        A list is computed in one kernel call for each kind of interaction in it.
    standard_model : bool or StandardModel
        Whether, and with which weak mixing angle, the Standard Model is added to new physics.
    rtol : float
        Accuracy of the integrals, relative to the sum of the absolute values of a bin's terms.
    threads : int
        Threads to use; results do not depend on their number.

    Returns
    -------
    float64[n_bins] or float64[n, n_bins]

    Raises
    ------
    ValueError
        If an argument is refused.

    Notes
    -----
    Chang & Liao 2020, Eq. (10).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> round(float(cf.event_rate(csi, cf.StandardModel()).sum()))
    166
    """
    check_experiment(experiment)
    batch = checked_interactions(interaction, rtol, threads)
    result = np.empty((len(batch), experiment.n_bins))
    for kind in dict.fromkeys(map(type, batch)):
        rows = [i for i, each in enumerate(batch) if type(each) is kind]
        polynomial = count_polynomial(experiment, [batch[i] for i in rows], rtol=rtol, threads=threads)
        include = False if kind is StandardModel else standard_model
        result[rows] = polynomial.values[:, 0] + standard_model_counts(
            experiment, include, rtol, [batch[i] for i in rows]
        )
    return result[0] if isinstance(interaction, Interaction) else result
