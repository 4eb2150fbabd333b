"""χ² of counts and of interactions, profiled over the uncertainties that an experiment states."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._kernels import profile
from cevns_fast._validate import Floats
from cevns_fast.experiments import Experiment
from cevns_fast.interactions.process import Interaction
from cevns_fast.rates import WithStandardModel, event_rate, standard_model_counts


class Statistic:
    """The χ² of one experiment, prepared: CL Eq. (13), CLLS Eq. (34), BRX Eqs. (29) and (30)."""

    def __init__(self, experiment: Experiment, standard_model: Floats) -> None:
        truth = standard_model_counts(experiment, experiment.simulated_truth)
        simulated = experiment.observed is None
        self.experiment = experiment
        #: Counts less the steady-state background and, at their nominal size, the beam-related ones.
        measured = truth.copy() if experiment.observed is None else experiment.observed
        backgrounds = [b.counts for b in experiment.backgrounds]
        beam = np.sum(backgrounds, axis=0) if backgrounds else np.zeros(experiment.n_bins)
        if simulated:  # simulated data hold every background at its nominal size
            measured = measured + beam
        self.data = measured - beam
        self.steady_state = experiment.steady_state_counts(truth)
        self.background_variance = experiment.steady_state_weight * self.steady_state + beam
        self.predicts_variance = experiment.variance == "prediction"
        scale_all = experiment.signal_uncertainty_on == "prediction"
        self.scale_variance = experiment.signal_uncertainty**2 if scale_all else 0.0
        columns = [("beta: " + b.name, b.uncertainty * b.counts) for b in experiment.backgrounds if b.uncertainty > 0]
        if not scale_all and experiment.signal_uncertainty > 0:
            columns.append(("alpha", experiment.signal_uncertainty * standard_model))
        #: Nuisances that shift the prediction by a constant, as counts per standard deviation.
        self.column_names = [name for name, _ in columns]
        self.columns = np.array([c for _, c in columns]).reshape(len(columns), experiment.n_bins)
        if not self.predicts_variance:
            shape = experiment.shape_uncertainty * (np.maximum(measured, 0.0) + self.steady_state)
            #: Statistical and shape variance per bin.
            self.variance = measured + self.background_variance + shape**2
            if np.any(self.variance <= 0):
                bad = int(np.argmax(self.variance <= 0))
                raise ValueError(f"{experiment.name}: variance of bin {bad} = {self.variance[bad]:g}: must be > 0")

    @cached_property
    def operator(self) -> Floats:
        """From counts to whitened counts with the constant columns projected out, float64[rows, n_bins]."""
        n_columns, n_bins = self.columns.shape
        extended = np.vstack([(self.columns / np.sqrt(self.variance)).T, np.eye(n_columns)])
        q, _ = np.linalg.qr(extended)
        whitened = np.vstack([np.diag(1 / np.sqrt(self.variance)), np.zeros((n_columns, n_bins))])
        return np.asarray(whitened - q @ (q.T @ whitened))

    def nuisances(self, counts: Floats) -> dict[str, float]:
        """Best-fit nuisances for predicted counts, in units of the quantity they scale (α, β)."""
        experiment = self.experiment
        variance = self.variance if not self.predicts_variance else self._predicted_variance(counts)
        weight = 1 / np.sqrt(variance)
        names, columns, sigmas = list(self.column_names), list(self.columns), []
        by_name = {"beta: " + b.name: b.uncertainty for b in experiment.backgrounds}
        if self.scale_variance > 0:
            names.append("alpha")
            columns.append(experiment.signal_uncertainty * counts)
        sigmas = [by_name.get(name, experiment.signal_uncertainty) for name in names]
        if not names:
            return {}
        A = np.vstack([(np.array(columns) * weight).T, np.eye(len(names))])
        b = np.concatenate([(self.data - counts) * weight, np.zeros(len(names))])
        pulls = np.linalg.lstsq(A, b, rcond=None)[0]
        return {name: float(pull * sigma) for name, pull, sigma in zip(names, pulls, sigmas, strict=True)}

    def _predicted_variance(self, counts: Floats) -> Floats:
        """BRX Eq. (30)."""
        shape = self.experiment.shape_uncertainty * (counts + self.steady_state)
        return counts + self.background_variance + shape**2


@dataclass(frozen=True, eq=False)
class Systems:
    """Several experiments as the profile kernel wants them."""

    fixed: profile.Fixed
    predicted: profile.Predicted

    @classmethod
    def of(cls, statistics: Sequence[Statistic]) -> "Systems":
        """Concatenate."""
        fixed = [s for s in statistics if not s.predicts_variance]
        moving = [s for s in statistics if s.predicts_variance]
        n_columns = max((len(s.columns) for s in moving), default=0)
        columns = [np.vstack([s.columns, np.zeros((n_columns - len(s.columns), s.columns.shape[1]))]) for s in moving]
        return cls(
            profile.Fixed(
                first_row=_offsets([len(s.operator) for s in fixed]),
                data=_joined([s.operator @ s.data for s in fixed]),
                scale_variance=np.array([s.scale_variance for s in fixed], dtype=np.float64),
            ),
            profile.Predicted(
                first_bin=_offsets([s.experiment.n_bins for s in moving]),
                data=_joined([s.data for s in moving]),
                floor=_joined([s.background_variance for s in moving]),
                shape_background=_joined([s.steady_state for s in moving]),
                shape_variance=np.array([s.experiment.shape_uncertainty**2 for s in moving], dtype=np.float64),
                scale_variance=np.array([s.scale_variance for s in moving], dtype=np.float64),
                column=np.ascontiguousarray(np.hstack(columns)) if moving else np.zeros((0, 0)),
            ),
        )


def _offsets(sizes: Sequence[int]) -> Any:
    """0 and the running sums."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)


