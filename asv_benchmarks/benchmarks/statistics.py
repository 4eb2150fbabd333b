"""Toys, confidence regions, limits of other kinds, constraints, and planes with a mass axis.

What is not public is imported where it is used: so `asv continuous` runs the rest on versions that lack it.
"""

import numpy as np

import cevns_fast as cf

from .timing import best_of, microseconds

CSI = "coherent-csi-2017"


class Toy:
    """One toy of Feldman–Cousins, two couplings, once a place is prepared; and what preparing it takes."""

    params = ("gaussian", "poisson")
    param_names = ("statistic",)
    toys = 1000

    def setup(self, statistic):
        from cevns_fast._kernels.toys import ToyPlan
        from cevns_fast.inference.throwing import Thrower, key_of

        fit = cf.Likelihood(
            cf.load(CSI), statistic=statistic, model=cf.SingletEFT(m_chi=10.0), parameters=("C_S", "a_M")
        )
        thrower = Thrower(fit, (True, True))
        truth = thrower.truth(np.array([0.02, 1e-4]))
        self.make = lambda: ToyPlan(thrower.numbers, truth, (True, True), key_of(0))
        self.plan, self.out = self.make(), np.empty(self.toys)

    def track_toy(self, statistic):
        return 1e6 * best_of(lambda: self.plan.run(0, self.out), 5) / self.toys

    def track_preparation(self, statistic):
        return 1e6 * best_of(self.make, 20)

    track_toy.unit = track_preparation.unit = "µs"


class ConfidenceMap:
    """20 × 20 points with up to 1,000 toys."""

    params = ("gaussian", "poisson")
    param_names = ("statistic",)

    def setup(self, statistic):
        self.fit = cf.Likelihood(
            cf.load(CSI), statistic=statistic, model=cf.SingletEFT(m_chi=10.0), parameters=("C_S", "a_M")
        )
        self.axes = np.linspace(-0.05, 0.05, 20), np.linspace(-6e-4, 6e-4, 20)

    def time_map(self, statistic):
        cf.feldman_cousins_map(self.fit, ("C_S", "a_M"), *self.axes, toys=1000)


class OtherLimits:
    """A limit of each kind at one mass, with what is expected."""

    params = ("delta_chi2", "cls", "feldman-cousins")
    param_names = ("method",)

    def setup(self, method):
        self.csi, self.eft = cf.load(CSI), [cf.SingletEFT(m_chi=10.0)]
        self.limit(method)

    def limit(self, method):
        cf.limit_scan(self.csi, self.eft, "C_S", statistic="poisson", method=method, expected=True)

    def time_limit(self, method):
        self.limit(method)


class Constraints:
    """χ² with a nuisance of another kind, and its gradient."""

    params = ("gaussian", "log-normal", "asymmetric", "free", "shape")
    param_names = ("constraint",)

    def setup(self, constraint):
        csi = cf.load(CSI).replace(signal_uncertainty=0.0)
        neutrons = csi.backgrounds[0]
        nuisance = {
            "gaussian": cf.ScaleNuisance("scale", 0.28),
            "log-normal": cf.ScaleNuisance("scale", 0.28, constraint="log-normal"),
            "asymmetric": cf.AsymmetricNuisance("scale", 0.3, -0.2),
            "free": cf.ScaleNuisance("scale", float("inf")),
            "shape": cf.BackgroundShape("shape", neutrons.name, 1.2 * neutrons.counts, neutrons.counts),
        }[constraint]
        self.fit = cf.Likelihood(
            csi, statistic="poisson", nuisances=[nuisance], model=cf.SingletEFT(10.0), parameters=("C_S", "a_M")
        )
        self.theta = [0.02, 1e-4]
        self.fit(self.theta)

    @microseconds
    def track_value(self, constraint):
        self.fit(self.theta)

    @microseconds
    def track_gradient(self, constraint):
        self.fit.gradient(self.theta)


class MassPlane:
    """m_χ × a_M on CsI, 1000² points."""

    def setup(self):
        self.csi, self.axes = cf.load(CSI), (np.linspace(1.0, 50.0, 1000), np.linspace(0.0, 1e-3, 1000))
        self.out = np.empty((1000, 1000))
        self.scan()

    def scan(self):
        cf.correlation_scan(self.csi, cf.SingletEFT, ("m_chi", "a_M"), *self.axes, out=self.out, threads=1)

    def time_scan(self):
        self.scan()


class TwoCouplings:
    """`fit.batch` of two couplings, 1e5 points: nanoseconds a point, by one thread and by two."""

    params = (1, 2)
    param_names = ("threads",)

    def setup(self, threads):
        self.fit = cf.Likelihood(cf.load(CSI), model=cf.SingletEFT(10.0), parameters=("C_S", "a_M"))
        self.thetas = np.random.default_rng(0).normal(size=(100_000, 2)) * [0.03, 3e-4]
        self.fit.batch(self.thetas)

    def track_point(self, threads):
        return 1e9 / len(self.thetas) * best_of(lambda: self.fit.batch(self.thetas, threads=threads), 9)

    track_point.unit = "ns"
