"""The relic density: new masses, a further coupling, a plane; and the slow twin beside it."""

import numpy as np

import cevns_fast as cf

from .timing import best_of, microseconds


class RelicDensity:
    """χ of 3 MeV, S of 10 MeV and neighbours."""

    def setup(self):
        self.number = 0
        self.new_masses()

    def new_masses(self, threads=1):
        """Masses that were not asked for before, one coupling."""
        self.number += 1
        return cf.cosmology.relic_density(3.0, 10.0 + 1e-6 * self.number, 1e-3, threads=threads)

    def seconds_of_new_masses(self, repeat=15):
        return best_of(self.new_masses, repeat)

    def track_new_masses(self):
        return 1e3 * self.seconds_of_new_masses()

    track_new_masses.unit = "ms"

    @microseconds
    def track_further_coupling(self):
        cf.cosmology.relic_density(3.0, 10.0, 1e-3)

    @microseconds
    def track_further_weak_coupling(self):
        """Both equations, since S decays slowly at first."""
        cf.cosmology.relic_density(3.0, 10.0, 1e-6)

    def seconds_of_the_slow_twin(self):
        """The literal equations, from tables that are there."""
        from cevns_fast.reference import relic_density as slow

        averages = slow.average_table(3.0, 10.0, 100.0)
        return best_of(lambda: slow.relic_density(3.0, 10.0, 1e-3, [100.0], averages=averages), 1)

    def seconds_of_slow_averages(self):
        """Its thermal averages, in mpmath."""
        from cevns_fast.reference import relic_density as slow

        return best_of(lambda: slow.average_table(3.0, 10.0, 100.0), 1)


class Plane:
    """Ω h² on 100 × 100 masses and couplings."""

    params = (1, 2)
    param_names = ("threads",)
    timeout = 120

    def setup(self, threads):
        self.masses, self.couplings = np.geomspace(0.1, 100.0, 100), np.geomspace(1e-6, 0.1, 100)
        cf.cosmology.relic_plane(self.masses[:2], 3 * self.masses[:2], self.couplings[:2], threads=threads)

    def time_plane(self, threads):
        cf.cosmology.relic_plane(self.masses, 3 * self.masses, self.couplings, threads=threads)


class Seesaw:
    """Masses by the fixed point, mixings by mpmath."""

    @microseconds
    def track_masses(self):
        _ = cf.cosmology.Seesaw(10**-7.25, 9.087e-9, 1.0, 5.0, 1e3).masses

    def time_mixing(self):
        _ = cf.cosmology.Seesaw(10**-7.25, 9.087e-9, 1.0, 5.0, 1e3).mixing
