"""Every optional package is used once, as its extra uses it."""

import tempfile
from pathlib import Path

import arviz
import dynesty
import emcee
import iminuit
import mpmath
import numpy as np
import pyhf
import ultranest
from distributed import Client

import cevns_fast as cf
from cevns_fast import cli
from cevns_fast.output import drawing
from cevns_fast.reference.loop_functions import F_G

csi = cf.load("coherent-csi-2017")
eft = cf.SingletEFT(m_chi=10.0)
fit = cf.Likelihood(csi, model=eft, parameters=("C_V", "alpha"))
folder = Path(tempfile.mkdtemp())

print("base:", cf.limit_scan(csi, eft, "C_V").upper)
x = np.linspace(-0.2, 0.2, 21)
profiled = cf.correlation_scan(csi, eft, ("C_V", "C_S"), x, x / 5, profile=("C_T",), progress=True)
print("numba:", profiled.chi2.min())
profiled.save(folder / "scan.nc")
assert np.array_equal(cf.open_scan(folder / "scan.nc").chi2, profiled.chi2)
print("scan: area", profiled.area(0.9))

assert cli.main(["limit", "--masses", "5", "-o", str(folder)]) == 0
assert cli.main(["scan", "C_S", "a_M", "m_chi=40", "--points", "31", "-o", str(folder)]) == 0
assert cli.main(["rate", "m_chi=10", "C_V=0.1", "-o", str(folder)]) == 0
assert drawing.available()

minuit = iminuit.Minuit(cf.minuit_cost(fit), C_V=0.05, alpha=0.0)
minuit.migrad()
print("iminuit:", minuit.fval)

sampler = emcee.EnsembleSampler(6, 2, fit.log_likelihood)
sampler.run_mcmc(np.random.default_rng(1).normal(0, 0.03, (6, 2)), 20)
print("emcee:", sampler.get_log_prob().max())

summary = arviz.summary(cf.to_inference_data(fit, np.swapaxes(sampler.get_chain(), 0, 1)))
print("arviz:", list(summary.index))

transform = cf.prior_transform(fit, {"C_V": (-0.3, 0.3), "alpha": (-0.5, 0.5)})
nested = dynesty.NestedSampler(fit.log_likelihood, transform, 2, nlive=50, rstate=np.random.default_rng(1))
nested.run_nested(dlogz=5.0, print_progress=False)
print("dynesty:", nested.results.logz[-1])

sampler = ultranest.ReactiveNestedSampler(["C_V", "alpha"], fit.log_likelihood, transform)
print(
    "ultranest:",
    sampler.run(min_num_live_points=50, dlogz=5.0, frac_remain=0.5, show_status=False, viz_callback=False)["logz"],
)

workspace = cf.pyhf_workspace(csi, eft, ("C_V",))
print("pyhf:", pyhf.Workspace(workspace).model().config.nmaindata)

if __name__ == "__main__":
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        there = cf.correlation_scan(csi, eft, ("C_V", "C_S"), x, x, executor=client.get_executor())
    print("distributed:", np.array_equal(there.chi2, cf.correlation_scan(csi, eft, ("C_V", "C_S"), x, x).chi2))

value = F_G(10.0, 100.0, 5.0)
print("mpmath:", value, mpmath.__version__)
