"""What counts are made with is remembered for all masses and open couplings, never for what differs otherwise."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast._support.remember import forget
from cevns_fast.counts import polynomial
from cevns_fast.counts.flux import beams_of
from cevns_fast.interactions.process import Collision, Interaction

scale = 1.0  # what an interaction of the user's reads

# Of each kind whose masses are stated to be masses alone: what to make others of.
KINDS = {
    "SingletEFT": lambda m: cf.SingletEFT(m_chi=m, a_M=3e-4, C_S=(0.01, 0.02j), C_V=0.1, C_T=0.1, D_A=0.1),
    "ScalarMediator": lambda m: cf.ScalarMediator(m_chi=m, m_S=2 * m, y_chi=1e-3, y_n=1e-5, y_p=2e-5),
    "LightVector": lambda m: cf.LightVector(m_zprime=m, g=5e-5, charges="Lmu-Ltau"),
}


def kinds_of(base):
    """All kinds of interactions of the library."""
    return [base, *(each for kind in base.__subclasses__() for each in kinds_of(kind))]


def test_every_kind_that_states_masses_is_looked_at():
    for name in cf.__all__:
        getattr(cf, name)
    ours = [each for each in kinds_of(Interaction) if each.__module__.startswith("cevns_fast.interactions")]
    assert {each.__name__ for each in ours if each.mass_fields is not None} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [None, cf.StandardModel(0.24)])
@pytest.mark.parametrize("is_open", [False, True])
def test_masses_are_masses_and_nothing_else(csi, kind, model, is_open):
    """Terms and amplitudes are the same to the bit for others, and the masses are where they are said to be."""
    few = [KINDS[kind](m) for m in (0.7, 31.0)]
    couplings = type(few[0]).default_couplings if is_open and kind != "ScalarMediator" else ()
    final, mediator = type(few[0]).mass_fields
    tells = type(few[0]).tells_flavours(few, False, model)
    for target in (*csi.detector.target.nuclides, cf.ELECTRON):
        for beam in (each for each, _ in beams_of(csi.source)) if tells else (None,):
            one, other = (type(each).scatterings([each], Collision(target, beam, model), couplings, {}) for each in few)
            assert len(one) == len(other)
            for left, right in zip(one, other, strict=True):
                assert left.process.terms == right.process.terms
                assert left.process.propagator_power == right.process.propagator_power
                assert left.amplitudes.keys() == right.amplitudes.keys()
                assert all(a.tobytes() == right.amplitudes[e].tobytes() for e, a in left.amplitudes.items())
                for each, scattering in zip(few, (left, right), strict=True):
                    assert scattering.process.final_mass == (getattr(each, final) if final else 0.0)
                    assert scattering.process.mediator_mass == (getattr(each, mediator) if mediator else 0.0)


def test_what_is_remembered_for_one_question_answers_no_other(csi):
    """Everything that a rate or templates depend on is part of the question."""
    argon = cf.load("coherent-lar-610kg")
    one = cf.SingletEFT(10.0, a_M=3e-4, C_S=0.01)
    interactions = [
        one, one.replace(C_S=0.02), one.replace(helicity="left"), one.replace(variant="published"),
        one.replace(flavours=("mu",)), one.replace(C_S=(0.01, 0.02)), one.replace(quark_masses=(2.0, 5.0)),
        cf.NSI(eps_ee_u=0.1), cf.NSI(eps_ee_d=0.1), cf.StandardModel(0.24), cf.StandardModel(couplings="radiative"),
        cf.LightVector(10.0, 5e-5), cf.LightVector(10.0, 5e-5, "B-L"), cf.MagneticMoment(mu_mu=1e-9),
        cf.VectorMediator(10.0, 30.0, 1e-7), cf.VectorMediator(11.0, 30.0, 1e-7), cf.VectorMediator(10.0, 31.0, 1e-7),
    ]  # fmt: skip
    questions = [
        lambda i, e=e, m=m, r=r: cf.event_rate(e, i, standard_model=m, rtol=r)
        for e in (csi, argon, csi.mask([2]), csi.replace(exposure=1.0))
        for m in (True, False, cf.StandardModel())
        for r in (1e-11, 1e-6)
    ]
    questions += [lambda i: cf.templates(csi, i).values, lambda i: cf.templates(csi, i, ()).standard_model]
    asked = [(q, i) for q in questions for i in interactions]
    together = [q(i) for q, i in asked]
    for (q, i), found in zip(asked, together, strict=True):
        assert q(i).tobytes() == found.tobytes()
    for k in range(0, len(asked), 7):
        forget()
        q, i = asked[k]
        assert q(i).tobytes() == together[k].tobytes()


def test_phases_belong_to_the_question(csi):
    eft = cf.SingletEFT(10.0, a_M=3e-4)  # with which the open coupling interferes
    plain, turned = (cf.templates(csi, eft, ("C_S",), phases={"C_S": z}).values for z in (1, -1))
    assert not np.array_equal(plain, turned)
    forget()
    assert np.array_equal(cf.templates(csi, eft, ("C_S",), phases={"C_S": -1}).values, turned)


def test_open_couplings_values_are_no_part_of_it(csi):
    """A chain in masses and couplings asks for amplitudes once."""
    forget()
    like = cf.Likelihood(csi)
    before = None
    for m in range(1, 30):
        like.chi2(cf.SingletEFT(float(m), a_M=1e-5 * m, C_S=1e-3 * m))
        before = before or len(polynomial._remembered)
    assert len(polynomial._remembered) == before


def test_it_is_bounded(csi):
    forget()
    for k in range(300):
        cf.event_rate(csi, cf.StandardModel(0.2 + 1e-4 * k))
        assert len(polynomial._remembered) <= polynomial._remembered.maxsize


def test_checks_are_made_where_all_else_is_remembered(csi):
    eft = cf.SingletEFT(10.0, a_M=3e-4)
    cf.event_rate(csi, eft)
    with pytest.raises(ValueError, match="standard_model = 1"):
        cf.event_rate(csi, eft, standard_model=1)
    with pytest.raises(ValueError, match="each may be named once"):
        cf.templates(csi, eft, ("a_M", "a_M"))
    to_zero = csi.replace(bins=(0.0, 10.0), observed=None, steady_state=[1.0], backgrounds=(), response=cf.Response())
    cf.event_rate(to_zero, eft)
    with pytest.raises(ValueError, match="diverges"):
        cf.event_rate(to_zero, eft.replace(m_chi=0.0))
    vector = cf.VectorMediator(10.0, 100.0, 1e-7)
    cf.event_rate(csi, vector)
    with pytest.raises(ValueError, match="interfere"):
        cf.event_rate(csi, vector, standard_model=cf.StandardModel(0.24))


def test_a_kind_of_the_users_is_asked_each_time(csi):
    """It may read anything, and have masses of its own though the kind that it is derived from has none."""
    global scale

    @dataclass(frozen=True)
    class Scaled(cf.SingletEFT):
        @classmethod
        def processes(cls, batch, nuclide):
            (process,) = super().processes(batch, nuclide)
            return (process._replace(final_mass=scale * process.final_mass),)

    mine = Scaled(10.0, a_M=3e-4)
    for scale in (1.0, 2.0, 0.5):
        expected = cf.event_rate(csi, cf.SingletEFT(10.0 * scale, a_M=3e-4))
        assert np.array_equal(cf.event_rate(csi, mine), expected)
        assert np.array_equal(cf.event_rate(csi, [mine, mine])[1], expected)


def test_threads_share_it(csi):
    asked = [cf.SingletEFT(0.5 + 0.1 * k, a_M=1e-4 * (k % 3)) for k in range(400)]
    alone = [cf.event_rate(csi, each) for each in asked]
    forget()
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda each: cf.event_rate(csi, each), asked))
    assert np.array_equal(alone, together)
