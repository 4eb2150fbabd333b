"""Experiments, nuisances and tables of counts, put together as the arrays that the likelihood's kernel reads."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import (
    FIXED_VARIANCE,
    POISSON,
    PREDICTED_VARIANCE,
    Factor,
    Layout,
    SampleTerm,
    System,
)
from cevns_fast._validate import Floats
from cevns_fast.counts.count_table import Counts, CountTable
from cevns_fast.counts.polynomial import DEFAULT_RTOL, WithStandardModel, checked_rtol, standard_model_counts
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.process import Exponents, Interaction
from cevns_fast.likelihood.measurement import Measurement, predicted_variance
from cevns_fast.likelihood.nuisances import KINDS, CovarianceMatrix, Nuisance
from cevns_fast.likelihood.overlaps import check_overlaps
from cevns_fast.likelihood.parameters import Parameter, claims_of
from cevns_fast.likelihood.pulls import NuisanceCurve, covariance_of, labels_of, pulls_of, solved_for
from cevns_fast.likelihood.stated import stated_nuisances

Statistic = Literal["gaussian", "poisson"]

# Where there is no parameter beside couplings, tables have one piece.
_UNIT = np.array([0.0, 1.0])


def experiments_of(given: Any) -> tuple[Experiment, ...]:
    """One or several experiments as a tuple; `ValueError` for anything else."""
    listed = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not listed:
        raise ValueError("experiments = []: must hold at least one experiment")
    for each in listed:
        if not isinstance(each, Experiment):
            raise ValueError(f"experiments = {each!r}: must be experiments, e.g. cevns_fast.load(...)")
    return listed


def couplings_alone(names: Sequence[str]) -> tuple[Parameter, ...]:
    """Couplings without bounds as the only parameters."""
    return tuple(Parameter(name, "", "", 0.0, -math.inf, math.inf) for name in names)


class Assembly:
    """Everything that a χ² is made of but the counts of new physics, and what puts those beside it.

    Attributes
    ----------
    experiments : tuple of Experiment
    labels : tuple of str
        Names of the experiments that tell copies apart.
    measurements : tuple of Measurement
    pulls : list of Pull
    centre : float64[nuisances]
        Global observables: what auxiliary measurements say of the nuisances, in standard deviations.
    """

    def __init__(
        self,
        experiments: Experiment | Sequence[Experiment],
        *,
        standard_model: WithStandardModel = True,
        statistic: Statistic | None = None,
        nuisances: Sequence[Nuisance] = (),
        rtol: float = DEFAULT_RTOL,
    ) -> None:
        self.experiments = experiments_of(experiments)
        self.standard_model = standard_model
        if statistic is not None:
            validate.choice("statistic", statistic, ("gaussian", "poisson"))
        check_overlaps(self.experiments)
        self.rtol = checked_rtol(rtol)
        signals = [standard_model_counts(e, standard_model) for e in self.experiments]
        self.measurements = tuple(Measurement(e, n) for e, n in zip(self.experiments, signals, strict=True))
        #: Data of each experiment, as the kernel wants them.
        self.observed = [each.by(statistic) for each in self.measurements]
        kinds = dict.fromkeys("poisson" if each.statistic == POISSON else "gaussian" for each in self.observed)
        #: That of the counts; "gaussian and poisson" where experiments differ.
        self.statistic = " and ".join(sorted(kinds))
        self.labels = labels_of(self.experiments)
        #: The labels, and which of the experiments are approximate: what results say of them.
        self.described = tuple(
            f"{label} (approximate)" if e.approximate else label
            for label, e in zip(self.labels, self.experiments, strict=True)
        )
        allowed = ", ".join(kind.__name__ for kind in KINDS[:-1])
        given = validate.sequence("nuisances", nuisances, KINDS, f"a {allowed} or {KINDS[-1].__name__}")
        shared = self.shared = (*stated_nuisances(self.experiments), *given)
        self.pulls = pulls_of(self.experiments, signals, shared)
        for each in shared:
            if isinstance(each, CovarianceMatrix) and each.of == "data":
                self._replace_variance(each)
        self.centre = np.zeros(len(self.pulls))
        variants = [e for pull in self.pulls for pair in pull.shapes if pair for e in pair]
        self._can_change = [e for e in (*self.experiments, *variants) if e.can_change]

    def _replace_variance(self, covariance: CovarianceMatrix) -> None:
        """The variance that a covariance of the data leaves to its bins; its principal axes are nuisances."""
        chosen, _, variance = covariance_of(covariance, self.experiments)
        for i in chosen:
            observed, name = self.observed[i], self.experiments[i].name
            if observed.statistic != FIXED_VARIANCE:
                raise ValueError(
                    f"{covariance.name!r}: {name} has no variance that a covariance of the data could replace, "
                    "must have Gaussian counts and variance='observed'"
                )
            self.observed[i] = observed._replace(weight=np.full(observed.weight.size, 1 / variance))

    @property
    def nuisance_names(self) -> tuple[str, ...]:
        """All nuisances; those that are no parameters are profiled."""
        return tuple(pull.name for pull in self.pulls)

    @property
    def can_change(self) -> bool:
        """Whether counts depend on functions of the user's own."""
        return bool(self._can_change)

    def check_unchanged(self) -> None:
        """`ValueError` if a function of the user's own, of which counts are remembered, reads what has changed."""
        for each in self._can_change:
            each.check_unchanged()

    def check_names(self, kind: type[Interaction]) -> None:
        """Refuse a nuisance of the user's that has the name of a coupling or parameter of an interaction.

        Nobody chooses the names of an experiment's own nuisances: they may be those of couplings where nothing is
        asked for by name.
        """
        chosen = [(pull.name, pull.owner) for pull in self.pulls if pull.own is None]
        if chosen:
            validate.unique([*claims_of(kind), *chosen])

    def variance(self, i: int, signal: Floats) -> Floats:
        """The variance of an experiment's Gaussian counts beside a signal."""
        observed = self.observed[i]
        if observed.statistic != PREDICTED_VARIANCE:
            return 1 / observed.weight
        return predicted_variance(observed, signal)

    def named(self, pulls: Floats) -> dict[str, float]:
        """Nuisances in units of what they scale."""
        return {p.name: float(a * p.sigma) for p, a in zip(self.pulls, pulls, strict=True)}

    def counts(self, i: int, couplings: tuple[str, ...], phases: Mapping[str, complex]) -> Counts:
        """What makes tables of an experiment."""
        shapes = tuple([pair for pull in self.pulls if (pair := pull.shapes[i]) is not None])
        return Counts(self.experiments[i], shapes, couplings, phases, self.standard_model, self.rtol)

    def constant_tables(
        self, interaction: Interaction, couplings: tuple[str, ...], phases: Mapping[str, complex]
    ) -> list[CountTable]:
        """The counts of one interaction as functions of its couplings, for each experiment."""
        return [self.counts(i, couplings, phases).constant_table(interaction) for i in range(len(self.experiments))]

    def zero_tables(self) -> list[CountTable]:
        """No counts at all, for each experiment."""
        tables = []
        for i, e in enumerate(self.experiments):
            n_tables = 1 + sum(pull.shapes[i] is not None for pull in self.pulls)
            tables.append(CountTable(((),), _UNIT, np.zeros((1, 1, n_tables, 1, e.n_bins))))
        return tables

    def of_couplings(
        self, batch: Sequence[Interaction], couplings: tuple[str, ...], phases: Mapping[str, complex], threads: int
    ) -> list[tuple[Layout, list[System]]]:
        """The function of couplings as the kernel's arrays, for each of several interactions of one kind."""
        self.check_unchanged()
        self.check_names(type(batch[0]))
        found = [self.counts(i, couplings, phases).of(batch, threads) for i in range(len(self.experiments))]
        return [
            self.packing([CountTable(e, _UNIT, v[j][None, None]) for e, v in found], couplings)
            for j in range(len(batch))
        ]

    def along(
        self, batch: Sequence[Interaction], coupling: str, phase: complex, threads: int
    ) -> tuple[Layout, list[System], list[Floats]]:
        """The function of one coupling as the kernel's arrays, for interactions of one kind that differ otherwise.

        The systems hold zeros where the third result has each experiment's float64[n, tables, powers, bins].
        """
        self.check_unchanged()
        self.check_names(type(batch[0]))
        phases = {} if phase == 1 else {coupling: phase}
        found = [self.counts(i, (coupling,), phases).of(batch, threads) for i in range(len(self.experiments))]
        powers = range(1 + max(e for exponents, _ in found for (e,) in exponents))
        tables, values = [], []
        for exponents, given in found:
            dense = np.zeros((len(batch), given.shape[1], len(powers), given.shape[3]))
            dense[:, :, [e for (e,) in exponents]] = given
            values.append(dense)
            tables.append(CountTable(tuple((p,) for p in powers), _UNIT, np.zeros((1, *dense[:1].shape))))
        return *self.packing(tables, (coupling,)), values

    def packing(
        self, tables: Sequence[CountTable], couplings: Sequence[str], parameters: Sequence[Parameter] | None = None
    ) -> tuple[Layout, list[System]]:
        """Tables and everything else as the kernel wants them; the couplings are all parameters unless it is said."""
        if parameters is None:
            parameters = couplings_alone(couplings)
        names = [p.name for p in parameters]
        others = [name for name in names if name not in couplings]
        exponents: tuple[Exponents, ...] = tuple(dict.fromkeys(e for table in tables for e in table.exponents))
        nuisance_at = [names.index(pull.name) if pull.name in others else -1 for pull in self.pulls]
        structure = [names.index(name) for name in others if name not in self.nuisance_names]
        scale = np.array([pull.scale for pull in self.pulls]).reshape(len(self.pulls), len(self.experiments)).T
        basis = solved_for(scale, [at < 0 for at in nuisance_at])
        layout = Layout(
            names=names,
            lower=[p.lower for p in parameters],
            upper=[p.upper for p in parameters],
            coupling_at=[names.index(name) for name in couplings],
            x_at=structure[0] if structure else -1,
            exponents=exponents,
            nuisance_at=nuisance_at,
            centre=self.centre,
            offset=basis.offset,
            mix=basis.mix,
            strength=[0.0 if p.is_free else 1.0 for p in self.pulls] if any(p.is_free for p in self.pulls) else (),
        )
        return layout, [self._system(i, t, exponents, basis.factor[i], basis.scale[i]) for i, t in enumerate(tables)]

    def _system(
        self, i: int, table: CountTable, exponents: Sequence[Exponents], factor: float, scale: Floats
    ) -> System:
        """One experiment for the kernel."""
        number, moved = 0, []
        for pull in self.pulls:
            number += pull.shapes[i] is not None
            moved.append(number if pull.shapes[i] is not None else 0)
        shift = np.array([pull.shift[i] for pull in self.pulls]).reshape(len(moved), self.experiments[i].n_bins)
        system = System(*self.observed[i], factor, scale, moved, shift, table.breaks, table.on(exponents))
        curves = [(k, c) for k, pull in enumerate(self.pulls) for c in pull.curves if c.experiment == i]
        return self._with_curves(system, i, curves) if curves else system

    def _with_curves(self, system: System, i: int, curves: Sequence[tuple[int, NuisanceCurve]]) -> System:
        """The signal and backgrounds that curves act on become groups, with all that shifts them.

        What is expected beside the signal, or has been subtracted from the data, holds those backgrounds: it is
        reduced by them.
        """
        samples = sorted({c.sample for _, c in curves} | {0})
        group = {sample: g for g, sample in enumerate(samples)}
        base, shift, terms, factors = system.base.copy(), system.shift.copy(), [], []
        for sample in samples[1:]:
            counts = self.experiments[i].backgrounds[sample - 1].counts
            base -= counts
            terms.append(SampleTerm(group[sample], -1, False, counts))
        for k, pull in enumerate(self.pulls):
            if pull.sample(i) in group and shift[k].any():
                terms.append(SampleTerm(group[pull.sample(i)], k, False, shift[k].copy()))
                shift[k] = 0.0
        for k, c in curves:
            if c.bent is not None:
                terms.append(SampleTerm(group[c.sample], k, True, c.bent))
            else:
                factors.append(Factor(group[c.sample], k, c.log_up, c.log_down, c.polynomial))
        return system._replace(base=base, shift=shift, terms=terms, factors=factors)
