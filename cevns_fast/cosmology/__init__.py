"""What χ is beyond the recoil: relic density, neutrino mass, decay, mixing, N_eff."""

from cevns_fast.cosmology.degrees_of_freedom import DegreesOfFreedom, degrees_of_freedom
from cevns_fast.cosmology.relic_density import RelicDensity, relic_density, relic_plane, thermal_relic
from cevns_fast.cosmology.thermal_cross_section import thermal_cross_section

__all__ = [
    "DegreesOfFreedom",
    "RelicDensity",
    "degrees_of_freedom",
    "relic_density",
    "relic_plane",
    "thermal_cross_section",
    "thermal_relic",
]
