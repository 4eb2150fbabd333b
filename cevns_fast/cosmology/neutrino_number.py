"""The effective number of neutrinos: its definition, and what a thermal MeV particle makes of it."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from cevns_fast import _validate as validate
from cevns_fast._support.scalars import scalar_or_array
from cevns_fast._validate import Floats

#: Masses of the table, MeV, and N_eff of a particle in equilibrium with neutrinos alone, by NUDEC_BSM: M. Escudero,
#: JCAP 05 (2020) 048, arXiv:2001.04466. The Standard Model has 3.045 there.
TABLE_MASSES: Final = (1.0, 2.0, 5.0, 10.0, 15.0)
TABLE: Final = {
    "dirac": (5.88, 5.57, 4.46, 3.46, 3.16),
    "majorana": (4.40, 4.25, 3.73, 3.25, 3.10),
    "scalar": (3.79, 3.69, 3.39, 3.15, 3.07),
    "Z'": (5.40, 5.09, 4.13, 3.36, 3.13),
}
TABLE_STANDARD_MODEL: Final = 3.045
#: N_eff of the cosmic microwave background and baryon oscillations with its error: Planck 2018, arXiv:1807.06209.
PLANCK: Final = 2.99, 0.17


def n_eff(particle: str, mass: ArrayLike) -> Floats:
    """N_eff with one further particle that was in equilibrium with neutrinos, and with them alone.

    Parameters
    ----------
    particle : {"dirac", "majorana", "scalar", "Z'"}
        A Dirac or Majorana fermion, a real scalar, or a vector.
    mass : array_like
        MeV, in [1, 15], the table's range.

    Returns
    -------
    float64
        A smooth curve through the table, in ln m.

    Raises
    ------
    ValueError
        If the particle is unknown, or a mass outside the table.

    Notes
    -----
    Valid only if the particle thermalises with neutrinos before they decouple, near 2 MeV, and decays or annihilates
    into them. For χ of `relic_density` this is so where N is in equilibrium at T ~ m; for S it always is, by S ↔ χν.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> float(cf.cosmology.n_eff("Z'", 5.0))
    4.13
    """
    values = TABLE[validate.choice("particle", particle, TABLE)]
    masses = validate.array("mass", mass)
    low, high = TABLE_MASSES[0], TABLE_MASSES[-1]
    bad = ~((masses >= low) & (masses <= high))
    if bad.any():
        raise ValueError(
            f"mass = {masses[bad].flat[0].item()!r}: must be in [{low:g}, {high:g}] MeV, the table's range"
        )
    curve = PchipInterpolator(np.log(TABLE_MASSES), np.log(np.array(values) - TABLE_STANDARD_MODEL))
    return scalar_or_array(np.asarray(TABLE_STANDARD_MODEL + np.exp(curve(np.log(masses)))))


def lightest_mass(particle: str, most: float = PLANCK[0] + 2 * PLANCK[1]) -> float:
    """Mass below which a thermal particle makes N_eff larger than `most`, MeV: an order of magnitude.

    Parameters
    ----------
    particle : str
        See `n_eff`.
    most : float
        Largest N_eff; Planck's at two sigma if left out.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the particle is unknown, or the answer outside the table.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> round(cf.cosmology.lightest_mass("dirac"), 1)
    11.5
    """
    values = np.array(TABLE[validate.choice("particle", particle, TABLE)])
    bound = validate.number("most", most)
    if not values[-1] <= bound <= values[0]:
        raise ValueError(f"most = {most!r}: must be in [{values[-1]:g}, {values[0]:g}], the table's range")
    grid = np.geomspace(TABLE_MASSES[0], TABLE_MASSES[-1], 2001)
    return float(np.exp(np.interp(-bound, -n_eff(particle, grid), np.log(grid))))


def n_eff_of_energies(rho_radiation: ArrayLike, rho_photons: ArrayLike, exponent: float = 4 / 3) -> Floats:
    """N_eff of energy densities: (8/7)(11/4)^(4/3) (ρ_rad − ρ_γ)/ρ_γ, Chao et al. 2021, Eq. (33).

    Parameters
    ----------
    rho_radiation, rho_photons : array_like
        Energy densities of all radiation and of photons, in one unit.
    exponent : float
        4/3; the paper prints 3, with which three neutrinos count as 16.

    Returns
    -------
    float64

    Examples
    --------
    >>> import cevns_fast as cf
    >>> three = 1 + 3 * (7 / 8) * (4 / 11) ** (4 / 3)
    >>> [round(float(cf.cosmology.n_eff_of_energies(three, 1.0, e)), 2) for e in (4 / 3, 3)]
    [3.0, 16.19]
    """
    photons = validate.array("rho_photons", rho_photons)
    if not (photons > 0).all():
        raise ValueError(f"rho_photons = {photons.min().item()!r}: must be > 0")
    others = validate.array("rho_radiation", rho_radiation) - photons
    result: Floats = 8 / 7 * (11 / 4) ** validate.number("exponent", exponent) * others / photons
    return result
