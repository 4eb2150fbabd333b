"""The projections of Chang & Liao 2020 and Brdar et al. 2018: their experiments, and the bounds of CL Eqs. (17)–(20).

What is printed is not always what follows from the paper's assumptions: an independent calculation obtained the
ratios below (physics conventions, Sec. 9), which must be met within 4%.
"""

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.likelihood.measurement import measurement_of

COUPLINGS = ("a_M", "C_S", "C_V", "C_T")
PRINTED = {  # bounds on the coupling squared for a light χ, and independent calculation over printed
    "coherent-csi-2017": ((7.2e-8, 0.90), (4.5e-4, 0.54), (1.1e-2, 1.07), (7.9e-2, 1.02)),
    "coherent-lar-610kg": ((8.3e-9, 0.92), (1.4e-5, 0.95), (4.2e-3, 1.43), (9.1e-3, 1.05)),
    "conus-100kg": ((1.0e-12, 0.84), (4.6e-8, 5.4), (1.4e-3, 0.98), (2.0e-4, 0.88)),
}
CELLS = [(e, c, *cell) for e, row in PRINTED.items() for c, cell in zip(COUPLINGS, row, strict=True)]


def bound(experiment, coupling, variant="published"):
    """On the coupling squared, at 90% CL, for a light χ."""
    light = cf.SingletEFT(m_chi=1e-3, variant=variant)
    return cf.limit_scan(experiment, light, coupling, delta_chi2=2.71).upper[0] ** 2


@pytest.mark.parametrize(("name", "coupling", "printed", "ratio"), CELLS)
def test_the_twelve_bounds(name, coupling, printed, ratio):
    assert bound(cf.load(name), coupling) == pytest.approx(ratio * printed, rel=0.04, abs=0)


@pytest.mark.parametrize(
    ("name", "ratio"), [("coherent-csi-2017", 0.96), ("coherent-lar-610kg", 0.99), ("conus-100kg", 0.90)]
)
def test_dipole_with_the_better_prefactor(name, ratio):
    assert bound(cf.load(name), "a_M", "corrected") == pytest.approx(ratio * PRINTED[name][0][0], rel=0.04, abs=0)


def test_vector_bound_of_liquid_argon_needs_alpha_on_the_standard_model():
    lar = cf.load("coherent-lar-610kg").replace(signal_uncertainty_on="standard_model")
    assert bound(lar, "C_V") == pytest.approx(1.02 * 4.2e-3, rel=0.04)


def test_scalar_bound_of_conus_is_close_to_a_coupling_that_was_not_squared():
    """CL (18) prints 4.6e-8 for |C_S|²; |C_S| = 4.6e-4 would be 2.1e-7, what a flux of 2.5e13 gives."""
    conus = cf.load("conus-100kg").replace(thermal_power=None, distance=None, total_flux=2.5e13)
    assert bound(conus, "C_S") ** 0.5 == pytest.approx(4.6e-4, rel=0.04)


def test_liquid_argon():
    lar = cf.load("coherent-lar-610kg")
    assert (lar.detector.mass, lar.source.distance, lar.exposure, lar.signal_uncertainty) == (610, 29, 8.2e23, 0.175)
    assert np.diff(lar.detector.bins).tolist() == [2.0] * 40 and lar.detector.bins[0] == 20
    counts = cf.event_rate(lar, cf.StandardModel())
    background = lar.steady_state_counts(counts)
    assert background == pytest.approx(np.full(40, counts.sum() / 160))
    # σ² = N_SM + 2B
    assert measurement_of(lar).variance == pytest.approx(counts + 2 * background)


def test_conus_100kg():
    conus = cf.load("conus-100kg")
    assert conus.source.flux == pytest.approx(1.83e13, rel=2e-3)
    assert conus.exposure == 5 * 365.25 and conus.detector.mass == 100
    assert [n.name for n in conus.detector.target.nuclides] == ["Ge70", "Ge72", "Ge73", "Ge74", "Ge76"]
    assert np.diff(conus.detector.bins) == pytest.approx([0.1] * 19) and conus.detector.bins[0] == 0.1
    counts = cf.event_rate(conus, cf.StandardModel())
    background = conus.steady_state_counts(counts)
    assert background == pytest.approx(np.full(19, 5 * 365.25 * 100 * 0.1))
    # σ² = N_SM + B
    assert measurement_of(conus).variance == pytest.approx(counts + background)


