"""χ² as a function of named parameters."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cevns_fast import __version__
from cevns_fast import _validate as validate
from cevns_fast._kernels.likelihood import LONGEST_NAME, Evaluator, Layout, System, pack
from cevns_fast._validate import Floats
from cevns_fast.counts.count_table import Counts, CountTable, kinks_between
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.interactions.process import spelled_out
from cevns_fast.likelihood.assembly import Assembly
from cevns_fast.likelihood.outer_parameters import Context, Vary
from cevns_fast.likelihood.parameters import FitModel
from cevns_fast.likelihood.whitening import reduced
from cevns_fast.parallel.chunks import digest


class OfParameters:
    """χ² as a function of θ. It pickles without the kernel's handles."""

    def __init__(self, assembly: Assembly, model: FitModel) -> None:
        self.assembly, self.model = assembly, model
        self._tables: list[CountTable] | None = None
        self._fast: Evaluator | None = None
        self._full: Evaluator | None = None
        self._can_change = assembly.can_change or model.read is not None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_fast": None, "_full": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["assembly"], state["model"])  # type: ignore[misc]
        self.__dict__.update(state)  # an earlier version's may lack what follows from the two

    def fast(self) -> Evaluator:
        """The kernel's function, of what χ² needs only: bins and most nuisances have lost their meaning."""
        if self._can_change:
            self.check_unchanged()
        if self._fast is None:
            self._fast = Evaluator(pack(*reduced(*self.systems())))
        return self._fast

    def full(self) -> Evaluator:
        """The kernel's function, with all bins and nuisances."""
        if self._can_change:
            self.check_unchanged()
        if self._full is None:
            self._full = Evaluator(pack(*self.systems()))
        return self._full

    def check_unchanged(self) -> None:
        """`ValueError` if a function of the user's own reads what has changed since it was compiled."""
        self.assembly.check_unchanged()
        if self.model.read is not None:
            self.model.check_unchanged()

    def systems(self) -> tuple[Layout, list[System]]:
        """The function as the kernel's arrays, with all bins and nuisances."""
        if self._tables is None:
            self._tables = self._make_tables()
        return self.assembly.packing(self._tables, self.model.couplings, self.model.parameters)

    def exported(self) -> Floats:
        """All numbers of the function that the C interface evaluates; its names are cut at their longest."""
        names = [p.name for p in self.model.parameters]
        cut = [name.encode()[:LONGEST_NAME].decode(errors="ignore") for name in names]
        validate.unique((short, f"parameter {name!r} in C") for short, name in zip(cut, names, strict=True))
        return pack(*reduced(*self.systems())).numbers

    def compressible(self) -> Floats:
        """All numbers of the function with all bins and nuisances, less what is rounding only.

        Of a monomial on an interval, all powers and bins are rounded to 48 bits of the largest: counts change by 1e-14,
        and high powers, which are small, have few digits left to store.
        """
        layout, systems = self.systems()
        return pack(layout, [s._replace(coefficients=_without_rounding(s.coefficients)) for s in systems]).numbers

    def identity(self) -> dict[str, str]:
        """What the function is, field by field: a checkpoint carries it."""
        assembly, parameters = self.assembly, self.model.parameters
        return {
            "cevns_fast_version": __version__,
            "experiments": ", ".join(assembly.described),
            "statistic": assembly.statistic,
            "parameters": ", ".join(f"{p.name} in [{p.lower!r}, {p.upper!r}]" for p in parameters),
            "nuisances": ", ".join(assembly.nuisance_names),
            "standard_model": spelled_out(assembly.standard_model),
            "numbers": "sha256 " + digest(pack(*self.systems()).numbers),
        }

    def split(self, bins: Floats) -> list[Floats]:
        """An array for each experiment of one over the bins of all."""
        return np.split(bins, np.cumsum([e.n_bins for e in self.assembly.experiments])[:-1])

    def _make_tables(self) -> list[CountTable]:
        """Counts of each experiment as functions of the parameters."""
        model, assembly = self.model, self.assembly
        if model.structure is None:
            return assembly.constant_tables(model.make(0.0), model.couplings, model.phases)
        parameter = next(p for p in model.parameters if p.name == model.structure)
        tables = []
        for i in range(len(assembly.experiments)):
            counts = assembly.counts(i, model.couplings, model.phases)
            ends = [parameter.lower, parameter.upper]
            if model.is_final_mass:
                variants = [counts.experiment, *(each for pair in counts.shapes for each in pair)]
                ends = kinks_between(parameter.lower, parameter.upper, variants)
            tables.append(counts.table(model.make, ends, _varied(model.vary) if model.vary else None))
        return tables


def _varied(vary: Vary) -> Callable[[Counts, float], Counts]:
    """Counts of another context, and of its variants."""

    def varied(counts: Counts, x: float) -> Counts:
        def of(experiment: Experiment) -> Context:
            return vary(Context(experiment, counts.standard_model), x)

        shapes = tuple((of(up).experiment, of(down).experiment) for up, down in counts.shapes)
        return counts._replace(**of(counts.experiment)._asdict(), shapes=shapes)

    return varied


def _without_rounding(coefficients: Floats) -> Floats:
    """Coefficients [pieces, powers, tables, monomials, bins] to the last of 48 bits of the largest power and bin."""
    _, exponent = np.frexp(np.abs(coefficients).max(axis=(1, 4), keepdims=True))
    bit = np.ldexp(1.0, exponent - 48)
    return np.asarray(np.round(coefficients / bit) * bit)
