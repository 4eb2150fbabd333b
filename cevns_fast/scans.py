"""Correlation scans: χ² over grids of couplings."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cevns_fast import __version__, chunks
from cevns_fast import _validate as validate
from cevns_fast._kernels import plane
from cevns_fast._kernels import profile as profile_kernel
from cevns_fast._validate import Floats
from cevns_fast.chunks import Progress
from cevns_fast.experiments import Experiment
from cevns_fast.interactions.process import Exponents, Interaction
from cevns_fast.likelihood import Likelihood, experiments_of
from cevns_fast.measurement import Systems
from cevns_fast.rates import (
    DEFAULT_RTOL,
    CountPolynomial,
    WithStandardModel,
    checked_interactions,
    count_polynomial,
    standard_model_counts,
)
from cevns_fast.scan_result import Scan
from cevns_fast.threads import checked, get_num_threads


@dataclass(frozen=True, eq=False)
class GridProblem:
    """Everything that a chunk of a scan needs, as plain arrays: it pickles, hashes and computes.

    Rows of the scan are numbered over interactions and the grid of all couplings but the last.
    """

    couplings: tuple[str, ...]
    free: tuple[str, ...]
    axes: tuple[Floats, ...]
    fixed_terms: Floats  # [n, systems, terms, rows]
    fixed_data: Floats  # [n, systems, rows]
    scale_variance: Floats  # [systems]
    predicted: profile_kernel.Predicted
    predicted_terms: Floats  # [n, terms, bins]
    powers: Any  # int64[terms, couplings + free]

    @property
    def shape(self) -> tuple[int, ...]:
        """Interactions, then the grid."""
        return (len(self.fixed_terms), *(len(axis) for axis in self.axes))

    @property
    def n_rows(self) -> int:
        """Rows of the scan."""
        return math.prod(self.shape[:-1])

    def problem(self, interaction: int) -> plane.Problem:
        """The kernel's arrays for one interaction."""
        return plane.Problem(
            self.fixed_terms[interaction], self.fixed_data[interaction], self.scale_variance, self.powers
        )

    @property
    def points_per_chunk(self) -> int:
        """2 MiB of χ²; a minimisation takes a hundred times as long as a point."""
        return 2**12 if self.free else 2**18

    def outer(self, rows: Any) -> Floats:
        """The couplings but the last at rows of one interaction's grid, float64[rows, couplings − 1]."""
        outer = np.empty((len(rows), len(self.axes) - 1))
        for c, i in enumerate(np.unravel_index(rows, self.shape[1:-1]) if outer.shape[1] else ()):
            outer[:, c] = self.axes[c][i]
        return outer

    def part(self, start: int, stop: int) -> tuple["GridProblem", int]:
        """The problem of the interactions that rows start … stop − 1 belong to, and the number of row start there."""
        per_interaction = self.n_rows // self.shape[0]
        first, last = start // per_interaction, (stop - 1) // per_interaction + 1
        smaller = replace(
            self,
            fixed_terms=self.fixed_terms[first:last],
            fixed_data=self.fixed_data[first:last],
            predicted_terms=self.predicted_terms[first:last],
        )
        return smaller, start - first * per_interaction

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """χ² of rows start … stop − 1 into out[stop − start, len(last axis)]."""
        per_interaction = self.n_rows // self.shape[0]
        row = start
        while row < stop:
            interaction, first = divmod(row, per_interaction)
            last = min(per_interaction, first + stop - row)
            self._fill_some(interaction, np.arange(first, last), out[row - start : row - start + last - first])
            row += last - first

    def _fill_some(self, interaction: int, rows: Any, out: Floats) -> None:
        """χ² of rows of one interaction."""
        outer, y, problem = self.outer(rows), self.axes[-1], self.problem(interaction)
        if self.free:
            n, scanned = len(self.couplings) + len(self.free), len(self.couplings)
            z = np.zeros((*out.shape, n))
            z[:, :, : scanned - 1] = outer[:, None]
            z[:, :, scanned - 1] = y
            free = np.arange(scanned, n)
            plane.minimise(problem, z.reshape(-1, n), free, plane.work_for(problem, free), out.reshape(-1))
            return
        if len(self.scale_variance):
            plane.fill(problem, outer, y, 0, len(outer), out)
        else:
            out[...] = 0.0
        if len(self.predicted.data):
            terms = self.predicted_terms[interaction]
            profile_kernel.add_predicted(self.predicted, terms, self.powers, outer, y, 0, len(outer), out)

    def minimum(self, interaction: int, start: Floats) -> tuple[Floats, float]:
        """The χ² minimum over all couplings near a point: position and value."""
        problem, n = self.problem(interaction), len(start)
        if not len(self.predicted.data):
            z, least, every = np.array([start]), np.empty(1), np.arange(n)
            plane.minimise(problem, z, every, plane.work_for(problem, every), least)
            return z[0], float(least[0])
        from scipy import optimize

        step = np.array([np.diff(axis).min() for axis in self.axes])
        simplex = np.vstack([np.zeros(n), np.eye(n)])  # one step of the grid to each side
        found: Any = optimize.minimize(  # type: ignore[call-overload]  # the stubs do not know initial_simplex
            lambda x: self.at(interaction, start + x * step),
            np.zeros(n),
            method="Nelder-Mead",
            options={"initial_simplex": simplex, "xatol": 1e-9, "fatol": 1e-13, "maxiter": 4000},
        )
        return start + found.x * step, float(found.fun)

    def at(self, interaction: int, z: Floats) -> float:
        """χ² at one point."""
        out = np.zeros((1, 1))
        if len(self.scale_variance):
            plane.fill(self.problem(interaction), z[None, :-1], z[-1:], 0, 1, out)
        if len(self.predicted.data):
            terms = self.predicted_terms[interaction]
            profile_kernel.add_predicted(self.predicted, terms, self.powers, z[None, :-1], z[-1:], 0, 1, out)
        return float(out[0, 0])


