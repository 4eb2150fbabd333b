"""Correlation scans: χ² over grids of couplings."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cevns_fast import __version__
from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import Evaluator, pack
from cevns_fast._support.moved import renamed
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import DEFAULT_RTOL, WithStandardModel, checked_batch, total_polynomial
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference import minima
from cevns_fast.inference.parameter_planes import likelihood_of, parameter_among, plane_of_parameters
from cevns_fast.inference.planes import CACHE, MOST_PROFILED, EvaluatorProblem, PlaneProblem, ProfiledProblem, ScanGrid
from cevns_fast.inference.scan_result import Between, Minima, Scan
from cevns_fast.interactions.process import Exponents, Interaction, spelled_out
from cevns_fast.likelihood.assembly import Assembly, Statistic, experiments_of
from cevns_fast.likelihood.measurement import Measurement
from cevns_fast.likelihood.nuisances import Nuisance
from cevns_fast.likelihood.whitening import reduced
from cevns_fast.parallel import chunks
from cevns_fast.parallel.progress import Progress
from cevns_fast.parallel.threads import checked, get_num_threads

_FARTHEST = 1e50  # χ² goes with the fourth power of a coupling, and must be a number


class _Systems(NamedTuple):
    """Templates, whitened, for a batch of interactions: the numbers of a problem but for its axes."""

    triangle: Floats  # see `_triangles`
    scale_variance: Floats
    powers: Any  # int64[terms, couplings + free]


def _systems(
    like: Assembly,
    batch: Sequence[Interaction],
    couplings: tuple[str, ...],
    free: tuple[str, ...],
    phases: Mapping[str, complex],
    threads: int,
) -> _Systems:
    """Templates, whitened."""
    names = couplings + free
    found: list[dict[Exponents, Floats]] = []
    for experiment in like.experiments:
        polynomial = total_polynomial(
            experiment, batch, names, phases, standard_model=like.standard_model, rtol=like.rtol, threads=threads
        )
        found.append({e: polynomial.values[:, i] for i, e in enumerate(polynomial.exponents)})
    # The highest powers along a row first: that leaves them few components.
    exponents = sorted({e for each in found for e in each}, key=lambda e: (-e[len(couplings) - 1], e))
    for e in exponents:
        for name, power in zip(names, e, strict=True):
            if power > 2:
                raise ValueError(f"couplings: counts are of degree {power} in {name!r}; scan it with limit_scan")
        if sum(e[len(couplings) :]) > 2:
            raise ValueError(
                f"profile = {free!r}: counts are of degree {sum(e[len(couplings) :])}, must be of two at most"
            )
    if len(free) > MOST_PROFILED:
        raise ValueError(f"profile = {free!r}: {len(free)} names, must be {MOST_PROFILED} at most")
    powers = np.array(exponents, dtype=np.int64).reshape(len(exponents), len(names))
    scale_variance = np.array([m.scale_variance for m in like.measurements], dtype=np.float64)
    return _Systems(_triangles(like.measurements, found, exponents, scale_variance), scale_variance, powers)


@remember(maxsize=32)
def _systems_of_one(
    experiments: tuple[Experiment, ...],
    standard_model: WithStandardModel,
    interaction: Interaction,
    couplings: tuple[str, ...],
    free: tuple[str, ...],
    phases: tuple[tuple[str, complex], ...],
    rtol: float,
) -> _Systems:
    """The templates of one interaction, whitened and kept: it is scanned again on a finer grid."""
    like = Assembly(experiments, standard_model=standard_model, rtol=rtol)
    found = _systems(like, [interaction], couplings, free, dict(phases), 1)
    for array in found:
        array.setflags(write=False)
    return found


def _kernel_problem(
    like: Assembly,
    batch: Sequence[Interaction],
    couplings: tuple[str, ...],
    free: tuple[str, ...],
    axes: tuple[Floats, ...],
    phases: Mapping[str, complex],
    threads: int,
) -> PlaneProblem | ProfiledProblem:
    """What one of the plane's kernels fills."""
    if len(batch) == 1 and _hashable(batch[0]):
        directions = tuple(phases.items())
        found = _systems_of_one(like.experiments, like.standard_model, batch[0], couplings, free, directions, like.rtol)
    else:
        found = _systems(like, batch, couplings, free, phases, threads)
    return (ProfiledProblem if free else PlaneProblem)(couplings, free, axes, *found)


