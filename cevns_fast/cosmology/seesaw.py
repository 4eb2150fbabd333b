"""χ as a source of neutrino mass: Brdar, Rodejohann & Xu 2018 (BRX), Sec. III.

One active neutrino ν_e, χ and a heavier N_R with the symmetric mass matrix (35). Its eigenvalues span up to 24 decades:
no eigensolver in double precision keeps the light one, a fixed point does, and mixings are computed in as many digits
as they need.
"""

import cmath
import math
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import NEUTRAL_HIGGS_VEV
from cevns_fast.interactions.scalar_mediator import ScalarMediator
from cevns_fast.parallel.once import once

#: Relative change at which the fixed point has ended; it contracts by (m_ν/m_χ) or so at each step.
_CLOSE = 4e-16
_MOST_STEPS = 60
_SMALL = 1e-2  # squared mixings up to which the fixed point is used


class Shares(NamedTuple):
    """What the light neutrino's mass comes from, BRX Eq. (44).

    Attributes
    ----------
    chi, N : float
        x and 1 − x.
    mixed : float
        The rest, if χ and N mix (M₁).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> shares = cf.cosmology.Seesaw(y1=10**-7.25, y2=9.087e-9, y3=1.0, m_chi=5.0, M_N=1000.0).shares
    >>> round(shares.chi, 2), round(shares.N, 2)
    (0.84, 0.16)
    """

    chi: float
    N: float
    mixed: float


