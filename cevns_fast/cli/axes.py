"""Tables of counts along an axis of the bins, and with all of them."""

from typing import NamedTuple

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.experiments.experiment import Experiment


class Along(NamedTuple):
    """Bins of one axis, or all of them."""

    bins: dict[str, Floats]  # columns that say which bin it is
    axis: int | None  # None for all
    note: str = ""  # what was summed over

    def of(self, experiment: Experiment, counts: Floats) -> Floats:
        """Counts of these bins, summed over the other axes; bins that are left out count nothing."""
        if self.axis is None:
            return counts
        by_bin = experiment.reshape(counts)
        others = tuple(i for i in range(by_bin.ndim) if i != self.axis)
        found: Floats = np.where(np.isnan(by_bin).all(axis=others), np.nan, np.nansum(by_bin, axis=others))
        return found


def along(experiment: Experiment, axis: str) -> Along:
    """The bins of an axis by its name; `ValueError` if the experiment has none of that name."""
    if axis == "all" or (len(experiment.shape) == 1 and axis == "observable"):
        return Along(_every(experiment), None)
    names = _names(experiment)
    if axis not in names:
        raise ValueError(f"--axis {axis}: must be one of {', '.join([*names, 'all'])} for {experiment.name}")
    i = names.index(axis)
    words = experiment.release.name if axis == "release" and experiment.release is not None else axis
    others = [experiment.release.name if n == "release" and experiment.release else n for n in names if n != axis]
    note = f"summed over {' and '.join(others)}; --axis {' | '.join(n for n in (*names, 'all') if n != axis)}"
    return Along(_of_axis(experiment, axis), i, f"along {words}, {note}")


def _names(experiment: Experiment) -> list[str]:
    """The axes that there are, in their order."""
    there = {"observable": True, "time": experiment.time is not None, "release": experiment.release is not None}
    return [name for name, is_there in there.items() if is_there]


def _of_axis(experiment: Experiment, axis: str) -> dict[str, Floats]:
    """Columns that say where the bins of an axis are."""
    if axis == "observable":
        edges = np.array(experiment.detector.bins)
        return {"low": edges[:-1], "high": edges[1:]}
    if axis == "time" and experiment.time is not None:
        times = np.array(experiment.time.edges)
        return {"low_us": times[:-1], "high_us": times[1:]}
    assert experiment.release is not None
    return {f"bin of {experiment.release.name}": np.arange(experiment.release.n_bins, dtype=np.float64)}


def _every(experiment: Experiment) -> dict[str, Floats]:
    """Where each bin that is not left out is, along all axes."""
    places = np.unravel_index(list(experiment.kept), experiment.shape)
    found: dict[str, Floats] = {}
    for name, place in zip(_names(experiment), places, strict=True):
        found |= {key: values[place] for key, values in _of_axis(experiment, name).items()}
    return found
