"""The speed table of the design, measured: ``python asv_benchmarks/speed_table.py`` from the top of the checkout.

The bodies are those of the asv suite. Both sides of a ratio are measured one after the other in this process, and
every time is the smallest of several: what the machine does when nothing else wants it.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one core, for numpy as well

import numpy as np
from benchmarks import cosmology, double_integral, likelihood, limits, public_data, rates, scans, start, statistics
from benchmarks.timing import best_of

import cevns_fast as cf


@dataclass(frozen=True)
class Row:
    """One line. Numbers are in `unit`; a comparison is what else was measured in this run."""

    what: str
    unit: str
    goal: float
    stretch: float | None
    measured: float
    comparison: str = ""
    compared: float | None = None

    def cells(self) -> list[str]:
        """As text."""
        beside = f"{self.comparison}: {number(self.compared)} {self.unit}" if self.compared is not None else ""
        ratio = f"{number(self.compared / self.measured)}" if self.compared is not None else ""
        stretch = f"{number(self.stretch)} {self.unit}" if self.stretch is not None else ""
        verdict = "both" if self.measured <= (self.stretch or 0) else "yes" if self.measured <= self.goal else "NO"
        measured = f"{number(self.measured)} {self.unit}"
        return [self.what, f"{number(self.goal)} {self.unit}", stretch, measured, verdict, beside, ratio]


def number(x: float) -> str:
    """Three digits, without an exponent."""
    return f"{x:.3g}" if x < 1000 else f"{x:,.0f}"


def made(benchmark: type, *parameters: Any) -> Any:
    """A benchmark, set up."""
    instance = benchmark()
    instance.setup(*parameters)
    return instance


def in_new_process(code: str, repeat: int, environment: dict[str, str] | None = None) -> float:
    """Seconds from start to end of an interpreter that runs this."""
    command = [sys.executable, "-c", code]
    merged = os.environ | (environment or {})
    return best_of(lambda: subprocess.run(command, env=merged, check=True, cwd="/"), repeat)


def template_rows(repeat: int) -> Iterator[Row]:
    for experiment, bins, goal, stretch in (
        ("coherent-csi-2017", "12 CsI bins", 10, 4),
        ("conus-100kg", "19 CONUS bins × 5 isotopes", 30, 15),
    ):
        beside = made(rates.BesideNumpy, experiment)
        measured = 1e6 * beside.seconds_per_mass(repeat)
        what = f"EFT templates (SM + 10 pairs) × {bins}, per mass in a batch of 1000"
        yield Row(what, "µs", goal, stretch, measured, "vectorised numpy", 1e6 * beside.seconds_of_numpy())
        if experiment == "coherent-csi-2017":
            quad = made(rates.BesideQuad, experiment)
            yield Row(what, "µs", goal, stretch, measured, "nested quad", 1e6 * quad.seconds_of_nested_quad())


def flavour_rows(repeat: int) -> Iterator[Row]:
    measured = 1e-3 * made(rates.ManyCouplings).track_new_templates()
    yield Row("NSI templates, 12 couplings × 12 CsI bins, new values", "ms", 1, None, measured)


def scan_rows(repeat: int) -> Iterator[Row]:
    million = made(scans.BesideNumpy)
    measured = 1e3 * best_of(million.scan, 3 * repeat)
    yield Row("profiled χ² on 1000 × 1000 points", "ms", 1, 0.6, measured, "numpy", 1e3 * million.seconds_of_numpy())
    plane = made(scans.Plane, 4000, 2)
    scan, fill = (1e3 * best_of(f, 3 * repeat) for f in (lambda: plane.scan(2), lambda: plane.out.fill(1.0)))
    yield Row("4000 × 4000 points, two threads, `out=` given", "ms", 7, 5, scan, "filling that array, one thread", fill)
    profiled = made(scans.Profiled, "C_T C_V")
    each = 1e6 * best_of(profiled.scan, repeat) / profiled.points
    yield Row("profiled scan, two couplings, a point", "µs", 20, 10, each)
    with tempfile.TemporaryDirectory() as folder:
        first = in_new_process(scans.FIRST_PROFILED, repeat, {"NUMBA_CACHE_DIR": folder})
    yield Row("the first profiled scan of a process, nothing cached, interpreter included", "s", 1, None, first)
    memory = made(scans.Memory)
    yield Row("peak memory of that scan beyond its result", "MB", 50, None, memory.track_peak_beyond_result())


def jax_rows(repeat: int) -> Iterator[Row]:
    try:
        beside = made(scans.BesideJax)
    except NotImplementedError:  # it is no dependency
        return
    plane = 1e3 * best_of(beside.scan, 3 * repeat)
    yield Row("profiled χ² on 1000 × 1000 points", "ms", 1, 0.6, plane, "JAX, jit", 1e3 * beside.seconds_of_jax_plane())
    batch, jax = (
        1e9 * t / len(beside.points) for t in (beside.seconds_of_batch(repeat)[0], beside.seconds_of_jax_points())
    )
    yield Row("`fit.batch`, two couplings, 1e5 points, a point", "ns", 12, 5, batch, "JAX, jit and vmap", jax)


def double_integral_rows(repeat: int) -> Iterator[Row]:
    function = made(double_integral.Function)
    measured = 1e6 * function.seconds(1, repeat)
    what = "`NumericalInteraction` on CsI, per interaction of a batch, 1e-10"
    yield Row(what, "µs", 60, 30, measured, "vectorised numpy", 1e6 * function.seconds_of_numpy(repeat))
    yield Row(what, "µs", 60, 30, measured, "scipy's dblquad", 1e6 * function.seconds_of_dblquad())
    two = 1e6 * function.seconds(2, repeat)
    yield Row("the same on two threads", "µs", measured / 1.7, measured / 1.9, two, "one thread", measured)
    yield Row("the same as a table of terms", "µs", 5, None, 1e6 * function.seconds_of_table(repeat))
    with tempfile.TemporaryDirectory() as folder:
        environment = {"NUMBA_CACHE_DIR": folder}
        absent = in_new_process(double_integral.FIRST, 1, environment)
        present = in_new_process(double_integral.FIRST, repeat, environment)
    yield Row("a function's first counts in a new process, kernels cached", "s", 0.6, 0.5, present)
    yield Row("the same, cache absent", "s", 6, 4, absent)


def likelihood_rows(repeat: int) -> Iterator[Row]:
    chi2 = made(likelihood.Chi2)
    for words, cold, goal, stretch in (("cold interaction", True, 60, 30), ("templates cached", False, 5, 3)):
        yield Row(f"one `Likelihood.chi2`, {words}", "µs", goal, stretch, 1e6 * chi2.seconds(cold, repeat))
    scan = made(limits.LimitScan, 1)
    measured = 1e3 * best_of(lambda: scan.time_limit_scan(1), repeat)
    yield Row("`limit_scan`, 200 masses, 4 couplings, CsI", "ms", 20, 10, measured)
    loops = made(rates.LoopFunctions)
    measured = 1e3 * best_of(loops.thousand_times, repeat)
    mpmath = measured * loops.track_f_g_speedup_over_mpmath()
    yield Row("F_G, one value a call", "µs", 4, 2, measured, "the reference implementation, mpmath", mpmath)
    masses = np.linspace(1.0, 50.0, 1000)
    measured = 1e3 * best_of(lambda: cf.F_G(masses, 20.0, 4180.0), repeat)  # ms for a thousand are µs for one
    yield Row("F_G, one of 1000 values in a call", "µs", 4, 2, measured)


def public_data_rows(repeat: int) -> Iterator[Row]:
    together = made(public_data.Together)
    chi2 = together.track_chi2()
    yield Row("χ² of all public data in a coupling and 27 nuisances", "µs", 30, 15, chi2)
    yield Row("the same with its gradient", "µs", 3 * chi2, None, together.track_chi2_and_gradient())
    for model, names in public_data.COUPLINGS.items():
        joint = made(public_data.JointFit, model)
        what = f"minimum of all public data over {', '.join(names)} and all nuisances"
        yield Row(what, "ms", 20, None, 1e3 * best_of(joint.minimise, repeat))
    limits_of_all = made(public_data.JointLimits)
    yield Row("`limit_scan` of all public data, a mass", "ms", 50, None, limits_of_all.track_mass())


def statistics_rows(repeat: int) -> Iterator[Row]:
    for statistic, goal, stretch in (("gaussian", 15, 8), ("poisson", 60, 30)):
        toy = made(statistics.Toy, statistic)
        yield Row(
            f"a toy of Feldman–Cousins, two couplings, {statistic}", "µs", goal, stretch, toy.track_toy(statistic)
        )
    batch = made(statistics.TwoCouplings, 1)
    yield Row("`fit.batch`, two couplings, 1e5 points, a point", "ns", 12, 5, batch.track_point(1))
    plane = made(statistics.MassPlane)
    yield Row("plane m_χ × coupling, 1000² points", "ms", 20, 10, 1e3 * best_of(plane.scan, repeat))


def cosmology_rows(repeat: int) -> Iterator[Row]:
    relic = made(cosmology.RelicDensity)
    new = 1e3 * relic.seconds_of_new_masses(3 * repeat)
    averages, literal = 1e3 * relic.seconds_of_slow_averages(), 1e3 * relic.seconds_of_the_slow_twin()
    yield Row("relic density, new m_χ and m_S", "ms", 20, 5, new, "the reference implementation, mpmath", averages)
    further = 1e-3 * relic.track_further_coupling()
    yield Row("relic density, a further y_χ", "ms", 1, 0.2, further, "the literal system, Radau", literal)
    plane = made(cosmology.Plane, 2)
    yield Row(
        "Ωh² on 100 × 100 masses and couplings, two threads", "s", 30, None, best_of(lambda: plane.time_plane(2), 2)
    )


def start_rows(repeat: int) -> Iterator[Row]:
    numba = in_new_process("import numba", repeat)
    for words, goal, code in (("`import cevns_fast`", 0.4, "import cevns_fast"), ("`--help`", 0.15, start.HELP)):
        yield Row(f"{words}, interpreter included", "s", goal, None, in_new_process(code, repeat), "numba alone", numba)
    with tempfile.TemporaryDirectory() as folder:
        environment = {"NUMBA_CACHE_DIR": folder}
        absent = in_new_process(start.FIRST_LIMIT, 1, environment)
        present = in_new_process(start.FIRST_LIMIT, repeat, environment)
    yield Row("first limit curve in a new process, compiled cache present", "s", 0.8, None, present)
    yield Row("the same, cache absent", "s", 5, None, absent)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="the smallest of so many times counts (default 7)")
    repeat = parser.parse_args().repeat
    groups: list[Callable[[int], Iterator[Row]]] = [
        start_rows,
        template_rows,
        flavour_rows,
        scan_rows,
        jax_rows,
        double_integral_rows,
        likelihood_rows,
        public_data_rows,
        statistics_rows,
        cosmology_rows,
    ]
    begin = time.perf_counter()
    print("| what | goal | far goal | measured | reached | beside it | ratio |", "|-|-|-|-|-|-|-|", sep="\n")
    for group in groups:
        for row in group(repeat):
            print("|", " | ".join(row.cells()), "|", flush=True)
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    seconds = time.perf_counter() - begin
    print(f"\n{os.cpu_count()} processors, {platform.python_implementation()} {platform.python_version()}; smallest of")
    print(f"{repeat}; {seconds:.0f} s in all; load averages at the end: {load}")


if __name__ == "__main__":
    main()
