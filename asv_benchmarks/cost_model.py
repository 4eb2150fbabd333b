"""What first calls cost, and how costs grow, as in docs/performance.md: ``python asv_benchmarks/cost_model.py``.

A first call is timed less the one after it, in new processes in which numba finds nothing that it has compiled. Each
path is timed at several sizes, each time the smallest of several. A line t = a + b n, fitted with relative errors and
without negative parts, says what is paid once and what a unit costs. The exponent is the slope of log t between the
last two sizes: 1 for what is proportional, 0 for what does not matter, −1 for what is shared perfectly.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmarks import start
from benchmarks.timing import REACH, axes, best_of, masses
from scipy import optimize

import cevns_fast as cf

CSI = cf.load("coherent-csi-2017")
EFT = cf.SingletEFT(m_chi=40.0)


@dataclass(frozen=True)
class Scaling:
    """Seconds at increasing sizes."""

    path: str
    variable: str
    sizes: Sequence[int]
    seconds: Sequence[float]

    def cells(self) -> list[str]:
        """As text."""
        n, t = np.array(self.sizes, dtype=float), np.array(self.seconds)
        (fixed, slope), _ = optimize.nnls(np.stack([1 / t, n / t], axis=1), np.ones(len(n)))
        exponent = math.log(t[-1] / t[-2]) / math.log(n[-1] / n[-2])
        span, takes = f"{self.sizes[0]:,} … {self.sizes[-1]:,}", f"{time_of(t[0])} … {time_of(t[-1])}"
        parts = [time_of(each) if each > 0 else "" for each in (fixed, slope)]
        return [self.path, self.variable, span, takes, *parts, f"{exponent:.2f}".replace("-", "−")]


def time_of(seconds: float) -> str:
    """Two digits and a unit."""
    unit, size = next(((u, x) for u, x in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)) if seconds >= x), ("ns", 1e-9))
    return f"{seconds / size:.2g} {unit}" if seconds < 99.5 * size else f"{seconds / size:.0f} {unit}"


def scaling(
    path: str, variable: str, sizes: Sequence[int], prepare: Callable[[int], Callable[[], object]], repeat: int
) -> Scaling:
    """Time what `prepare` gives for each size."""
    seconds = []
    for n in sizes:
        call = prepare(n)
        call()  # compiled, planned, allocated
        seconds.append(best_of(call, repeat))
    return Scaling(path, variable, sizes, seconds)


def bare(detector: cf.Detector) -> cf.Experiment:
    """An experiment at the source of COHERENT without data."""
    n = detector.n_bins
    return cf.Experiment("bare", CSI.source, detector, CSI.exposure, None, np.zeros(n))


def with_bins(n: int) -> cf.Experiment:
    """CsI in n bins of the same range."""
    edges = tuple(np.linspace(6.0, 30.0, n + 1).tolist())
    return bare(CSI.detector.replace(bins=edges)).replace(signal_uncertainty=0.28)


def with_nuclides(n: int) -> cf.Experiment:
    """Elements of a single isotope or xenon's nine."""
    composition = {1: {"Na": 1}, 2: {"Na": 1, "I": 1}, 3: {"Na": 1, "I": 1, "Cs": 1}, 9: {"Xe": 1}}[n]
    return bare(CSI.detector.replace(target=cf.Target.of("target", composition)))


def efts(n: int) -> list[cf.SingletEFT]:
    """n masses."""
    return [cf.SingletEFT(m) for m in masses("coherent-csi-2017", n)]


def plane(experiment: cf.Experiment, size: int, threads: int = 1) -> Callable[[], object]:
    """A scan of size² points into an array that is there."""
    grids, out = axes(size), np.zeros((size, size))
    return lambda: cf.correlation_scan(experiment, EFT, tuple(REACH), *grids, out=out, threads=threads)


def templates(experiment: cf.Experiment, batch: Sequence[cf.SingletEFT], threads: int = 1) -> Callable[[], object]:
    """Templates of a batch."""
    return lambda: cf.templates(experiment, batch, threads=threads)


def limits(experiment: cf.Experiment, batch: Sequence[cf.SingletEFT]) -> Callable[[], object]:
    """Limits on one coupling."""
    return lambda: cf.limit_scan(experiment, batch, "C_S")


