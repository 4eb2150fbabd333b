"""Bounds on every coupling of a singlet fermion from COHERENT, as a figure and a table."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import cevns_fast as cf

plt.rcParams["text.usetex"] = False  # mathtext needs no LaTeX
csi = cf.load("coherent-csi-2017")
masses = np.geomspace(0.1, 52.5, 120)
batch = [cf.SingletEFT(m_chi=m) for m in masses]

figure, axes = plt.subplots(figsize=(3.4, 2.8), layout="constrained")
for coupling, style in {"a_M": "-", "C_S": "--", "C_V": "-.", "C_T": ":"}.items():
    curve = cf.limit_scan(csi, batch, coupling, cl=0.90)
    print(f"{coupling}: |c| < {curve.upper[0]:.3g} for a light χ, < {curve.upper[-1]:.3g} at {masses[-1]:.3g} MeV")
    axes.loglog(masses, curve.upper, style, color="black", label=f"${coupling[0]}_{coupling[2]}$")
axes.set(xlabel=r"$m_\chi$  [MeV]", ylabel="90% CL upper limit")
axes.set_title("COHERENT CsI 2017, one coupling at a time", fontsize=8)
figure.legend(loc="outside upper center", ncols=4, frameon=False)  # where it covers no curve
figure.savefig("bounds.png", dpi=200)
