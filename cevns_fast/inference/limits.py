"""Limits on one coupling, for one interaction or a scan over masses."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from cevns_fast import __version__
from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import Evaluator, pack
from cevns_fast._support import shown
from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import DEFAULT_RTOL, WithStandardModel, checked_batch
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.cls import SIGMAS, OneCoupling
from cevns_fast.inference.confidence import threshold
from cevns_fast.inference.limit_curve import LimitCurve
from cevns_fast.inference.throwing import checked_toys
from cevns_fast.interactions.process import Interaction, Varied, spelled_out, varied_mass
from cevns_fast.likelihood.assembly import Assembly, Statistic
from cevns_fast.likelihood.likelihood import Likelihood
from cevns_fast.likelihood.nuisances import Nuisance
from cevns_fast.likelihood.whitening import whitened
from cevns_fast.parallel.chunks import check_executor, compute_all
from cevns_fast.parallel.processes import watch_parent
from cevns_fast.parallel.progress import Progress, reporter
from cevns_fast.parallel.threads import checked, in_ranges

# Couplings are tried in units of the smallest one at which a power of it doubles the prediction: evenly near that
# unit, logarithmically far from it, until e^12 times the unit of the highest power. A χ² of low-degree polynomials
# has no finer structure.
_STEP, _BEYOND, _FARTHEST = 0.1, 12.0, 40.0
_MOST_INTERVALS = 8
_TOYS = 2000  # of Feldman and Cousins, if no number is given
_PART = 1024  # interactions that are done at once, whoever does them, so that results depend on nothing else


Method = Literal["delta_chi2", "feldman-cousins", "cls"]


def limit_scan(
    experiment: Experiment | Sequence[Experiment],
    interactions: Interaction | Sequence[Interaction],
    coupling: str,
    *,
    cl: float | None = None,
    delta_chi2: float | None = None,
    method: Method = "delta_chi2",
    expected: bool = False,
    toys: int = 0,
    seed: int = 0,
    phase: complex = 1.0,
    standard_model: WithStandardModel = True,
    statistic: Statistic | None = None,
    nuisances: Sequence[Nuisance] = (),
    rtol: float = DEFAULT_RTOL,
    threads: int = 1,
    executor: Executor | None = None,
    progress: Progress = None,
) -> LimitCurve:
    """Limits on one coupling.

    Parameters
    ----------
    experiment : Experiment or sequence of Experiment
        Several are a joint fit, each with its own nuisances.
    interactions : Interaction or sequence of Interaction
        All of one kind: a scan over masses is a list. Their other couplings stay as they are; the value of
        the scanned one is ignored.
    coupling : str
        One of the interaction's `couplings`.
    cl : float, optional
        Confidence level for one degree of freedom; 0.90 if neither this nor `delta_chi2` is given.
    delta_chi2 : float, optional
        Threshold above the minimum over real values of both signs.
    method : {"delta_chi2", "feldman-cousins", "cls"}
        Where Δχ² passes a threshold; where it passes its critical value by toys, which knows that c² is not negative;
        or where CLs (Read 2002) with the test statistic q̃ falls to 1 − cl. The last two are for rates that are even in
        the coupling.
    expected : bool
        Whether to compute the limits that data of the Standard Model alone would set: `expected` of the result.
    toys : int
        A multiple of 50. 0 for asymptotic formulae, and for 2,000 toys with Feldman and Cousins; then CLs, and what is
        expected, is found by toys too.
    seed : int
        Of the toys.
    phase : complex
        Direction of the coupling in the complex plane, of modulus 1.
    standard_model : bool or StandardModel
    statistic, nuisances
        As for `Likelihood`.
    rtol : float
        Accuracy of the counts.
    threads : int
        Threads to use if there is no executor.
    executor : concurrent.futures.Executor, optional
        Computes the limits of 1024 interactions at a time: threads, processes, or what dask and mpi4py offer. Results
        do not depend on it.
    progress : callable or bool, optional
        Called with (finished, all) interactions; True draws a progress bar, in a notebook too (extra ``scan``).

    Returns
    -------
    LimitCurve

    Raises
    ------
    ValueError
        If an argument is refused, or the interactions are of different kinds.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> curve = cf.limit_scan(csi, [cf.SingletEFT(m_chi=m) for m in (1.0, 40.0, 60.0)], "C_V", cl=0.90)
    >>> [float(f"{c:.3g}") for c in curve.upper]
    [0.109, 0.188, inf]
    >>> curve
    <LimitCurve of C_V: coherent-csi-2017, 90% CL, m_chi 1 to 60 MeV, 3 limits down to 0.1088>
    """
    n_threads = checked(threads)
    check_executor(executor)
    validate.choice("method", method, ("delta_chi2", "feldman-cousins", "cls"))
    validate.flag("expected", expected)
    toys = checked_toys(toys) if validate.whole("toys", toys, minimum=0) else 0
    seed = validate.whole("seed", seed, minimum=0)
    if method != "delta_chi2" and delta_chi2 is not None:
        raise ValueError(f"delta_chi2 = {delta_chi2!r}: must be a confidence level, cl=, for method = {method!r}")
    batch = checked_batch(interactions, rtol, n_threads)
    level = threshold(0.90 if cl is None and delta_chi2 is None else cl, delta_chi2, 1)
    like = Assembly(experiment, standard_model=standard_model, statistic=statistic, nuisances=nuisances, rtol=rtol)
    parts = [batch[i : i + _PART] for i in range(0, len(batch), _PART)]
    found: list[LimitCurve | None] = [None] * len(parts)
    with reporter(progress, len(batch), "limit") as report:
        if executor is None:
            for i, part in enumerate(parts):
                found[i] = _limits(like, part, coupling, phase, level, n_threads)
                report(len(part))
        else:
            compute_all(
                list(range(len(parts))),
                lambda i: executor.submit(_limits_there, like, parts[i], coupling, phase, level),
                found.__setitem__,
                lambda i: report(len(parts[i])),
            )
    varied = varied_mass(batch) or Varied("", np.empty(0))
    curve = replace(
        _joined([each for each in found if each is not None]),
        masses=varied.values if varied.name else None,
        mass=varied.name,
        provenance={
            "cevns_fast_version": __version__,
            "experiments": ", ".join(like.described),
            "interactions": spelled_out(batch[0]) if len(batch) == 1 else _ends(batch),
            "coupling": coupling,
            "phase": shown.number(phase, digits=17),
            "standard_model": spelled_out(like.standard_model),
            "statistic": str(like.statistic),
            "nuisances": ", ".join(like.nuisance_names),
            "delta_chi2": repr(level),
            "rtol": repr(float(rtol)),
        },
    )
    if method == "delta_chi2" and not expected:
        return curve
    special = _Special(method, expected, toys, seed, 0.90 if cl is None else cl, level)

    def make(each: Interaction) -> Likelihood:
        return Likelihood(
            experiment, standard_model=standard_model, statistic=statistic, nuisances=nuisances, model=each,
            parameters=(coupling,), phases={} if phase == 1 else {coupling: phase}, rtol=rtol,
        )  # fmt: skip

    return special.of(curve, batch, make)


@dataclass(frozen=True)
class _Special:
    """What other methods than Δχ² make of its limits."""

    method: Method
    expected: bool
    toys: int
    seed: int
    cl: float
    threshold: float

    def of(
        self, curve: LimitCurve, batch: Sequence[Interaction], make: Callable[[Interaction], Likelihood]
    ) -> LimitCurve:
        """A curve with its limits replaced by those of another method, and what was to be expected."""
        upper, intervals = curve.upper.copy(), list(curve.intervals)
        bands = np.full((len(SIGMAS), len(batch)), np.inf)
        for i, each in enumerate(batch):
            if curve.upper[i] == np.inf and np.array_equal(curve.intervals[i], [[-np.inf, np.inf]]):
                continue  # no coupling changes anything
            one = OneCoupling(make(each))
            level = self.cl if self.method != "delta_chi2" else math.nan
            if self.method == "cls":
                upper[i] = one.cls_limit_by_toys(level, self.toys, self.seed) if self.toys else one.cls_limit(level)
            elif self.method == "feldman-cousins":
                upper[i], critical = one.feldman_cousins_limit(level, self.toys or _TOYS, self.seed)
                if one.delta(0.0) > critical:  # what toys exclude is between zero and the other limit
                    low = one.lower(critical)
                    intervals[i] = np.array([[-upper[i], -low], [low, upper[i]]])
            if self.method == "cls" or (self.method == "feldman-cousins" and not one.delta(0.0) > critical):
                intervals[i] = np.array([[-upper[i], upper[i]]])
            if self.expected and self.toys:
                bands[:, i] = one.expected_by_toys(self.method, level, self.threshold, self.toys, self.seed)
            elif self.expected:
                bands[:, i] = one.expected(self.method, level, self.threshold)
        found = bands if self.expected else None
        return replace(curve, upper=upper, intervals=tuple(intervals), method=self.method, expected=found)


def _ends(batch: Sequence[Interaction]) -> str:
    """The first and the last."""
    return f"{spelled_out(batch[0])} … {spelled_out(batch[-1])} ({len(batch)})"


def _joined(parts: Sequence[LimitCurve]) -> LimitCurve:
    """Curves of one coupling, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return replace(
        parts[0],
        upper=np.concatenate([each.upper for each in parts]),
        intervals=tuple(ranges for each in parts for ranges in each.intervals),
        best_fit=np.concatenate([each.best_fit for each in parts]),
        chi2_min=np.concatenate([each.chi2_min for each in parts]),
    )


