"""Coverage of 90% regions by 20,000 toys at four truths: of Wilks' threshold, and of critical values by toys.

    python asv_benchmarks/toy_coverage.py

Toys of one seed give the critical value, those of another are asked whether they exceed it.
"""

import numpy as np
from scipy import stats

import cevns_fast as cf

TOYS, CL = 20_000, 0.90
TRUTHS = {
    "zero": {"C_S": 0.0, "a_M": 0.0},
    "dipole": {"C_S": 0.0, "a_M": 4e-4},
    "scalar": {"C_S": 0.03, "a_M": 0.0},
    "both": {"C_S": 0.03, "a_M": 3e-4},
}


def fits():
    """Likelihoods by name."""
    model, names = cf.SingletEFT(m_chi=10.0), ("C_S", "a_M")
    csi = cf.load("coherent-csi-2017")
    for statistic in ("gaussian", "poisson"):
        yield f"CsI 2017, {statistic}", cf.Likelihood(csi, statistic=statistic, model=model, parameters=names)
    if "coherent-csi-2021" in cf.available_experiments():
        later = cf.load("coherent-csi-2021")
        yield "CsI 2021, poisson", cf.Likelihood(later, statistic="poisson", model=model, parameters=names)
    many = cf.load("coherent-csi-x100")
    yield "CsI × 100, gaussian", cf.Likelihood(many, model=model, parameters=names)


def main():
    """Print a table."""
    wilks = stats.chi2(2).ppf(CL)
    print(f"{'':22s}{'truth':10s}{'Wilks':>8s}{'toys':>8s}{'critical':>10s}   ± {np.sqrt(CL * (1 - CL) / TOYS):.4f}")
    for name, fit in fits():
        for truth, point in TRUTHS.items():
            critical = cf.feldman_cousins(fit, point, cl=CL, toys=TOYS, seed=1).critical[0]
            judged = cf.feldman_cousins(fit, point, cl=CL, toys=TOYS, seed=2).toy_delta_chi2[0]
            of_wilks, of_toys = np.mean(judged <= wilks), np.mean(judged <= critical)
            print(f"{name:22s}{truth:10s}{of_wilks:8.4f}{of_toys:8.4f}{critical:10.3f}", flush=True)


if __name__ == "__main__":
    main()
