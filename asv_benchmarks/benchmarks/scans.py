"""Correlation scans: beside a plain fill of the array and the same χ² by vectorised numpy; and their memory."""

import time
import tracemalloc

import numpy as np

import cevns_fast as cf

REACH = {"C_S": 0.06, "a_M": 1.3e-3}


def best_of(function, repeat=7):
    """Seconds of the fastest call."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


class NumpyScan:
    """CL Eq. (13) on a grid, row by row, with β and α profiled in closed form."""

    def __init__(self, experiment, interaction, couplings):
        made = cf.templates(experiment, interaction, couplings)
        beam = experiment.backgrounds[0]
        data = experiment.observed - beam.counts
        variance = (
            experiment.observed + experiment.steady_state_weight * experiment.steady_state_counts(data) + beam.counts
        )
        column = np.append(beam.uncertainty * beam.counts / np.sqrt(variance), 1.0)
        column /= np.linalg.norm(column)

        def whiten(counts):
            extended = np.append(counts / np.sqrt(variance), 0.0)
            return extended - column * (column @ extended)

        self.variance = experiment.signal_uncertainty**2
        self.data, self.constant = whiten(data), whiten(made.standard_model)
        self.template = {pair: whiten(values) for pair, values in zip(made.pairs, made.values, strict=True)}
        self.couplings = couplings

    def __call__(self, x, y, out):
        a, b = self.couplings
        mixed = self.template.get((a, b), self.template.get((b, a)))
        for i, value in enumerate(x):
            n = self.constant + value**2 * self.template[a, a]
            n = n + np.outer(y, value * mixed) + np.outer(y**2, self.template[b, b])
            s = (self.variance * (n @ self.data) + 1) / (self.variance * np.einsum("ij,ij->i", n, n) + 1)
            residual = self.data - s[:, None] * n
            out[i] = np.einsum("ij,ij->i", residual, residual) + (s - 1) ** 2 / self.variance


class Plane:
    """C_S–a_M on CsI at 40 MeV, into an array that is there."""

    params = ((1000, 4000), (1, 2))
    param_names = ("points along each axis", "threads")

    def setup(self, size, threads):
        self.csi, self.eft = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0)
        self.axes = tuple(np.linspace(-reach, reach, size) for reach in REACH.values())
        self.out = np.zeros((size, size))
        self.scan(threads)

    def scan(self, threads):
        return cf.correlation_scan(self.csi, self.eft, tuple(REACH), *self.axes, out=self.out, threads=threads)

    def time_scan(self, size, threads):
        self.scan(threads)

    def time_plain_fill(self, size, threads):
        self.out.fill(1.0)

    def track_scan_over_plain_fill(self, size, threads):
        return best_of(lambda: self.scan(threads)) / best_of(lambda: self.out.fill(1.0))

    track_scan_over_plain_fill.unit = "ratio"

    def track_extra_memory(self, size, threads):
        tracemalloc.start()
        try:
            self.scan(threads)
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    track_extra_memory.unit = "MB"


class BesideNumpy:
    """1000 × 1000 points."""

    def setup(self):
        csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0)
        self.axes = tuple(np.linspace(-reach, reach, 1000) for reach in REACH.values())
        self.out, self.numpy = np.zeros((1000, 1000)), NumpyScan(csi, eft, tuple(REACH))
        self.scan = lambda: cf.correlation_scan(csi, eft, tuple(REACH), *self.axes, out=self.out, threads=1)
        expected = np.empty((20, 1000))
        self.numpy(self.axes[0][:20], self.axes[1], expected)
        self.scan()
        np.testing.assert_allclose(self.out[:20], expected, rtol=1e-9)

    def track_times_faster_than_numpy(self):
        return best_of(lambda: self.numpy(*self.axes, self.out), repeat=2) / best_of(self.scan)

    track_times_faster_than_numpy.unit = "ratio"


class Profiled:
    """50 × 50 points, each minimised over further couplings."""

    params = ("C_T", "C_T C_V", "C_T C_V a_E")
    param_names = ("profiled",)

    def setup(self, profiled):
        csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0)
        axes = [np.linspace(-reach, reach, 50) for reach in REACH.values()]
        self.scan = lambda: cf.correlation_scan(csi, eft, tuple(REACH), *axes, profile=profiled.split(), threads=1)
        self.scan()

    def time_scan(self, profiled):
        self.scan()