def _hashable(interaction: Interaction) -> bool:
    """Whether it can be remembered: a field of a user's may be a list."""
    try:
        hash(interaction)
    except TypeError:
        return False
    return True


def _triangles(
    measurements: Sequence[Measurement],
    found: Sequence[Mapping[Exponents, Floats]],
    exponents: Sequence[Exponents],
    scale_variance: Floats,
) -> Floats:
    """Data and terms of each system as columns of the R of a QR decomposition, [n, systems, 1 + terms, 1 + terms].

    What shifts counts by a constant, and its unit penalty, comes before them: so what that can absorb is gone. Where
    a scale s varies, (s − 1)/σ is one more row.
    """
    constant = exponents.index((0,) * len(exponents[0]))
    n, vectors = len(found[0][exponents[constant]]), 1 + len(exponents)
    shifts = max(len(m.columns) for m in measurements)
    rows = max(vectors, 1 + max(len(m.data) for m in measurements))
    columns = np.zeros((n, len(measurements), shifts + rows, shifts + vectors))
    columns[..., :shifts, :shifts] = np.eye(shifts)
    for system, (measurement, by_power) in enumerate(zip(measurements, found, strict=True)):
        counts = columns[:, system, shifts : shifts + len(measurement.data)]
        counts[..., : len(measurement.columns)] = measurement.columns.T
        counts[..., shifts] = measurement.data
        for k, e in enumerate(exponents, shifts + 1):
            if e in by_power:
                counts[..., k] = by_power[e]
        counts /= np.sqrt(measurement.variance)[:, None]
        if scale_variance[system] > 0:
            columns[:, system, -1, [shifts, shifts + 1 + constant]] = scale_variance[system] ** -0.5
    R = np.asarray(np.linalg.qr(columns, mode="r"))
    return np.ascontiguousarray(R[..., shifts:, shifts:])


