"""Responses as matrices: recoil energies × bins."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cevns_fast import _validate as validate
from cevns_fast._support.remember import remember
from cevns_fast._validate import Floats
from cevns_fast.constants import KEV


@dataclass(frozen=True)
class ResponseMatrix:
    """A response given at some recoil energies: the probability that a recoil is seen and lands in each bin.

    It is linear between the energies, and zero beyond them.

    Attributes
    ----------
    energies : tuple of float
        Increasing recoil energies, MeV.
    probabilities : tuple of tuple of float
        [energies][bins]; a recoil is in one bin at most. Arrays are taken too.
    observable : str
        What the bins are.
    light_yield, quenching, acceptance, recoil_threshold : float
        1, 1, 1 and 0, as a `Response` has them: the matrix holds all of it.

    Raises
    ------
    ValueError
        If the energies do not increase, the shapes disagree, or a row is not one of probabilities.

    Notes
    -----
    A detector with a matrix has as many bins as the matrix; their numbers stand for edges unless `bins` is given.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> matrix = cf.ResponseMatrix((0.001, 0.002, 0.005), [[0.0, 0.0], [0.2, 0.1], [0.1, 0.4]])
    >>> detector = cf.Detector(cf.Target.of("Xe", {"Xe": 1}), mass=1000.0, response=matrix)
    >>> detector.bin_response([0.0015, 0.006]).round(2).tolist()
    [[0.1, 0.0], [0.05, 0.0]]
    """

    energies: tuple[float, ...]
    probabilities: Any
    observable: str = "bin"

    def __post_init__(self) -> None:
        energies = validate.increasing("energies", self.energies, minimum=0.0)
        found = validate.array("probabilities", self.probabilities, minimum=0.0)
        if found.ndim != 2 or len(found) != energies.size or found.shape[1] == 0:
            raise ValueError(f"probabilities: has shape {found.shape}, must be ({energies.size} energies, bins)")
        if found.sum(axis=1).max() > 1 + 1e-9:
            i = int(found.sum(axis=1).argmax())
            raise ValueError(f"probabilities: add up to {found[i].sum():.6g} at {energies[i]:g} MeV, must be at most 1")
        validate.text("observable", self.observable, empty=True)
        object.__setattr__(self, "energies", tuple(energies.tolist()))
        object.__setattr__(self, "probabilities", tuple(map(tuple, found.tolist())))
        object.__setattr__(self, "_table", found)
        object.__setattr__(self, "_hash", hash((self.energies, self.probabilities, self.observable)))

    def __hash__(self) -> int:
        return int(self._hash)  # type: ignore[attr-defined]

    light_yield = 1.0
    quenching = 1.0
    acceptance = 1.0
    recoil_threshold = 0.0

    @property
    def smearing(self) -> "ResponseMatrix":
        """Itself: recoils of one energy land in several bins."""
        return self

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.probabilities[0])

    def accept(self, x: ArrayLike) -> Floats:
        """One: what is not accepted is in no bin."""
        return np.ones(np.shape(x))

    def mean(self, T: ArrayLike) -> Floats:
        """Recoil energies (MeV) in keV, where a mean observable is asked for."""
        return np.asarray(validate.real("T", T) / KEV)

    @property
    def table(self) -> Floats:
        """The probabilities, float64[energies, bins]."""
        found: Floats = self._table  # type: ignore[attr-defined]
        return found

    @property
    def sampled(self) -> "ResponseMatrix":
        """The response whose bins are the energies: a recoil between two of them is shared between these.

        Counts with it, times the `table`, are counts with this one, whatever its probabilities are.
        """
        return _sampled(self.energies)

    def between(self, T: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Of recoils T: which energy is below, and how far they are from there to the next."""
        energies = np.array(self.energies)
        k = np.clip(np.searchsorted(energies, T, side="right") - 1, 0, energies.size - 2)
        return k, np.asarray((T - energies[k]) / (energies[k + 1] - energies[k]))

    def at(self, T: Floats) -> Floats:
        """Probabilities float64[bins, len(T)]."""
        energies, table = self.energies, self.table
        k, share = self.between(T)
        inside = (energies[0] <= T) & (energies[-1] >= T)
        between = table[k] * (1 - share)[:, None] + table[k + 1] * share[:, None]
        return np.asarray(np.where(inside[:, None], between, 0.0).T)


@remember(maxsize=64)
def _sampled(energies: tuple[float, ...]) -> ResponseMatrix:
    """One for all matrices of the same energies."""
    return ResponseMatrix(energies, np.eye(len(energies)))
