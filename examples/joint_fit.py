"""CsI and argon together: they share the flux of their source, and their data are fitted at once."""

import cevns_fast as cf

# What the experiments state as one uncertainty is a common 10% of the flux, and the rest for each.
flux = cf.ScaleNuisance("SNS flux", 0.10)
csi = cf.load("coherent-csi-2017").replace(signal_uncertainty=(0.28**2 - 0.10**2) ** 0.5)
lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty=(0.175**2 - 0.10**2) ** 0.5)

model = {"model": cf.SingletEFT(m_chi=10.0), "parameters": ("C_V",)}
for name, experiments in {"CsI": [csi], "argon": [lar], "joint": [csi, lar]}.items():
    fit = cf.Likelihood(experiments, nuisances=[flux], **model)
    best = cf.best_fit(fit)
    reach = 0.0
    while fit([reach]) - best.chi2 < 2.706:
        reach += 1e-4
    print(f"{name:6}: C_V < {reach:.4f} at 90% CL, SNS flux at the bound {fit.pulls([reach])['SNS flux']:+.2f} σ")
