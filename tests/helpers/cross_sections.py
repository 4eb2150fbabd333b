"""Cross sections written by hand, as users write them: dσ/dT in MeV⁻³. New processes import them by name."""

import math

import numba as nb

G_FERMI = 1.1663787e-11  # MeV⁻², PDG 2022


def standard_model(E, T, nucleus, beam, p):
    """CLLS Eq. (22)."""
    (sin2,) = p
    charge = nucleus.Z * (0.5 - 2 * sin2) * nucleus.F_p - 0.5 * nucleus.N * nucleus.F_n
    shape = 2 - nucleus.M * T / E**2 - 2 * T / E + T**2 / E**2
    return G_FERMI**2 * nucleus.M / (2 * math.pi) * shape * charge**2


@nb.njit
def scalar(E, T, nucleus, beam, p):
    """BRX Eqs. (18) and (21), parameters m_chi, m_S, y_bar."""
    m, M = p[0], nucleus.M
    A = nucleus.Z * nucleus.F_p + nucleus.N * nucleus.F_n
    K = (1 + T / (2 * M)) * (M * T + m * m / 2) / E**2
    return M / (4 * math.pi) * p[2] ** 4 * A**2 * K / (2 * M * T + p[1] ** 2) ** 2


@nb.njit
def resonance(E, T, nucleus, beam, p):
    """No sum of powers: a resonance in the energy, parameters E_0, width, g."""
    A = nucleus.Z * nucleus.F_p + nucleus.N * nucleus.F_n
    return p[2] ** 2 * A**2 * nucleus.M / E**2 / ((E - p[0]) ** 2 + 0.25 * p[1] ** 2)


@nb.njit
def interference(E, T, nucleus, beam, p):
    """A second weak charge beside the first, with the interference: parameters sin²θ_W and g."""
    charge = nucleus.Z * (0.5 - 2 * p[0]) * nucleus.F_p - 0.5 * nucleus.N * nucleus.F_n
    new = p[1] * (nucleus.Z * nucleus.F_p + nucleus.N * nucleus.F_n)
    shape = 2 - nucleus.M * T / E**2 - 2 * T / E + T**2 / E**2
    return G_FERMI**2 * nucleus.M / (2 * math.pi) * shape * (2 * charge * new + new**2)


@nb.njit
def by_flavour(E, T, nucleus, beam, p):
    """What tells beams apart: parameters for ν_e, ν_μ, ν_τ, the last of them odd."""
    g = p[beam.flavour]
    return 1e-22 * (g if beam.flavour < 2 else 0.0) * (1 + 0.5 * beam.sign)


def raises(E, T, nucleus, beam, p):
    """Not everywhere defined."""
    if E > 40.0:
        raise ValueError("no such energy")
    return 1e-20 * p[0]


def not_finite(E, T, nucleus, beam, p):
    """NaN above 40 MeV."""
    return 1e-20 * math.sqrt(40.0 - E)


def returns_complex(E, T, nucleus, beam, p):
    """Not a real number."""
    return 1j * E


def has_no_charge(E, T, nucleus, beam, p):
    """An attribute that there is none of."""
    return nucleus.charge


def square_root(E, T, nucleus, beam, p):
    """No polynomial in its parameter."""
    return 1e-20 * math.sqrt(abs(p[0]))
