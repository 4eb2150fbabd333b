"""Templates and event rates."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, NamedTuple

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._support import shown
from cevns_fast._support.loading import load
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts.flux import beams_of, groups_of, has_coherent_flavours, parts_of
from cevns_fast.counts.rows import integrate, rows_of, setting_of
from cevns_fast.experiments.experiment import Experiment, without_data
from cevns_fast.experiments.sources import Source
from cevns_fast.interactions.numerical import NumericalInteraction
from cevns_fast.interactions.process import Beam, Collision, Exponents, Interaction
from cevns_fast.interactions.standard_model import StandardModel
from cevns_fast.parallel.threads import checked

WithStandardModel = bool | StandardModel
TargetParticles = Literal["all", "nuclei", "electrons"]
DEFAULT_RTOL = 1e-11
Method = Literal["moments", "double-integral"]
METHODS = ("moments", "double-integral")
_NEGATIVE = -1e-9  # of the largest bin: what rounding may leave


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

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> found = cf.templates(csi, cf.SingletEFT(m_chi=10.0), ("C_S", "a_M"))
    >>> found.pairs
    (('C_S', 'C_S'), ('C_S', 'a_M'), ('a_M', 'a_M'))
    >>> counts = found.counts({"C_S": 0.01, "a_M": 2e-4})  # no integral is done again
    >>> float(abs(counts / cf.event_rate(csi, cf.SingletEFT(m_chi=10.0, C_S=0.01, a_M=2e-4)) - 1).max()) < 1e-12
    True
    """

    couplings: tuple[str, ...]
    standard_model: Floats
    pairs: tuple[tuple[str, ...], ...]
    values: Floats
    imaginary: Floats
    real: tuple[str, ...] = ()  # couplings of which counts know real values only

    def __repr__(self) -> str:
        """How many templates of which couplings."""
        n = f"{len(self.values)} interactions, " if self.values.ndim == 3 else ""
        return shown.line(
            "Templates:", f"{n}{len(self.pairs)} products of {shown.number(self.couplings) or 'no couplings'}",
            f"{self.values.shape[-1]} bins",
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """The products, with the counts of each at couplings of one; the Standard Model's counts."""
        first = self.values.reshape(-1, *self.values.shape[-2:])[0]
        products: dict[str, list[Any]] = {
            "product": [" ".join(pair) for pair in self.pairs],
            "counts of the product at 1": [float(each.sum()) for each in first],
        }
        constant = self.standard_model.reshape(-1, self.standard_model.shape[-1])[0]
        picture = shown.steps(np.arange(constant.size + 1.0), "counts per bin", ("Standard Model", constant))
        rows = {
            "couplings": self.couplings,
            "bins": int(self.values.shape[-1]),
            "interactions": len(self.values) if self.values.ndim == 3 else 1,
            "Standard Model": f"{constant.sum():.4g} counts",
        }
        return shown.table("Templates", rows, shown.grid(products), picture)

    def counts(self, couplings: Mapping[str, complex]) -> Floats:
        """Counts per bin for values of the open couplings; those not named are zero.

        Raises
        ------
        ValueError
            If a coupling is not open, or not a finite number, or complex where it is real: as a hermitian matrix's
            diagonal, and as what is beside that for a source of coherent flavours.
        """
        for name, value in validate.mapping("couplings", couplings).items():
            validate.choice("coupling", name, self.couplings)
            if validate.coupling(name, value).imag != 0 and name in self.real:
                raise ValueError(
                    f"{name} = {value!r}: must be real; `phases` of `templates` gives what is open a phase"
                )
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
    standard_model: WithStandardModel = False,
    target: TargetParticles = "all",
    method: Method = "moments",
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> CountPolynomial:
    """Counts of interactions of one kind, as a polynomial in the couplings that are left open.

    Those of the Standard Model are not among them, but the interference with it is.
    """
    kind, model = type(batch[0]), chosen_model(standard_model)
    names = kind.check_couplings(couplings, phases or {})
    question = batch, names, phases or {}, model, method, rtol, threads
    if target == "electrons":
        if experiment.detector.electron_response is None:
            raise ValueError(f"target = 'electrons': {experiment.name or 'the experiment'} has no electron_response")
        recoiling: tuple[bool, ...] = (True,)
    else:
        recoiling = (False,) if target == "nuclei" or experiment.detector.electron_response is None else (False, True)
    found = [_of_particles(part, e, *question) for e in recoiling for part in parts_of(experiment, e)]
    return reduce(_sum, found)


def _of_particles(
    experiment: Experiment,
    electrons: bool,
    batch: Sequence[Interaction],
    names: tuple[str, ...],
    phases: Mapping[str, complex],
    model: StandardModel | None,
    method: Method,
    rtol: float,
    threads: int,
) -> CountPolynomial:
    """The counts of nuclei or of electrons."""
    kind = type(batch[0])
    constant = (0,) * len(names)
    if issubclass(kind, NumericalInteraction):
        if electrons:  # it has none
            values = np.zeros((len(batch), 1, experiment.n_bins))
            return CountPolynomial(names, (constant,), values, values.copy())
        exponents, values = double_integral().counts(experiment, batch, names, rtol, threads)
        return CountPolynomial(names, exponents, values, np.zeros_like(values))
    setting = setting_of(experiment, rtol, kind.parts(batch, model), electrons)
    tells = kind.tells_flavours(batch, electrons, model)
    groups = groups_of(experiment) if experiment.has_axes else (setting.source,)
    beams: list[tuple[int, Beam | None, Source]] = []
    for g, group in enumerate(groups):
        beams += [(g, *pair) for pair in beams_of(group)] if tells else [(g, None, group)]
    found = [
        [
            (g, source, each)
            for g, beam, source in beams
            for each in kind.scatterings(batch, Collision(n, beam, model), names, phases)
        ]
        for n in setting.nuclides
    ]
    some = found[0]
    if not some:
        nothing = np.zeros((len(batch), 1, experiment.n_bins))
        return CountPolynomial(names, (constant,), nothing, nothing.copy())
    processes = {n: [each.process for *_, each in of] for n, of in zip(setting.nuclides, found, strict=True)}
    amplitudes = {n: [each.amplitudes for *_, each in of] for n, of in zip(setting.nuclides, found, strict=True)}
    whole = not tells and len(groups) == 1
    sources = None if whole else [source for _, source, _ in some]
    rows = rows_of(setting, processes, amplitudes, sources)
    n = len(rows.exponents)
    n_seen = experiment.detector.n_bins if setting.matrix is None else len(setting.matrix)
    seen = np.zeros((len(groups), len(batch), n + len(rows.complex_ones), n_seen))
    for (g, _, each), integrand in zip(some, rows.of_process, strict=True):
        if integrand is None:
            continue
        if method == "moments":
            integrate(setting.plan, integrand, each.process, seen[g], threads)
        else:
            double_integral().integrate(setting, integrand, each.process, seen[g], rtol, threads)
    if setting.matrix is not None:
        seen = seen @ setting.matrix
    out = experiment.spread.of(seen) if experiment.has_axes else seen[0]
    if experiment.excluded:  # the kernel fills all of the detector's bins
        out = out[..., list(experiment.kept)]
    imaginary = np.zeros((len(batch), n, experiment.n_bins))
    for i, place in enumerate(rows.complex_ones):
        imaginary[:, place] = out[:, n + i]
    return CountPolynomial(names, rows.exponents, out[:, :n], imaginary)


def double_integral() -> Any:
    """The other engine, which needs numba and is loaded when it is used."""
    return load("cevns_fast.counts.double_integral")


def _sum(one: CountPolynomial, other: CountPolynomial) -> CountPolynomial:
    """Of two polynomials in the same couplings."""
    exponents = tuple(dict.fromkeys((*one.exponents, *other.exponents)))
    values = np.zeros((len(one.values), len(exponents), one.values.shape[-1]))
    imaginary = np.zeros_like(values)
    for each in (one, other):
        places = [exponents.index(e) for e in each.exponents]
        values[:, places] += each.values
        imaginary[:, places] += each.imaginary
    return CountPolynomial(one.couplings, exponents, values, imaginary)


def total_polynomial(
    experiment: Experiment,
    batch: Sequence[Interaction],
    couplings: Sequence[str] = (),
    phases: Mapping[str, complex] | None = None,
    *,
    standard_model: WithStandardModel,
    target: TargetParticles = "all",
    method: Method = "moments",
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
) -> CountPolynomial:
    """Counts of interactions of one kind and, unless they are it, of the Standard Model, which is constant."""
    include = False if isinstance(batch[0], StandardModel) else standard_model
    constant = standard_model_counts(experiment, include, rtol, batch, target, method)
    polynomial = count_polynomial(
        experiment, batch, couplings, phases, standard_model=include, target=target, method=method, rtol=rtol,
        threads=threads,
    )  # fmt: skip
    polynomial.values[:, 0] += constant
    return polynomial


def chosen_model(model: WithStandardModel) -> StandardModel | None:
    """The default one, a stated one or none."""
    if model is False:
        return None
    if model is not True and not isinstance(model, StandardModel):
        raise ValueError(f"standard_model = {model!r}: must be True, False or a StandardModel")
    return _DEFAULT_MODEL if model is True else model


_DEFAULT_MODEL = StandardModel()


@remember(maxsize=256)
def _standard_model(experiment: Experiment, model: StandardModel, rtol: float, target: TargetParticles) -> Floats:
    """Counts of the Standard Model, remembered for this object and for all that differ in data only."""
    if experiment.has_axes:
        own: Floats = count_polynomial(experiment, [model], target=target, rtol=rtol).values[0, 0].copy()
        own.setflags(write=False)
        return own
    counts = _of_detector(experiment.source, experiment.detector, experiment.exposure, model, rtol, target)
    if experiment.excluded:
        counts = counts[list(experiment.kept)]
        counts.setflags(write=False)
    return counts


@remember(maxsize=256)
def _of_detector(
    source: Any, detector: Any, exposure: float, model: StandardModel, rtol: float, target: TargetParticles
) -> Floats:
    """Counts of the Standard Model, read-only."""
    bare = without_data(source, detector, exposure)
    counts: Floats = count_polynomial(bare, [model], target=target, rtol=rtol).values[0, 0].copy()
    counts.setflags(write=False)
    return counts


def standard_model_counts(
    experiment: Experiment,
    model: WithStandardModel,
    rtol: float = DEFAULT_RTOL,
    beside: Sequence[Interaction] = (),
    target: TargetParticles = "all",
    method: Method = "moments",
) -> Floats:
    """Counts of the Standard Model that goes with interactions: the default one, a stated one or none."""
    chosen = chosen_model(model)
    if chosen is None:
        return np.zeros(experiment.n_bins)
    if beside and type(beside[0]).check_standard_model is not Interaction.check_standard_model:
        for each in beside:
            each.check_standard_model(chosen)
    if method != "moments":
        return np.asarray(count_polynomial(experiment, [chosen], target=target, method=method, rtol=rtol).values[0, 0])
    return _standard_model(experiment, chosen, rtol, target)


def check_experiment(experiment: Any) -> None:
    """`ValueError` unless it is an experiment."""
    if not isinstance(experiment, Experiment):
        raise ValueError(f"experiment = {experiment!r}: must be an Experiment, e.g. cevns_fast.load(...)")
    experiment.check_unchanged()


def checked_rtol(rtol: Any) -> float:
    """An accuracy; `ValueError` otherwise."""
    if not 1e-14 <= validate.number("rtol", rtol) <= 1e-2:
        raise ValueError(f"rtol = {rtol!r}: must be from 1e-14 to 1e-2")
    return float(rtol)


def checked_interactions(interaction: Any, rtol: Any = DEFAULT_RTOL, threads: Any = 1) -> list[Interaction]:
    """The interactions as a list; `ValueError` for arguments of the wrong kind."""
    checked_rtol(rtol)
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


def checked_batch(interaction: Any, rtol: Any = DEFAULT_RTOL, threads: Any = 1) -> list[Interaction]:
    """The interactions as a list, of one kind; `ValueError` for arguments of the wrong kind."""
    batch = checked_interactions(interaction, rtol, threads)
    if len(set(map(type, batch))) > 1:
        raise ValueError("interaction: all interactions of a list must be of one kind")
    return batch


def templates(
    experiment: Experiment,
    interaction: Interaction | Sequence[Interaction],
    couplings: Sequence[str] | None = None,
    *,
    phases: Mapping[str, complex] | None = None,
    standard_model: WithStandardModel = True,
    target: TargetParticles = "all",
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
    target : {"all", "nuclei", "electrons"}
        What recoils: "all" counts electrons where the detector has a response to them.
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
    validate.choice("target", target, ("all", "nuclei", "electrons"))
    batch = checked_batch(interaction, rtol, threads)
    kind = type(batch[0])
    names = kind.default_couplings if couplings is None else validate.sequence("couplings", couplings, object, "names")
    polynomial = total_polynomial(
        experiment, batch, names, phases, standard_model=standard_model, target=target, rtol=rtol, threads=threads
    )
    constant = polynomial.values[:, 0].copy()
    values, imaginary = polynomial.values[:, 1:], polynomial.imaginary[:, 1:]
    if isinstance(interaction, Interaction):
        constant, values, imaginary = constant[0], values[0], imaginary[0]
    monomials = _products(names, polynomial.exponents[1:])
    return Templates(names, constant, monomials, values, imaginary, real_among(names, kind, experiment))


def real_among(names: Sequence[str], kind: type[Interaction], experiment: Experiment) -> tuple[str, ...]:
    """The open couplings of which counts know real values only, times a phase that is given beforehand."""
    real = {*kind.real_couplings}
    if {*names} & {*kind.conjugated_couplings} and has_coherent_flavours(experiment.source):
        real |= {*kind.conjugated_couplings}
    return tuple(name for name in names if name in real)


@remember(maxsize=256)
def _products(names: tuple[str, ...], monomials: tuple[Exponents, ...]) -> tuple[tuple[str, ...], ...]:
    """Monomials spelled out."""
    return tuple(tuple(n for n, e in zip(names, each, strict=True) for _ in range(e)) for each in monomials)


def event_rate(
    experiment: Experiment,
    interaction: Interaction | Sequence[Interaction],
    *,
    standard_model: WithStandardModel = True,
    target: TargetParticles = "all",
    method: Method = "moments",
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
    target : {"all", "nuclei", "electrons"}
        What recoils: "all" counts electrons where the detector has a response to them.
    method : {"moments", "double-integral"}
        The integral over recoils of moments of the flux, or the literal double integral over energies and recoils,
        which is slower. A `NumericalInteraction` always goes by the second.
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
    validate.choice("target", target, ("all", "nuclei", "electrons"))
    validate.choice("method", method, METHODS)
    batch = checked_interactions(interaction, rtol, threads)
    result = np.empty((len(batch), experiment.n_bins))
    for kind in dict.fromkeys(map(type, batch)):
        rows = [i for i, each in enumerate(batch) if type(each) is kind]
        chosen = [batch[i] for i in rows]
        polynomial = total_polynomial(
            experiment, chosen, standard_model=standard_model, target=target, method=method, rtol=rtol, threads=threads
        )
        if issubclass(kind, NumericalInteraction) and standard_model is not False:
            _refuse_negative(chosen, polynomial.values[:, 0])
        result[rows] = polynomial.values[:, 0]
    return result[0] if isinstance(interaction, Interaction) else result


def _refuse_negative(batch: Sequence[Interaction], counts: Floats) -> None:
    """Interference may be negative, but not the sum with what it interferes with."""
    negative = counts < _NEGATIVE * np.abs(counts).max(axis=1, keepdims=True)
    if negative.any():
        row, b = (int(i) for i in np.argwhere(negative)[0])
        raise ValueError(
            f"interaction = {batch[row]!r}: bin {b} has {counts[row, b]:g} counts with the Standard Model: must be >= 0"
        )
