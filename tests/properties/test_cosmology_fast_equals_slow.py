"""The reduced equation and its tables against the literal system and mpmath."""

import numpy as np
import pytest
import slow_twin

import cevns_fast as cf
from cevns_fast.reference import relic_density as slow

pytest.importorskip("mpmath")


@pytest.mark.parametrize("reading", slow.READINGS)
@pytest.mark.parametrize("process", slow.PROCESSES)
@pytest.mark.parametrize("m, M", [(3.0, 4.5), (3.0, 300.0), (0.01, 1.0), (50.0, 60.0)])
def test_averages(process, reading, m, M):
    T = m / np.array([0.02, 1.0, 40.0])
    expected = [slow_twin.thermal_cross_section(process, m, M, each, reading) for each in T]
    assert cf.cosmology.thermal_cross_section(process, m, M, T, reading) == pytest.approx(expected, rel=1e-10, abs=0)


def test_degrees_of_freedom():
    T = np.logspace(-3, 5, 60)
    assert np.array(cf.cosmology.degrees_of_freedom(T)).T == pytest.approx(
        np.array([slow.degrees_of_freedom(each) for each in T]), rel=1e-13
    )


def agree(m, M, reading, couplings, tolerance):
    x = np.geomspace(1.5 * m / 200, 100.0, 8)
    averages = slow.average_table(m, M, 100.0, reading)
    for y in couplings:
        expected = slow.relic_density(m, M, y, x, reading, averages=averages)
        found = cf.cosmology.relic_density(m, M, y, reading, x=x)
        assert found.Y_chi == pytest.approx(expected.Y_chi, rel=tolerance), y
        assert found.Y_S == pytest.approx(expected.Y_S, abs=tolerance * expected.Y_S[0]), y


@pytest.mark.slow
def test_literal_system_where_S_decays_late():
    agree(3.0, 10.0, "majorana", [1e-12], 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "m, M, reading",
    [
        (3.0, 10.0, "dirac"),
        (3.0, 4.5, "majorana"),
        (3.0, 300.0, "dirac-pair"),
        (1.0, 20.0, "majorana-lepton-conserving"),
    ],
)
def test_literal_system(m, M, reading):
    agree(m, M, reading, [1e-3, 1e-10], 1e-6)