def correlation_scan(
    experiment: Experiment | Sequence[Experiment],
    interaction: Interaction | Sequence[Interaction] | type[Interaction],
    couplings: Sequence[str],
    *axes: Any,
    fixed: Mapping[str, Any] | None = None,
    profile: Sequence[str] = (),
    phases: Mapping[str, complex] | None = None,
    standard_model: WithStandardModel = True,
    statistic: Statistic | None = None,
    nuisances: Sequence[Nuisance] = (),
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
        One, two or three of the interaction's `couplings`, universal (``"C_S"``) or of one quark (``"C_S_u"``). One of
        them may be a parameter that is no coupling, such as ``"m_chi"``; the interaction may then be its kind.
    *axes : array_like
        One grid for each coupling: increasing real numbers, of both signs if wanted.
    fixed : mapping of str to float, optional
        Values of other fields, where the interaction is given as a kind.
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
        ``mpi4py.futures.MPIPoolExecutor``. Results do not depend on it, to the last bit, on processors of one kind
        (with and without fused multiply-add they differ by rounding).
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

    A mass and a coupling:

    >>> m_chi, a_M = np.linspace(1.0, 50.0, 50), np.linspace(0.0, 1e-3, 41)
    >>> cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT, ("m_chi", "a_M"), m_chi, a_M).chi2.shape
    (50, 41)
    """
    listed = experiments_of(experiment)
    structure = parameter_among(interaction, couplings)
    if structure is not None or isinstance(interaction, type):
        names, free = validate.names("couplings", couplings), validate.names("profile", profile)
        if len(axes) != len(names):
            raise ValueError(f"axes: {len(axes)} grids are given for {len(names)} couplings {names}")
        grids = tuple(_grid(name, axis) for name, axis in zip(names, axes, strict=True))
        chunks.check_executor(executor)
        return plane_of_parameters(
            likelihood_of(
                listed, interaction, names, free, grids, structure, fixed or {}, phases=phases,
                standard_model=standard_model, statistic=statistic, nuisances=nuisances, rtol=rtol,
            ),
            names, free, grids, _target(out, tuple(grid.size for grid in grids)), executor,
            get_num_threads() if threads is None else checked(threads),
            None if checkpoint is None else validate.path("checkpoint", checkpoint), progress,
        )  # fmt: skip
    if fixed:
        raise ValueError(f"fixed = {fixed!r}: must be empty, an interaction states its own fields")
    batch = checked_batch(interaction, rtol)
    names, free = _names(type(batch[0]), couplings, profile, phases or {})
    if len(axes) != len(names):
        raise ValueError(f"axes: {len(axes)} grids are given for {len(names)} couplings {names}")
    grids = tuple(_grid(name, axis) for name, axis in zip(names, axes, strict=True))
    n_threads = get_num_threads() if threads is None else checked(threads)
    if checkpoint is not None:
        checkpoint = validate.path("checkpoint", checkpoint)
    chunks.check_executor(executor)
    single = isinstance(interaction, Interaction)
    shape = tuple(grid.size for grid in grids)
    result = _target(out, shape if single else (len(batch), *shape))
    like = Assembly(listed, standard_model=standard_model, statistic=statistic, nuisances=nuisances, rtol=rtol)
    problem: ScanGrid
    special = any(m.predicts_variance for m in like.measurements) or any(pull.is_free for pull in like.pulls)
    if like.statistic == "gaussian" and not like.shared and not special:
        problem = _kernel_problem(like, batch, names, free, grids, phases or {}, n_threads)
    else:
        systems = like.of_couplings(batch, names + free, phases or {}, n_threads)
        problem = EvaluatorProblem(names, free, grids, tuple(pack(*reduced(*each)) for each in systems))
    identity = _identity(like, batch, problem, phases or {}, rtol)
    chunks.run(problem, result.reshape(problem.n_rows, -1), identity, executor, n_threads, checkpoint, progress)
    masses = getattr(batch[0], "m_chi", None)
    return Scan(
        couplings=names,
        axes=grids,
        chi2=result,
        search=SearchOfCouplings(problem, like, tuple(batch), phases or {}),
        masses=None if single or masses is None else np.array([each.m_chi for each in batch]),  # type: ignore[attr-defined]
        provenance=identity,
    )


@dataclass(frozen=True, eq=False)
class SearchOfCouplings:
    """The minimum over all couplings, off the grid, sought from the lowest grid point of each plane."""

    problem: ScanGrid
    like: Assembly
    batch: tuple[Interaction, ...]
    phases: Mapping[str, complex]

    def __call__(self, chi2: Floats) -> Minima:
        names = self.problem.couplings + self.problem.free
        planes = chi2.reshape(len(self.batch), -1, len(self.problem.axes[-1]))
        found, values, nuisances = [], [], []
        for rows, systems in zip(planes, self.like.of_couplings(self.batch, names, self.phases, 1), strict=True):
            row, column = divmod(int(np.argmin(rows)), rows.shape[1])
            start = self.problem.points([row])[column]
            evaluator, on_grid = Evaluator(pack(*systems)), float(rows[row, column])
            choices = [minima.sides(minima.reach(evaluator, start, i)) for i in range(start.size)]
            value, z = minima.lowest(evaluator, minima.starts(start, choices), [False] * start.size)
            if value > on_grid * (1 + 1e-9) + 1e-9:
                value, z = on_grid, start
            found.append(z)
            values.append(min(value, on_grid))
            nuisances.append(self.like.named(evaluator.pulls(z)))
        return Minima(
            chi2=np.array(values),
            couplings={name: np.array([z[k] for z in found]) for k, name in enumerate(names)},
            nuisances={name: np.array([each[name] for each in nuisances]) for name in nuisances[0]},
        )

    def between(self, interaction: int) -> Between:
        """χ² at any points of the plane."""
        if not self.problem.free:
            names = self.problem.couplings
            (systems,) = self.like.of_couplings([self.batch[interaction]], names, self.phases, 1)
            return Evaluator(pack(*reduced(*systems))).batch, (101, 2001)
        if isinstance(self.problem, ProfiledProblem):
            return partial(self.problem.profiled, interaction), (31, 201)  # a point takes a hundred times as long
        return None, (0, 0)


def _identity(
    like: Assembly, batch: Sequence[Interaction], problem: ScanGrid, phases: Mapping[str, complex], rtol: float
) -> dict[str, str]:
    """What the scan is, field by field: a checkpoint and a saved result carry it."""
    identity = {
        "cevns_fast_version": __version__,
        "experiments": ", ".join(like.described),
        "interactions": _spelled(batch),
        "couplings": ", ".join(problem.couplings),
        "profiled": ", ".join(problem.free),
        "phases": ", ".join(f"{name}: {complex(phase)}" for name, phase in sorted(phases.items())),
        "standard_model": spelled_out(like.standard_model),
        "statistic": like.statistic,
        "nuisances": ", ".join(like.nuisance_names),
        "rtol": repr(float(rtol)),
    }
    for name, axis in zip(problem.couplings, problem.axes, strict=True):
        identity[f"grid of {name}"] = (
            f"{axis.size} from {float(axis[0])!r} to {float(axis[-1])!r}, sha256 {chunks.digest(axis)}"
        )
    identity["templates"] = "sha256 " + chunks.digest(*problem.numbers)
    return identity


def _spelled(batch: Sequence[Interaction]) -> str:
    """The interactions, or of many the first and the last."""
    if len(batch) <= 4:
        return f"[{', '.join(map(spelled_out, batch))}]"
    return f"{spelled_out(batch[0])} … {spelled_out(batch[-1])} ({len(batch)})"


def _names(
    kind: type[Interaction], couplings: Sequence[str], profile: Sequence[str], phases: Mapping[str, complex]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Scanned and profiled couplings, checked."""
    if isinstance(couplings, str) or not isinstance(couplings, Sequence) or not 1 <= len(couplings) <= 3:
        raise ValueError(f"couplings = {couplings!r}: must be a sequence of one to three names")
    if isinstance(profile, str) or not isinstance(profile, Sequence):
        raise ValueError(f"profile = {profile!r}: must be a sequence of names")
    every = kind.check_couplings((*couplings, *profile), phases)
    return every[: len(couplings)], every[len(couplings) :]


