"""χ² on grids one of whose axes is a parameter that is no coupling: a mass and a coupling, say."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import pack
from cevns_fast._support.moved import renamed
from cevns_fast._validate import Floats
from cevns_fast.inference.best_fit import best_fit
from cevns_fast.inference.planes import EvaluatorProblem
from cevns_fast.inference.scan_result import Between, Minima, Scan
from cevns_fast.interactions.process import Interaction
from cevns_fast.likelihood.likelihood import Likelihood, function_of
from cevns_fast.likelihood.outer_parameters import OUTER_PARAMETERS
from cevns_fast.likelihood.whitening import reduced
from cevns_fast.parallel import chunks
from cevns_fast.parallel.progress import Progress


def parameter_among(interaction: Any, names: Any) -> str | None:
    """The first name that is a parameter, of the interaction or not, and no coupling of it; None if there is none."""
    kind = interaction if isinstance(interaction, type) else type(interaction)
    if not issubclass(kind, Interaction) or not isinstance(names, Sequence) or isinstance(names, str):
        return None
    known = {f.name for f in fields(kind)} | set(OUTER_PARAMETERS)  # type: ignore[arg-type]
    known -= set(kind.open_couplings)
    return next((name for name in names if isinstance(name, str) and name in known), None)


def plane_of_parameters(
    like: Likelihood,
    names: tuple[str, ...],
    free: tuple[str, ...],
    axes: tuple[Floats, ...],
    target: Floats,
    executor: Executor | None,
    threads: int,
    checkpoint: str | Path | None,
    progress: Progress,
) -> Scan:
    """χ² of a likelihood on a grid of some of its parameters, minimised over the others.

    Rows of one value of the parameter that is no coupling share its tables: it is the first axis while χ² is computed.
    """
    function = function_of(like)
    structure = function.model.structure
    order = sorted(range(len(names)), key=lambda i: names[i] != structure)
    block = pack(*reduced(*function.systems()))
    problem = EvaluatorProblem(tuple(names[i] for i in order), free, tuple(axes[i] for i in order), (block,))
    in_order = order == list(range(len(names)))
    rows = target if in_order else np.empty(tuple(len(axes[i]) for i in order))
    identity = function.identity() | {"couplings": ", ".join(names), "profiled": ", ".join(free)}
    for name, axis in zip(names, axes, strict=True):
        identity[f"grid of {name}"] = (
            f"{axis.size} from {float(axis[0])!r} to {float(axis[-1])!r}, sha256 {chunks.digest(axis)}"
        )
    chunks.run(problem, rows.reshape(problem.n_rows, -1), identity, executor, threads, checkpoint, progress)
    if not in_order:
        target[...] = rows.transpose(np.argsort(order))
    return Scan(names, axes, target, SearchOfParameters(like, names, free), None, identity)


@dataclass(frozen=True, eq=False)
class SearchOfParameters:
    """The minimum over all parameters, the one that is no coupling within its axis."""

    like: Likelihood
    names: tuple[str, ...]
    free: tuple[str, ...]

    def __call__(self, chi2: Floats) -> Minima:
        """From starts on all sides of zero couplings."""
        found = best_fit(self.like)
        function = function_of(self.like)
        pulls = function.assembly.named(function.full().pulls(np.array(list(found.theta.values()))))
        return Minima(
            np.array([min(found.chi2, float(chi2.min()))]),
            {name: np.array([found.theta[name]]) for name in (*self.names, *self.free)},
            {name: np.array([value]) for name, value in pulls.items()},
        )

    def between(self, interaction: int) -> Between:
        """χ² at any points of the plane."""
        return between_points(self.like, self.names)


def between_points(like: Likelihood, names: Sequence[str]) -> Between:
    """χ² at any values of the two parameters of a likelihood, in the order of the names; unknown if it has more."""
    own = [p.name for p in like.parameters]
    if sorted(own) != sorted(names):
        return None, (0, 0)
    at = [own.index(name) for name in names]

    def of_points(points: Floats) -> Floats:
        thetas = np.empty_like(points)
        thetas[:, at] = points
        return like.batch(thetas)

    return of_points, (101, 2001)


def likelihood_of(
    experiments: Any,
    model: Any,
    names: Sequence[str],
    free: Sequence[str],
    axes: Sequence[Floats],
    structure: str | None,
    fixed: Mapping[str, Any],
    **options: Any,
) -> Likelihood:
    """The likelihood of a scan's parameters, in the order in which its rows have them."""
    order = sorted(names, key=lambda name: name != structure)
    bounds = {}
    if structure is not None:
        axis = axes[list(names).index(structure)]
        bounds[structure] = (float(axis[0]), float(axis[-1]))
    validate.unique((name, f"couplings or profile: {name!r}") for name in (*names, *free))
    return Likelihood(
        experiments, model=model, parameters=(*order, *free), fixed=dict(fixed), bounds=bounds, **options
    )  # fmt: skip


def __getattr__(name: str) -> Any:
    """A class by the name that old pickles have."""
    return renamed(__name__, name)
