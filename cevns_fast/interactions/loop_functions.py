"""The loop functions of the vector mediator: Chao, Li, Liao & Su 2021 (CLLS), Appendix."""

import math
from collections.abc import Sequence
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cevns_fast import _validate
from cevns_fast._kernels import fg
from cevns_fast._support.loading import load
from cevns_fast.parallel.threads import checked, get_num_threads

__all__ = ["F_G", "LoopFunctions", "loop_functions"]

Floats = NDArray[np.float64]
_VARIANTS = tuple(fg.VARIANTS)
# From here on two threads are worth it. 1000 pairs take 27 µs on one and 22 µs on two, but milliseconds on two where
# others want the processors as well.
_MANY = 10_000


class LoopFunctions(NamedTuple):
    """The six combinations of Passarino-Veltman functions of CLLS (A1)-(A6), at zero external momenta.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> values = cf.loop_functions(10.0, 10.0)
    >>> values._fields
    ('D0b', 'D1b', 'D00a_D00b', 'D11a_D11b', 'D001a_D001b', 'D00b')
    """

    D0b: float | Floats  #: D0b, (A1) [MeV⁻⁴]
    D1b: float | Floats  #: D1b, (A5) [MeV⁻⁴]
    D00a_D00b: float | Floats  #: D00a − D00b, (A2) [MeV⁻²]
    D11a_D11b: float | Floats  #: D11a − D11b, (A3) [MeV⁻⁴]
    D001a_D001b: float | Floats  #: D001a − D001b, (A4) [MeV⁻²]
    D00b: float | Floats  #: D00b, (A6) with its second mass read as m_χ [MeV⁻²]


@overload
def F_G(m_chi: float, m_zprime: float, m_q: float, variant: str = "corrected") -> float: ...
@overload
def F_G(m_chi: ArrayLike, m_zprime: ArrayLike, m_q: ArrayLike, variant: str = "corrected") -> float | Floats: ...
def F_G(
    m_chi: float | ArrayLike, m_zprime: float | ArrayLike, m_q: float | ArrayLike, variant: str = "corrected"
) -> float | Floats:
    """The two-loop neutrino-gluon function F_G for a heavy quark in the loop.

    CLLS Eqs. (A7)-(A13), already differentiated with respect to m_Z'² as (10) asks.

    Parameters
    ----------
    m_chi, m_zprime, m_q : float or array_like
        Masses of the new fermion, the mediator and the heavy quark [MeV]; they broadcast.
    variant : {"corrected", "published"}
        Sign of the third term of (A7). As printed (−4 m_q⁴) the heavy-quark limit of m_q² F_G is 24 D00b;
        corrected (+4 m_q⁴) it is 8 D00b, and the light-quark limit of F_G is −5 D0b.

    Returns
    -------
    float or ndarray
        F_G [MeV⁻⁴], relative error below 1e-14.

    Raises
    ------
    ValueError
        For a mass that is not positive and finite, masses more than a factor 1e30 apart, an unknown variant.

    Examples
    --------
    >>> F_G(10.0, 20.0, 4180.0)
    -2.0522066754...e-10
    >>> F_G(10.0, [20.0, 200.0], 1270.0, variant="published").shape
    (2,)
    """
    if isinstance(m_chi, float) and isinstance(m_zprime, float) and isinstance(m_q, float):
        value = fg.f_g_value(m_chi, m_zprime, m_q, variant) if variant in _VARIANTS else math.nan
        if math.isfinite(value):  # it is not for what is refused: below is said why
            return value
    name = _validate.choice("variant", variant, _VARIANTS)
    masses = _together(m_chi=m_chi, m_zprime=m_zprime, m_q=m_q)
    chi, zprime, quark = (np.ascontiguousarray(mass).reshape(-1) for mass in masses)
    result = fg.f_g(chi, zprime, quark, name)
    if not np.isfinite(result).all():
        i = int(np.isfinite(result).argmin())
        allowed = "within a factor 1e30 of each other" if np.isnan(result[i]) else "so large that F_G is a float64"
        raise ValueError(f"m_chi, m_zprime, m_q = {chi[i]}, {zprime[i]}, {quark[i]}: must be {allowed}")
    return _like(masses[0], result)


def loop_functions(m_chi: ArrayLike, m_zprime: ArrayLike, *, threads: int | None = None) -> LoopFunctions:
    """The six combinations of four-point functions that the one-loop box diagrams need, CLLS (A1)-(A6).

    Parameters
    ----------
    m_chi, m_zprime : float or array_like
        Masses of the new fermion and the mediator [MeV]; they broadcast.
    threads : int, optional
        Threads to use for 10,000 pairs of masses or more, below which they hardly save time; by default those of
        `get_num_threads`. Results do not depend on their number.

    Returns
    -------
    LoopFunctions
        Floats for scalars, else arrays; at least 14 digits at every mass ratio, equal masses included.

    Raises
    ------
    ValueError
        For a mass that is not positive and finite, or a number of threads that is none.

    Examples
    --------
    >>> loop_functions(10.0, 10.0).D0b  # 1/(2 m_Z'⁴) for equal masses
    5e-05
    >>> loop_functions([1.0, 10.0], 10.0).D00b.shape
    (2,)
    """
    kernels = load("cevns_fast._kernels.loop_functions")  # numba takes a while to import
    chi, zprime = _together(m_chi=m_chi, m_zprime=m_zprime)
    wanted = None if threads is None else checked(threads)
    n_threads = 1 if chi.size < _MANY else wanted or get_num_threads()
    if n_threads == 1:
        found = kernels.loop_functions(chi.ravel(), zprime.ravel())
    else:
        found = np.empty((chi.size, len(LoopFunctions._fields)))
        kernels.many_loop_functions(chi.ravel(), zprime.ravel(), found, threads=n_threads)
    return LoopFunctions(*(_like(chi, np.ascontiguousarray(column)) for column in found.T))


def _together(**masses: ArrayLike) -> Sequence[Floats]:
    """Masses, checked and broadcast."""
    arrays = {name: _positive(name, mass) for name, mass in masses.items()}
    try:
        return np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays.values())
        raise ValueError(f"{', '.join(arrays)}: have shapes {shapes}, must broadcast") from None


def _positive(name: str, value: ArrayLike) -> Floats:
    result = _validate.array(name, value)
    if not (result > 0).all():
        raise ValueError(f"{name} = {result[result <= 0].flat[0]!r}: must be finite and > 0")
    return result


def _like(shape_of: Floats, values: Floats) -> float | Floats:
    """`values` in the shape of the broadcast arguments; a float for scalars."""
    return values.reshape(shape_of.shape) if shape_of.ndim else float(values[0])
