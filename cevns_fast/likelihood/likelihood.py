"""χ² of counts, of interactions and of named parameters, profiled over what is uncertain: the user's object."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._support import files, shown
from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import DEFAULT_RTOL, WithStandardModel
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.process import Interaction
from cevns_fast.likelihood.assembly import Assembly, Statistic
from cevns_fast.likelihood.nuisances import Nuisance
from cevns_fast.likelihood.of_interactions import OfInteractions
from cevns_fast.likelihood.of_parameters import OfParameters
from cevns_fast.likelihood.outer_parameters import Context
from cevns_fast.likelihood.parameters import Model, Parameter, fit_model
from cevns_fast.parallel.threads import checked, in_ranges


class Likelihood:
    """χ² = −2 ln L of one or several experiments, profiled over their uncertainties.

    Parameters
    ----------
    experiments : Experiment or sequence of Experiment
        Each keeps its own nuisances; the experiment's uncertainties decide the χ².
    standard_model : bool or StandardModel
        What is added to the counts of new physics.
    statistic : {None, "gaussian", "poisson"}
        Gaussian χ² as in the papers, or Poisson counts: beam-on counts, and a steady-state background that
        is known (weight 1) or was counted as well (weight 1 + on time / off time) and is profiled bin by bin. None:
        what each experiment says. A measured excess with errors of its own is Gaussian in any case.
    nuisances : sequence of ScaleNuisance, ShapeNuisance, …
        What experiments share, and what changes shapes, beside the nuisances that experiments state. Their names
        must differ from those of all other nuisances, and of couplings and parameters of interactions.
    model : kind of interaction, interaction or callable, optional
        What `parameters` are parameters of: ``cf.SingletEFT``; one interaction, whose other values then stay;
        or a function of one parameter and of `fixed` that makes an interaction, for ties like m_Z' = 10 m_χ. It is
        called once for each of some values: what it reads, globals included, must not change afterwards.
    parameters : sequence of str
        The free parameters in their order: couplings, nuisances by name (see `nuisance_names`; the others
        are profiled), and at most one that is neither, such as ``m_chi``.
    fixed : mapping, optional
        Values of other fields of the model.
    phases : mapping of str to complex, optional
        Directions of couplings in the complex plane, of modulus 1.
    bounds : mapping of str to (float, float), optional
        Ranges of parameters; χ² is infinite beyond. ``m_chi`` has the range that the sources can produce,
        any other parameter that is no coupling needs one.
    rtol : float
        Accuracy of the counts.

    Attributes
    ----------
    experiments : tuple of Experiment
    parameters : tuple of Parameter
        Name, description, unit, default and bounds; empty without a `model`.
    nuisance_names : tuple of str
    standard_model, statistic, rtol
        As given.

    Raises
    ------
    ValueError
        If an argument is refused, a bin's variance is not positive, or two experiments hold the same data.

    Notes
    -----
    Chang & Liao 2020, Eq. (13); Chao et al. 2021, Eq. (34); Brdar et al. 2018, Eqs. (29) and (30) for experiments
    whose variance is predicted. The Poisson χ² is −2 ln of the likelihood over that of a perfect fit, with the
    steady-state background of each bin profiled in closed form (Barlow & Beeston 1993).

    With a `model`, the object is a function of a vector: ``fit(theta)`` is χ², ``fit.gradient``, ``fit.hessian``
    its exact derivatives, ``fit.batch`` and ``fit.log_likelihood`` serve samplers. Out of bounds, and for NaN,
    χ² is +inf, ln L is −inf and derivatives are NaN: nothing is raised. One evaluation runs in one thread.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> like = cf.Likelihood(csi)
    >>> round(like.chi2(cf.StandardModel()), 2)
    2.83
    >>> fit = cf.Likelihood(csi, model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M"), fixed={"C_V": 0.0})
    >>> [(p.name, p.unit) for p in fit.parameters]
    [('m_chi', 'MeV'), ('C_S', ''), ('a_M', '')]
    >>> round(fit([40.0, 0.0, 0.0]), 2)
    2.83
    >>> like.nuisance_names
    ('beta: prompt neutrons', 'alpha')
    >>> theta = [40.0, 0.01, 2e-4]
    >>> value, gradient = fit.value_and_gradient(theta)
    >>> value == fit(theta), bool((gradient == fit.gradient(theta)).all()), fit.hessian(theta).shape
    (True, True, (3, 3))
    >>> fit.log_likelihood(theta) == -value / 2
    True
    >>> list(fit.pulls(theta)) == list(fit.nuisance_names), [each.shape for each in fit.counts(theta)]
    (True, [(12,)])
    """

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment],
        *,
        standard_model: WithStandardModel = True,
        statistic: Statistic | None = None,
        nuisances: Sequence[Nuisance] = (),
        model: Model | None = None,
        parameters: Sequence[str] = (),
        fixed: Mapping[str, Any] | None = None,
        phases: Mapping[str, complex] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        rtol: float = DEFAULT_RTOL,
    ) -> None:
        self._assembly = Assembly(
            experiments, standard_model=standard_model, statistic=statistic, nuisances=nuisances, rtol=rtol
        )
        self.experiments = self._assembly.experiments
        self.standard_model = standard_model
        self.statistic = self._assembly.statistic
        self.rtol = rtol
        self._interactions = OfInteractions(self._assembly)
        self._function: OfParameters | None = None
        if model is not None:
            contexts = [Context(each, standard_model) for each in self.experiments]
            fitted = fit_model(
                model, parameters, fixed or {}, phases or {}, bounds or {}, self._assembly.pulls, contexts
            )
            self._function = OfParameters(self._assembly, fitted)
        elif parameters or fixed or phases or bounds:
            raise ValueError("model: must be given with parameters, fixed, phases or bounds")
        self.parameters: tuple[Parameter, ...] = self._function.model.parameters if self._function else ()

    def __repr__(self) -> str:
        """Experiments, statistic and parameters."""
        free = f"free {shown.number([p.name for p in self.parameters])}" if self.parameters else ""
        return shown.line(
            "Likelihood:", " + ".join(self._assembly.described), f"{sum(e.n_bins for e in self.experiments)} bins",
            shown.number(self.statistic), free, f"{len(self.nuisance_names)} nuisances",
        )  # fmt: skip

    def _repr_html_(self) -> str:
        """A table of it, its parameters, and each experiment's data."""
        rows = {
            "experiments": self._assembly.described,
            "bins": sum(each.n_bins for each in self.experiments),
            "statistic": self.statistic,
            "nuisances": self.nuisance_names or "none",
            "Standard Model": self.standard_model,
        }
        free: dict[str, list[Any]] = {
            "parameter": [f"{p.name}{f' ({p.unit})' if p.unit else ''}" for p in self.parameters],
            "from": [p.lower for p in self.parameters],
            "to": [p.upper for p in self.parameters],
            "": [p.description for p in self.parameters],
        }
        pictures = [
            shown.steps(np.arange(each.n_bins + 1.0), f"{each.name}, counts per bin", ("data", each.observed))
            for each in self.experiments[:4]
            if each.observed is not None
        ]
        return shown.table("Likelihood", rows, shown.grid(free) if self.parameters else "", *pictures)

    @property
    def nuisance_names(self) -> tuple[str, ...]:
        """All nuisances; those that are no parameters are profiled."""
        return self._assembly.nuisance_names

    # -- of interactions and counts -----------------------------------------------------------------------

    def chi2(self, interaction: Interaction) -> float:
        """χ² of an interaction, minimised over the nuisances.

        Parameters
        ----------
        interaction : Interaction
            What is computed for one is remembered for others that differ in real couplings only.

        Returns
        -------
        float
        """
        return self._interactions.chi2(interaction)

    def chi2_of_counts(self, counts: ArrayLike | Sequence[ArrayLike]) -> float | Floats:
        """χ² of predicted counts, Standard Model included.

        Parameters
        ----------
        counts : array_like
            float64[n_bins] or float64[n, n_bins]; for several experiments a sequence of those, one for each.

        Returns
        -------
        float or float64[n]

        Raises
        ------
        ValueError
            If the number of bins is wrong, a count is not finite, or a nuisance needs more than counts.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> like = cf.Likelihood(cf.load("coherent-csi-2017"))
        >>> round(like.chi2_of_counts([0.0] * 12), 1)
        22.6
        """
        arrays = self._split(counts)
        if any(any(pull.shapes) for pull in self._assembly.pulls):
            raise ValueError("counts: a ShapeNuisance is about an experiment, use chi2 of an interaction")
        rows = [np.atleast_2d(each) for each in arrays]
        stacked = np.concatenate(rows, axis=1) if len(rows) > 1 else rows[0]
        total = self._interactions.of_counts(np.ascontiguousarray(stacked))[0]
        return float(total[0]) if arrays[0].ndim == 1 else total

    def nuisances(self, interaction: Interaction) -> dict[str, float]:
        """Best-fit nuisances of an interaction: α and β of each experiment, by name, and those that are shared.

        Those of an experiment are relative (α = −0.1 is 10% less), shape nuisances are in standard deviations.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> like = cf.Likelihood(cf.load("coherent-csi-2017"))
        >>> {name: round(value, 3) for name, value in like.nuisances(cf.StandardModel()).items()}
        {'beta: prompt neutrons': -0.004, 'alpha': -0.133}
        """
        return self._assembly.named(self._interactions.pulls(interaction))

    def nuisances_of_counts(self, counts: Sequence[Floats]) -> dict[str, float]:
        """Best-fit nuisances of predicted counts, Standard Model included, as `nuisances` gives them.

        Parameters
        ----------
        counts : sequence of float64[n_bins]
            One array for each experiment.

        Raises
        ------
        ValueError
            If the number of arrays or bins is wrong, or a count is not finite.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> csi = cf.load("coherent-csi-2017")
        >>> like = cf.Likelihood(csi)
        >>> found = like.nuisances_of_counts([cf.event_rate(csi, cf.StandardModel())])
        >>> {name: round(value, 3) for name, value in found.items()}
        {'beta: prompt neutrons': -0.004, 'alpha': -0.133}
        """
        given = validate.sequence("counts", counts, object, "arrays, one for each experiment")
        arrays = [validate.array("counts", each) for each in given]
        if [each.shape for each in arrays] != [(e.n_bins,) for e in self.experiments]:
            raise ValueError(f"counts: have shapes {[each.shape for each in arrays]}, must be bins of each experiment")
        return self._assembly.named(self._interactions.of_counts(np.concatenate(arrays)[None])[1][0])

    # -- of parameters ------------------------------------------------------------------------------------

    def __call__(self, theta: ArrayLike) -> float:
        """χ² at a vector of parameters.

        Parameters
        ----------
        theta : sequence of float
            In the order of `parameters`.

        Returns
        -------
        float
            +inf out of bounds or if an entry is NaN.

        Raises
        ------
        ValueError
            If there is another number of entries, or one is no number.
        """
        return (self._function or self._of_parameters()).fast().chi2(self._point(theta))

    def log_likelihood(self, theta: ArrayLike) -> float | Floats:
        """ln L = −χ²/2, up to a constant, for one vector or float64[n, parameters]; −inf out of bounds.

        Raises
        ------
        ValueError
            If the shape is another.
        """
        thetas = validate.real("theta", theta)
        if thetas.ndim == 2:
            return -0.5 * self.batch(thetas)
        return -0.5 * self._of_parameters().fast().chi2(self._point(thetas))

    def batch(self, thetas: ArrayLike, *, threads: int = 1) -> Floats:
        """χ² of many vectors.

        Parameters
        ----------
        thetas : float64[n, parameters]
            Runs of one value of a parameter that is no coupling are faster.
        threads : int
            Results do not depend on it.

        Returns
        -------
        float64[n]

        Raises
        ------
        ValueError
            If the shape is wrong.

        Notes
        -----
        Where variances are fixed and nuisances scale signals alone, points are evaluated side by side in vectors of the
        processor.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
        >>> fit.batch([[0.0], [0.1], [-0.1]]).round(2).tolist()
        [2.83, 5.04, 5.04]
        """
        evaluator, array = self._of_parameters().fast(), np.ascontiguousarray(validate.real("thetas", thetas))
        if array.ndim != 2 or array.shape[1] != len(self.parameters):
            raise ValueError(f"thetas: has shape {array.shape}, must be (n, {len(self.parameters)})")
        n_threads = checked(threads)
        if n_threads == 1:
            return evaluator.batch(array)
        found = np.empty(len(array))

        def fill(start: int, stop: int) -> None:
            found[start:stop] = evaluator.batch(array[start:stop])

        in_ranges(fill, len(array), n_threads)
        return found

    def gradient(self, theta: ArrayLike) -> Floats:
        """Exact derivatives of χ² with respect to the parameters, float64[parameters]; NaN out of bounds.

        Couplings and nuisances enter as polynomials. A parameter such as m_χ enters through polynomials fitted
        between all kinematic kinks (`count_table`); the derivative of that agrees with differences of nested
        quadratures to 1e-11. At a kink it is that on the right.
        """
        return (self._function or self._of_parameters()).fast().derivatives(self._point(theta), second=False)[1]

    def hessian(self, theta: ArrayLike) -> Floats:
        """Exact second derivatives of χ², float64[parameters, parameters]; NaN out of bounds."""
        hessian = self._of_parameters().fast().derivatives(self._point(theta), second=True)[2]
        assert hessian is not None
        return hessian

    def value_and_gradient(self, theta: ArrayLike) -> tuple[float, Floats]:
        """χ² and its gradient for the price of the gradient, as ``scipy.optimize.minimize(jac=True)`` wants."""
        return (self._function or self._of_parameters()).fast().derivatives(self._point(theta), second=False)[:2]

    def pulls(self, theta: ArrayLike) -> dict[str, float]:
        """All nuisances at a vector of parameters, in standard deviations, by name."""
        found = self._of_parameters().full().pulls(self._vector(theta))
        return dict(zip(self.nuisance_names, found.tolist(), strict=True))

    def counts(self, theta: ArrayLike) -> list[Floats]:
        """Signal counts at a vector of parameters with all nuisances at zero, an array for each experiment."""
        function = self._of_parameters()
        return function.split(function.full().counts(self._vector(theta))[0])

    def export(self, path: str | Path) -> None:
        """Write the function to a file that ``cevns_fast_open`` of the C interface reads.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import cevns_fast as cf
        >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     fit.export(pathlib.Path(directory) / "fit.cevns")
        """
        path = validate.path("path", path)
        if path.is_dir():
            raise ValueError(f"path = {str(path)!r}: is a folder, must be a file")
        numbers = self._of_parameters().exported()
        files.write({path: np.concatenate([[float(numbers.size)], numbers]).tobytes()}, overwrite=True)

    def _of_parameters(self) -> OfParameters:
        """The function of parameters, if this is one."""
        if self._function is None:
            raise ValueError("model: must be given, with parameters, for a function of parameters")
        return self._function

    def _point(self, theta: Any) -> list[float]:
        """One vector of parameters as a list, which the kernel takes sooner than an array; plain ones pass at once."""
        if type(theta) is list:
            for each in theta:
                if type(each) is not float and type(each) not in validate.REAL:
                    break
            else:
                if len(theta) == len(self.parameters):
                    return theta
        is_plain = type(theta) is np.ndarray and theta.dtype is validate.FLOAT64 and theta.ndim == 1
        array = theta if is_plain and len(theta) == len(self.parameters) else self._vector(theta)
        found: list[float] = array.tolist()
        return found

    def _vector(self, theta: ArrayLike) -> Floats:
        """One vector of parameters."""
        array = validate.real("theta", theta)
        if array.shape != (len(self.parameters),):
            raise ValueError(f"theta: has shape {array.shape}, must be ({len(self.parameters)},)")
        return array if array.flags.c_contiguous else array.copy()

    def _split(self, counts: Any) -> list[Floats]:
        """Counts for each experiment."""
        several = len(self.experiments) > 1
        given = validate.sequence("counts", counts, object, "arrays, one for each experiment") if several else [counts]
        if len(given) != len(self.experiments):
            raise ValueError(f"counts: has {len(given)} entries, must have one for each experiment")
        arrays = []
        for experiment, each in zip(self.experiments, given, strict=True):
            array = validate.array("counts", each)
            if array.ndim not in (1, 2) or array.shape[-1] != experiment.n_bins:
                raise ValueError(f"counts: has shape {array.shape}, must be ({experiment.n_bins},) or (n, ...)")
            arrays.append(array)
        return arrays


def function_of(fit: Any) -> OfParameters:
    """The function of parameters behind a `Likelihood` with a model; `ValueError` for anything else."""
    if not isinstance(fit, Likelihood) or fit._function is None:
        raise ValueError(f"fit = {fit!r}: must be a Likelihood with model= and parameters=")
    return fit._function
