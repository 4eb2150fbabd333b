"""A detector that does not exist yet: what 50 kg of silicon at 20 m from a reactor core would say."""

import numpy as np

import cevns_fast as cf

silicon = cf.Experiment(
    name="silicon",
    source=cf.Reactor(thermal_power=4.0, distance=20.0),  # GW, m
    detector=cf.Detector(
        cf.Target.of("Si", {"Si": 1}),
        mass=50.0,  # kg
        bins=tuple(np.linspace(0.1, 2.0, 20)),  # keV of recoil
        response=cf.Response(smearing=cf.GaussianSmearing(constant=0.03)),
    ),
    exposure=365.0,  # days
    observed=None,  # simulated: exactly what the Standard Model predicts
    steady_state=cf.BackgroundRate(per_day_keV_kg=1.0),
    steady_state_weight=1.0,
    signal_uncertainty=0.03,
)
counts = cf.event_rate(silicon, cf.StandardModel())
print(f"{counts.sum():.4g} events of the Standard Model a year, {counts[0]:.4g} of them in the lowest bin")
for m_S in (0.1, 1.0, 10.0):
    limit = cf.limit_scan(silicon, cf.ScalarMediator(m_chi=0.1, m_S=m_S, y_bar=0.0), "y_bar").upper[0]
    print(f"m_S = {m_S:4} MeV: y_bar < {limit:.3g}")
