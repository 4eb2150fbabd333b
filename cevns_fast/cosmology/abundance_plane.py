"""Ω h² on planes of masses and couplings: parallel, on any executor, resumable."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

import cevns_fast
from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.cosmology.abundance import checked_couplings, checked_points, checked_start
from cevns_fast.cosmology.boltzmann import Universe
from cevns_fast.cosmology.expansion import Points
from cevns_fast.cosmology.thermal_average import READINGS, checked_masses
from cevns_fast.parallel import chunks
from cevns_fast.parallel.progress import Progress
from cevns_fast.parallel.threads import checked as checked_threads
from cevns_fast.parallel.threads import get_num_threads


@np.errstate(under="ignore")  # what is negligible is zero
def relic_plane(
    m_chi: ArrayLike,
    m_S: ArrayLike,
    y_chi: ArrayLike,
    reading: str = "dirac",
    T_qcd: float = 200.0,
    x_end: float = 100.0,
    executor: Executor | None = None,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
) -> Floats:
    """Ω h² on a plane of masses and couplings.

    Parameters
    ----------
    m_chi : array_like
        Masses of χ, MeV.
    m_S : array_like
        Mass of S for each of them, or one for all, MeV.
    y_chi : array_like
        Couplings.
    reading, T_qcd, x_end
        See `relic_density`.
    executor, threads, checkpoint, progress
        See `correlation_scan`.

    Returns
    -------
    float64[masses, couplings]

    Raises
    ------
    ValueError
        As `relic_density`, for the first combination that it refuses.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> omega = cf.cosmology.relic_plane([3.0, 10.0], [10.0, 30.0], [1e-4, 1e-3, 1e-2], threads=1)
    >>> omega.shape, float(omega[0, 1].round(1))
    ((2, 3), 31.9)
    """
    chi = validate.vector("m_chi", m_chi)
    S = validate.vector("m_S", np.broadcast_to(validate.array("m_S", m_S), chi.shape))
    couplings = checked_couplings(validate.vector("y_chi", y_chi))
    reading = validate.choice("reading", reading, READINGS)
    start = checked_start(T_qcd)
    for one_chi, one_S in zip(chi.tolist(), S.tolist(), strict=True):
        checked_masses(one_chi, one_S)
        checked_points(None, x_end, one_chi / start)
    work = _RelicRows(chi, S, couplings, reading, start, float(x_end))
    rows = np.empty((chi.size, couplings.size))
    workers = get_num_threads() if threads is None else checked_threads(threads)
    chunks.run(work, rows, work.identity(), executor, workers, checkpoint, progress)
    return rows


@dataclass(frozen=True, eq=False)
class _RelicRows:
    """Rows of Ω h², one for each mass."""

    m_chi: Floats
    m_S: Floats
    y_chi: Floats
    reading: str
    T_qcd: float
    x_end: float

    @property
    def points_per_chunk(self) -> int:
        """A row takes ten milliseconds, a coupling a tenth of one."""
        return 8 * self.y_chi.size

    def fill(self, start: int, stop: int, out: Floats) -> None:
        """Rows start … stop − 1 into out."""
        read, points = READINGS[self.reading], Points((self.x_end,), alone=False)
        for i in range(start, stop):
            masses = float(self.m_chi[i]), float(self.m_S[i])
            out[i - start] = Universe(masses, read, self.T_qcd, points).evolve(self.y_chi, 1).omega_h2

    def part(self, start: int, stop: int) -> "tuple[_RelicRows, int]":
        """What those rows need."""
        rows = slice(start, stop)
        return _RelicRows(self.m_chi[rows], self.m_S[rows], self.y_chi, self.reading, self.T_qcd, self.x_end), 0

    def identity(self) -> Mapping[str, str]:
        """What tells a checkpoint of this plane from others."""
        return {
            "what": "relic density",
            "cevns_fast": cevns_fast.__version__,
            "reading": self.reading,
            "T_qcd": repr(self.T_qcd),
            "x_end": repr(self.x_end),
            **{name: repr(getattr(self, name).tolist()) for name in ("m_chi", "m_S", "y_chi")},
        }