@lru_cache(maxsize=32)
def _counts_of_one(
    experiment: Experiment,
    interaction: Interaction,
    names: tuple[str, ...],
    phases: tuple[tuple[str, complex], ...],
    rtol: float,
) -> CountPolynomial:
    """Counts of one interaction, kept: it is scanned again on a finer grid, or with another Standard Model."""
    return count_polynomial(experiment, [interaction], names, dict(phases), rtol=rtol)


def _grid_problem(
    like: Likelihood,
    batch: Sequence[Interaction],
    couplings: tuple[str, ...],
    free: tuple[str, ...],
    axes: tuple[Floats, ...],
    phases: Mapping[str, complex],
    rtol: float,
    threads: int,
) -> tuple[GridProblem, list[Floats]]:
    """Templates, whitened and reduced; and as they are, float64[n, terms, n_bins] for each experiment."""
    names = couplings + free
    constant = (0,) * len(names)
    found: list[dict[Exponents, Floats]] = []
    for experiment in like.experiments:
        if len(batch) == 1:
            polynomial = _counts_of_one(experiment, batch[0], names, tuple(phases.items()), rtol)
        else:
            polynomial = count_polynomial(experiment, batch, names, phases, rtol=rtol, threads=threads)
        by_power = {e: polynomial.values[:, i] for i, e in enumerate(polynomial.exponents)}
        model = standard_model_counts(experiment, like.standard_model, rtol, batch)
        by_power[constant] = by_power.get(constant, np.zeros((len(batch), experiment.n_bins))) + model
        found.append(by_power)
    exponents = sorted({e for each in found for e in each})
    for e in exponents:
        for name, power in zip(names, e, strict=True):
            if power > 2:
                raise ValueError(f"couplings: counts are of degree {power} in {name!r}; scan it with limit_scan")
    systems = Systems.of(like.measurements)
    fixed, data, moving = [], [], [np.zeros((len(batch), len(exponents), 0))]
    whole = []
    for statistic, by_power in zip(like.measurements, found, strict=True):
        nothing = np.zeros((len(batch), statistic.experiment.n_bins))
        terms = np.stack([by_power.get(e, nothing) for e in exponents], axis=1)  # [n, terms, n_bins]
        whole.append(terms)
        if statistic.predicts_variance:
            moving.append(terms)
            continue
        whitened = terms @ statistic.operator.T
        target = np.broadcast_to(statistic.operator @ statistic.data, (len(batch), 1, len(statistic.operator)))
        columns = np.swapaxes(np.concatenate([whitened, target], axis=1), 1, 2)
        rows = max(columns.shape[1:])  # the same number of rows for every system
        padded = np.pad(columns, ((0, 0), (0, rows - columns.shape[1]), (0, 0)))
        R: Floats = np.linalg.qr(padded, mode="r")  # type: ignore[assignment]
        fixed.append(np.swapaxes(R[:, :, :-1], 1, 2))
        data.append(R[:, :, -1])
    n_terms = len(exponents)
    empty_terms, empty_data = np.zeros((len(batch), 0, n_terms, 0)), np.zeros((len(batch), 0, 0))
    problem = GridProblem(
        couplings=couplings,
        free=free,
        axes=axes,
        fixed_terms=np.ascontiguousarray(np.stack(fixed, axis=1)) if fixed else empty_terms,
        fixed_data=np.ascontiguousarray(np.stack(data, axis=1)) if data else empty_data,
        scale_variance=systems.fixed.scale_variance,
        predicted=systems.predicted,
        predicted_terms=np.ascontiguousarray(np.concatenate(moving, axis=2)),
        powers=np.array(exponents, dtype=np.int64).reshape(n_terms, len(names)),
    )
    return problem, whole