def batch(n: int) -> Callable[[], object]:
    """χ² of n vectors (m_χ, C_S, a_M)."""
    thetas = np.random.default_rng(0).uniform([1.0, -0.05, -1e-3], [50.0, 0.05, 1e-3], (n, 3))
    fit = cf.Likelihood(CSI, model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M"))
    return lambda: fit.batch(thetas)


def value(experiment: cf.Experiment) -> Callable[[], object]:
    """A thousand values of a fit."""
    fit = cf.Likelihood(experiment, model=cf.SingletEFT, parameters=("m_chi", "C_S", "a_M"))
    return lambda: [fit([20.0, 0.01, 1e-4]) for _ in range(1000)]


def toys(n: int) -> Callable[[], object]:
    """Toys with two free couplings."""
    model = cf.SingletEFT(m_chi=10.0)
    fit = cf.Likelihood(CSI, statistic="poisson", model=model, parameters=("C_S", "a_M"))
    return lambda: cf.goodness_of_fit(fit, toys=n)


def profiled(size: int) -> Callable[[], object]:
    """A plane that is minimised over two more couplings."""
    grids = axes(size)
    return lambda: cf.correlation_scan(CSI, EFT, tuple(REACH), *grids, profile=("C_T", "C_V"), threads=1)


def scalings(repeat: int) -> Iterator[Scaling]:
    """Every path against everything that its cost may depend on."""
    many = efts(1000)
    few = many[::10]
    plans = (
        ("templates", "masses", (1, 10, 100, 1000), lambda n: templates(CSI, efts(n))),
        ("templates, 1000 masses", "bins", (6, 12, 24, 48, 96), lambda n: templates(with_bins(n), many)),
        ("templates, 1000 masses", "nuclides", (1, 2, 3, 9), lambda n: templates(with_nuclides(n), many)),
        ("templates, 1000 masses", "threads", (1, 2), lambda n: templates(CSI, many, n)),
        ("limit_scan, one coupling", "masses", (10, 100, 1000), lambda n: limits(CSI, efts(n))),
        ("limit_scan, 100 masses", "bins", (12, 48, 96), lambda n: limits(with_bins(n), few)),
        ("plane", "points", (250**2, 500**2, 1000**2, 2000**2, 4000**2), lambda n: plane(CSI, math.isqrt(n))),
        ("plane, 1000 × 1000", "bins", (12, 48, 192), lambda n: plane(with_bins(n), 1000)),
        ("plane, 4000 × 4000", "threads", (1, 2), lambda n: plane(CSI, 4000, n)),
        ("plane, 2 couplings profiled", "points", (10**2, 20**2, 40**2), lambda n: profiled(math.isqrt(n))),
        ("Likelihood.batch", "points", (1000, 10_000, 100_000), batch),
        ("1000 × Likelihood(θ)", "bins", (12, 48, 96), lambda n: value(with_bins(n))),
        ("goodness_of_fit", "toys", (1000, 4000, 16_000), toys),
    )
    for path, variable, sizes, prepare in plans:
        yield scaling(path, variable, sizes, prepare, repeat)


def first_calls(processes: int) -> Iterator[tuple[str, float]]:
    """What each takes more than the second, in a process that has compiled nothing."""
    found = [start.compile_seconds() for _ in range(processes)]
    for name in start.FIRST_CALLS:
        yield name, min(each[name] for each in found)


def limits_of_the_machine(repeat: int) -> Iterator[str]:
    """How far the two hot loops are from what one core can do."""
    out = np.zeros((4000, 4000))
    fill = best_of(lambda: out.fill(1.0), 2 * repeat)
    scan = best_of(plane(CSI, 4000), repeat)
    small = best_of(plane(CSI, 1000), 3 * repeat)
    a = np.random.default_rng(0).random((1000, 1000))
    peak = 2e9 / best_of(lambda: a @ a, repeat)
    yield f"plain fill of 128 MB: {time_of(fill)}, {out.nbytes / fill / 1e9:.1f} GB/s"
    yield (
        f"plane of 4000 × 4000 points, one thread: {time_of(scan)}, {out.nbytes / scan / 1e9:.1f} GB/s, "
        f"{100 * fill / scan:.0f}% of the fill"
    )
    flops = POINT_FLOPS * 1e6 / small
    yield (
        f"plane of 1000 × 1000 points: {1e3 * small:.2g} ns a point; {POINT_FLOPS} flops, a division among them: "
        f"{flops / 1e9:.1f} of {peak / 1e9:.0f} Gflop/s of a matrix product"
    )
    many = efts(1000)
    per_mass = best_of(lambda: cf.templates(CSI, many), repeat) / 1000
    count = template_flops()
    yield (
        f"templates on CsI: {time_of(per_mass)} a mass; about {count / 1e3:.0f} thousand flops: "
        f"{count / per_mass / 1e9:.1f} of {peak / 1e9:.0f} Gflop/s"
    )


# a, b: two multiplications and additions each, c: one; squares, sums, a product and a quotient (`at` in plane.c).
POINT_FLOPS = 18


def template_flops() -> float:
    """Operations of the rate kernel for one mass of the EFT on CsI, panels that are cut not counted."""
    from cevns_fast._kernels.rates import HALF, NODES, T_POWERS
    from cevns_fast.counts.plan import plan_of

    panels = plan_of(CSI.source, CSI.detector, 1e-11).panels
    lanes = 8  # five moments, of three powers of E and both parities, in two vectors
    a_node = 2 * (HALF - 1) + 3 + 2 * T_POWERS  # a polynomial of degree 5; each panel feeds one bin
    return float(len(panels.low) * NODES * lanes * a_node)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="the smallest of so many times counts (default 5)")
    repeat = parser.parse_args().repeat
    begin = time.perf_counter()
    print("| first call | takes more than the second |", "|-|-|", sep="\n")
    for name, seconds in first_calls(min(repeat, 3)):
        print(f"| {name} | {time_of(seconds)} |", flush=True)
    print()
    print("| path | grows with | from … to | takes | fixed part | each more | exponent |", "|-|-|-|-|-|-|-|", sep="\n")
    for each in scalings(repeat):
        print("|", " | ".join(each.cells()), "|", flush=True)
    print()
    for line in limits_of_the_machine(repeat):
        print("-", line, flush=True)
    print(f"\nsmallest of {repeat}; {time.perf_counter() - begin:.0f} s; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
