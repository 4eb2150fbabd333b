"""What the benchmarks measure with, and what they measure: experiments and interactions by name."""

import functools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import cevns_fast as cf

EXPERIMENTS = ("coherent-csi-2017", "coherent-lar-610kg", "conus-100kg")
INTERACTIONS = ("StandardModel", "SingletEFT", "ScalarMediator, light", "VectorMediator")

# Of CL Fig. 4: what the data allow in the plane of these couplings at 40 MeV, and a margin.
REACH = {"C_S": 0.06, "a_M": 1.3e-3}


def best_of(function: Callable[[], object], repeat: int = 5) -> float:
    """Seconds of the fastest call: what the machine can do when nothing else wants it."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def microseconds(call: Callable[..., object], calls: int = 500) -> Callable[..., float]:
    """A tracked benchmark of a short call: asv sets up anew for every call it times, and would time cold caches."""

    @functools.wraps(call)
    def track(self: object, *parameters: object) -> float:
        return 1e6 / calls * best_of(lambda: [call(self, *parameters) for _ in range(calls)], 7)

    track.unit = "µs"  # type: ignore[attr-defined]
    return track


def masses(experiment: str, n: int) -> list[float]:
    """Masses of χ, MeV, up to what the source can produce."""
    return np.linspace(0.1, 7.9 if experiment.startswith("conus") else 52.5, n).tolist()


def batch(interaction: str, experiment: str, n: int) -> list:
    """n interactions of a kind that differ in mass, or in sin²θ_W for the Standard Model."""
    if interaction == "StandardModel":
        return [cf.StandardModel(x) for x in np.linspace(0.2, 0.25, n).tolist()]
    make = {
        "SingletEFT": lambda m: cf.SingletEFT(m, a_M=3e-4, C_S=0.01, C_V=0.05, C_T=0.1, D_P=0.01j, D_A=0.02),
        "ScalarMediator, light": lambda m: cf.ScalarMediator(m_chi=m, m_S=0.1, y_bar=1e-5),
        "VectorMediator": lambda m: cf.VectorMediator(m_chi=m, m_zprime=10 * m, gchi_gq=5e-8, case="A"),
    }[interaction]
    return [make(m) for m in masses(experiment, n)]


def axes(size: int) -> tuple[np.ndarray, ...]:
    """Grids of the couplings in `REACH`."""
    return tuple(np.linspace(-reach, reach, size) for reach in REACH.values())


def peak_memory(function: Callable[[], object]) -> float:
    """By how much, in MB, a call raises this process's largest resident size above what is there before it."""
    status = Path("/proc/self/status")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now the present size
    before = _kilobytes(status.read_text(), "VmRSS")
    function()
    return (_kilobytes(status.read_text(), "VmHWM") - before) / 1e3


def _kilobytes(status: str, field: str) -> int:
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field))
