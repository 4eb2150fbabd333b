"""Spectra that would fool an estimate of the integral's error: peaks, steep flanks, steps, over many decades."""

import mpmath
import numpy as np
import pytest
from accuracy import error

import cevns_fast as cf
from cevns_fast.counts.flux import JUDGED_LANES, flux_moments, moments_at
from cevns_fast.counts.piecewise import AccuracyWarning

pytestmark = pytest.mark.filterwarnings("ignore::cevns_fast.experiments.reach.OutOfReachWarning")
PEAKED = cf.TabulatedSpectrum((2.59, 4.94, 5.76, 7.70, 8.21), (9.06e6, 5.35e7, 4.12e11, 1.48e8, 4.55e6), "log")


def experiment_of(spectrum, smearing, bins=(0.0, 1.03)):
    target = cf.Target.of("Ge76", {"Ge76": 1})
    detector = cf.Detector(target, 1.0, bins, cf.Response(smearing=smearing), cf.PointNucleus())
    return cf.Experiment("adversarial", cf.TabulatedSource(spectrum), detector, 1.0, None, np.zeros(len(bins) - 1))


@pytest.mark.parametrize("smearing", [None, cf.GaussianSmearing(0.0, constant=0.41)], ids=["sharp", "smeared"])
@pytest.mark.parametrize("m_chi", [0.5, 1.36, 5.0, 7.7])
def test_a_peak_between_panels(smearing, m_chi):
    """Images of the flanks cut the same panel from the coarse plan and from the one it was compared with."""
    experiment = experiment_of(PEAKED, smearing)
    assert error(experiment, cf.ScalarMediator(m_chi, 3.7e-5, 1e-5), standard_model=False) < 1
    assert error(experiment, cf.SingletEFT(m_chi, C_S=0.1), standard_model=False) < 1


NEEDLE = cf.TabulatedSpectrum((2.0, 5.0, 5.000001, 5.000002, 8.0), (1e-3, 1e-3, 1e6, 1e-3, 1e-3), "log")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::cevns_fast.counts.piecewise.AccuracyWarning")
def test_a_peak_of_an_eV():
    """Numbers around 5 are 1e-9 of its width apart: 7e-9 were missing where nodes were taken to be where none is."""
    assert error(experiment_of(NEEDLE, None), cf.ScalarMediator(0.5, 1e-3, 1e-5), standard_model=False) < 1
    found = moments_at(flux_moments(cf.TabulatedSource(NEEDLE), ((False, 0),)), np.array([2.0, 5.0000012]))[0]
    with mpmath.workdps(40):
        E, y = [list(map(mpmath.mpf, each)) for each in (NEEDLE.energies, NEEDLE.values)]
        flank = (y[2] - y[3]) / mpmath.log(y[2] / y[3])
        whole = y[0] * (E[1] - E[0]) + flank * (E[3] - E[1]) + y[0] * (E[4] - E[3])
        at = y[2] * (y[3] / y[2]) ** ((mpmath.mpf(5.0000012) - E[2]) / (E[3] - E[2]))
        part = (at - y[3]) / mpmath.log(y[2] / y[3]) * (E[3] - E[2]) + y[0] * (E[4] - E[3])
    assert found[0] / found[1] == pytest.approx(float(whole / part), rel=2e-12)


@pytest.mark.parametrize("width", [0.02, 0.05])
@pytest.mark.parametrize("smearing", [None, cf.GaussianSmearing(0.0, constant=0.3)], ids=["sharp", "smeared"])
def test_flanks_of_twelve_decades(smearing, width):
    """5e-8 were missing between the images of the kinks, with a warning that no smaller rtol could heed."""
    E = (2.0, 5.0, 5.0 + width, 5.0 + 2 * width, 8.0)
    experiment = experiment_of(cf.TabulatedSpectrum(E, (1e-6, 1e-6, 1e6, 1e-6, 1e-6), "log"), smearing)
    assert error(experiment, cf.ScalarMediator(0.5, 1e-3, 1e-5), standard_model=False) < 0.1


def test_moments_of_any_powers_cut_the_panels_that_were_judged():
    """Of fewer powers of E a flank took fewer pieces, and panels were not cut where those of the judge were: 6e-8."""
    flank = cf.TabulatedSource(cf.TabulatedSpectrum((2.0, 3.0, 4.0, 4.5), (1.0, 1.0, 10**1.5, 10**4.5), "log"))
    judged = flux_moments(flank, JUDGED_LANES).flux.kinks
    assert judged.size > 5
    for lane in JUDGED_LANES:
        assert np.array_equal(flux_moments(flank, (lane,)).flux.kinks, judged)
    experiment = experiment_of(flank.spectrum, None, (0.46, 0.6))
    assert error(experiment, cf.ScalarMediator(0.0, 0.01, 1e-5), standard_model=False) < 1


def drawn(seed):
    """A table, where its spectrum begins, a mass over its end, an edge of a bin, whether there is a resolution."""
    random = np.random.default_rng(seed)  # hypothesis would take constants of whatever modules other tests have loaded
    n = random.integers(3, 7)
    table = np.column_stack([random.uniform(0.05, 1.0, n), random.uniform(-6.0, 6.0, n)])
    return table, random.uniform(1.0, 6.0), random.uniform(0.0, 0.99), random.uniform(0.1, 1.5), seed % 2 == 0


@pytest.mark.filterwarnings("ignore::cevns_fast.experiments.reach.OutOfReachWarning")
@pytest.mark.parametrize(
    "case",
    [
        *map(drawn, range(12)),
        ([(1.0, 0.0), (1.0, 0.0), (0.0625, 2.0)], 1.0, 0.0, 0.25, False),
        ([(1.0, -3.0), (0.25, 5.0), (1.0, 0.0)], 4.0, 0.0, 1.0, True),
        # 4.5e-10: a flank in eight pieces, which did not cut panels, where the judge's moments took sixteen, which did.
        ([(1.0, 0.0), (1.0, 0.0), (1.0, 1.5), (0.5, 4.5)], 1.0, 0.0, 1.0, False),
        ([(1.0, 0.0), (0.05, 0.0), (0.05, 0.0)], 1.0, 0.0, 1.0, False),  # -1e-41 counts where no recoil reaches
    ],
)
def test_any_peaks(case):
    table, start, fraction, edge, smeared = case
    steps, logs = np.array(table).T
    E = start + np.cumsum(steps)
    spectrum = cf.TabulatedSpectrum(tuple(E.tolist()), tuple((10.0**logs).tolist()), "log")
    smearing = cf.GaussianSmearing(0.0, constant=0.3) if smeared else None
    experiment = experiment_of(spectrum, smearing, (0.5 * edge, edge, 3.0))
    try:
        found = error(experiment, cf.ScalarMediator(fraction * E[-1], 0.01, 1e-5), standard_model=False)
    except AccuracyWarning:  # not without a word: four decades within 2% of an energy are too steep
        return
    assert found < 1
