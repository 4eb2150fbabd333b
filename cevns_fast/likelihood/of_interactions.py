"""χ² of interactions and of counts."""

from dataclasses import fields
from operator import attrgetter
from typing import Any

import numpy as np

from cevns_fast._kernels.likelihood import Block, Evaluator, pack
from cevns_fast._support.remember import Memory, remember
from cevns_fast._validate import Floats
from cevns_fast.interactions.process import Interaction
from cevns_fast.likelihood.assembly import Assembly

# How many different masses and conventions are remembered, and how many sets of open couplings.
_REMEMBERED, _FORMS = 512, 64


class OfInteractions:
    """χ² of interactions and of counts: what is computed for one interaction serves all that differ in real couplings.

    It pickles without what it remembers.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self._evaluators: Memory[Evaluator] = Memory(_REMEMBERED)
        self._forms: Memory[Block] = Memory(_FORMS)

    def __getstate__(self) -> Assembly:
        return self.assembly

    def __setstate__(self, assembly: Assembly) -> None:
        self.__init__(assembly)  # type: ignore[misc]

    def chi2(self, interaction: Interaction) -> float:
        """χ² of an interaction."""
        evaluator, values = self._of(interaction)
        return evaluator.chi2(values)

    def pulls(self, interaction: Interaction) -> Floats:
        """All nuisances, in standard deviations."""
        evaluator, values = self._of(interaction)
        return evaluator.pulls(np.array(values, dtype=np.float64))

    def of_counts(self, counts: Floats) -> tuple[Floats, Floats]:
        """χ² and nuisances of signal counts [points, bins of all experiments]."""
        self.assembly.check_unchanged()
        evaluator = self._evaluators.get("counts")
        if evaluator is None:
            evaluator = Evaluator(pack(*self.assembly.packing(self.assembly.zero_tables(), ())))
            self._evaluators.keep("counts", evaluator)
        return evaluator.of_counts(counts)

    def _of(self, interaction: Interaction) -> tuple[Evaluator, list[float]]:
        """The evaluator of interactions that differ from this one in real couplings, and their values here."""
        kind = type(interaction)
        known = _fields(kind)
        if known is None:
            raise ValueError(f"interaction = {interaction!r}: must be an interaction, e.g. cevns_fast.SingletEFT(...)")
        names, values_of, structure_of = known
        self.assembly.check_unchanged()
        opened, values, rest = [], [], []
        for name, value in zip(names, values_of(interaction), strict=True):
            if type(value) is float or type(value) is int:
                if value != 0:
                    opened.append(name)
                    values.append(float(value))
            else:
                rest.append((name, value))
        key = (kind, structure_of(interaction), tuple(opened), tuple(rest))
        evaluator = self._evaluators.get(key)
        if evaluator is None:
            evaluator = self._evaluators.keep(key, Evaluator(self._block_of(interaction, tuple(opened))))
        return evaluator, values

    def _block_of(self, interaction: Interaction, couplings: tuple[str, ...]) -> Block:
        """The function of an interaction's couplings: another's numbers, but for the coefficients."""
        self.assembly.check_names(type(interaction))
        tables = self.assembly.constant_tables(interaction, couplings, {})
        exponents = tuple(dict.fromkeys([e for table in tables for e in table.exponents]))
        block = self._forms.get((couplings, exponents))
        if block is None:
            block = self._forms.keep((couplings, exponents), pack(*self.assembly.packing(tables, couplings)))
        numbers = block.numbers.copy()
        for place, table in zip(block.coefficients, tables, strict=True):
            numbers[place] = table.on(exponents).ravel()
        return block._replace(numbers=numbers)


@remember(maxsize=64)
def _fields(kind: type) -> tuple[tuple[str, ...], Any, Any] | None:
    """The couplings among the fields of a kind of interaction, and what fetches their values and all others.

    None for what is no such kind: that is looked at once.
    """
    if not issubclass(kind, Interaction):
        return None
    every = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    couplings = tuple(name for name in every if name in kind.open_couplings)
    others = tuple(name for name in every if name not in couplings)
    return couplings, _getter(couplings), _getter(others)


def _getter(names: tuple[str, ...]) -> Any:
    """From an object to the tuple of these attributes."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda each: tuple(getattr(each, name) for name in names)
