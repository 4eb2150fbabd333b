"""All public data: the first rate of each set in a new process, and one likelihood of everything."""

import json
import subprocess
import sys

import numpy as np

import cevns_fast as cf

from .timing import best_of, microseconds

SETS = (
    "coherent-csi-2021", "coherent-csi-2017-time", "coherent-lar-2020", "coherent-ge-2024", "conusplus-2025",
    "xenonnt-sr0", "xenonnt-sr1", "xenonnt-sr2", "pandax-4t-2024", "lz-2025-projection", "ess-csi",
)  # fmt: skip
TOGETHER = tuple(name for name in SETS if name not in ("coherent-csi-2017-time", "lz-2025-projection", "ess-csi"))

FIRST = """
import json, sys, time
import cevns_fast as cf
start = time.perf_counter()
cf.event_rate(cf.load(sys.argv[1]), cf.StandardModel())
print(json.dumps(time.perf_counter() - start))
"""


class First:
    """The first rate of a data set in a new process, loading included; without the import."""

    params = SETS
    param_names = ("set",)
    unit = "s"

    def track_first_rate(self, name):
        found = [subprocess.run([sys.executable, "-c", FIRST, name], capture_output=True, check=True).stdout
                 for _ in range(3)]  # fmt: skip
        return min(map(json.loads, found))


class Together:
    """χ² of all data sets at once, in a coupling and all nuisances."""

    def setup(self):
        experiments = [cf.load(name) for name in TOGETHER]
        names = cf.Likelihood(experiments).nuisance_names
        model = cf.SingletEFT(m_chi=10.0)
        self.fit = cf.Likelihood(experiments, model=model, parameters=("C_S", *names))
        self.profiled = cf.Likelihood(experiments, model=model, parameters=("C_S",))
        self.theta = [1e-3, *np.zeros(len(names)).tolist()]
        self.fit.value_and_gradient(self.theta)
        self.profiled([1e-3])

    @microseconds
    def track_chi2(self):
        self.fit(self.theta)

    @microseconds
    def track_chi2_and_gradient(self):
        self.fit.value_and_gradient(self.theta)

    def track_minimisation(self):
        """Over all nuisances, at new values of the coupling."""
        couplings = np.geomspace(1e-4, 5e-3, 20).tolist()
        return 1e3 * best_of(lambda: [self.profiled([x]) for x in couplings], 5) / len(couplings)

    track_minimisation.unit = "ms"
