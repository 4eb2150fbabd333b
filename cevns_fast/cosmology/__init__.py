"""What χ is beyond the recoil: relic density, neutrino mass, decay, mixing, N_eff.

Masses and temperatures are in MeV, ⟨σv⟩ in MeV⁻², widths per second.
"""

from cevns_fast.cosmology.abundance import relic_density, relic_systematics, thermal_relic
from cevns_fast.cosmology.abundance_plane import relic_plane
from cevns_fast.cosmology.boltzmann import RelicDensity
from cevns_fast.cosmology.decays import DecayWidths, decay_widths, maximal_mixing
from cevns_fast.cosmology.mixing import ZWidthBound, loop_dipole, mixing_bound, z_width_bound
from cevns_fast.cosmology.neutrino_number import lightest_mass, n_eff, n_eff_of_energies
from cevns_fast.cosmology.radiation import DegreesOfFreedom, degrees_of_freedom
from cevns_fast.cosmology.seesaw import Seesaw, Shares, seesaw_limit
from cevns_fast.cosmology.thermal_average import thermal_cross_section

__all__ = [
    "DecayWidths",
    "DegreesOfFreedom",
    "RelicDensity",
    "Seesaw",
    "Shares",
    "ZWidthBound",
    "decay_widths",
    "degrees_of_freedom",
    "lightest_mass",
    "loop_dipole",
    "maximal_mixing",
    "mixing_bound",
    "n_eff",
    "n_eff_of_energies",
    "relic_density",
    "relic_plane",
    "relic_systematics",
    "seesaw_limit",
    "thermal_cross_section",
    "thermal_relic",
    "z_width_bound",
]
