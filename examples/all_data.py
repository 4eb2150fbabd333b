"""The picture of README: what each public data set and all of them together say, in some seconds."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

import cevns_fast as cf

SETS = {
    "COHERENT CsI": ("coherent-csi-2021",),
    "COHERENT LAr": ("coherent-lar-2020",),
    "COHERENT Ge": ("coherent-ge-2024",),
    "CONUS+": ("conusplus-2025",),
    "XENONnT": ("xenonnt-sr0", "xenonnt-sr1", "xenonnt-sr2"),
    "PandaX-4T": ("pandax-4t-2024",),
}
COLOURS = ("#D55E00", "#0072B2", "#E69F00", "#AA4499", "#009E73", "#56B4E9")

sets = {label: [cf.load(name) for name in names] for label, names in SETS.items()}
looks = dict(zip(sets, ({"color": c, "lw": 1.2} for c in COLOURS), strict=True))
sets["all together"] = [each for experiments in sets.values() for each in experiments]
looks["all together"] = {"color": "black", "lw": 2.2}

mixing = np.linspace(0.12, 0.40, 57)
masses = np.r_[np.geomspace(0.3, 40.0, 24), np.linspace(42.0, 52.5, 8)]
low_energy = cf.StandardModel(sin2_theta_w=0.23857)


def bound(experiments, m_chi):
    """The largest |a_M| within Δχ² = 2.71 of the best fit: 90% CL."""
    fit = cf.Likelihood(experiments, standard_model=low_energy, model=cf.SingletEFT(m_chi=m_chi), parameters=("a_M",))
    best = cf.best_fit(fit)
    inside = outside = max(abs(best.theta["a_M"]), 1e-6)
    while fit([outside]) - best.chi2 < 2.706:
        if outside > 1:
            return np.inf  # too heavy for this source
        inside, outside = outside, 2 * outside
    return brentq(lambda a_M: fit([a_M]) - best.chi2 - 2.706, inside, outside, rtol=1e-3)


plt.rcParams["text.usetex"] = False  # mathtext needs no LaTeX
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.9), layout="constrained")
for label, experiments in sets.items():
    like = cf.Likelihood(experiments)
    chi2 = np.array([like.chi2(cf.StandardModel(sin2_theta_w=s)) for s in mixing.tolist()])
    left.plot(mixing, chi2 - chi2.min(), label=label, **looks[label])
    upper = np.array([bound(experiments, m) for m in masses.tolist()])
    seen = np.isfinite(upper)
    right.loglog(masses[seen], upper[seen], **looks[label])
    print(f"{label}: sin²θ_W = {mixing[chi2.argmin()]:.3f}, a_M < {upper[0]:.2g} for a light χ")
left.axvline(0.23857, color="0.6", lw=0.8, ls=":")
left.text(0.241, 8.9, "expected", color="0.4", va="top", fontsize=8)
left.set(xlabel=r"$\sin^2\theta_W$ at low energy", ylabel=r"$\Delta\chi^2$", ylim=(0, 9), xlim=(0.12, 0.40))
right.set(xlabel=r"$m_\chi$ [MeV]", ylabel=r"dipole $|a_M|$, 90% CL upper limit", xlim=(0.3, 53), ylim=(1e-5, 1e-2))
figure.legend(loc="outside upper center", ncols=7, frameon=False, fontsize=8, handlelength=1.4, columnspacing=1.2)
figure.savefig("all_data.png", dpi=150)
