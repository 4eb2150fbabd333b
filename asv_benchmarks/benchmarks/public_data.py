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

    @microseconds
    def track_profiled_chi2(self):
        """Minimised over all nuisances."""
        self.profiled(self.theta[:1])


#: Couplings that are fitted together with all nuisances.
COUPLINGS = {"NSI": ("eps_ee_u", "eps_mumu_u"), "SingletEFT": ("C_V", "C_S")}


class JointFit:
    """The minimum of χ² over couplings and all nuisances of all data, and limits on a coupling."""

    params = tuple(COUPLINGS)
    param_names = ("model",)

    def setup(self, model):
        from cevns_fast.likelihood.likelihood import function_of

        interaction = cf.NSI() if model == "NSI" else cf.SingletEFT(m_chi=10.0)
        names = COUPLINGS[model]
        self.experiments = [cf.load(name) for name in TOGETHER]
        fit = cf.Likelihood(self.experiments, model=interaction, parameters=names)
        self.evaluator = function_of(fit).fast()
        self.start = np.full(len(names), 0.05)
        self.fit = fit
        fit.hessian(self.start)

    def minimise(self):
        return self.evaluator.minimise(self.start, [False] * self.start.size)

    def track_minimum(self, model):
        """From one start, with the counts of all couplings at hand."""
        return 1e3 * best_of(self.minimise, 7)

    track_minimum.unit = "ms"

    def track_lowest_minimum(self, model):
        """From starts on all sides: `best_fit`."""
        return 1e3 * best_of(lambda: cf.best_fit(self.fit), 5)

    track_lowest_minimum.unit = "ms"


class JointLimits:
    """`limit_scan` of all data, a mass of many, templates of 8 experiments and their variants included."""

    def setup(self):
        self.experiments = [cf.load(name) for name in TOGETHER]
        self.masses = [cf.SingletEFT(m_chi=m) for m in np.linspace(1.0, 40.0, 10)]
        cf.limit_scan(self.experiments, self.masses[:1], "C_S")

    def track_mass(self):
        return 1e3 / len(self.masses) * best_of(lambda: cf.limit_scan(self.experiments, self.masses, "C_S"), 3)

    track_mass.unit = "ms"
