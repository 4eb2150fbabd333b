"""The seesaw of Brdar, Rodejohann & Xu 2018, Eq. (35), by exact diagonalisation in 80 digits.

M†M is diagonalised, and each of its vectors is given the phase that makes u^T M u positive. Needs mpmath.
"""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

__all__ = ["takagi"]

#: The squared hierarchy of 48 decades, and 32 digits.
DIGITS = 80


def _mpmath() -> ModuleType:
    try:
        import mpmath
    except ImportError as error:
        raise ImportError('the reference seesaw needs mpmath: pip install "cevns_fast[reference]"') from error
    return mpmath  # type: ignore[no-any-return]


def takagi(
    y1: complex, y2: complex, m_chi: float, M_N: float, M1: complex = 0.0, v: float = 174e3
) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Masses [MeV], the lightest first, and U with U^T M U diagonal and positive.

    Parameters
    ----------
    y1, y2 : complex
        Yukawa couplings.
    m_chi, M_N, M1, v : float
        Masses and the Higgs' expectation value [MeV].

    Examples
    --------
    >>> masses, U = takagi(10**-7.25, 1e-7**0.5 * 5 / 174e3, 5.0, 1000.0)
    >>> f"{masses[0]:.11e}"
    '5.95741058808e-07'
    """
    mp = _mpmath()
    with mp.workdps(DIGITS):
        d1, d2 = mp.mpmathify(y1) * v, mp.mpmathify(y2) * v
        M = mp.matrix([[0, d2, d1], [d2, mp.mpf(m_chi), mp.mpmathify(M1)], [d1, mp.mpmathify(M1), mp.mpf(M_N)]])
        squares, vectors = mp.eighe(M.H * M)
        order = sorted(range(3), key=lambda k: squares[k])
        masses = np.array([float(mp.sqrt(abs(squares[k]))) for k in order])
        U = np.empty((3, 3), dtype=np.complex128)
        for column, k in enumerate(order):
            u = vectors[:, k]
            value = (u.T * M * u)[0, 0]
            phase = mp.exp(-0.5j * mp.arg(value)) if value != 0 else mp.mpf(1)
            U[:, column] = [complex(phase * u[i]) for i in range(3)]
        return masses, U
