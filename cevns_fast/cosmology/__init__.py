"""What χ is beyond the recoil: relic density, neutrino mass, decay, mixing, N_eff.

Masses and temperatures are in MeV, ⟨σv⟩ in MeV⁻², widths per second.
"""

from cevns_fast.cosmology.decays import DecayWidths, decay_widths, maximal_mixing
from cevns_fast.cosmology.degrees_of_freedom import DegreesOfFreedom, degrees_of_freedom
from cevns_fast.cosmology.mixing import ZWidthBound, loop_dipole, mixing_bound, z_width_bound
from cevns_fast.cosmology.n_eff import lightest_mass, n_eff, n_eff_of_energies
from cevns_fast.cosmology.relic_density import RelicDensity, relic_density, relic_plane, thermal_relic
from cevns_fast.cosmology.seesaw import Seesaw, Shares, seesaw_limit
from cevns_fast.cosmology.thermal_cross_section import thermal_cross_section

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
    "seesaw_limit",
    "thermal_cross_section",
    "thermal_relic",
    "z_width_bound",
]
