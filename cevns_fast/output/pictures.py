"""Small pictures of objects for a notebook's tables, of what has to be computed for them."""

import numpy as np

from cevns_fast._support import shown
from cevns_fast.counts.spectrum import differential_cross_section
from cevns_fast.interactions.process import Interaction
from cevns_fast.nuclear.kinematics import largest_recoil
from cevns_fast.nuclear.nuclei import nuclide


def cross_section(interaction: Interaction, energy: float = 30.0) -> str:
    """SVG: dσ/dT of an interaction on caesium, at a typical energy (MeV) of a spallation source."""
    caesium = nuclide("Cs133")
    T = np.geomspace(1e-3, 1.0, 80) * largest_recoil(energy, caesium.mass)
    try:
        values = np.asarray(differential_cross_section(interaction, caesium, energy, T), dtype=float)
    except (ValueError, NotImplementedError):  # it has none there
        return ""
    if not np.any(values > 0):
        return ""
    positive = np.where(values > 0, values, np.nan)
    return shown.curves(T, f"dσ/dT on Cs-133, {energy:g} MeV, logarithmic", ("", positive), log=True)