def _grid(name: str, axis: Any) -> Floats:
    """One axis, checked."""
    grid = validate.increasing(f"grid of {name}", axis)
    farthest = float(np.abs(grid[[0, -1]]).max())
    if farthest > _FARTHEST:
        raise ValueError(f"grid of {name}: reaches {farthest:g}, must be within ±{_FARTHEST:g}")
    return grid


def _target(out: Any, shape: tuple[int, ...]) -> Floats:
    """The array that receives χ²."""
    if out is None:
        needed = 8 * math.prod(shape)
        if needed > CACHE and needed > (available := _available_memory()):  # asking takes a tenth of a millisecond
            raise MemoryError(
                f"the scan's result needs {needed / 2**30:.3g} GiB, {available / 2**30:.3g} GiB are available; "
                "pass a memory map (numpy.lib.format.open_memmap) as `out`"
            )
        return np.empty(shape)
    validate.plain("out", out)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != np.float64 or not out.flags.c_contiguous:
        described = f"{out.dtype}{list(out.shape)}" if isinstance(out, np.ndarray) else repr(out)
        raise ValueError(f"out = {described}: must be a C-contiguous float64 array of shape {shape}")
    if not out.flags.writeable:
        raise ValueError("out: is read-only, must be writeable")
    if not out.flags.aligned:
        raise ValueError("out: begins in the middle of a number, must be aligned")
    return out


def _available_memory() -> float:
    """Bytes that can be allocated, by the machine and by this process's group; infinite if the system does not tell."""
    found = math.inf
    with suppress(OSError, ValueError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = min(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    with suppress(OSError, ValueError):  # "max" where there is no limit
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        found = min(found, float(limit - used))
    return found


def __getattr__(name: str) -> Any:
    """A class by the name that old pickles have."""
    return renamed(__name__, name)
