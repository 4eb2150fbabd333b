"""χ² of counts, of interactions and of named parameters, profiled over what is uncertain."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import __version__, _files
from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import Block, Evaluator, Layout, System, pack
from cevns_fast._validate import Floats
from cevns_fast.counts.count_table import Counts, CountTable, kinks_between
from cevns_fast.counts.templates import DEFAULT_RTOL, WithStandardModel, standard_model_counts
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.process import Exponents, Interaction
from cevns_fast.likelihood.measurement import Measurement
from cevns_fast.likelihood.nuisances import Nuisance
from cevns_fast.likelihood.parameters import FitModel, Model, Parameter, fit_model
from cevns_fast.likelihood.pulls import pulls_of, solved_for
from cevns_fast.likelihood.whitening import reduced
from cevns_fast.parallel.chunks import digest

# How many different masses and conventions `chi2` remembers.
_REMEMBERED = 512


def experiments_of(given: Any) -> tuple[Experiment, ...]:
    """One or several experiments as a tuple; `ValueError` for anything else."""
    listed = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not listed:
        raise ValueError("experiments = []: must hold at least one experiment")
    for each in listed:
        if not isinstance(each, Experiment):
            raise ValueError(f"experiments = {each!r}: must be experiments, e.g. cevns_fast.load(...)")
    return listed


class Likelihood:
    """χ² = −2 ln L of one or several experiments, profiled over their uncertainties.

    Parameters
    ----------
    experiments : Experiment or sequence of Experiment
        Each keeps its own nuisances; the experiment's uncertainties decide the χ².
    standard_model : bool or StandardModel
        What is added to the counts of new physics.
    statistic : {"gaussian", "poisson"}
        Gaussian χ² as in the papers, or Poisson counts: beam-on counts, and a steady-state background that
        is known (weight 1) or was counted as well (weight 1 + on time / off time) and is profiled bin by bin.
    nuisances : sequence of ScaleNuisance or ShapeNuisance
        What experiments share, and what changes shapes, beside the nuisances that experiments state.
    model : kind of interaction, interaction or callable, optional
        What `parameters` are parameters of: ``cf.SingletEFT``; one interaction, whose other values then stay;
        or a function of one parameter and of `fixed` that makes an interaction, for ties like m_Z' = 10 m_χ.
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

    Raises
    ------
    ValueError
        If an argument is refused, or a bin's variance is not positive.

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
    """

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment],
        *,
        standard_model: WithStandardModel = True,
        statistic: Literal["gaussian", "poisson"] = "gaussian",
        nuisances: Sequence[Nuisance] = (),
        model: Model | None = None,
        parameters: Sequence[str] = (),
        fixed: Mapping[str, Any] | None = None,
        phases: Mapping[str, complex] | None = None,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        rtol: float = DEFAULT_RTOL,
    ) -> None:
        self.experiments = experiments_of(experiments)
        self.standard_model = standard_model
        self.statistic = validate.choice("statistic", statistic, ("gaussian", "poisson"))
        self.rtol = rtol
        signals = [standard_model_counts(e, standard_model) for e in self.experiments]
        self.measurements = [Measurement(e, n) for e, n in zip(self.experiments, signals, strict=True)]
        poisson = self.statistic == "poisson"
        self._observed = [each.poisson() if poisson else each.gaussian() for each in self.measurements]
        self._pulls = pulls_of(self.experiments, signals, nuisances)
        #: Global observables: what auxiliary measurements say of the nuisances, in standard deviations.
        self._centre = np.zeros(len(self._pulls))
        self._remembered: dict[Any, Evaluator] = {}
        self._forms: dict[Any, Block] = {}
        self._model: FitModel | None = None
        if model is not None:
            self._model = fit_model(
                model, parameters, fixed or {}, phases or {}, bounds or {}, self.nuisance_names, self.experiments
            )
        elif parameters or fixed or phases or bounds:
            raise ValueError("model: must be given with parameters, fixed, phases or bounds")
        self.parameters: tuple[Parameter, ...] = self._model.parameters if self._model else ()
        self._tables: list[CountTable] | None = None
        self._fast: Evaluator | None = None
        self._full: Evaluator | None = None

    @property
    def nuisance_names(self) -> tuple[str, ...]:
        """All nuisances; those that are no parameters are profiled."""
        return tuple(pull.name for pull in self._pulls)

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
        evaluator, values = self._of(interaction)
        return evaluator.chi2(values)

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
        if any(any(pull.shapes) for pull in self._pulls):
            raise ValueError("counts: a ShapeNuisance is about an experiment, use chi2 of an interaction")
        stacked = np.concatenate([np.atleast_2d(each) for each in arrays], axis=1)
        total = self._counts_evaluator().of_counts(np.ascontiguousarray(stacked))[0]
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
        evaluator, values = self._of(interaction)
        return self.named(evaluator.pulls(np.array(values, dtype=np.float64)))

    def nuisances_of_counts(self, counts: Sequence[Floats]) -> dict[str, float]:
        """Best-fit nuisances of signal counts, one array for each experiment."""
        return self.named(self._counts_evaluator().of_counts(np.concatenate(counts)[None])[1][0])

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
        """
        values = theta if isinstance(theta, list) else np.asarray(theta, dtype=np.float64).tolist()
        return self.evaluator(complete=False).chi2(values)

    def log_likelihood(self, theta: ArrayLike) -> float | Floats:
        """ln L = −χ²/2, up to a constant, for one vector or float64[n, parameters]; −inf out of bounds."""
        thetas = np.asarray(theta, dtype=np.float64)
        if thetas.ndim == 2:
            return -0.5 * self.batch(thetas)
        return -0.5 * self.evaluator(complete=False).chi2(thetas.tolist())

    def batch(self, thetas: ArrayLike) -> Floats:
        """χ² of many vectors.

        Parameters
        ----------
        thetas : float64[n, parameters]
            Runs of one value of a parameter that is no coupling are faster.

        Returns
        -------
        float64[n]

        Raises
        ------
        ValueError
            If the shape is wrong.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> fit = cf.Likelihood(cf.load("coherent-csi-2017"), model=cf.SingletEFT(m_chi=10.0), parameters=("C_V",))
        >>> fit.batch([[0.0], [0.1], [-0.1]]).round(2).tolist()
        [2.83, 5.04, 5.04]
        """
        array = np.ascontiguousarray(thetas, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != len(self.parameters):
            raise ValueError(f"thetas: has shape {array.shape}, must be (n, {len(self.parameters)})")
        return self.evaluator(complete=False).batch(array)

    def gradient(self, theta: ArrayLike) -> Floats:
        """Exact derivatives of χ² with respect to the parameters, float64[parameters]; NaN out of bounds.

        Couplings and nuisances enter as polynomials. A parameter such as m_χ enters through polynomials fitted
        between all kinematic kinks (`count_table`); the derivative of that agrees with differences of nested
        quadratures to 1e-11. At a kink it is that on the right.
        """
        return self.evaluator(complete=False).derivatives(self._vector(theta), second=False)[1]

    def hessian(self, theta: ArrayLike) -> Floats:
        """Exact second derivatives of χ², float64[parameters, parameters]; NaN out of bounds."""
        hessian = self.evaluator(complete=False).derivatives(self._vector(theta), second=True)[2]
        assert hessian is not None
        return hessian

    def value_and_gradient(self, theta: ArrayLike) -> tuple[float, Floats]:
        """χ² and its gradient for the price of the gradient, as ``scipy.optimize.minimize(jac=True)`` wants."""
        value, gradient, _ = self.evaluator(complete=False).derivatives(self._vector(theta), second=False)
        return value, gradient

    def pulls(self, theta: ArrayLike) -> dict[str, float]:
        """All nuisances at a vector of parameters, in standard deviations, by name."""
        found = self.evaluator(complete=True).pulls(self._vector(theta))
        return dict(zip(self.nuisance_names, found.tolist(), strict=True))

    def counts(self, theta: ArrayLike) -> list[Floats]:
        """Signal counts at a vector of parameters with all nuisances at zero, an array for each experiment."""
        found = self.evaluator(complete=True).counts(self._vector(theta))[0]
        return np.split(found, np.cumsum([e.n_bins for e in self.experiments])[:-1])

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
        numbers = pack(*reduced(*self.systems())).numbers
        content = np.concatenate([[float(numbers.size)], numbers]).tobytes()
        _files.write({Path(path): content}, overwrite=True)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_fast": None, "_full": None, "_remembered": {}}

    # -- for limits, toys and exports -----------------------------------------------------------------------------

    @property
    def structure(self) -> str | None:
        """The parameter that is neither a coupling nor a nuisance, if there is one."""
        return self._model.structure if self._model else None

    def evaluator(self, *, complete: bool) -> Evaluator:
        """The kernel's function of the parameters, with all bins and nuisances or with what χ² needs."""
        if complete:
            if self._full is None:
                self._full = Evaluator(pack(*self.systems()))
            return self._full
        if self._fast is None:
            self._fast = Evaluator(pack(*reduced(*self.systems())))
        return self._fast

    def systems(self) -> tuple[Layout, list[System]]:
        """The function of the parameters as the kernel's arrays, with all bins and nuisances."""
        if self._model is None:
            raise ValueError("model: must be given, with parameters, for a function of parameters")
        if self._tables is None:
            self._tables = [self._table(i, self._model) for i in range(len(self.experiments))]
        return self._packing(self._tables, self._model.couplings, self.parameters)

    def of_couplings(
        self, batch: Sequence[Interaction], couplings: tuple[str, ...], phases: Mapping[str, complex], threads: int
    ) -> list[tuple[Layout, list[System]]]:
        """The function of couplings as the kernel's arrays, for each of several interactions of one kind."""
        parameters = [Parameter(name, "", "", 0.0, -math.inf, math.inf) for name in couplings]
        found = [self._counts(i, couplings, phases).of(batch, threads) for i in range(len(self.experiments))]
        unit = np.array([0.0, 1.0])
        return [
            self._packing([CountTable(e, unit, v[j][None, None]) for e, v in found], couplings, parameters)
            for j in range(len(batch))
        ]

    def along(
        self, batch: Sequence[Interaction], coupling: str, phase: complex, threads: int
    ) -> tuple[Layout, list[System], list[Floats]]:
        """The function of one coupling as the kernel's arrays, for interactions of one kind that differ otherwise.

        The systems hold zeros where the third result has each experiment's float64[n, tables, powers, bins].
        """
        phases = {} if phase == 1 else {coupling: phase}
        found = [self._counts(i, (coupling,), phases).of(batch, threads) for i in range(len(self.experiments))]
        powers = range(1 + max(e for exponents, _ in found for (e,) in exponents))
        tables, values = [], []
        for exponents, given in found:
            dense = np.zeros((len(batch), given.shape[1], len(powers), given.shape[3]))
            dense[:, :, [e for (e,) in exponents]] = given
            values.append(dense)
            tables.append(
                CountTable(tuple((p,) for p in powers), np.array([0.0, 1.0]), np.zeros((1, *dense[:1].shape)))
            )
        parameter = Parameter(coupling, "", "", 0.0, -math.inf, math.inf)
        return *self._packing(tables, (coupling,), (parameter,)), values

    def identity(self) -> dict[str, str]:
        """What the function is, field by field: a checkpoint carries it."""
        return {
            "cevns_fast_version": __version__,
            "experiments": ", ".join(e.name for e in self.experiments),
            "statistic": self.statistic,
            "parameters": ", ".join(f"{p.name} in [{p.lower!r}, {p.upper!r}]" for p in self.parameters),
            "nuisances": ", ".join(self.nuisance_names),
            "standard_model": repr(self.standard_model),
            "numbers": "sha256 " + digest(pack(*self.systems()).numbers),
        }

    def _table(self, i: int, model: FitModel) -> CountTable:
        """Counts of an experiment as functions of the parameters."""
        counts = self._counts(i, model.couplings, model.phases)
        if model.structure is None:
            return counts.constant_table(model.make(0.0))
        parameter = next(p for p in self.parameters if p.name == model.structure)
        low, high = parameter.lower, parameter.upper
        ends = [low, high]
        if model.structure == "m_chi":
            variants = [counts.experiment, *(each for pair in counts.shapes for each in pair)]
            ends = kinks_between(low, high, variants)
        return counts.table(model.make, ends)

    def _packing(
        self, tables: Sequence[CountTable], couplings: Sequence[str], parameters: Sequence[Parameter]
    ) -> tuple[Layout, list[System]]:
        """Tables and everything else as the kernel wants them."""
        names = [p.name for p in parameters]
        exponents: tuple[Exponents, ...] = tuple(dict.fromkeys(e for table in tables for e in table.exponents))
        nuisance_at = [names.index(pull.name) if pull.name in names else -1 for pull in self._pulls]
        structure = [i for i, name in enumerate(names) if name not in couplings and name not in self.nuisance_names]
        scale = np.array([pull.scale for pull in self._pulls]).reshape(len(self._pulls), len(self.experiments)).T
        basis = solved_for(scale, [at < 0 for at in nuisance_at])
        layout = Layout(
            names=names,
            lower=[p.lower for p in parameters],
            upper=[p.upper for p in parameters],
            coupling_at=[names.index(name) for name in couplings],
            x_at=structure[0] if structure else -1,
            exponents=exponents,
            nuisance_at=nuisance_at,
            centre=self._centre,
            offset=basis.offset,
            mix=basis.mix,
        )
        return layout, [self._system(i, t, exponents, basis.factor[i], basis.scale[i]) for i, t in enumerate(tables)]

    def _system(
        self, i: int, table: CountTable, exponents: Sequence[Exponents], factor: float, scale: Floats
    ) -> System:
        """One experiment for the kernel."""
        number, moved = 0, []
        for pull in self._pulls:
            number += pull.shapes[i] is not None
            moved.append(number if pull.shapes[i] is not None else 0)
        shift = np.array([pull.shift[i] for pull in self._pulls]).reshape(len(moved), self.experiments[i].n_bins)
        return System(*self._observed[i], factor, scale, moved, shift, table.breaks, table.on(exponents))

    def _counts(self, i: int, couplings: tuple[str, ...], phases: Mapping[str, complex]) -> Counts:
        """What makes tables of an experiment."""
        shapes = tuple([pair for pull in self._pulls if (pair := pull.shapes[i]) is not None])
        return Counts(self.experiments[i], shapes, couplings, phases, self.standard_model, self.rtol)

    def _of(self, interaction: Interaction) -> tuple[Evaluator, list[float]]:
        """The evaluator of interactions that differ from this one in real couplings, and their values here."""
        if not isinstance(interaction, Interaction):
            raise ValueError(f"interaction = {interaction!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
        kind = type(interaction)
        names, values_of, structure_of = _fields(kind)
        opened, values, rest = [], [], []
        for name, value in zip(names, values_of(interaction), strict=True):
            if type(value) is float or type(value) is int:
                if value != 0:
                    opened.append(name)
                    values.append(float(value))
            else:
                rest.append((name, value))
        key = (kind, structure_of(interaction), tuple(opened), tuple(rest))
        evaluator = self._remembered.get(key)
        if evaluator is None:
            evaluator = Evaluator(self._block_of(interaction, tuple(opened)))
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = evaluator
        return evaluator, values

    def _block_of(self, interaction: Interaction, couplings: tuple[str, ...]) -> Block:
        """The function of an interaction's couplings: another's numbers, but for the coefficients."""
        tables = [self._counts(i, couplings, {}).constant_table(interaction) for i in range(len(self.experiments))]
        exponents = tuple(dict.fromkeys([e for table in tables for e in table.exponents]))
        block = self._forms.get((couplings, exponents))
        if block is None:
            parameters = [Parameter(name, "", "", 0.0, -math.inf, math.inf) for name in couplings]
            block = self._forms[couplings, exponents] = pack(*self._packing(tables, couplings, parameters))
        numbers = block.numbers.copy()
        for place, table in zip(block.coefficients, tables, strict=True):
            numbers[place] = table.on(exponents).ravel()
        return block._replace(numbers=numbers)

    def _counts_evaluator(self) -> Evaluator:
        """An evaluator for counts given by hand."""
        evaluator = self._remembered.get("counts")
        if evaluator is None:
            tables = []
            for i, e in enumerate(self.experiments):
                n_tables = 1 + sum(pull.shapes[i] is not None for pull in self._pulls)
                tables.append(CountTable(((),), np.array([0.0, 1.0]), np.zeros((1, 1, n_tables, 1, e.n_bins))))
            evaluator = self._remembered["counts"] = Evaluator(pack(*self._packing(tables, (), ())))
        return evaluator

    def named(self, pulls: Floats) -> dict[str, float]:
        """Nuisances in units of what they scale."""
        return {p.name: float(a * p.sigma) for p, a in zip(self._pulls, pulls, strict=True)}

    def _vector(self, theta: ArrayLike) -> Floats:
        """One vector of parameters."""
        array = np.ascontiguousarray(theta, dtype=np.float64)
        if array.shape != (len(self.parameters),):
            raise ValueError(f"theta: has shape {array.shape}, must be ({len(self.parameters)},)")
        return array

    def _split(self, counts: Any) -> list[Floats]:
        """Counts for each experiment."""
        given = [counts] if len(self.experiments) == 1 else list(counts)
        if len(given) != len(self.experiments):
            raise ValueError(f"counts: has {len(given)} entries, must have one for each experiment")
        arrays = []
        for experiment, each in zip(self.experiments, given, strict=True):
            array = validate.array("counts", each)
            if array.ndim not in (1, 2) or array.shape[-1] != experiment.n_bins:
                raise ValueError(f"counts: has shape {array.shape}, must be ({experiment.n_bins},) or (n, ...)")
            arrays.append(array)
        return arrays


@lru_cache(maxsize=64)
def _fields(kind: type[Interaction]) -> tuple[tuple[str, ...], Any, Any]:
    """The couplings among the fields of a kind of interaction, and what fetches their values and all others."""
    every = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    couplings = tuple(name for name in every if name in kind.couplings)
    others = tuple(name for name in every if name not in couplings)
    return couplings, _getter(couplings), _getter(others)


def _getter(names: tuple[str, ...]) -> Any:
    """From an object to the tuple of these attributes."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda each: tuple(getattr(each, name) for name in names)
