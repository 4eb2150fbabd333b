"""Limits on several couplings over a range of masses: the line that most figures of the field draw."""

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.counts.count_table import heaviest
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.limits import limit_scan
from cevns_fast.interactions.process import Interaction
from cevns_fast.parallel.progress import Progress, reporter

# Fractions of the masses: those that approach the kinematic limit, where bounds rise steeply, and those
# evenly spaced below it, where neutrino lines and bins leave kinks; the rest is logarithmic.
_APPROACHING, _EVEN = 0.2, 0.4


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

    A single one is `low`.

    Raises
    ------
    ValueError
        Unless 0 < low < high and n >= 1.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> masses = mass_grid([cf.load("coherent-csi-2017")], 0.1, 53.0, 120)
    >>> masses[0], masses[-1], masses.size
    (np.float64(0.1), np.float64(53.0), 120)
    """
    validate.number("lowest mass", low, positive=True)
    validate.number("highest mass", high, positive=True)
    n = validate.whole("number of masses", n, minimum=1)
    if n == 1:
        return np.array([float(low)])
    if low >= high:
        raise ValueError(f"masses from {low!r} to {high!r} MeV: the first must be below the second")
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
    executor: Executor | None = None,
    progress: Progress = None,
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
    executor, progress, threads, cl, delta_chi2
        As for `limit_scan`; progress counts the masses of all couplings.

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
    names, found = type(interactions[0]).check_couplings(couplings, {}), {}
    with reporter(progress, len(names) * len(interactions), "limit") as report:
        for name in names:
            done = 0

            def advance(finished: int, _: int) -> None:
                nonlocal done
                report(finished - done)
                done = finished

            found[name] = limit_scan(
                experiments, interactions, name, cl=cl, delta_chi2=delta_chi2,
                threads=threads, executor=executor, progress=advance,
            ).upper  # fmt: skip
    return found
