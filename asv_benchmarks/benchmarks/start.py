"""New processes: import, command line, and the first result with and without cached kernels.

asv runs the code that a `timeraw_` method returns in a fresh interpreter, and leaves out that interpreter's start.
"""

import json
import os
import subprocess
import sys
import tempfile

FIRST_LIMIT = """
import cevns_fast as cf
cf.limit_scan(cf.load("coherent-csi-2017"), [cf.SingletEFT(m) for m in (1.0, 10.0, 40.0)], "C_S")
"""

HELP = """
import contextlib, io
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    from cevns_fast.cli import main
    main(["--help"])
"""

# What a first call takes more than a second one, of these in this order.
FIRST_CALLS = (
    "templates", "limits", "scan", "profiled scan", "loop functions", "double integrals", "relic densities",
)  # fmt: skip
COMPILATION = """
import json, time
start = time.perf_counter()
import numpy as np
import cevns_fast as cf
csi, efts, found = cf.load("coherent-csi-2017"), [cf.SingletEFT(m) for m in (1.0, 40.0)], {}
x, profiled = np.linspace(-0.05, 0.05, 9), {"profile": ("C_T",)}
calls = {
    "templates": lambda: cf.templates(csi, efts),
    "limits": lambda: cf.limit_scan(csi, efts, "C_S"),
    "scan": lambda: cf.correlation_scan(csi, efts[1], ("C_S", "a_M"), x, x, threads=1),
    "profiled scan": lambda: cf.correlation_scan(csi, efts[1], ("C_S", "a_M"), x, x, threads=1, **profiled),
    "loop functions": lambda: cf.loop_functions(10.0, 20.0),
    "double integrals": lambda: cf.event_rate(csi, efts[1], method="double-integral"),
    "relic densities": lambda: cf.cosmology.relic_density(3.0, 10.0, 1e-3),
}
for name, call in calls.items():
    times = []
    for _ in range(2):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    found[name] = times[0] - times[1]
    if name == "limits":
        found["first limit, import included"] = time.perf_counter() - start
print(json.dumps(found))
"""


def compile_seconds():
    """What compiles when, in a new process with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        run = subprocess.run([sys.executable, "-c", COMPILATION], env=environment, capture_output=True, check=True)
    return json.loads(run.stdout)


class Import:
    """`import cevns_fast` loads neither numba nor scipy."""

    def timeraw_import(self):
        return "import cevns_fast"

    def timeraw_help(self):
        return HELP

    def timeraw_numba_alone(self):
        return "import numba"


class ColdStart:
    """The first limit curve of a process."""

    number, repeat, timeout = 1, 3, 300

    def setup(self):
        subprocess.run([sys.executable, "-c", FIRST_LIMIT], check=True)  # the cache is there

    def timeraw_first_limit_cached(self):
        return FIRST_LIMIT


class Compilation:
    """What first calls take more than second ones, where numba has compiled nothing yet."""

    params = (*FIRST_CALLS, "first limit, import included")
    param_names = ("first call",)
    timeout = 600

    def setup_cache(self):
        return compile_seconds()

    setup_cache.timeout = 600

    def track_compile_seconds(self, measured, first_call):
        return measured[first_call]

    track_compile_seconds.unit = "s"