def correlation_scan(
    experiment: Experiment | Sequence[Experiment],
    interaction: Interaction | Sequence[Interaction],
    couplings: Sequence[str],
    *axes: Any,
    profile: Sequence[str] = (),
    phases: Mapping[str, complex] | None = None,
    standard_model: WithStandardModel = True,
    out: Floats | None = None,
    threads: int | None = None,
    executor: Executor | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
    rtol: float = DEFAULT_RTOL,
) -> Scan:
    """χ² on a grid of couplings.

    Parameters
    ----------
    experiment : Experiment or sequence of Experiment
        Several are a joint fit, each with its own nuisances.
    interaction : Interaction or sequence of Interaction
        The values of all couplings that are neither scanned nor profiled are taken from it. A list (of one
        kind, a scan over masses, say) adds a leading axis.
    couplings : sequence of str
        One, two or three of the interaction's `couplings`, universal (``"C_S"``) or of one quark (``"C_S_u"``).
    *axes : array_like
        One grid for each coupling: increasing real numbers, of both signs if wanted.
    profile : sequence of str
        Further couplings over which χ² is minimised at every point.
    phases : mapping of str to complex, optional
        Fixed complex directions of couplings, of modulus 1: CP phases.
    standard_model : bool or StandardModel
    out : float64 array, optional
        Receives χ² instead of a new array; C-contiguous and of the scan's shape.
    threads : int, optional
        Threads to use if there is no executor; by default one for each processor. They end with the scan.
    executor : concurrent.futures.Executor, optional
        Computes the chunks: threads, processes, ``dask.distributed``'s ``client.get_executor()`` or
        ``mpi4py.futures.MPIPoolExecutor``. Results do not depend on it, to the last bit.
    checkpoint : path, optional
        A directory that receives every finished chunk. If it holds chunks of the same scan, they are read
        instead of computed; if of another, `ValueError` names the first field that differs.
    progress : callable or bool, optional
        Called with (finished rows, all rows) after every chunk; True draws a progress bar (extra ``scan``).
    rtol : float
        Accuracy of the counts.

    Returns
    -------
    Scan

    Raises
    ------
    ValueError
        If an argument is refused.
    MemoryError
        If the result would not fit into memory, before anything is computed.

    Examples
    --------
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> x, y = np.linspace(-0.05, 0.05, 101), np.linspace(-1e-3, 1e-3, 81)
    >>> scan = cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0), ("C_S", "a_M"), x, y)
    >>> scan.chi2.shape
    (101, 81)
    """
    listed = experiments_of(experiment)
    batch = checked_interactions(interaction, rtol)
    kind = type(batch[0])
    if any(type(each) is not kind for each in batch):
        raise ValueError("interaction: all interactions of a list must be of one kind")
    names, free = _names(kind, couplings, profile, phases or {})
    if len(axes) != len(names):
        raise ValueError(f"axes: {len(axes)} grids are given for {len(names)} couplings {names}")
    grids = tuple(validate.increasing(f"grid of {name}", axis) for name, axis in zip(names, axes, strict=True))
    n_threads = get_num_threads() if threads is None else checked(threads)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor = {executor!r}: must be a concurrent.futures.Executor")
    like = Likelihood(listed, standard_model=standard_model)
    if free and any(s.predicts_variance for s in like.measurements):
        raise ValueError("profile: needs experiments whose variance is that of observed counts")
    single = isinstance(interaction, Interaction)
    shape = tuple(grid.size for grid in grids)
    result = _target(out, shape if single else (len(batch), *shape))
    problem, terms = _grid_problem(like, batch, names, free, grids, phases or {}, rtol, n_threads)
    rows = result.reshape(problem.n_rows, -1)
    identity = _identity(like, batch, problem, phases or {}, rtol)
    lowest = np.empty(problem.n_rows)
    chunks.run(problem, rows, lowest, identity, executor, n_threads, checkpoint, progress)
    best = [_best_fit(problem, i, rows, lowest) for i in range(len(batch))]
    nuisances = [_nuisances(like, problem, terms, i, z) for i, (z, _) in enumerate(best)]
    masses = getattr(batch[0], "m_chi", None)
    return Scan(
        couplings=names,
        axes=grids,
        chi2=result,
        chi2_min=np.array([value for _, value in best]),
        best_fit={name: np.array([z[k] for z, _ in best]) for k, name in enumerate(names + free)},
        nuisances={name: np.array([each[name] for each in nuisances]) for name in nuisances[0]},
        masses=None if single or masses is None else np.array([each.m_chi for each in batch]),  # type: ignore[attr-defined]
        provenance=identity,
    )