@dataclass(frozen=True)
class Seesaw:
    """The type-I seesaw of ν_e with χ and N_R.

    Attributes
    ----------
    y1, y2, y3 : float or complex
        Yukawa couplings of N_R, of χ to the lepton doublet, and of S to χ and N_R.
    m_chi, M_N : float
        Majorana masses of χ and N_R, MeV, > 0.
    M1 : float or complex
        Dirac mass between χ and N_R, MeV.

    Raises
    ------
    ValueError
        If a number is not finite or a mass not positive.

    Notes
    -----
    V. Brdar, W. Rodejohann and X.-J. Xu, JHEP 12 (2018) 024, arXiv:1810.03626, Eqs. (34)-(44), v = 174 GeV. `mixing`
    and, for complex couplings or large mixing, `masses` need mpmath: ``pip install "cevns_fast[reference]"``.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> point = cf.cosmology.Seesaw(y1=10**-7.25, y2=9.087e-9, y3=1.0, m_chi=5.0, M_N=1000.0)
    >>> print(f"{point.masses[0] * 1e6:.4f} eV, y_chi = {point.y_chi:.2e}")
    0.5957 eV, y_chi = 9.78e-06
    >>> point.eigenvalues[1:].round(3).tolist()  # signs tell CP parities
    [5.0, 1000.0]
    >>> f"{point.theta_chi:.2e} {point.theta_N:.2e}"
    '3.16e-04 9.78e-06'
    >>> round(point.shares.chi, 2)
    0.84
    >>> round(float(abs(point.mixing[0, 1]) / point.theta_chi), 3)
    1.0
    """

    y1: complex
    y2: complex
    y3: complex
    m_chi: float
    M_N: float
    M1: complex = 0.0

    def __post_init__(self) -> None:
        for name in ("y1", "y2", "y3", "M1"):
            validate.coupling(name, getattr(self, name))
        for name in ("m_chi", "M_N"):
            validate.number(name, getattr(self, name), positive=True)

    @property
    def matrix(self) -> NDArray[np.complex128]:
        """The mass matrix (35) in the basis ν_e, χ, N_R [MeV]."""
        d2, d1 = self.y2 * NEUTRAL_HIGGS_VEV, self.y1 * NEUTRAL_HIGGS_VEV
        return np.array([[0.0, d2, d1], [d2, self.m_chi, self.M1], [d1, self.M1, self.M_N]], dtype=np.complex128)

    @once
    def masses(self) -> Floats:
        """Masses of the three Majorana neutrinos [MeV], >= 0, the lightest first; float64[3]."""
        eigenvalues = self.eigenvalues
        if eigenvalues is not None:
            return np.sort(np.abs(eigenvalues))
        return self._takagi[0]

    @once
    def eigenvalues(self) -> Floats | None:
        """The masses with the signs of the matrix's eigenvalues where all of it is real: float64[3], or None."""
        if not self._is_real:
            return None
        found = self._fixed_point()
        if found is None:
            signs = np.where(np.abs(self._takagi[1].imag).max(axis=0) > 0, -1.0, 1.0)
            return signs * self._takagi[0]
        return found

    @property
    def mixing(self) -> NDArray[np.complex128]:
        """U of ν_e, χ^c, N^c (rows) in mass eigenstates: U^T M U is diagonal and positive; complex128[3, 3].

        A column is i times a real one where the matrix's eigenvalue is negative (Takagi's phases). ``abs(U[0])`` are
        ``|U_e1|``, ``|U_e4|``, ``|U_e5|``.
        """
        return self._takagi[1]

    @once
    def shares(self) -> Shares:
        """Relative contributions of χ, of N_R and of M₁ to the mass of the light neutrino; their sum is 1.

        Raises
        ------
        ValueError
            If the light neutrino has no mass.
        """
        d2, d1 = complex(self.y2) * NEUTRAL_HIGGS_VEV, complex(self.y1) * NEUTRAL_HIGGS_VEV
        light = self.eigenvalues[0] if self.eigenvalues is not None else 0.0
        chi, N, M1 = self.m_chi - light, self.M_N - light, complex(self.M1)
        terms = d2 * d2 * N, d1 * d1 * chi, -2 * d1 * d2 * M1  # of dᵀ(D − λ)⁻¹d, over its determinant
        total = sum(terms)
        if total == 0:
            raise ValueError(f"y1 = {self.y1!r}, y2 = {self.y2!r}: no share of a mass that is zero")
        return Shares(*((term / total).real for term in terms))

    @property
    def y_chi(self) -> float:
        """Coupling of S to χ and ν_e, v ``|y₁y₃|``/M_N, BRX Eq. (39)."""
        return abs(self.y1 * self.y3) * NEUTRAL_HIGGS_VEV / self.M_N

    @property
    def theta_chi(self) -> float:
        """Mixing angle of ν_e and χ, v ``|y₂|``/m_χ."""
        return abs(self.y2) * NEUTRAL_HIGGS_VEV / self.m_chi

    @property
    def theta_N(self) -> float:
        """Mixing angle of ν_e and N_R, v ``|y₁|``/M_N, BRX Eq. (40)."""
        return abs(self.y1) * NEUTRAL_HIGGS_VEV / self.M_N

    def scalar_mediator(self, m_S: float, y_N_per_A: float | None = None) -> ScalarMediator:
        """The interaction νN → χN of this point, BRX Eq. (38).

        Parameters
        ----------
        m_S : float
            Mass of S, MeV.
        y_N_per_A : float, optional
            Coupling of S to a nucleon, y_N/A; as large as y_χ if left out, BRX's assumption.

        Returns
        -------
        ScalarMediator

        Examples
        --------
        >>> import cevns_fast as cf
        >>> point = cf.cosmology.Seesaw(y1=1e-7, y2=0.0, y3=1.0, m_chi=5.0, M_N=1000.0)
        >>> scalar = point.scalar_mediator(m_S=10.0)
        >>> counts = cf.event_rate(cf.load("coherent-csi-2017"), scalar)
        """
        nucleon = self.y_chi if y_N_per_A is None else validate.number("y_N_per_A", y_N_per_A)
        return ScalarMediator(self.m_chi, m_S, y_chi=self.y_chi, y_n=nucleon, y_p=nucleon)

    @property
    def _is_real(self) -> bool:
        return all(complex(getattr(self, name)).imag == 0 for name in ("y1", "y2", "M1"))

    def _fixed_point(self) -> Floats | None:
        """Eigenvalues by λ = −dᵀ(D − λ)⁻¹d and the two others' sum and product; None if that loses digits."""
        d2, d1, M1 = (complex(x).real for x in (self.y2 * NEUTRAL_HIGGS_VEV, self.y1 * NEUTRAL_HIGGS_VEV, self.M1))
        chi, N = self.m_chi, self.M_N
        if max(d2 * d2 / chi**2, d1 * d1 / N**2, M1 * M1 / (chi * N), d1 * d1 / (chi * N)) > _SMALL:
            return None
        light = 0.0
        for _ in range(_MOST_STEPS):
            a, b = chi - light, N - light
            value = -(d2 * d2 * b + d1 * d1 * a - 2 * d1 * d2 * M1) / (a * b - M1 * M1)
            if abs(value - light) <= _CLOSE * abs(value):
                break
            light = value
        else:
            return None
        total = chi + N - value
        product = chi * N - M1 * M1 - d1 * d1 - d2 * d2 - value * total
        discriminant = total * total - 4 * product
        if discriminant < (_SMALL * total) ** 2:
            return None
        high = (total + math.sqrt(discriminant)) / 2
        return np.array([value, product / high, high])

    @once
    def _takagi(self) -> tuple[Floats, NDArray[np.complex128]]:
        """Masses and U, in as many digits as the hierarchy needs.

        M = A + iB has the Takagi vectors u of the real symmetric [[A, −B], [−B, −A]], whose eigenvectors to the
        eigenvalues m >= 0 are (Re u, Im u): M u = m u*.
        """
        mp = _mpmath()
        d2, d1 = abs(self.y2) * NEUTRAL_HIGGS_VEV, abs(self.y1) * NEUTRAL_HIGGS_VEV
        light = max(d2 * d2 / self.m_chi, d1 * d1 / self.M_N)
        smallest = min(x for x in (light, d1, d2, abs(self.M1), self.m_chi, self.M_N) if x > 0)
        digits = 30 + 2 * math.ceil(max(0.0, math.log10(max(self.M_N, self.m_chi) / smallest)))
        with mp.workdps(digits):
            v = mp.mpf(NEUTRAL_HIGGS_VEV)
            y1, y2, M1 = (mp.mpmathify(x) for x in (self.y1, self.y2, self.M1))
            M = mp.matrix([[0, y2 * v, y1 * v], [y2 * v, self.m_chi, M1], [y1 * v, M1, self.M_N]])
            doubled = mp.matrix(6, 6)
            for i in range(3):
                for j in range(3):
                    doubled[i, j], doubled[i + 3, j + 3] = mp.re(M[i, j]), -mp.re(M[i, j])
                    doubled[i, j + 3] = doubled[i + 3, j] = -mp.im(M[i, j])
            values, vectors = mp.eigsy(doubled)  # ascending: the last three are the masses
            masses = np.array([float(max(values[3 + k], 0)) for k in range(3)])
            U = np.array([
                [complex(vectors[i, 3 + k], vectors[i + 3, 3 + k]) for k in range(3)] for i in range(3)
            ])  # fmt: skip
        for k in range(3):  # the sign of a column is free: its largest entry has a phase in (−π/2, π/2]
            if not -math.pi / 2 < cmath.phase(U[np.argmax(np.abs(U[:, k])), k]) <= math.pi / 2:
                U[:, k] *= -1
        masses.setflags(write=False)
        U.setflags(write=False)
        return masses, U


