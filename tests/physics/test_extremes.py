"""Numbers of unusual types and sizes, and interactions of one's own: no NaN, nothing read beside an array, no hang."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast._support.remember import forget
from cevns_fast.counts import rows
from cevns_fast.interactions.process import Interaction, Process, Term

FROM_ZERO = (0.0, 5.0, 10.0, 20.0)
TERMS = (Term(0, 0, 0, 0, 1e-13), Term(0, 0, 1, -2, 1e-9, mass_power=2))


@dataclass(frozen=True)
class Own(Interaction):
    """As a user may write it: masses of any type of number, terms made anew each time, a field that has no hash."""

    masses: Any = 0.0
    mediator: Any = 0.0
    amplitude: Any = 1.0
    helicities: int = 1
    anew: bool = False

    couplings: ClassVar = {"g": "coupling"}

    @classmethod
    def processes(cls, batch, nuclide):
        terms = tuple(list(TERMS)) if batch[0].anew else TERMS
        return (Process(batch[0].masses, terms, 2 if np.any(batch[0].mediator) else 0, batch[0].mediator),)

    @classmethod
    def amplitudes(cls, batch, nuclide, couplings, phases):
        amplitude = [[[[each.amplitude, each.amplitude]]] * each.helicities for each in batch]
        return ({(1,) * len(couplings): np.array(amplitude, dtype=complex)},)


def counts(experiment, *interactions):
    return cf.event_rate(experiment, list(interactions), standard_model=False)


@pytest.mark.parametrize("kind", [float, int, np.float32, np.int32, np.int64, np.float64])
@pytest.mark.parametrize("field", ["masses", "mediator"])
@pytest.mark.parametrize("array", [False, True], ids=["one for all", "one for each"])
def test_masses_of_any_type_of_number(csi, kind, field, array):
    given = [kind(20), kind(20), kind(20)] if array else kind(20)
    found = counts(csi, *[Own(**{field: np.array(given) if array else given})] * 3)
    assert np.array_equal(found, counts(csi, *[Own(**{field: 20.0})] * 3))
    assert found.all()


@pytest.mark.parametrize("m_chi", [53.0, 1e10, 1e77, 1e78, 1e200, 1e307])
def test_beyond_every_threshold_there_is_nothing(csi, m_chi):
    eft = cf.SingletEFT(m_chi, a_M=1e-4, C_S=0.01, C_V=0.1, C_T=0.1)
    assert not counts(csi, eft).any()
    assert not cf.templates(csi, eft, standard_model=False).values.any()
    assert cf.limit_scan(csi, eft, "C_S").upper == np.inf


@pytest.mark.parametrize("m_S", [1e-31, 1e-100, 1e-155, 1e-160, 1e-200])
@pytest.mark.parametrize("m_chi", [1e-3, 10.0])
def test_a_mediator_that_is_hardly_massive(bare, m_S, m_chi):
    experiment = bare(FROM_ZERO)
    found = counts(experiment, cf.ScalarMediator(m_chi=m_chi, m_S=m_S, y_bar=1e-5))
    massless = counts(experiment, cf.ScalarMediator(m_chi=m_chi, m_S=0.0, y_bar=1e-5))
    np.testing.assert_allclose(found, massless, rtol=1e-10)


@pytest.mark.parametrize("m_chi", [1e-12, 1e-29, 1e-31, 1e-60, 1e-76, 1e-100, 1e-200])
def test_a_fermion_that_is_hardly_massive(bare, m_chi):
    """Where massless is finite, so is this, and the same; where it is not, the smallest of masses is refused too."""
    experiment = bare(FROM_ZERO)
    found = counts(experiment, cf.SingletEFT(m_chi, C_V=0.1), cf.SingletEFT(m_chi, C_S=0.1))
    massless = counts(experiment, cf.SingletEFT(0.0, C_V=0.1), cf.SingletEFT(0.0, C_S=0.1))
    np.testing.assert_allclose(found, massless, rtol=1e-10)
    dipole = cf.SingletEFT(m_chi, a_M=1e-5)
    if m_chi >= rows.LIGHTEST:
        # 1/T from T_min ∝ m⁴ on: a decade in mass adds as much as four decades in T.
        steps = counts(experiment, dipole, cf.SingletEFT(10 * m_chi, a_M=1e-5), cf.SingletEFT(100 * m_chi, a_M=1e-5))
        assert steps[0, 0] - steps[1, 0] == pytest.approx(steps[1, 0] - steps[2, 0], rel=1e-6)
    else:
        with pytest.raises(ValueError, match=f"m_chi = {m_chi!r}: the rate diverges"):
            counts(experiment, dipole)


def test_grids_far_beyond_any_bound(csi):
    x = np.array([0.0, 1e50])
    assert np.isfinite(cf.correlation_scan(csi, cf.SingletEFT(10.0), ("C_S", "a_M"), x, x).chi2).all()
    with pytest.raises(ValueError, match=r"grid of a_M: reaches 1e\+51, must be within ±1e\+50"):
        cf.correlation_scan(csi, cf.SingletEFT(10.0), ("C_S", "a_M"), x, 10 * x)


def test_what_is_remembered_tells_a_batch_from_helicities(csi):
    """Equal bytes, other shapes."""
    two = counts(csi, Own(), Own())
    assert np.array_equal(two[0], two[1])
    np.testing.assert_allclose(counts(csi, Own(helicities=2))[0], 2 * two[0], rtol=1e-14)
    np.testing.assert_allclose(counts(csi, Own(), Own())[1], two[0], rtol=1e-14)


def test_what_is_remembered_is_bounded(csi):
    forget()
    for _ in range(3):
        counts(csi, *[cf.SingletEFT(10.0, C_S=x) for x in np.linspace(0.0, 0.1, 50)])
    assert not rows._remembered_rows  # a number for each of a batch is not kept
    for _ in range(3):
        counts(csi, Own(anew=True))
    assert len(rows._remembered_rows) == 1  # equal terms are the same, whoever made them


def test_an_interaction_that_has_no_hash(csi):
    grid = np.linspace(0.0, 1.0, 3)
    found = cf.correlation_scan(csi, Own(masses=np.array([10.0])), ("g",), grid)
    assert np.array_equal(found.chi2, cf.correlation_scan(csi, Own(masses=10.0), ("g",), grid).chi2)