def _best_fit(problem: GridProblem, interaction: int, rows: Floats, lowest: Floats) -> tuple[Floats, float]:
    """The minimum over all couplings, off the grid, sought from the lowest grid point."""
    size = problem.n_rows // problem.shape[0]
    row = int(np.argmin(lowest[interaction * size : (interaction + 1) * size]))
    column = int(np.argmin(rows[interaction * size + row]))
    start = np.concatenate([problem.outer([row])[0], problem.axes[-1][[column]], np.zeros(len(problem.free))])
    z, value = problem.minimum(interaction, start)
    on_grid = float(rows[interaction * size + row, column])
    return (z, min(value, on_grid)) if value <= on_grid * (1 + 1e-9) + 1e-9 else (start, on_grid)


def _nuisances(
    like: Likelihood, problem: GridProblem, terms: list[Floats], interaction: int, z: Floats
) -> dict[str, float]:
    """Best-fit nuisances at a point."""
    monomials = np.prod(z**problem.powers, axis=1)
    return like.nuisances_of_counts([monomials @ each[interaction] for each in terms])


def _identity(
    like: Likelihood, batch: Sequence[Interaction], problem: GridProblem, phases: Mapping[str, complex], rtol: float
) -> dict[str, str]:
    """What the scan is, field by field: a checkpoint and a saved result carry it."""
    identity = {
        "cevns_fast_version": __version__,
        "experiments": ", ".join(e.name for e in like.experiments),
        "interactions": repr(list(batch)) if len(batch) <= 4 else f"{batch[0]!r} … {batch[-1]!r} ({len(batch)})",
        "couplings": ", ".join(problem.couplings),
        "profiled": ", ".join(problem.free),
        "phases": ", ".join(f"{name}: {complex(phase)}" for name, phase in sorted(phases.items())),
        "standard_model": repr(like.standard_model),
        "rtol": repr(rtol),
    }
    for name, axis in zip(problem.couplings, problem.axes, strict=True):
        identity[f"grid of {name}"] = f"{axis.size} from {axis[0]!r} to {axis[-1]!r}, sha256 {chunks.digest(axis)}"
    arrays = (problem.fixed_terms, problem.fixed_data, problem.scale_variance, problem.predicted_terms, problem.powers)
    identity["templates"] = "sha256 " + chunks.digest(*arrays, *problem.predicted)
    return identity


def _names(
    kind: type[Interaction], couplings: Sequence[str], profile: Sequence[str], phases: Mapping[str, complex]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scanned and profiled couplings, checked."""
    if isinstance(couplings, str) or not 1 <= len(couplings) <= 3:
        raise ValueError(f"couplings = {couplings!r}: must be one to three names")
    if isinstance(profile, str):
        raise ValueError(f"profile = {profile!r}: must be a sequence of names")
    every = kind.check_couplings((*couplings, *profile), phases)
    return every[: len(couplings)], every[len(couplings) :]


def _target(out: Any, shape: tuple[int, ...]) -> Floats:
    """The array that receives χ²."""
    if out is None:
        needed = 8 * math.prod(shape)
        available = _available_memory()
        if needed > available:
            raise MemoryError(
                f"the scan's result needs {needed / 2**30:.3g} GiB, {available / 2**30:.3g} GiB are available; "
                "pass a memory map (numpy.lib.format.open_memmap) as `out`"
            )
        return np.empty(shape)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.float64 or not out.flags.c_contiguous:
        described = f"{out.dtype}{list(out.shape)}" if isinstance(out, np.ndarray) else repr(out)
        raise ValueError(f"out = {described}: must be a C-contiguous float64 array of shape {shape}")
    if not out.flags.writeable:
        raise ValueError("out: is read-only, must be writeable")
    return out


def _available_memory() -> float:
    """Bytes that can be allocated; infinite if the system does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return 1024.0 * int(line.split()[1])
    except OSError:
        pass
    return float("inf")
