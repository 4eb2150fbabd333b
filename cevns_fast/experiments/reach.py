"""Whether what a detector is asked to see can happen: keV meant as MeV, say, gives zeros without a word."""

import math

import numpy as np

from cevns_fast._support.remember import remember
from cevns_fast.experiments.detectors import Detector
from cevns_fast.experiments.functions import Table, breakpoints_of
from cevns_fast.experiments.response_matrix import ResponseMatrix
from cevns_fast.experiments.smearing import GammaSmearing, GaussianSmearing, PoissonSmearing
from cevns_fast.experiments.sources import Source, endpoint_of
from cevns_fast.nuclear.kinematics import largest_recoil
from cevns_fast.nuclear.nuclei import Target


class OutOfReachWarning(UserWarning):
    """Bins, a threshold, a width or points of a table are where no recoil of the source is, or in another unit.

    Examples
    --------
    >>> import warnings
    >>> import cevns_fast as cf
    >>> csi = cf.load("coherent-csi-2017")
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always", cf.OutOfReachWarning)
    ...     _ = csi.replace(response=cf.Response(recoil_threshold=5.0))  # keV meant, MeV said
    >>> caught[0].category.__name__
    'OutOfReachWarning'
    """


# A smeared observable is not further from its mean than this many widths, as far as a warning is concerned.
_WIDTHS = 12.0
# Bins in MeV for keV are a thousand times too small, and may have ended a little beyond what recoils reach.
_SMALL = 1 / 700


@remember(maxsize=256)
def largest_recoil_of(source: Source, target: Target) -> float:
    """The largest recoil energy [MeV] of any nuclide."""
    E = endpoint_of(source)
    return max(largest_recoil(E, n.mass) for n in target.nuclides)


@remember(maxsize=256)
def out_of_reach(detector: Detector, largest_recoil: float) -> tuple[str, ...]:
    """What cannot be reached, each with the energies that say why."""
    found, response = [], detector.response
    reaches = f"the largest recoil of this source is {1e3 * largest_recoil:.4g} keV"
    if response.recoil_threshold >= largest_recoil:
        threshold = f"recoil_threshold = {response.recoil_threshold:g} MeV"
        return (f"{threshold}: {reaches}: nothing will be seen; is the threshold in MeV?",)
    if isinstance(response, ResponseMatrix):
        first = response.energies[0]
        if first < largest_recoil:
            return ()
        return (f"energies: begin at {1e3 * first:.4g} keV, but {reaches}: nothing will be seen; are they in MeV?",)
    points = np.array(breakpoints_of(response.quenching))
    beyond = int(np.count_nonzero(points > largest_recoil))
    if beyond and 2 * beyond > points.size:
        found.append(
            f"quenching: {beyond} of {points.size} points lie beyond {1e3 * largest_recoil:.4g} keV, "
            "the largest recoil of this source; are its energies in MeV?"
        )
    elif points.size > 1 and _highest(detector, float(points[-1])) < detector.bins[0]:
        found.append(
            f"quenching: all points lie at most at {1e3 * points[-1]:.4g} keV, below what reaches the bins, "
            f"from {detector.bins[0]:g} ({response.observable}); are its energies in MeV?"
        )
    x = _highest(detector, largest_recoil)
    if x <= detector.bins[0]:
        seen = f"x = {x:.4g}" + (" with its resolution" if response.smearing else "")
        found.append(f"bins: begin at {detector.bins[0]:g} ({response.observable}), but {reaches}, {seen}")
    return (*found, *_scales(detector, largest_recoil), *_acceptance(detector))


def _scales(detector: Detector, largest_recoil: float) -> list[str]:
    """Bins and widths that are smaller or larger than all recoils by so much that they are in another unit."""
    smearing, unit = detector.response.smearing, detector.response.observable
    last, x = detector.bins[-1], float(detector.response.mean(np.array(largest_recoil)))
    if last < _SMALL * x:
        return [f"bins: end at {last:g}, but recoils reach x = {x:.4g} ({unit}) with this source; are they in MeV?"]
    if isinstance(smearing, GaussianSmearing | GammaSmearing):
        width = float(smearing.width(min(last, x)))
        if width > max(last, x):
            return [
                f"smearing: is {width:.4g} wide at {min(last, x):.4g} ({unit}), more than the bins, which end at "
                f"{last:g}, and than all recoils, which reach x = {x:.4g}; is it in units of the bins?"
            ]
    return []


def _highest(detector: Detector, T: float) -> float:
    """As high as the observable of a recoil may be."""
    smearing, mean = detector.response.smearing, float(detector.response.mean(np.array(T)))
    if isinstance(smearing, GaussianSmearing | GammaSmearing):
        return mean + _WIDTHS * float(smearing.width(mean))
    return mean + _WIDTHS * math.sqrt(mean) + _WIDTHS if isinstance(smearing, PoissonSmearing) else mean


def _acceptance(detector: Detector) -> list[str]:
    """An acceptance that is zero in all bins, or whose points all lie below them."""
    acceptance, bins = detector.response.acceptance, detector.bins
    if not callable(acceptance):
        return []
    points, unit = breakpoints_of(acceptance), detector.response.observable
    if isinstance(acceptance, Table) and points[-1] < bins[0]:
        return [f"acceptance: all points lie at most at {points[-1]:g}, below the bins; are they in units of {unit}?"]
    edges = [x for x in points if bins[0] < x < bins[-1]]
    x = np.unique([*np.linspace(bins[0], bins[-1], 257)[:-1], *edges])
    if np.any(detector.response.accept(x) > 0):
        return []
    return [f"acceptance: is 0 in every bin, from {bins[0]:g} to {bins[-1]:g}; are its numbers in units of {unit}?"]
