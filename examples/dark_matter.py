"""Where a scalar mediator gives the right relic density, and how far recoils are from there."""

import numpy as np

import cevns_fast as cf

csi = cf.load("coherent-csi-2017")
masses = np.array([1.0, 3.0, 10.0, 30.0])
mediators = 3 * masses
y = np.geomspace(1e-5, 0.1, 200)

omega = cf.cosmology.relic_plane(masses, mediators, y, reading="majorana", threads=1)
bounds = cf.limit_scan(csi, [cf.ScalarMediator(m, M) for m, M in zip(masses, mediators, strict=True)], "y_bar").upper
for m, row, bound in zip(masses, omega, bounds, strict=True):
    right = y[np.argmax(row < 0.12)]
    at_bound = cf.cosmology.relic_density(m, 3 * m, bound, "majorana")
    theta = cf.cosmology.maximal_mixing(m, majorana=True)
    print(
        f"m_χ = {m:4g} MeV: Ωh² = 0.12 at y_χ = {right:.1e}; ȳ < {bound:.1e}, where a factor {at_bound.dilution:.1e} "
        f"of entropy is needed; stable for θ < {theta:.1e}"
    )