def seesaw_limit(y_bar: float | Floats, M_N: float | Floats, y3: float = 1.0, y_N_per_A: float | None = None) -> Floats:
    """Largest y₁ that a limit on ȳ allows: BRX Eqs. (38) and (41) read as a line in the seesaw's parameters.

    Parameters
    ----------
    y_bar : array_like
        Limit on ȳ, e.g. `LimitCurve.upper`.
    M_N : array_like
        Mass of N_R, MeV.
    y3 : float
        Coupling of S to χ and N_R.
    y_N_per_A : float, optional
        Coupling of S to a nucleon; as large as y_χ if left out.

    Returns
    -------
    float64
        ȳ² M_N A/(y_N v y₃), or ȳ M_N/(v y₃).

    Examples
    --------
    >>> import cevns_fast as cf
    >>> f"{1e3 / float(cf.cosmology.seesaw_limit(1e-5, M_N=1e3)):.2e}"  # M_N/y₁ in MeV: 1.74e7 GeV
    '1.74e+10'
    """
    limit = validate.array("y_bar", y_bar, minimum=0.0)
    mass = validate.array("M_N", M_N, minimum=0.0)
    strength = validate.number("y3", y3, positive=True)
    y_chi = limit if y_N_per_A is None else limit**2 / validate.number("y_N_per_A", y_N_per_A, positive=True)
    return y_chi * mass / (NEUTRAL_HIGGS_VEV * strength)


def _mpmath() -> ModuleType:
    try:
        import mpmath
    except ImportError as error:
        raise ImportError('mixings of the seesaw need mpmath: pip install "cevns_fast[reference]"') from error
    module: Any = mpmath
    return module  # type: ignore[no-any-return]
