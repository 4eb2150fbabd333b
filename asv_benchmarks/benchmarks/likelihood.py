"""χ² from Python, fits and toy experiments."""

import numpy as np

import cevns_fast as cf

from .timing import best_of, microseconds


class Chi2:
    """One χ²: of an interaction never seen, of one that differs in couplings only, and of counts."""

    calls = 500

    def setup(self):
        self.like = cf.Likelihood(cf.load("coherent-csi-2017"))
        self.masses = iter(np.linspace(1.0, 50.0, 10_000_000).tolist())
        self.couplings = iter(np.linspace(1e-5, 1e-3, 10_000_000).tolist())
        self.counts = np.linspace(20.0, 5.0, 12)
        self.like.chi2(cf.SingletEFT(0.5, a_M=1e-4))

    def track_cold_interaction(self):
        return 1e6 * self.seconds(cold=True)

    def track_cached_templates(self):
        return 1e6 * self.seconds(cold=False)

    track_cold_interaction.unit = track_cached_templates.unit = "µs"

    @microseconds
    def track_counts(self):
        self.like.chi2_of_counts(self.counts)

    def seconds(self, cold, repeat=5):
        """For one evaluation; making the interaction is the caller's and not counted."""
        times = []
        for _ in range(repeat):
            if cold:
                asked = [cf.SingletEFT(next(self.masses), a_M=1e-4) for _ in range(self.calls)]
            else:
                asked = [cf.SingletEFT(0.5, a_M=next(self.couplings)) for _ in range(self.calls)]
            times.append(best_of(lambda asked=asked: [self.like.chi2(each) for each in asked], 1))
        return min(times) / self.calls


class Fit:
    """A function of (m_χ, C_S, a_M): value, exact derivatives, and 1e5 points at once."""

    params = ("gaussian", "poisson")
    param_names = ("statistic",)

    def setup(self, statistic):
        self.fit = cf.Likelihood(
            cf.load("coherent-csi-2017"), statistic=statistic, model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M")
        )
        self.theta = [20.0, 0.01, 1e-4]
        self.thetas = np.random.default_rng(0).uniform([1.0, -0.05, -1e-3], [50.0, 0.05, 1e-3], (100_000, 3))
        self.one_mass = self.thetas.copy()
        self.one_mass[:, 0] = 20.0
        self.fit(self.theta)

    @microseconds
    def track_value(self, statistic):
        self.fit(self.theta)

    @microseconds
    def track_value_and_gradient(self, statistic):
        self.fit.value_and_gradient(self.theta)

    @microseconds
    def track_hessian(self, statistic):
        self.fit.hessian(self.theta)

    def time_batch_of_1e5(self, statistic):
        self.fit.batch(self.thetas)

    def time_batch_of_1e5_at_one_mass(self, statistic):
        self.fit.batch(self.one_mass)


class Batch:
    """Points a second of a fit of three couplings, 1e5 at once."""

    params = ("gaussian", "poisson")
    param_names = ("statistic",)

    def setup(self, statistic):
        csi, couplings = cf.load("coherent-csi-2017"), ("C_S", "a_M", "C_T")
        self.fit = cf.Likelihood(csi, statistic=statistic, model=cf.SingletEFT(20.0), parameters=couplings)
        reach = [0.05, 1e-3, 0.5]
        self.thetas = np.random.default_rng(0).uniform(-1, 1, (100_000, 3)) * reach
        self.fit.batch(self.thetas)

    def track_points_per_second(self, statistic):
        return len(self.thetas) / best_of(lambda: self.fit.batch(self.thetas), 7)

    track_points_per_second.unit = "1/s"


class JointFit:
    """CsI and argon with a common flux uncertainty: the value, its gradient, and how long it takes to set up."""

    def setup(self):
        self.experiments = [cf.load("coherent-csi-2017"), cf.load("coherent-lar-610kg")]
        self.fit = self.make()
        self.theta = [20.0, 0.01, 1e-4]
        self.fit(self.theta)

    def make(self):
        flux = cf.ScaleNuisance("flux", 0.1)
        return cf.Likelihood(
            self.experiments, nuisances=[flux], model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M")
        )

    @microseconds
    def track_value(self):
        self.fit(self.theta)

    @microseconds
    def track_gradient(self):
        self.fit.gradient(self.theta)

    def time_set_up(self):
        self.make()(self.theta)


class Toys:
    """200 toy experiments, each with its best fit."""

    params = ("gaussian", "poisson")
    param_names = ("statistic",)

    def setup(self, statistic):
        csi = cf.load("coherent-csi-2017")
        model = cf.SingletEFT(m_chi=10.0)
        self.fit = cf.Likelihood(csi, statistic=statistic, model=model, parameters=("C_S", "a_M"))
        cf.goodness_of_fit(self.fit, toys=50)

    def time_goodness_of_fit(self, statistic):
        cf.goodness_of_fit(self.fit, toys=200)

    def time_feldman_cousins(self, statistic):
        cf.feldman_cousins(self.fit, {"C_S": 0.01}, toys=200)
