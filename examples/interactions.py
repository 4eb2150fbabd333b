"""One figure for each interaction of the field, from the COHERENT CsI data of 2017."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import cevns_fast as cf

plt.rcParams.update({"text.usetex": False, "font.size": 8})  # mathtext needs no LaTeX
csi = cf.load("coherent-csi-2017").replace(form_factor=cf.HelmFormFactor("rms"))
figure, axes = plt.subplots(2, 5, figsize=(13, 5.2), layout="constrained")
LEVELS = (2.279, 4.605)  # 68% and 90% CL of two parameters


def plane(axes, x, y, chi2, title, **labels):
    """Regions of Δχ²; chi2 has a row for each x."""
    axes.contourf(x, y, chi2.T - chi2.min(), [0, *LEVELS], colors=["C0", "lightblue"])
    axes.set_title(title)
    axes.set(**labels)


# The weak mixing angle and the neutrons' radius.
fit = cf.Likelihood(csi, model=cf.StandardModel, parameters=("sin2_theta_w", "neutron_radius"))
angle, radius = np.linspace(0.05, 0.45, 61), np.linspace(3.6, 7.6, 61)
chi2 = np.array([[fit([s, r]) for r in radius] for s in angle])
plane(axes[0, 0], angle, radius, chi2, "Standard Model", xlabel=r"$\sin^2\theta_W$", ylabel="$R_n$  [fm]")
best = cf.best_fit(fit)
print(", ".join(f"{name} = {value:.3g}" for name, value in best.theta.items()), f"chi2 = {best.chi2:.3f}")

# Planes of two couplings.
epsilon = np.linspace(-0.6, 1.0, 161)
scan = cf.correlation_scan(csi, cf.NSI(), ("eps_ee_u", "eps_mumu_u"), epsilon, epsilon)
labels = {"xlabel": r"$\varepsilon_{ee}^{uV}$", "ylabel": r"$\varepsilon_{\mu\mu}^{uV}$"}
plane(axes[0, 1], epsilon, epsilon, scan.chi2, "NSI", **labels)
r2 = np.linspace(-110e-32, 60e-32, 161)
scan = cf.correlation_scan(csi, cf.ChargeRadius(), ("ee", "mumu"), r2, r2)
labels = {"xlabel": r"$\langle r^2_{ee}\rangle$  [$10^{-32}$ cm²]", "ylabel": r"$\langle r^2_{\mu\mu}\rangle$"}
plane(axes[0, 2], r2 / 1e-32, r2 / 1e-32, scan.chi2, "charge radii", **labels)
q = np.linspace(-3e-7, 3e-7, 161)
scan = cf.correlation_scan(csi, cf.Millicharge(), ("ee", "mumu"), q, q)
labels = {"xlabel": r"$q_{ee}$  [$10^{-7}$ e]", "ylabel": r"$q_{\mu\mu}$"}
plane(axes[0, 3], q / 1e-7, q / 1e-7, scan.chi2, "millicharges", **labels)

# Mass and coupling of a light vector with three sets of charges.
masses = np.geomspace(0.1, 1e4, 161)
for panel, (charges, lowest) in zip(axes[1], {"universal": 1e-5, "B-L": 1e-5, "Lmu-Ltau": 1e-4}.items(), strict=False):
    g = np.geomspace(lowest, 3e3 * lowest, 241)
    scan = cf.correlation_scan(csi, cf.LightVector(1.0, charges=charges), ("m_zprime", "g"), masses, g)
    panel.set(xscale="log", yscale="log")
    title = "light vector, " + {"Lmu-Ltau": r"$L_\mu-L_\tau$", "B-L": "$B-L$"}.get(charges, charges)
    plane(panel, masses, g, scan.chi2, title, xlabel=r"$m_{Z'}$  [MeV]", ylabel="$g$")
    print(f"{charges}: g < {cf.limit_scan(csi, cf.LightVector(0.1, charges=charges), 'g').upper[0]:.3g} for a light Z'")

# A dipole to a heavy neutrino of either flavour.
heavy = np.geomspace(0.1, 52.0, 60)
for flavour, style in {"e": "--", "mu": "-"}.items():
    batch = [cf.SingletEFT(m, helicity="left", flavours=(flavour,)) for m in heavy]
    upper = [cf.magnetic_moment(a) for a in cf.limit_scan(csi, batch, "a_M").upper]
    axes[1, 3].loglog(heavy, upper, style, color="black", label=f"with $\\nu_{{\\{flavour}}}$".replace(r"\e", "e"))
axes[1, 3].legend(frameon=False)
axes[1, 3].set(title="dipole portal", xlabel=r"$m_\chi$  [MeV]", ylabel=r"$\mu$  [$\mu_B$], 90% CL")

# Magnetic moments of ν_e and ν_μ.
mu = np.linspace(0, 9e-9, 121)
scan = cf.correlation_scan(csi, cf.MagneticMoment(), ("mu_e", "mu_mu"), mu, mu)
labels = {"xlabel": r"$\mu_{\nu_e}$  [$10^{-9}\mu_B$]", "ylabel": r"$\mu_{\nu_\mu}$"}
plane(axes[0, 4], mu / 1e-9, mu / 1e-9, scan.chi2, "magnetic moments", **labels)
print(f"mu_numu < {cf.limit_scan(csi, cf.MagneticMoment(), 'mu_mu').upper[0]:.3g} mu_B")

# A sterile neutrino: another source at each point.
splitting, mixing = np.geomspace(0.1, 100.0, 16), np.linspace(0.0, 0.5, 11)
chi2 = np.array([
    [cf.Likelihood(csi.replace(source=cf.OscillatedSource(csi.source, float(dm2), Umu4_sq=float(u))))
     .chi2(cf.StandardModel()) for dm2 in splitting]
    for u in mixing
])  # fmt: skip
axes[1, 4].set_yscale("log")
labels = {"xlabel": r"$|U_{\mu 4}|^2$", "ylabel": r"$\Delta m^2_{41}$  [eV²]"}
plane(axes[1, 4], mixing, splitting, chi2, "3+1", **labels)

figure.suptitle("COHERENT CsI 2017: 68% and 90% CL, or upper limits at 90% CL", fontsize=9)
figure.savefig("interactions.png", dpi=130)