def _joined(arrays: Sequence[Floats]) -> Floats:
    """Concatenated, also if there is nothing."""
    return np.concatenate(arrays) if arrays else np.zeros(0)


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
    """χ² of one or several experiments, profiled over their uncertainties.

    Parameters
    ----------
    experiments : Experiment or sequence of Experiment
        Each keeps its own nuisances; the experiment's uncertainties decide the χ².
    standard_model : bool or StandardModel
        What is added to the counts of new physics.

    Raises
    ------
    ValueError
        If something is not an experiment, or a bin's variance is not positive.

    Notes
    -----
    Chang & Liao 2020, Eq. (13); Chao et al. 2021, Eq. (34); Brdar et al. 2018, Eqs. (29) and (30) for experiments
    whose variance is predicted. Nuisances enter linearly and are profiled in closed form.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> like = cf.Likelihood(cf.load("coherent-csi-2017"))
    >>> round(like.chi2(cf.StandardModel()), 2)
    2.83
    """

    def __init__(
        self, experiments: Experiment | Sequence[Experiment], *, standard_model: WithStandardModel = True
    ) -> None:
        self.experiments = experiments_of(experiments)
        self.standard_model = standard_model
        self.statistics = [Statistic(e, standard_model_counts(e, standard_model)) for e in self.experiments]

    def chi2(self, interaction: Interaction) -> float:
        """χ² of an interaction, minimised over the nuisances.

        Parameters
        ----------
        interaction : Interaction

        Returns
        -------
        float
        """
        if not isinstance(interaction, Interaction):
            raise ValueError(f"interaction = {interaction!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
        counts = [event_rate(e, interaction, standard_model=self.standard_model) for e in self.experiments]
        return float(sum(profiled_chi2(s, n[None, :])[0] for s, n in zip(self.statistics, counts, strict=True)))

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
            If the number of bins is wrong or a count is not finite.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> like = cf.Likelihood(cf.load("coherent-csi-2017"))
        >>> round(like.chi2_of_counts([0.0] * 12), 1)
        22.6
        """
        arrays = self._split(counts)
        pairs = zip(self.statistics, arrays, strict=True)
        total = np.sum([profiled_chi2(s, np.atleast_2d(n)) for s, n in pairs], axis=0)
        return float(total[0]) if arrays[0].ndim == 1 else total

    def nuisances(self, interaction: Interaction) -> dict[str, float]:
        """Best-fit nuisances of an interaction: α and β of each experiment, by name.

        Examples
        --------
        >>> import cevns_fast as cf
        >>> like = cf.Likelihood(cf.load("coherent-csi-2017"))
        >>> {name: round(value, 3) for name, value in like.nuisances(cf.StandardModel()).items()}
        {'beta: prompt neutrons': -0.004, 'alpha': -0.133}
        """
        found: dict[str, float] = {}
        for e, s in zip(self.experiments, self.statistics, strict=True):
            counts = event_rate(e, interaction, standard_model=self.standard_model)
            prefix = f"{e.name}: " if len(self.experiments) > 1 else ""
            found |= {prefix + name: value for name, value in s.nuisances(counts).items()}
        return found

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


def profiled_chi2(statistic: Statistic, counts: Floats) -> Floats:
    """χ² of float64[n, n_bins]."""
    if statistic.predicts_variance:
        systems = Systems.of([statistic])
        n_columns = len(statistic.columns)
        work = np.empty((n_columns + 2, counts.shape[1] + n_columns))
        return np.array([profile.predicted_chi2(0, systems.predicted, n, work) for n in counts])
    data = statistic.operator @ statistic.data
    rows = counts @ statistic.operator.T
    return np.array([profile.scale_chi2(data, row, 0, len(row), statistic.scale_variance)[0] for row in rows])
