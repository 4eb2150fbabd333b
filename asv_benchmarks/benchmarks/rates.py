"""Rates, templates and loop functions: time, accuracy, and how much faster than other ways to the same numbers."""

import time
import warnings

import numpy as np
from scipy.integrate import IntegrationWarning

import cevns_fast as cf

from .others import PAIRS, VectorisedNumpy, nested_quad
from .timing import EXPERIMENTS, INTERACTIONS, batch, best_of, masses, microseconds


class SingleRate:
    """One call of the façade, everything compiled."""

    params = INTERACTIONS
    param_names = ("interaction",)

    def setup(self, interaction):
        self.csi = cf.load("coherent-csi-2017")
        (self.interaction,) = batch(interaction, "coherent-csi-2017", 1)
        cf.event_rate(self.csi, self.interaction)

    @microseconds
    def track_event_rate(self, interaction):
        cf.event_rate(self.csi, self.interaction)


class TemplateBatch:
    """All templates of 1000 masses: for the EFT the Standard Model and 10 pairs in every bin."""

    params = (EXPERIMENTS, INTERACTIONS)
    param_names = ("experiment", "interaction")
    size = 1000

    def setup(self, experiment, interaction):
        self.experiment = cf.load(experiment)
        self.batch = batch(interaction, experiment, self.size)
        cf.templates(self.experiment, self.batch[:3])

    def time_templates(self, experiment, interaction):
        cf.templates(self.experiment, self.batch)


class ManyCouplings:
    """All products of the twelve couplings of non-standard interactions, of one that is new each time."""

    def setup(self):
        self.csi, self.numbers = cf.load("coherent-csi-2017"), iter(range(1, 10**9))
        cf.templates(self.csi, cf.NSI(eps_ee_u=0.1))

    @microseconds
    def track_new_templates(self):
        cf.templates(self.csi, cf.NSI(eps_ee_u=1e-6 * next(self.numbers)))


class TemplateThreads:
    """The EFT on CsI, on one and two threads."""

    params = (1, 2)
    param_names = ("threads",)

    def setup(self, threads):
        self.csi, self.batch = cf.load("coherent-csi-2017"), batch("SingletEFT", "coherent-csi-2017", 1000)
        cf.templates(self.csi, self.batch[:3])

    def time_templates(self, threads):
        cf.templates(self.csi, self.batch, threads=threads)


class _Beside:
    """The same templates of the EFT in other ways, both measured here and now."""

    param_names = ("experiment",)

    def setup(self, experiment):
        self.experiment = cf.load(experiment)
        self.masses = masses(experiment, 1000)
        self.batch = [cf.SingletEFT(m) for m in self.masses]
        self.numpy = VectorisedNumpy(self.experiment)
        m = self.masses[400]
        one = cf.templates(self.experiment, cf.SingletEFT(m))
        fast = np.vstack([one.standard_model, one.values])
        # The pairs in alphabetical order of a_M, C_S, C_V, C_T are those of the comparison.
        order = [0, *(1 + [p[0][-1] + p[1][-1] for p in one.pairs].index(q.replace("A", "M")) for q in PAIRS)]
        other = self.numpy(m)
        self.numpy_error = np.max(np.abs(other - fast[order]) / np.abs(fast[order]).max(axis=1, keepdims=True))
        # It is blind to kinks of the flux, hence not better than that.
        assert self.numpy_error < 5e-2, f"the comparison computes something else: {self.numpy_error}"

    def seconds_per_mass(self, repeat=3):
        return best_of(lambda: cf.templates(self.experiment, self.batch), repeat) / len(self.batch)

    def seconds_of_numpy(self, repeat=3):
        """Vectorised Gauss–Legendre, 8 × 32 nodes a bin, for one mass."""
        return best_of(lambda: [self.numpy(m) for m in self.masses[::100]], repeat) / 10

    def seconds_of_nested_quad(self):
        """scipy's quad inside quad on CsI, one mass: of the eleven templates two are timed and scaled."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IntegrationWarning)
            start = time.perf_counter()
            for row in ("SM", "AA"):
                nested_quad(self.experiment, row, 20.0)
            return (time.perf_counter() - start) * 11 / 2


class BesideNumpy(_Beside):
    """Against vectorised numpy."""

    params = ("coherent-csi-2017", "conus-100kg")

    def track_speedup_over_numpy(self, experiment):
        return self.seconds_of_numpy() / self.seconds_per_mass()

    def track_error_of_numpy(self, experiment):
        return self.numpy_error

    track_speedup_over_numpy.unit = "times"
    track_error_of_numpy.unit = "of the largest bin"


class BesideQuad(_Beside):
    """Against nested quadrature."""

    params = ("coherent-csi-2017",)

    def track_speedup_over_quad(self, experiment):
        return self.seconds_of_nested_quad() / self.seconds_per_mass()

    track_speedup_over_quad.unit = "times"


class Accuracy:
    """Against the slow twin: |fast − slow| over the sum of the absolute values of a bin's terms; the aim is 1e-10.

    Two neighbouring bins and one mass; tests do it thoroughly.
    """

    params = (EXPERIMENTS, INTERACTIONS)
    param_names = ("experiment", "interaction")
    timeout = 120

    def setup(self, experiment, interaction):
        whole = cf.load(experiment)
        first = whole.n_bins // 4
        detector = whole.detector.replace(bins=whole.detector.bins[first : first + 3])
        self.experiment = cf.Experiment("two bins", whole.source, detector, whole.exposure, None, np.zeros(2))
        self.model = batch(interaction, experiment, 10)[6]

    def track_max_relative_error(self, experiment, interaction):
        terms = cf.reference.event_rate_terms(self.experiment, self.model, standard_model=False)
        slow = cf.reference.event_rate(self.experiment, self.model, standard_model=False)
        fast = cf.event_rate(self.experiment, self.model, standard_model=False)
        return float(np.max(np.abs(fast - slow) / terms))

    track_max_relative_error.unit = "of a bin's terms"


class LoopFunctions:
    """F_G and the one-loop functions."""

    def setup(self):
        self.m_chi, self.m_zprime = np.geomspace(1.0, 100.0, 1000), np.geomspace(1.0, 1e4, 1000)
        cf.loop_functions(10.0, 20.0)

    @microseconds
    def track_f_g(self):
        cf.F_G(10.0, 20.0, 4180.0)

    @microseconds
    def track_f_g_of_1000(self):
        cf.F_G(self.m_chi, self.m_zprime, 4180.0)

    @microseconds
    def track_loop_functions(self):
        cf.loop_functions(10.0, 20.0)

    @microseconds
    def track_loop_functions_of_1000(self):
        cf.loop_functions(self.m_chi, self.m_zprime)

    def track_f_g_speedup_over_mpmath(self):
        """The slow twin, one-fold quadrature in many digits."""
        from cevns_fast.reference.loop_functions import F_G

        return best_of(lambda: F_G(10.0, 20.0, 4180.0), 1) / (best_of(self.thousand_times, 3) / 1000)

    def thousand_times(self):
        for _ in range(1000):
            cf.F_G(10.0, 20.0, 4180.0)

    track_f_g_speedup_over_mpmath.unit = "times"
