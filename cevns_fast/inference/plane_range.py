"""Where to look: ranges of two couplings that hold their allowed region."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.confidence import threshold
from cevns_fast.inference.correlation import correlation_scan
from cevns_fast.inference.limits import limit_scan
from cevns_fast.inference.mass_scan import heaviest_mass
from cevns_fast.interactions.process import Interaction

Range = tuple[float, float]

_POINTS = 61  # of the coarse grids, along each axis
_ATTEMPTS = 24
_MARGIN = 0.1  # of the region's size, on each side


def plane_range(
    experiments: Sequence[Experiment],
    interaction: Interaction,
    couplings: Sequence[str],
    *,
    cl: float = 0.95,
    profile: Sequence[str] = (),
    phases: Mapping[str, complex] | None = None,
    threads: int | None = None,
) -> tuple[Range, Range]:
    """Ranges of two couplings that hold the region allowed at `cl`, with a margin, in two digits.

    Parameters
    ----------
    experiments, interaction, couplings, profile, phases, threads
        As for `correlation_scan`.
    cl : float
        Confidence level for two degrees of freedom.

    Returns
    -------
    (float, float), (float, float)

    Raises
    ------
    ValueError
        If the data bound a coupling nowhere.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> eft = cf.SingletEFT(m_chi=40.0)
    >>> plane_range([cf.load("coherent-csi-2017")], eft, ("C_S", "a_M"))
    ((-0.058, 0.058), (-0.0013, 0.0013))
    """
    level = threshold(cl, None, 2)
    heaviest, m_chi = heaviest_mass(experiments), getattr(interaction, "m_chi", 0.0)
    if m_chi >= heaviest:
        raise ValueError(
            f"m_chi = {m_chi:g}: χ is too heavy for this source, which makes up to {heaviest:.4g} MeV: "
            "the data bound no coupling; give --x and --y"
        )
    # The region lies about the intercepts of the axes, unless the two couplings are strongly correlated.
    box = []
    for name in couplings:
        phase = (phases or {}).get(name, 1.0)
        (reach,) = 1.5 * limit_scan(experiments, interaction, name, delta_chi2=level, phase=phase).upper
        box.append((-float(reach), float(reach)))
    for _ in range(_ATTEMPTS):
        if not np.all(np.isfinite(box)):
            break
        axes = [np.linspace(*each, _POINTS) for each in box]
        scan = correlation_scan(
            experiments, interaction, couplings, *axes, profile=profile, phases=phases, threads=threads
        )
        allowed = scan.delta_chi2 <= level
        found = [_around(axis, np.nonzero(allowed)[i]) for i, axis in enumerate(axes)]
        if all(settled for _, settled in found):
            (x_low, x_high), (y_low, y_high) = (region for region, _ in found)
            return _with_margin(x_low, x_high), _with_margin(y_low, y_high)
        box = [region for region, _ in found]
    raise ValueError(f"couplings = {tuple(couplings)}: no range holds the allowed region, give --x and --y")


def _around(axis: Floats, allowed: Any) -> tuple[Range, bool]:
    """The allowed part of an axis, given as indices, and a step more; wider where it is cut. Does it fill a third?"""
    low, high, step = float(axis[0]), float(axis[-1]), float(axis[1] - axis[0])
    if not allowed.size:  # it is between the points
        return (low / 2, high / 2), False
    first, last = int(allowed.min()), int(allowed.max())
    cut = first == 0 or last == len(axis) - 1
    new_low = low - (high - low) / 2 if first == 0 else low + (first - 1) * step
    new_high = high + (high - low) / 2 if last == len(axis) - 1 else low + (last + 1) * step
    return (new_low, new_high), not cut and 3 * (last - first) >= len(axis)


def _with_margin(low: float, high: float) -> Range:
    """Wider, and rounded outwards, so that the last digits of a computation do not decide where a grid lies."""
    margin = _MARGIN * (high - low)
    low, high = low - margin, high + margin
    second_digit = 10.0 ** (math.floor(math.log10(max(abs(low), abs(high)))) - 1)
    outward = math.floor(low / second_digit), math.ceil(high / second_digit)
    return float(f"{outward[0] * second_digit:.6g}"), float(f"{outward[1] * second_digit:.6g}")
