"""Responses of all bins by √T, or functions that stand for them, as they are worth integrating."""

from dataclasses import dataclass

import numpy as np

from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.counts import piecewise
from cevns_fast.counts.cuts import transitions
from cevns_fast.counts.folding import Folding, folding_of, is_worth_it
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.response_matrix import ResponseMatrix

# Of the largest value of a response or of form factors × response: rounding of a fit.
FEED_FLOOR = 1e-15
RESPONSE = "detector response"


@dataclass(frozen=True, eq=False)
class Smeared:
    """Responses by √T of all bins, or functions that stand for them, and the √T between pieces of those."""

    response: piecewise.VectorFunction
    folding: Folding | None = None
    images: Floats | None = None


@remember(maxsize=64)
def smeared_response(detector: Detector, cuts: tuple[float, ...]) -> Smeared | None:
    """Responses of all bins by √T: they are slow to compute, and every plan needs them anew.

    They are polynomials in √x̄ of the mean observable: however many points a quenching has, what smears has none.
    """
    response = detector.response
    if response.smearing is None or isinstance(response, ResponseMatrix):
        return None
    if callable(response.quenching):  # is looked at, as the other factor of what is smooth
        piecewise.fit(
            lambda tau: response.mean(tau * tau)[None], np.sqrt(cuts).tolist(), floor=FEED_FLOOR, name="quenching"
        )
    if is_worth_it(detector):
        return _folded_response(detector, cuts)
    fitted = piecewise.fit(
        lambda root: detector.response_to_mean(root * root), _roots(detector, cuts), floor=FEED_FLOOR, name=RESPONSE
    )
    return Smeared(lambda tau: fitted(np.sqrt(response.mean(tau * tau))))


def _roots(detector: Detector, cuts: tuple[float, ...]) -> list[float]:
    """√x̄ between which the responses are smooth."""
    low, high = detector.response.mean(np.array([cuts[0], cuts[-1]])).tolist()
    around = transitions(detector)
    ends = [low, *np.unique(around[(around > low) & (around < high)]), high if high > low else low + 1.0]
    found: list[float] = np.sqrt(ends).tolist()
    return found


def _folded_response(detector: Detector, cuts: tuple[float, ...]) -> Smeared:
    """The functions of the mean that stand for the bins, those of the piece that a recoil is in."""
    folding = folding_of(detector, tuple(_roots(detector, cuts)))
    images = np.sqrt(detector.recoils_at(folding.breaks[1:-1] ** 2, cuts[-1]))

    def functions(tau: Floats) -> Floats:
        return folding.functions(np.searchsorted(images, tau), np.sqrt(detector.response.mean(tau * tau)))

    return Smeared(functions, folding, images)
