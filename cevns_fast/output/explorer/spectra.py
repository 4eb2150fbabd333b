"""What was measured and what is expected, along one axis of an experiment, as JSON."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast._validate import Floats
from cevns_fast.counts.polynomial import standard_model_counts
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.likelihood.measurement import background_counts, measurement_of


class Axis(NamedTuple):
    """The axis that is drawn: of the observable, or of time where the observable has one bin."""

    label: str
    edges: tuple[float, ...]
    place: NDArray[np.int_]  # [bins] where each bin of the experiment is drawn, −1 for not at all

    def of(self, counts: Floats) -> Floats:
        """Sums of what is drawn in each place, NaN where nothing is."""
        found = np.full(len(self.edges) - 1, np.nan)
        for i in range(found.size):
            here = self.place == i
            if here.any():
                found[i] = counts[here].sum()
        return found


def axis_of(experiment: Experiment, signal: Floats) -> Axis:
    """How an experiment is drawn. What sees no signal anywhere along that axis, such as counts with the beam off,
    is not."""
    label, edges = experiment.detector.response.observable, experiment.detector.bins
    number = 0
    if len(edges) == 2 and experiment.time is not None:
        number, label, edges = 1, "time [µs]", experiment.time.edges
    seen = experiment.reshape(signal) > 1e-9 * signal.max()
    seen = np.broadcast_to(seen.any(axis=number, keepdims=True), seen.shape).ravel()
    kept = np.array(experiment.kept)
    place = np.where(seen[kept], np.unravel_index(kept, experiment.shape)[number], -1)
    return Axis(label, tuple(map(float, edges)), place)


def described_experiment(experiment: Experiment) -> dict[str, Any]:
    """Everything about an experiment that does not depend on the interaction."""
    measured, expected = measurement_of(experiment), standard_model_counts(experiment, True)
    axis, observed = axis_of(experiment, expected), measured.by(None)
    variance = expected + measured.background_variance if measured.predicts_variance else measured.variance
    return {
        "name": experiment.name,
        "description": experiment.description,
        "citation": experiment.citation,
        "approximate": experiment.approximate,
        "simulated": experiment.observed is None,
        "statistic": "Poisson" if experiment.statistic == "poisson" and experiment.sigma is None else "Gaussian",
        "label": axis.label,
        "edges": list(axis.edges),
        "place": axis.place.tolist(),
        "data": _listed(axis.of(measured.data)),
        "error": _listed(np.sqrt(axis.of(variance))),
        "standardModel": _listed(axis.of(expected)),
        # what the kernel's expectation holds beside the signal, with every nuisance at zero
        "base": _listed(axis.of(np.asarray(observed.base))),
        "backgrounds": [
            {"name": name, "counts": _listed(axis.of(counts))} for name, counts in background_counts(experiment).items()
        ],
    }


def _listed(values: Floats) -> list[float | None]:
    """Numbers, None for places without any: JSON has no NaN."""
    return [float(x) if np.isfinite(x) else None for x in values]
