"""Orders of magnitude of couplings of χ: in supernovae, in equilibrium with neutrinos, made without equilibrium.

They are for hatched regions of figures and part of no bound. Dipoles are ``|a_M|`` of left-handed neutrinos.
"""

from typing import Final

import numpy as np

from cevns_fast._validate import Floats
from cevns_fast.constants import ALPHA, G_FERMI, OMEGA_DARK_MATTER_H2
from cevns_fast.cosmology.boltzmann import OMEGA_PER_MEV
from cevns_fast.cosmology.expansion import hubble
from cevns_fast.cosmology.radiation import degrees_of_freedom
from cevns_fast.interactions.singlet_eft import HIGGS_VEV

#: Neutrinos in a supernova's core [MeV]; cross sections over the neutrino's between which χ escapes with its energy:
#: from one collision in ten seconds of flight, against a mean free path of metres, to being trapped like a neutrino.
SUPERNOVA_ENERGY: Final = 100.0
SUPERNOVA_RANGE: Final = (1e-9, 1.0)
NEUTRINO_DECOUPLING: Final = 2.0  # MeV


def supernova_scalar(m_S: Floats) -> tuple[Floats, Floats]:
    """Smallest and largest ȳ with which χ takes the energy of SN 1987A away."""
    # the same momentum transfer and charges as a neutrino's: ȳ²/(q² + m_S²) against G_F
    trapped = np.sqrt(G_FERMI * (SUPERNOVA_ENERGY**2 + m_S**2))
    low, high = (trapped * part**0.25 for part in SUPERNOVA_RANGE)
    return low, high


def supernova_dipole() -> tuple[float, float]:
    """Smallest and largest dipole with which χ takes the energy of SN 1987A away."""
    # α μ² against G_F²E²/π
    trapped = G_FERMI * SUPERNOVA_ENERGY / np.sqrt(np.pi * ALPHA) / (G_FERMI * HIGGS_VEV)
    low, high = (float(trapped * part**0.5) for part in SUPERNOVA_RANGE)
    return low, high


def thermal_scalar(m_S: Floats) -> Floats:
    """y_χ from which on S ↔ χν is as fast as space expands at T = m_S: y²m_S/8π against H."""
    return np.asarray(np.sqrt(8 * np.pi * hubble(m_S) / m_S))


def thermal_dipole(m_chi: Floats) -> Floats:
    """Dipole from which on α μ² T³ exceeds H at T = max(m, 2 MeV), where neutrinos decouple."""
    T = np.maximum(m_chi, NEUTRINO_DECOUPLING)
    return np.asarray(np.sqrt(hubble(T) / (ALPHA * T**3)) / (G_FERMI * HIGGS_VEV))


def freeze_in_dipole(m_chi: Floats, T: float = 200.0) -> Floats:
    """Dipole with which as much χ as there is dark matter is made at T: Y = Y_eq α μ² T³/H, relativistic, g = 2."""
    at = np.array([T])
    equilibrium = 45 * 2 * 2 / (4 * np.pi**4 * degrees_of_freedom(at).g_s)
    wanted = OMEGA_DARK_MATTER_H2 / (OMEGA_PER_MEV * m_chi)
    moment = np.sqrt(wanted / equilibrium * hubble(at) / (ALPHA * T**3))
    return np.asarray(moment / (G_FERMI * HIGGS_VEV))
