"""Correlation scans: beside a plain fill of the array and the same χ² by vectorised numpy; and their memory."""

import numpy as np

import cevns_fast as cf

from .others import JaxScan, NumpyScan
from .timing import REACH, axes, best_of, peak_memory


class Plane:
    """C_S–a_M on CsI at 40 MeV, into an array that is there."""

    params = ((1000, 4000), (1, 2))
    param_names = ("points along each axis", "threads")

    def setup(self, size, threads):
        self.csi, self.eft, self.axes = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0), axes(size)
        self.out = np.zeros((size, size))
        self.scan(threads)

    def scan(self, threads):
        return cf.correlation_scan(self.csi, self.eft, tuple(REACH), *self.axes, out=self.out, threads=threads)

    def time_scan(self, size, threads):
        self.scan(threads)

    def time_plain_fill(self, size, threads):
        self.out.fill(1.0)

    def track_speedup_over_fill(self, size, threads):
        """How near a scan comes to writing its numbers, by one thread, and nothing else."""
        return best_of(lambda: self.out.fill(1.0), 7) / best_of(lambda: self.scan(threads), 7)

    track_speedup_over_fill.unit = "times"


class Memory:
    """4000 × 4000 points, 128 MB."""

    size = 4000

    def setup(self):
        self.csi, self.eft, self.axes = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0), axes(self.size)
        small = [axis[:2] for axis in self.axes]
        cf.correlation_scan(self.csi, self.eft, tuple(REACH), *small, threads=2)  # everything is compiled and cached

    def peakmem_scan(self):
        cf.correlation_scan(self.csi, self.eft, tuple(REACH), *self.axes, threads=2)

    def peakmem_result_alone(self):
        np.empty((self.size, self.size)).fill(1.0)

    def track_peak_beyond_result(self):
        """What the resident size rises by, with the result already there."""
        out = np.ones((self.size, self.size))
        return peak_memory(
            lambda: cf.correlation_scan(self.csi, self.eft, tuple(REACH), *self.axes, out=out, threads=2)
        )

    track_peak_beyond_result.unit = "MB"


class BesideNumpy:
    """1000 × 1000 points."""

    def setup(self):
        csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0)
        self.axes, self.out = axes(1000), np.zeros((1000, 1000))
        self.numpy = NumpyScan(csi, eft, tuple(REACH))
        self.scan = lambda: cf.correlation_scan(csi, eft, tuple(REACH), *self.axes, out=self.out, threads=1)
        expected = np.empty((20, 1000))
        self.numpy(self.axes[0][:20], self.axes[1], expected)
        self.scan()
        np.testing.assert_allclose(self.out[:20], expected, rtol=1e-9)

    def seconds_of_numpy(self, repeat=2):
        return best_of(lambda: self.numpy(*self.axes, self.out), repeat)

    def track_speedup_over_numpy(self):
        return self.seconds_of_numpy() / best_of(self.scan, 7)

    track_speedup_over_numpy.unit = "times"


class BesideJax:
    """1000 × 1000 points, and 1e5 of a batched likelihood, compiled by JAX; skipped where it is not installed."""

    def setup(self):
        csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0)
        try:
            self.jax = JaxScan(csi, eft, tuple(REACH))
        except ImportError:
            raise NotImplementedError("JAX is not installed") from None
        self.axes, self.out = axes(1000), np.zeros((1000, 1000))
        self.scan = lambda: cf.correlation_scan(csi, eft, tuple(REACH), *self.axes, out=self.out, threads=1)
        self.scan()
        np.testing.assert_allclose(self.jax.plane(*self.axes), self.out, rtol=1e-9)
        self.fit = cf.Likelihood(csi, model=eft, parameters=tuple(REACH))
        rng = np.random.default_rng(0)
        self.points = rng.uniform(-1.0, 1.0, (100_000, 2)) * list(REACH.values())
        np.testing.assert_allclose(self.seconds_of_batch(1)[1], self.jax.points(*self.points.T), rtol=1e-9)

    def seconds_of_batch(self, repeat=5):
        """And what it computes."""
        found = self.fit.batch(self.points)
        return best_of(lambda: self.fit.batch(self.points), repeat), found

    def seconds_of_jax_plane(self, repeat=5):
        return best_of(lambda: self.jax.plane(*self.axes), repeat)

    def seconds_of_jax_points(self, repeat=5):
        x, y = self.points.T.copy()
        return best_of(lambda: self.jax.points(x, y), repeat)

    def track_plane_speedup_over_jax(self):
        return self.seconds_of_jax_plane() / best_of(self.scan, 7)

    def track_batch_speedup_over_jax(self):
        return self.seconds_of_jax_points() / self.seconds_of_batch()[0]

    track_plane_speedup_over_jax.unit = track_batch_speedup_over_jax.unit = "times"


class Cube:
    """Three couplings."""

    params = ((100, 250), (1, 2))
    param_names = ("points along each axis", "threads")

    def setup(self, size, threads):
        self.csi, self.eft = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0)
        self.axes = np.linspace(-0.5, 0.5, size), *axes(size)
        self.out = np.zeros((size,) * 3)
        self.time_scan(size, threads)

    def time_scan(self, size, threads):
        cf.correlation_scan(self.csi, self.eft, ("C_T", *REACH), *self.axes, out=self.out, threads=threads)


class Planes:
    """200 masses, 100 × 100 points each."""

    def setup(self):
        self.csi, self.axes = cf.load("coherent-csi-2017"), axes(100)
        self.efts = [cf.SingletEFT(m_chi=m) for m in np.linspace(1.0, 50.0, 200).tolist()]
        self.out = np.zeros((200, 100, 100))
        self.time_scan()

    def time_scan(self):
        cf.correlation_scan(self.csi, self.efts, tuple(REACH), *self.axes, out=self.out, threads=1)


FIRST_PROFILED = """
import numpy as np
import cevns_fast as cf
x, y = np.linspace(-0.05, 0.05, 30), np.linspace(-1e-3, 1e-3, 30)
cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(40.0), ("C_S", "a_M"), x, y, profile=("C_T", "C_V"))
"""


class FirstProfiled:
    """A profiled scan in a new process."""

    number, repeat = 1, 3

    def timeraw_first_profiled_scan(self):
        return FIRST_PROFILED


class Profiled:
    """30 × 30 points, each minimised over further couplings."""

    params = ("C_T", "C_T C_V", "C_T C_V a_E")
    param_names = ("profiled",)

    def setup(self, profiled):
        csi, eft = cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0)
        grids = axes(30)
        self.points = 30**2
        self.scan = lambda: cf.correlation_scan(csi, eft, tuple(REACH), *grids, profile=profiled.split(), threads=1)
        self.scan()

    def time_scan(self, profiled):
        self.scan()
