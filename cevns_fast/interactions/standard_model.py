"""Coherent elastic scattering in the Standard Model, CLLS Eq. (22)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast.constants import G_FERMI, SIN2_THETA_W
from cevns_fast.interactions.process import AmplitudePolynomial, Interaction, Process, Term
from cevns_fast.nuclear.nuclei import Nuclide
from cevns_fast.nuclear.nucleon import weak_charge


@dataclass(frozen=True)
class StandardModel(Interaction):
    """The Standard Model's νN → νN.

    Attributes
    ----------
    sin2_theta_w : float
        Weak mixing angle, from 0 to 1. The papers use 0.2312; the low-energy value is 0.23857.

    Notes
    -----
    Chao, Li, Liao & Su 2021, Eq. (22). Chang & Liao 2020, Eq. (11) is its limit for T ≪ E.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> cf.StandardModel()
    StandardModel(sin2_theta_w=0.2312)
    """

    sin2_theta_w: float = SIN2_THETA_W

    def __post_init__(self) -> None:
        if not 0 <= validate.number("sin2_theta_w", self.sin2_theta_w) <= 1:
            raise ValueError(f"sin2_theta_w = {self.sin2_theta_w!r}: must be from 0 to 1")

    @classmethod
    def processes(cls, batch: Sequence[Self], nuclide: Nuclide) -> tuple[Process, ...]:
        """G_F² M / 2π (2 − MT/E² − 2T/E + T²/E²) times the weak charge squared."""
        return (Process(0.0, _terms(nuclide.mass)),)

    @classmethod
    def amplitudes(
        cls, batch: Sequence[Self], nuclide: Nuclide, couplings: Sequence[str], phases: Mapping[str, complex]
    ) -> tuple[AmplitudePolynomial, ...]:
        """The weak charge."""
        charges = [weak_charge(nuclide, each.sin2_theta_w) for each in batch]
        return ({(): np.array(charges, dtype=np.complex128)[:, None, None, :]},)


@lru_cache(maxsize=1024)
def _terms(M: float) -> tuple[Term, ...]:
    """CLLS Eq. (22) on a nucleus of mass M."""
    c = G_FERMI**2 * M / (2 * math.pi)
    return (
        Term(0, 0, 0, 0, 2 * c),
        Term(0, 0, 1, -2, -M * c),
        Term(0, 0, 1, -1, -2 * c),
        Term(0, 0, 2, -2, c),
    )
