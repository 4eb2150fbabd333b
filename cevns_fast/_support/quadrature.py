"""Rules of quadrature."""

import numpy as np
from numpy.typing import NDArray

from cevns_fast._support.remember import remember


@remember(maxsize=32)
def gauss_legendre(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss–Legendre nodes and weights on [−1, 1]."""
    return np.polynomial.legendre.leggauss(n)
