"""Any dσ/dT: the double integral beside the table kernel, vectorised numpy and scipy's dblquad; starts and accuracy."""

import math
import os
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from scipy.integrate import IntegrationWarning

import cevns_fast as cf

from .others import NumpyDoubleIntegral, dblquad_bin
from .timing import EXPERIMENTS, INTERACTIONS, batch, best_of

SIZE = 100


def scalar(E, T, nucleus, beam, p):
    """BRX Eq. (21) for a massless final state, as a user writes it: m_S and ȳ."""
    M = nucleus.M
    A = nucleus.Z * nucleus.F_p + nucleus.N * nucleus.F_n
    return M**2 * T * (1 + T / (2 * M)) / (4 * math.pi * E**2) * p[1] ** 4 * A**2 / (2 * M * T + p[0] ** 2) ** 2


def defined():
    """The interaction."""
    return cf.NumericalInteraction(scalar, parameters={"m_S": 10.0, "y": 1e-4}, couplings={"y": 4})


class Tables:
    """Every built-in interaction as a double integral, in a batch."""

    params = (EXPERIMENTS, INTERACTIONS)
    param_names = ("experiment", "interaction")

    def setup(self, experiment, interaction):
        self.experiment = cf.load(experiment)
        self.batch = batch(interaction, experiment, SIZE)
        self.rate()
        self.rate("moments")

    def rate(self, method="double-integral"):
        return cf.event_rate(self.experiment, self.batch, standard_model=False, method=method)

    def track_per_interaction(self, experiment, interaction):
        return 1e6 * best_of(self.rate, 3) / SIZE

    def track_per_interaction_and_bin(self, experiment, interaction):
        return 1e6 * best_of(self.rate, 3) / SIZE / self.experiment.n_bins

    def track_times_the_table_kernel(self, experiment, interaction):
        return best_of(self.rate, 3) / best_of(lambda: self.rate("moments"), 3)

    def track_difference_from_the_table_kernel(self, experiment, interaction):
        fast, literal = self.rate("moments"), self.rate()
        scale = np.maximum(np.abs(fast), 0.01 * np.abs(fast).max(axis=1, keepdims=True))
        return float(np.max(np.abs(literal - fast) / np.where(scale > 0, scale, 1.0)))

    track_per_interaction.unit = track_per_interaction_and_bin.unit = "µs"
    track_times_the_table_kernel.unit = "times"
    track_difference_from_the_table_kernel.unit = "of a bin"


class Function:
    """A user's function on CsI, accuracy checked, beside other ways to the same numbers."""

    def setup(self):
        self.csi = cf.load("coherent-csi-2017")
        masses = np.geomspace(1.0, 100.0, SIZE).tolist()
        self.batch = [defined().replace(m_S=m) for m in masses]
        self.table = [cf.ScalarMediator(0.0, m, 1e-4) for m in masses]
        self.numpy = NumpyDoubleIntegral(self.csi, scalar)
        found, expected = self.rate(), cf.event_rate(self.csi, self.table, standard_model=False)
        self.error = float(np.max(np.abs(found / expected - 1)))
        self.numpy_error = float(np.max(np.abs(self.numpy(self.batch[50].vector) / found[50] - 1)))
        assert self.error < 1e-10 and self.numpy_error < 5e-2, "the comparison computes something else"
        self.rate(2)

    def rate(self, threads=1):
        return cf.event_rate(self.csi, self.batch, standard_model=False, threads=threads)

    def seconds(self, threads=1, repeat=7):
        """For one interaction of a batch."""
        return best_of(lambda: self.rate(threads), repeat) / SIZE

    def seconds_of_table(self, repeat=7):
        return best_of(lambda: cf.event_rate(self.csi, self.table, standard_model=False), repeat) / SIZE

    def seconds_of_numpy(self, repeat=7):
        return best_of(lambda: self.numpy(self.batch[50].vector), repeat)

    def seconds_of_dblquad(self):
        """scipy's dblquad, one bin of twelve, scaled."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IntegrationWarning)
            return 12 * best_of(lambda: dblquad_bin(self.csi, scalar, self.batch[50].vector, 4), 1)

    def track_per_interaction(self):
        return 1e6 * self.seconds()

    def track_two_threads_over_one(self):
        return self.seconds(1) / self.seconds(2)

    def track_times_the_table_kernel(self):
        return self.seconds() / self.seconds_of_table()

    def track_speedup_over_numpy(self):
        return self.seconds_of_numpy() / self.seconds()

    def track_speedup_over_dblquad(self):
        return self.seconds_of_dblquad() / self.seconds()

    def track_difference_from_the_table_kernel(self):
        return self.error

    track_per_interaction.unit = "µs"
    track_two_threads_over_one.unit = track_times_the_table_kernel.unit = "times"
    track_speedup_over_numpy.unit = track_speedup_over_dblquad.unit = "times"
    track_difference_from_the_table_kernel.unit = "of a bin"


FIRST = """
import math
import cevns_fast as cf

def dsigma(E, T, nucleus, beam, p):
    A = nucleus.Z * nucleus.F_p + nucleus.N * nucleus.F_n
    return nucleus.M * T / E**2 * p[1] ** 4 * A**2 / (2 * nucleus.M * T + p[0] ** 2) ** 2

one = cf.NumericalInteraction(dsigma, parameters={"m_S": 10.0, "y": 1e-4})
cf.event_rate(cf.load("coherent-csi-2017"), one, standard_model=False)
"""


class FirstFunction:
    """A new process: import, a user's function compiled, its counts on CsI; with and without the kernels' cache."""

    number, repeat, timeout = 1, 3, 300

    def setup(self):
        subprocess.run([sys.executable, "-c", FIRST], check=True)  # the cache is there

    def timeraw_cached(self):
        return FIRST

    def track_cache_absent(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
            return best_of(lambda: subprocess.run([sys.executable, "-c", FIRST], check=True, env=environment), 1)

    track_cache_absent.unit = "s"


class LoopFunctions:
    """The one-loop functions of many masses, on one and two threads."""

    params = (300, 1000, 10_000)
    param_names = ("masses",)

    def setup(self, n):
        self.masses = np.geomspace(1.0, 100.0, n)
        self.evaluate(1), self.evaluate(2)

    def evaluate(self, threads):
        return cf.loop_functions(self.masses, 30.0, threads=threads)

    def track_two_threads_over_one(self, n):
        return best_of(lambda: self.evaluate(1), 20) / best_of(lambda: self.evaluate(2), 20)

    track_two_threads_over_one.unit = "times"
