"""How long χ lives: decays through mixing with neutrinos and through a dipole."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import (
    AGE_OF_UNIVERSE,
    ALPHA,
    G_FERMI,
    HBAR,
    M_ELECTRON,
    M_MUON,
    SIN2_THETA_W,
    SPEED_OF_LIGHT,
)
from cevns_fast.interactions.process import FLAVOURS

#: Channels of a χ that mixes, and the decay through a dipole.
MIXING_CHANNELS: Final = ("3nu", "nu-e-e", "nu-gamma")
DIPOLE_CHANNEL: Final = "nu-gamma-dipole"


@dataclass(frozen=True)
class DecayWidths(Mapping[str, float]):
    """Widths of χ by channel, 1/s.

    A mapping from "3nu", "nu-e-e", "nu-gamma" (mixing) and "nu-gamma-dipole" to widths.

    Attributes
    ----------
    m_chi : float
        MeV.
    by_channel : dict of str to float

    Examples
    --------
    >>> import cevns_fast as cf
    >>> widths = cf.cosmology.decay_widths(5.0, mixing={"e": 1e-4})
    >>> list(widths), round(widths["3nu"] / widths.total, 2)
    (['3nu', 'nu-e-e', 'nu-gamma', 'nu-gamma-dipole'], 0.66)
    >>> f"{widths.lifetime:.2e} s, {float(widths.decay_length(10.0)):.2e} m"
    '6.08e+08 s, 3.16e+17 m'
    >>> f"{float(widths.decay_probability(10.0, length=20.0)):.1e}"
    '6.3e-17'
    """

    m_chi: float
    by_channel: Mapping[str, float]

    def __getitem__(self, channel: str) -> float:
        return self.by_channel[channel]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_channel)

    def __len__(self) -> int:
        return len(self.by_channel)

    @property
    def total(self) -> float:
        """Total width, 1/s."""
        return math.fsum(self.by_channel.values())

    @property
    def lifetime(self) -> float:
        """Lifetime at rest, s; inf for a stable χ."""
        return 1 / self.total if self.total > 0 else math.inf

    def decay_length(self, E: ArrayLike) -> Floats:
        """Mean flight path pτ/m, m, at the energies E > m_χ, MeV."""
        energy = validate.array("E", E)
        if not (energy > self.m_chi).all():
            raise ValueError(f"E = {energy.min().item()!r}: must be > m_chi = {self.m_chi!r}")
        momentum = np.sqrt((energy - self.m_chi) * (energy + self.m_chi))
        return momentum / self.m_chi * (SPEED_OF_LIGHT * self.lifetime)

    def decay_probability(self, E: ArrayLike, length: ArrayLike) -> Floats:
        """Probability to decay within `length`, m, at the energies E, MeV: 1 − exp(−L m Γ/p)."""
        return -np.expm1(-validate.array("length", length, minimum=0.0) / self.decay_length(E))


def decay_widths(
    m_chi: float,
    mixing: float | Mapping[str, float] = 0.0,
    a_M: complex = 0.0,
    majorana: bool = False,
    helicity: str = "left",
    sin2_theta_w: float = SIN2_THETA_W,
) -> DecayWidths:
    """Widths of χ → 3ν, νe⁺e⁻ and νγ.

    Parameters
    ----------
    m_chi : float
        Mass, MeV, > 0; with mixing below m_μ + m_e, where decays into muons open.
    mixing : float or dict of str to float
        Mixing angle θ with ν_e, or one for each of "e", "mu", "tau": widths add up as θ².
    a_M : complex
        Magnetic dipole of `SingletEFT`.
    majorana : bool
        Whether χ is its own antiparticle: all widths are twice those of a Dirac χ.
    helicity : {"left", "summed"}
        Whether a_M couples χ to left-handed neutrinos, or to both helicities.
    sin2_theta_w : float
        Weak mixing angle of νe⁺e⁻, in [0, 1].

    Returns
    -------
    DecayWidths

    Raises
    ------
    ValueError
        If a number is not finite or not in its range, or a flavour is unknown.

    Notes
    -----
    Γ(3ν) = G_F² m⁵ θ²/192π³ and Γ(νγ) = 9 α G_F² m⁵ θ²/512π⁴ for one Dirac χ: P. B. Pal and L. Wolfenstein, Phys.
    Rev. D 25 (1982) 766. Γ(νe⁺e⁻): A. Atre, T. Han, S. Pascoli and B. Zhang, JHEP 05 (2009) 030, arXiv:0901.3589,
    App. C. Dipole: Γ = μ² m³/16π with μ = G_F v_H ``|a_M|``. Mixing and dipole do not interfere here.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> widths = cf.cosmology.decay_widths(5.0, mixing=1e-4)
    >>> print(f"{widths['3nu']:.6g} {widths['nu-gamma']:.6g} {widths['nu-e-e'] / widths['3nu']:.3f}")
    1.08496e-09 8.50554e-12 0.509
    >>> dipole = cf.cosmology.decay_widths(40.0, a_M=1e-8 / 9.692252e-6)  # 1e-8 Bohr magnetons
    >>> print(f"{float(dipole.decay_probability(E=50.0, length=0.3)):.3f}")
    0.022
    """
    mass = validate.number("m_chi", m_chi, positive=True)
    squares = _squared_mixings(mixing)
    dipole = validate.coupling("a_M", a_M)
    if not isinstance(majorana, bool | np.bool_):
        raise ValueError(f"majorana = {majorana!r}: must be True or False")
    states = 2.0 if validate.choice("helicity", helicity, ("left", "summed")) == "summed" else 1.0
    if any(squares.values()) and mass >= M_MUON + M_ELECTRON:
        raise ValueError(f"m_chi = {m_chi!r}: must be < m_mu + m_e = {M_MUON + M_ELECTRON:.2f} with mixing")
    s2 = validate.number("sin2_theta_w", sin2_theta_w, minimum=0.0)
    if s2 > 1:
        raise ValueError(f"sin2_theta_w = {sin2_theta_w!r}: must be from 0 to 1")
    unit = G_FERMI**2 * mass**5 / (192 * math.pi**3)  # MeV
    total = sum(squares.values())
    v_H = (math.sqrt(2) * G_FERMI) ** -0.5
    widths = {
        "3nu": unit * total,
        "nu-e-e": unit * sum(square * _electron_pairs(mass, flavour, s2) for flavour, square in squares.items()),
        "nu-gamma": unit * total * 27 * ALPHA / (8 * math.pi),
        DIPOLE_CHANNEL: states * (G_FERMI * v_H * abs(dipole)) ** 2 * mass**3 / (16 * math.pi),
    }
    factor = (2.0 if majorana else 1.0) / HBAR
    return DecayWidths(mass, {channel: factor * width for channel, width in widths.items()})


def maximal_mixing(
    m_chi: float,
    lifetime: float = AGE_OF_UNIVERSE,
    flavour: str = "e",
    majorana: bool = False,
    channels: Iterable[str] = MIXING_CHANNELS,
) -> float:
    """Largest mixing angle with which χ lives as long as `lifetime`.

    Parameters
    ----------
    m_chi : float
        Mass, MeV.
    lifetime : float
        Seconds; the age of the universe, 13.787 Gyr, if left out.
    flavour : {"e", "mu", "tau"}
    majorana : bool
    channels : iterable of str
        What counts as decay, of "3nu", "nu-e-e" and "nu-gamma".

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As `decay_widths`, or if a channel is unknown.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> f"{cf.cosmology.maximal_mixing(5.0, 4.0e17, channels=['3nu']):.3e}"  # Brdar et al. print 4.8e-9
    '4.800e-09'
    """
    age = validate.number("lifetime", lifetime, positive=True)
    flavour = validate.choice("flavour", flavour, FLAVOURS)
    widths = decay_widths(m_chi, {flavour: 1.0}, majorana=majorana)
    named = [validate.choice("channels", channel, MIXING_CHANNELS) for channel in channels]
    if not named:
        raise ValueError(f"channels = []: must name at least one of {', '.join(map(repr, MIXING_CHANNELS))}")
    return math.sqrt(1 / (age * math.fsum(widths[channel] for channel in dict.fromkeys(named))))


def _squared_mixings(mixing: float | Mapping[str, float]) -> dict[str, float]:
    """θ² by flavour."""
    angles = mixing if isinstance(mixing, Mapping) else {"e": mixing}
    result = {}
    for flavour, angle in angles.items():
        validate.choice("mixing", flavour, FLAVOURS)
        theta = validate.number(f"mixing of {flavour}", angle, minimum=0.0)
        if theta > 1:
            raise ValueError(f"mixing of {flavour} = {angle!r}: must be in [0, 1]")
        result[flavour] = theta**2
    return result


def _electron_pairs(m_chi: float, flavour: str, s2: float) -> float:
    """Γ(νe⁺e⁻)/Γ(3ν) for mixing with one flavour: Atre et al., Eqs. (C.10), (C.13), (B.13)."""
    x2 = (M_ELECTRON / m_chi) ** 2
    if 4 * x2 >= 1:
        return 0.0
    g_L, g_R = (0.5 + s2 if flavour == "e" else -0.5 + s2), s2  # the charged current adds one to g_L
    root = math.sqrt(1 - 4 * x2)
    # (1 − 3x² − (1 − x²)β)/(x²(1 + β)) without its cancellation: the numerator is 4x⁶/(1 − 3x² + (1 − x²)β)
    log = math.log(4 * x2 * x2 / ((1 + root) * (1 - 3 * x2 + (1 - x2) * root)))
    vector = (1 - 14 * x2 - 2 * x2**2 - 12 * x2**3) * root + 12 * x2**2 * (x2**2 - 1) * log
    mixed = x2 * (2 + 10 * x2 - 12 * x2**2) * root + 6 * x2**2 * (1 - 2 * x2 + 2 * x2**2) * log
    return (g_L**2 + g_R**2) * vector + 4 * g_L * g_R * mixed
