"""A product of two different propagators: partial fractions, and a series where the masses are nearly equal."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.interactions.process import Interaction, Process, Term, of_batch, two_propagators

CS = cf.nuclide("Cs133")


@dataclass(frozen=True)
class TwoMediators(Interaction):
    """dσ/dT ∝ A²/[(2MT + m₁²)(2MT + m₂²)]."""

    m_1: float
    m_2: float

    @classmethod
    def processes(cls, batch, nuclide):
        terms = (Term(0, 0, 0, 0, 1e-3),)
        if all(each.m_1 == each.m_2 for each in batch):
            return (Process(0.0, terms, 2, of_batch(batch, "m_1")),)
        return two_propagators(0.0, terms, of_batch(batch, "m_1"), of_batch(batch, "m_2"))

    @classmethod
    def amplitudes(cls, batch, nuclide, couplings, phases):
        one = {(): np.array([[[[nuclide.Z, nuclide.N]]]], dtype=np.complex128)}
        return (one,) * len(cls.processes(batch, nuclide))


@pytest.mark.parametrize("ratio", [1.0 + 1e-9, 1.001, 1.04, 1.06, 2.0, 1e3])
def test_at_points(ratio):
    E, T, M = 30.0, np.array([1e-4, 5e-3, 1e-2]), CS.mass
    found = cf.differential_cross_section(TwoMediators(10.0, 10.0 * ratio), CS, E, T, form_factor=cf.PointNucleus())
    product = (2 * M * T + 100.0) * (2 * M * T + (10.0 * ratio) ** 2)
    expected = cf.constants.MEV2_CM2 * 1e-3 * CS.A**2 / product
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_counts_join_where_the_series_ends():
    csi = cf.load("coherent-csi-2017")
    edge = math.sqrt(1.1 / 0.9)
    for ratio in (edge * (1 - 1e-9), edge * (1 + 1e-9)):
        one = cf.event_rate(csi, TwoMediators(10.0, 10.0 * ratio), standard_model=False)
        near = cf.event_rate(csi, TwoMediators(10.0, 10.0 * edge), standard_model=False)
        np.testing.assert_allclose(one, near, rtol=1e-8)
    equal = cf.event_rate(csi, TwoMediators(10.0, 10.0), standard_model=False)
    nearly = cf.event_rate(csi, TwoMediators(10.0, 10.0 + 1e-9), standard_model=False)
    np.testing.assert_allclose(nearly, equal, rtol=1e-9)


def test_a_batch_may_hold_both_cases():
    csi = cf.load("coherent-csi-2017")
    batch = [TwoMediators(10.0, m) for m in (10.1, 30.0, 100.0)]
    together = cf.event_rate(csi, batch, standard_model=False)
    for row, each in zip(together, batch, strict=True):
        np.testing.assert_allclose(row, cf.event_rate(csi, each, standard_model=False), rtol=1e-12)
