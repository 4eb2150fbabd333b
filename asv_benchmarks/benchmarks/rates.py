"""Rates and templates: time, accuracy, and how many times faster than other ways to the same numbers."""

import time
import warnings

import numpy as np
from scipy.integrate import IntegrationWarning

import cevns_fast as cf

from .others import PAIRS, VectorisedNumpy, nested_quad

COUPLINGS = {"a_M": 3e-4, "C_S": 0.01, "C_V": 0.05, "C_T": 0.1, "D_P": 0.01j, "D_A": 0.02}
MASSES = np.linspace(0.1, 52.5, 1000)


def best_of(function, repeat=5):
    """Seconds of the fastest call."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


class SingleRate:
    """One call of the façade, everything compiled."""

    params = ("standard model", "eft")
    param_names = ("interaction",)

    def setup(self, interaction):
        self.csi = cf.load("coherent-csi-2017")
        self.eft = cf.SingletEFT(20.0, a_M=3e-4, C_S=0.01)
        self.interaction = cf.StandardModel() if interaction == "standard model" else self.eft
        cf.event_rate(self.csi, self.interaction)

    def time_event_rate(self, interaction):
        cf.event_rate(self.csi, self.interaction)


class Chi2:
    """One χ² from Python: an interaction never seen, and counts that are there."""

    def setup(self):
        self.like = cf.Likelihood(cf.load("coherent-csi-2017"))
        self.masses = iter(np.linspace(1.0, 50.0, 1_000_000))
        self.counts = np.linspace(20.0, 5.0, 12)
        self.like.chi2(cf.SingletEFT(0.5, a_M=1e-4))

    def time_cold_interaction(self):
        self.like.chi2(cf.SingletEFT(float(next(self.masses)), a_M=1e-4))

    def time_counts(self):
        self.like.chi2_of_counts(self.counts)


class TemplateBatch:
    """All EFT templates (SM + 10 pairs) × 12 CsI bins for 1000 masses."""

    params = (1, 2)
    param_names = ("threads",)

    def setup(self, threads):
        self.csi = cf.load("coherent-csi-2017")
        self.batch = [cf.SingletEFT(float(m)) for m in MASSES]
        cf.templates(self.csi, self.batch[:3], threads=threads)

    def time_templates(self, threads):
        cf.templates(self.csi, self.batch, threads=threads)

    def track_microseconds_per_mass(self, threads):
        return best_of(lambda: cf.templates(self.csi, self.batch, threads=threads)) / len(self.batch) * 1e6

    track_microseconds_per_mass.unit = "µs"


class Comparison:
    """Speed against other ways to the same templates, both measured here and now."""

    def setup(self):
        self.csi = cf.load("coherent-csi-2017")
        self.batch = [cf.SingletEFT(float(m)) for m in MASSES]
        self.numpy = VectorisedNumpy(self.csi)
        cf.templates(self.csi, self.batch[:3])
        one = cf.templates(self.csi, cf.SingletEFT(20.0))
        fast = np.vstack([one.standard_model, one.values])
        # The pairs in alphabetical order of a_M, C_S, C_V, C_T are those of the comparison.
        order = [0, *(1 + [p[0][-1] + p[1][-1] for p in one.pairs].index(q.replace("A", "M")) for q in PAIRS)]
        other = self.numpy(20.0)
        worst = np.max(np.abs(other - fast[order]) / np.abs(fast[order]).max(axis=1, keepdims=True))
        assert worst < 2e-2, f"the comparison computes something else: {worst}"  # it is blind to kinks
        self.numpy_error = worst

    def per_mass(self):
        return best_of(lambda: cf.templates(self.csi, self.batch), 3) / len(self.batch)

    def track_speedup_over_numpy(self):
        """Vectorised Gauss–Legendre, 8 × 32 nodes a bin."""
        return best_of(lambda: [self.numpy(float(m)) for m in MASSES[::50]], 3) / 20 / self.per_mass()

    def track_error_of_numpy(self):
        return self.numpy_error

    def track_speedup_over_nested_quad(self):
        """scipy's quad inside quad: of the eleven templates, the Standard Model and two are timed and scaled."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IntegrationWarning)
            start = time.perf_counter()
            for row in ("SM", "AA", "ST"):
                nested_quad(self.csi, row, 20.0)
            return (time.perf_counter() - start) * 11 / 3 / self.per_mass()

    track_speedup_over_numpy.unit = track_speedup_over_nested_quad.unit = "times"


class Accuracy:
    """Against the slow twin, relative to the sum of the absolute values of a bin's terms."""

    params = ("standard model", "light", "heavy")
    param_names = ("interaction",)

    def track_max_relative_error(self, interaction):
        csi = cf.load("coherent-csi-2017")
        if interaction == "standard model":
            model = cf.StandardModel()
        else:
            model = cf.SingletEFT(1e-3 if interaction == "light" else 45.0, **COUPLINGS)
        slow = cf.reference.event_rate(csi, model, standard_model=False)
        terms = cf.reference.event_rate_terms(csi, model, standard_model=False)
        fast = cf.event_rate(csi, model, standard_model=False)
        return float(np.max(np.abs(fast - slow) / terms))