def test_conus_4kg_and_what_brdar_makes_of_100kg():
    small, large = cf.load("conus-4kg"), cf.load("conus-100kg-brdar")
    assert (small.signal_uncertainty, small.shape_uncertainty) == (0.02, 0.01)
    assert (large.signal_uncertainty, large.shape_uncertainty) == (0.01, 0.005)
    for experiment in (small, large):
        assert experiment.source.flux == 2.5e13 and experiment.source.endpoint == 8.0
        assert experiment.detector.form_factor == cf.PointNucleus()
        assert experiment.variance == "prediction"
    assert (small.exposure, small.detector.mass, small.n_bins) == (365.25, 4.0, 8)


def test_statistic_of_brdar_by_hand():
    """Eqs. (29) and (30), minimised over a on a fine grid."""
    conus = cf.load("conus-4kg")
    N_SM = cf.event_rate(conus, cf.StandardModel())
    N = cf.event_rate(conus, cf.ScalarMediator(m_chi=3.0, m_S=10.0, y_bar=2e-5))
    B = np.full(8, 365.25 * 4 * 0.1)
    variance = N + B + (0.01 * (N + B)) ** 2
    a = np.linspace(-0.2, 0.1, 300_001)[:, None]
    chi2 = (((1 + a) * N - N_SM) ** 2 / variance).sum(axis=1) + (a[:, 0] / 0.02) ** 2
    assert cf.Likelihood(conus).chi2_of_counts(N) == pytest.approx(chi2.min(), rel=1e-6)
    assert chi2.min() > 1


def test_a_hundred_times_coherent():
    """Statistics × 100, uncertainties / 10, and data that the Standard Model describes."""
    csi, future = cf.load("coherent-csi-2017"), cf.load("coherent-csi-x100")
    SM = cf.StandardModel()
    now, then = cf.event_rate(csi, SM), cf.event_rate(future, SM)
    assert then == pytest.approx(100 * now, rel=1e-12)
    assert future.signal_uncertainty == pytest.approx(csi.signal_uncertainty / 10)
    assert future.steady_state == pytest.approx(100 * csi.steady_state)
    (old,), (new,) = csi.backgrounds, future.backgrounds
    assert new.counts == pytest.approx(100 * old.counts) and new.uncertainty == pytest.approx(old.uncertainty / 10)
    assert cf.Likelihood(future).chi2(SM) < 1e-20


def test_simulated_data_follow_the_truth():
    conus = cf.load("conus-4kg").replace(simulated_truth=cf.StandardModel(0.23857))
    low = cf.Likelihood(conus, standard_model=cf.StandardModel(0.23857))
    assert low.chi2(cf.StandardModel(0.23857)) < 1e-20
    assert cf.Likelihood(conus).chi2(cf.StandardModel()) > 0.1
    heavy = cf.load("conus-4kg").replace(mass=8.0)
    assert cf.Likelihood(heavy).chi2(cf.StandardModel()) < 1e-20


def test_every_number_can_be_replaced():
    conus = cf.load("conus-100kg")
    changed = conus.replace(
        thermal_power=7.8, distance=34.0, endpoint=7.0, mass=10.0, exposure=1.0, signal_uncertainty=0
    )
    assert (changed.source.thermal_power, changed.source.endpoint, changed.detector.mass) == (7.8, 7.0, 10.0)
    assert conus.source.thermal_power == 3.9
    with pytest.raises(ValueError, match="unknown field 'power'; did you mean"):
        conus.replace(power=1.0)
    with pytest.raises(ValueError, match="endpoint = 12"):
        conus.replace(endpoint=12.0)