def _limits_there(
    like: Assembly, batch: Sequence[Interaction], coupling: str, phase: complex, level: float
) -> LimitCurve:
    """Limits of a part of the batch, in another process."""
    watch_parent()
    return _limits(like, batch, coupling, phase, level, 1)


def _limits(
    like: Assembly, batch: Sequence[Interaction], coupling: str, phase: complex, level: float, threads: int
) -> LimitCurve:
    """Limits of a part of the batch."""
    layout, systems, values = like.along(batch, coupling, phase, threads)
    nominal = [each[:, 0] for each in values]  # float64[n, powers, n_bins]
    units = [_units(p) for p in nominal]
    nearest = np.min([near for near, _ in units], axis=0)
    highest_unit = np.max([high for _, high in units], axis=0)
    even = not any(p[:, 1::2].any() for p in nominal)
    grid = _grid(float(np.log(highest_unit / nearest).max()), even)
    layout, systems, whiteners = whitened(layout, systems)
    evaluator, n = Evaluator(pack(layout, systems)), len(batch)
    tables = np.concatenate([whiten(v).reshape(n, -1) for v, whiten in zip(values, whiteners, strict=True)], axis=1)
    lows, highs = np.full((n, _MOST_INTERVALS), np.nan), np.full((n, _MOST_INTERVALS), np.nan)
    summary = np.empty((n, 3))
    in_ranges(
        lambda a, b: evaluator.limits(tables[a:b], nearest[a:b], level, grid, lows[a:b], highs[a:b], summary[a:b]),
        n,
        threads,
    )
    intervals = _intervals(lows, highs, summary[:, 0].astype(int), even)
    upper = np.nanmax(highs if even else np.abs(np.concatenate([lows, highs], axis=1)), axis=1)
    return LimitCurve(coupling, upper, intervals, summary[:, 1].copy(), summary[:, 2].copy(), level)


