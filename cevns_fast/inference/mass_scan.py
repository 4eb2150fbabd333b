"""Limits on several couplings over a range of masses: the line that most figures of the field draw."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.counts.count_table import heaviest
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.limits import limit_scan
from cevns_fast.interactions.process import Interaction

# Fractions of the masses: those that approach the kinematic limit, where bounds rise steeply, and those
# evenly spaced below it, where neutrino lines and bins leave kinks; the rest is logarithmic.
_APPROACHING, _EVEN = 0.2, 0.4
_CHUNK = 256  # masses between two steps of a progress bar

Progress = Callable[[Sequence[tuple[str, slice]]], Iterable[tuple[str, slice]]]


def heaviest_mass(experiments: Sequence[Experiment]) -> float:
    """The largest mass (MeV) that any of the experiments can produce: CL Eq. (14) solved for m_χ.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(heaviest_mass([cf.load("coherent-csi-2017")]), 2)
    52.82
    """
    return max(map(heaviest, experiments))


def mass_grid(experiments: Sequence[Experiment], low: float, high: float, n: int) -> Floats:
    """Masses from `low` to `high` (MeV): logarithmic, and denser in the decade below the kinematic limit.

    Raises
    ------
    ValueError
        Unless 0 < low < high and n >= 2.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> masses = mass_grid([cf.load("coherent-csi-2017")], 0.1, 53.0, 120)
    >>> masses[0], masses[-1], masses.size
    (np.float64(0.1), np.float64(53.0), 120)
    """
    validate.number("lowest mass", low, positive=True)
    validate.number("highest mass", high, positive=True)
    if low >= high:
        raise ValueError(f"masses from {low!r} to {high!r} MeV: the first must be below the second")
    n = validate.whole("number of masses", n, minimum=2)
    limit = heaviest_mass(experiments)
    even = np.linspace(0.1, 0.98, int(_EVEN * n), endpoint=False)
    near = limit * np.concatenate([even, 1 - np.geomspace(0.02, 1e-6, int(_APPROACHING * n))])
    near = near[(near > low) & (near < high)]
    return np.sort(np.concatenate([np.geomspace(low, high, n - near.size), near]))


def mass_scan(
    experiments: Sequence[Experiment],
    interactions: Sequence[Interaction],
    couplings: Sequence[str],
    *,
    progress: Progress = iter,
    threads: int = 1,
    cl: float | None = None,
    delta_chi2: float | None = None,
) -> dict[str, Floats]:
    """Upper limits on each coupling alone, for interactions that differ in mass.

    Parameters
    ----------
    experiments : sequence of Experiment
        Several are a joint fit.
    interactions : sequence of Interaction
    couplings : sequence of str
    progress : callable
        Wraps the list of steps, as `tqdm.tqdm` does.
    threads : int
    cl, delta_chi2 : float, optional
        As for `limit_scan`.

    Returns
    -------
    dict of str to float64[n]
        inf where there is no bound.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> found = mass_scan([cf.load("coherent-csi-2017")], [cf.SingletEFT(m_chi=m) for m in (1, 60)], ["C_V"])
    >>> found["C_V"].round(3).tolist()
    [0.109, inf]
    """
    names = type(interactions[0]).check_couplings(couplings, {})
    chunks = [slice(i, i + _CHUNK) for i in range(0, len(interactions), _CHUNK)]
    found = {name: np.empty(len(interactions)) for name in names}
    for name, chunk in progress([(name, chunk) for name in found for chunk in chunks]):
        curve = limit_scan(experiments, interactions[chunk], name, cl=cl, delta_chi2=delta_chi2, threads=threads)
        found[name][chunk] = curve.upper
    return found
