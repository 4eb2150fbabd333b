"""Data that are counted once: experiments that hold the same data are refused together."""

from collections.abc import Sequence
from itertools import combinations

from cevns_fast.experiments.experiment import Experiment


def check_overlaps(experiments: Sequence[Experiment]) -> None:
    """`ValueError` if data of one experiment are among those of another; copies of one are the user's own affair."""
    for one, other in combinations(experiments, 2):
        for part, whole in ((one, other), (other, one)):
            if part.data_set and part.data_set in whole.contains:
                raise ValueError(
                    f"experiments: {whole.name} contains the data of {part.name} ({part.data_set}), "
                    "must not be together: they would be counted twice"
                )