def _intervals(lows: Floats, highs: Floats, counts: Any, even: bool) -> tuple[Floats, ...]:
    """Allowed ranges, float64[k, 2] for each of a batch; those of an even χ² come from couplings >= 0."""
    if even and np.all(counts == 1) and np.all(lows[:, 0] == -np.inf):  # around zero, as most are
        return tuple(np.stack([-highs[:, :1], highs[:, :1]], axis=2))
    found = tuple(np.stack([lows[i, :k], highs[i, :k]], axis=1) for i, k in enumerate(counts))
    return tuple(map(_mirrored, found)) if even else found


def _units(powers: Floats) -> tuple[Floats, Floats]:
    """Couplings at which a power of it equals the constant part (or one count): the smallest, the highest power's."""
    constant = np.abs(powers[:, 0]).sum(axis=1) + 1.0
    found = np.full((powers.shape[1], len(powers)), np.inf)
    for power in range(1, powers.shape[1]):
        leading = np.abs(powers[:, power]).sum(axis=1)
        with np.errstate(divide="ignore", over="ignore"):
            found[power] = (constant / leading) ** (1 / power)
    smallest = found.min(axis=0)
    smallest = np.where(np.isfinite(smallest), smallest, 1.0)
    if powers.shape[1] > 3:  # two powers may compensate, in a shallow minimum closer to zero
        smallest /= 10
    return smallest, np.where(np.isfinite(found[-1]), found[-1], smallest)


def _grid(distance: float, even: bool) -> Floats:
    """Couplings to try, in units of the nearest scale, when the highest power's is e^distance further."""
    points = int(min(_BEYOND + max(distance, 0.0), _FARTHEST) / _STEP)
    return np.asarray(np.sinh(_STEP * np.arange(0 if even else -points, points + 1)))


def _mirrored(positive: Floats) -> Floats:
    """The allowed ranges of an even χ², from those of c >= 0, where "from −∞" stands for "from zero"."""
    disjoint = positive[np.isfinite(positive[:, 0])]
    around_zero = [[-high, high] for low, high in positive.tolist() if low == -np.inf]
    return np.concatenate([-disjoint[::-1, ::-1], np.reshape(around_zero, (-1, 2)), disjoint])
