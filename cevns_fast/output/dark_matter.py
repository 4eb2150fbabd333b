"""χ in the laboratory and in the universe: one plane of its mass and coupling with everything that is known of both.

Bounds from recoils and the relic density are computed; regions from N_eff and from SN 1987A are orders of magnitude and
combined with nothing.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.constants import AGE_OF_UNIVERSE, G_FERMI, OMEGA_DARK_MATTER_H2
from cevns_fast.cosmology import estimates
from cevns_fast.cosmology.abundance import MOST_Y_CHI
from cevns_fast.cosmology.abundance_plane import relic_plane
from cevns_fast.cosmology.decays import DIPOLE_CHANNEL, decay_widths, maximal_mixing
from cevns_fast.cosmology.neutrino_number import lightest_mass
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.inference.limits import limit_scan
from cevns_fast.interactions.matching import BOHR_MAGNETON
from cevns_fast.interactions.scalar_mediator import ScalarMediator
from cevns_fast.interactions.singlet_eft import HIGGS_VEV, SingletEFT
from cevns_fast.output.tables import Sheet

#: Factors by which entropy must dilute χ.
DILUTIONS: Final = (1.0, 1e2, 1e4)
#: Light neutrino masses of the seesaw's bands [MeV].
NEUTRINO_MASSES: Final = (0.01e-6, 0.1e-6)
#: Masses of N_R that Brdar et al. find viable [MeV], y₃ = 1.
N_MASSES: Final = (10.0, 1000.0)


def scalar_plane(
    experiments: Sequence[Experiment], masses: Floats, ratio: float = 3.0, reading: str = "majorana", threads: int = 1
) -> Sheet:
    """χ and S with m_S = `ratio` m_χ and y_N/A = y_χ, so that ȳ = y_χ.

    Parameters
    ----------
    experiments : sequence of Experiment
        Each has its own bound, 90% CL.
    masses : float64[n]
        m_χ, MeV.
    ratio : float
        m_S/m_χ, > 1.
    reading : str
        What χ is, see `relic_density`.
    threads : int

    Returns
    -------
    Sheet
        Over m_χ: bounds on ȳ, the y_χ of the observed dark matter without and with dilution, the seesaw's band, the
        largest mixing of a χ as old as the universe, and the supernova's band.

    Raises
    ------
    ValueError
        If S is not heavier than χ, or as `relic_density`.
    """
    if not validate.number("ratio", ratio, positive=True) > 1:
        raise ValueError(f"ratio = {ratio!r}: must be > 1, otherwise χ decays into S and a neutrino")
    batch = [ScalarMediator(m, ratio * m) for m in masses.tolist()]
    couplings = np.geomspace(1e-6, 0.999 * MOST_Y_CHI, 140)
    omega = relic_plane(masses, ratio * masses, couplings, reading, threads=threads)
    majorana = reading.startswith("majorana")
    stable = [maximal_mixing(m, majorana=majorana) for m in masses.tolist()]
    seesaw = [np.sqrt(NEUTRINO_MASSES[1] / M_N) for M_N in N_MASSES]  # y_χ = y₃ (m_ν/M_N)^½, BRX (39) and (42)
    low, high = estimates.supernova_scalar(ratio * masses)
    thermal = lightest_mass("majorana" if majorana else "dirac")
    return Sheet(
        {
            "m_chi": masses,
            **_bounds(experiments, batch, "y_bar"),
            **{f"dilution {factor:g}": _crossing(couplings, omega, factor) for factor in DILUTIONS},
            "seesaw low": np.full(masses.size, min(seesaw)),
            "seesaw high": np.full(masses.size, max(seesaw)),
            "largest mixing": np.array(stable),
            "supernova low": low,
            "supernova high": high,
            "N_eff low": np.where(masses < thermal, estimates.thermal_scalar(ratio * masses), np.nan),
        },
        {
            "plane": f"m_S = {ratio:g} m_chi, y_N/A = y_chi; {reading}",
            "columns": "m_chi [MeV]; largest y_bar of each experiment, 90% CL; y_chi of Omega h2 = "
            f"{OMEGA_DARK_MATTER_H2:g} after entropy has diluted chi by that factor, nan: none",
            "seesaw": f"y_3 = 1, m_nu = 0.1 eV, M_N = {N_MASSES[0]:g} to {N_MASSES[1]:g} MeV",
            "largest mixing": "of nu_e and chi, for a lifetime of 13.787 Gyr",
            "orders of magnitude": "supernova: chi escapes with the energy of SN 1987A; N_eff > 3.33 where chi has "
            "thermalised; neither is part of any bound",
        },
    )


def dipole_plane(experiments: Sequence[Experiment], masses: Floats, majorana: bool = False) -> Sheet:
    """χ with a magnetic dipole |a_M|, left-handed neutrinos.

    Below T_QCD = 200 MeV a dipole too weak for equilibrium fills χ in mostly at the start: that gives a rough line of
    the right relic density. It lies far above the line of stability: such a χ has decayed long before today.

    Parameters
    ----------
    experiments : sequence of Experiment
    masses : float64[n]
        m_χ, MeV.
    majorana : bool

    Returns
    -------
    Sheet
        Over m_χ: bounds on ``|a_M|``, dipoles of a lifetime of 13.787 Gyr and of 1 s, the dipole that mixing gives a χ
        which makes the neutrino's mass, and the supernova's band.
    """
    batch = [SingletEFT(m, helicity="left") for m in masses.tolist()]
    unit = np.array([decay_widths(m, a_M=1.0, majorana=majorana)[DIPOLE_CHANNEL] for m in masses.tolist()])
    per_mixing = np.array([decay_widths(m, 1.0, majorana=majorana)["nu-gamma"] for m in masses.tolist()])
    seesaw = [np.sqrt(per_mixing / unit * m_nu / masses) for m_nu in NEUTRINO_MASSES]  # θ² = m_ν/m_χ
    low, high = estimates.supernova_dipole()
    thermal = lightest_mass("majorana" if majorana else "dirac")
    return Sheet(
        {
            "m_chi": masses,
            **_bounds(experiments, batch, "a_M"),
            "stable": np.sqrt(1 / (AGE_OF_UNIVERSE * unit)),
            "one second": np.sqrt(1 / unit),
            "freeze-in": estimates.freeze_in_dipole(masses),
            "seesaw low": seesaw[0],
            "seesaw high": seesaw[1],
            "supernova low": np.full(masses.size, low),
            "supernova high": np.full(masses.size, high),
            "N_eff low": np.where(masses < thermal, estimates.thermal_dipole(masses), np.nan),
        },
        {
            "plane": f"dipole a_M, {'Majorana' if majorana else 'Dirac'}, left-handed neutrinos; "
            f"1 is {G_FERMI * HIGGS_VEV / BOHR_MAGNETON:.4e} Bohr magnetons",
            "columns": "m_chi [MeV]; largest |a_M| of each experiment, 90% CL; |a_M| of a lifetime of 13.787 Gyr, 1 s",
            "freeze-in": "rough: |a_M| of Omega h2 = 0.12 from T = 200 MeV, were chi stable; it goes with its square",
            "seesaw": "the dipole of chi that mixes with theta^2 = m_nu/m_chi, m_nu = 0.01 to 0.1 eV",
            "orders of magnitude": "supernova: chi escapes with the energy of SN 1987A; N_eff > 3.33 where chi has "
            "thermalised; neither is part of any bound",
        },
    )


def _bounds(
    experiments: Sequence[Experiment], batch: Sequence[ScalarMediator | SingletEFT], coupling: str
) -> dict[str, Floats]:
    """Bounds by the experiments' names."""
    return {f"bound {each.name}": limit_scan(each, batch, coupling, cl=0.90).upper for each in experiments}


def _crossing(couplings: Floats, omega: Floats, dilution: float) -> Floats:
    """The largest coupling at which Ω h² is that of dark matter times the dilution; NaN if there is none."""
    excess = np.log(omega / (OMEGA_DARK_MATTER_H2 * dilution))
    found = np.full(omega.shape[0], np.nan)
    for i, row in enumerate(excess):
        falls = np.flatnonzero((row[:-1] > 0) & (row[1:] <= 0))
        if falls.size:
            j = falls[-1]
            part = row[j] / (row[j] - row[j + 1])
            found[i] = couplings[j] * (couplings[j + 1] / couplings[j]) ** part
    return found
