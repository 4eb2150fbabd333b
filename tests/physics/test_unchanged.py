"""What a user's function reads must not change once it is compiled: noticed, and refused with its name."""

import copy
import functools
import math
import pickle
import sys
import types
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.experiments.snapshots import is_inert, snapshot

SM = cf.StandardModel()
Q = 0.08
EDGE = 3.0
SETTINGS = {"q": 0.08}
helper = types.ModuleType("a_users_module")
helper.q = 0.08


class Object:
    """A function with a state of its own."""

    scale = 1.0

    def __init__(self, q):
        self.q = q

    def __call__(self, T):
        return self.scale * self.q + 0 * T

    def method(self, T):
        return self.q + 0 * T


def through_global(T):
    return Q + 0 * T


def through_another(T):
    return through_global(T)


def closure():
    q = 0.08

    def function(T):
        return q + 0 * T

    def change():
        nonlocal q
        q = 0.04

    return function, change


def cases():
    """Name: (a function that gives 0.08, what makes it give 0.04)."""
    inner, change = closure()
    one, two, three, array = Object(0.08), Object(0.08), Object(0.08), np.array([0.08])
    listed, namespace = [0.08], SimpleNamespace(q=0.08)
    halved = functools.partial(lambda T, factor: factor[0] + 0 * T, factor=listed)

    def set_global(name, value):
        return lambda: globals().__setitem__(name, value)

    return {
        "global": (through_global, set_global("Q", 0.04)),
        "global of a function that is called": (through_another, set_global("Q", 0.04)),
        "dictionary": (lambda T: SETTINGS["q"] + 0 * T, lambda: SETTINGS.update(q=0.04)),
        "module": (lambda T: helper.q + 0 * T, lambda: setattr(helper, "q", 0.04)),
        "closure": (inner, change),
        "attribute": (one, lambda: setattr(one, "q", 0.04)),
        "method": (two.method, lambda: setattr(two, "q", 0.04)),
        "class": (three, lambda: setattr(Object, "scale", 0.5)),
        "array": (lambda T: array[0] + 0 * T, lambda: array.__setitem__(0, 0.04)),
        "partial": (halved, lambda: listed.__setitem__(0, 0.04)),
        "namespace": (lambda T: namespace.q + 0 * T, lambda: setattr(namespace, "q", 0.04)),
        "what cannot be seen": (lambda T: float(sys.getrecursionlimit() == 4321) * 0.04 + 0.04 + 0 * T, None),
    }


@pytest.fixture(autouse=True)
def restored():
    yield
    globals().update(Q=0.08, EDGE=3.0)
    SETTINGS["q"], helper.q, Object.scale = 0.08, 0.08, 1.0


@pytest.mark.parametrize("name", cases())
def test_quenching_that_changes(bare, name):
    """The old experiment is refused everywhere; a new one of the same function counts what is right."""
    function, change = cases()[name]
    limit = sys.getrecursionlimit()
    try:
        if change is None:
            sys.setrecursionlimit(4321)
            change = lambda: sys.setrecursionlimit(limit)  # noqa: E731
        make = functools.partial(bare, (1.0, 4.0), light_yield=13.348)
        experiment = make(quenching=function)
        like = cf.Likelihood(experiment)
        assert cf.event_rate(experiment, SM) == pytest.approx(cf.event_rate(make(quenching=0.08), SM), rel=1e-9)
        like.chi2(SM)
        change()
        for use in (
            lambda: cf.event_rate(experiment, SM),
            lambda: cf.templates(experiment, cf.SingletEFT(1.0)),
            lambda: cf.recoil_spectrum(experiment, SM, 0.01),
            lambda: like.chi2(SM),
            lambda: cf.limit_scan(experiment, cf.SingletEFT(1.0), "C_V"),
        ):
            with pytest.raises(ValueError, match=r"quenching: .* has changed since bare was made.*make a new"):
                use()
        new = cf.event_rate(make(quenching=function), SM)
        assert new == pytest.approx(cf.event_rate(make(quenching=0.04), SM), rel=1e-9)
    finally:
        sys.setrecursionlimit(limit)


def test_the_name_of_what_has_changed(bare):
    experiment = bare((1.0, 4.0), quenching=through_another)
    globals()["Q"] = 0.04
    with pytest.raises(ValueError, match=r"quenching: through_global → Q has changed"):
        cf.event_rate(experiment, SM)


def test_a_step_that_moves_between_all_samples(bare):
    """No value that is looked at changes, but the threshold does."""
    global EDGE

    def step(x):
        return np.where(x > EDGE, 0.5, 0.25)

    step.breakpoints = (3.0,)
    experiment = bare((1.0, 8.0), acceptance=step)
    before = cf.event_rate(experiment, SM)
    EDGE = 3.0001
    with pytest.raises(ValueError, match=r"acceptance: .*EDGE has changed"):
        cf.event_rate(experiment, SM)
    EDGE = 3.0
    assert np.array_equal(cf.event_rate(experiment, SM), before)


@dataclass(frozen=True)
class Own:
    """A source whose spectrum reads a global, an attribute or a list."""

    values: list = field(compare=False)
    exposure_unit: str = "days"
    fluence_per_exposure: float = 1e6

    @property
    def components(self):
        return (cf.FluxComponent("nu_e", False, self.spectrum, (1.0, 50.0)),)

    def spectrum(self, E):
        return self.values[0] * Q * E


def test_spectra_that_change(bare):
    values = [1.0]
    make = functools.partial(bare, (1.0, 4.0))
    experiment = make(source=Own(values))
    first = cf.event_rate(experiment, SM)
    assert experiment.source == Own(values) and experiment.source.spectrum(2.0) == 0.16
    globals()["Q"] = 0.16
    with pytest.raises(ValueError, match=r"source: .*Q has changed"):
        cf.event_rate(experiment, SM)
    assert cf.event_rate(make(source=Own(values)), SM) == pytest.approx(2 * first, rel=1e-12)
    other = make(source=Own(values))
    values[0] = 3.0
    with pytest.raises(ValueError, match=r"source: \.values\[0\] has changed"):
        cf.event_rate(other, SM)
    assert cf.event_rate(make(source=Own(values)), SM) == pytest.approx(6 * first, rel=1e-12)


class Uniform:
    """A form factor of the user's own."""

    def __init__(self, radius):
        self.radius = radius

    def proton(self, nuclide, T):
        q = np.sqrt(2 * nuclide.mass * np.asarray(T)) / 197.327
        return np.exp(-((q * self.radius) ** 2) / 10)

    neutron = proton


def test_form_factors_that_change(bare):
    form_factor = Uniform(4.0)
    experiment = bare((1.0, 4.0), form_factor=form_factor)
    before = cf.event_rate(experiment, SM)
    form_factor.radius = 5.0
    with pytest.raises(ValueError, match=r"form_factor: \.radius has changed"):
        cf.event_rate(experiment, SM)
    after = cf.event_rate(bare((1.0, 4.0), form_factor=form_factor), SM)
    assert after < before and after == pytest.approx(cf.event_rate(bare((1.0, 4.0), form_factor=Uniform(5.0)), SM))


RATIO = 10.0


def tied(m_chi, a_M=0.0):
    return cf.SingletEFT(m_chi, a_M=a_M * RATIO / 10.0)


def test_models_that_change(csi):
    fit = cf.Likelihood(csi, model=lambda m_chi, **c: cf.SingletEFT(m_chi * RATIO / 10, **c), parameters=("m_chi",),
                        fixed={"a_M": 2e-4}, bounds={"m_chi": (5.0, 6.0)})  # fmt: skip
    fit([5.5])
    try:
        globals()["RATIO"] = 20.0
        for use in (lambda: fit([5.5]), lambda: fit.batch([[5.5]]), lambda: fit.gradient([5.5])):
            with pytest.raises(ValueError, match=r"model: .*RATIO has changed.*make a new likelihood"):
                use()
    finally:
        globals()["RATIO"] = 10.0
    assert math.isfinite(fit([5.5]))


def test_variants_of_a_shape_that_change(csi):
    up = csi.replace(response=cf.Response(1.17, quenching=lambda T: 1.0 + (Q - 0.08) + 0.01 * T))
    like = cf.Likelihood(csi, nuisances=[cf.ShapeNuisance("q", up=(up,), down=(csi,))])
    like.chi2(SM)
    globals()["Q"] = 0.04
    with pytest.raises(ValueError, match=r"quenching: .*Q has changed"):
        like.chi2(cf.SingletEFT(5.0, C_V=0.1))


def test_a_memory_is_no_change(bare):
    """A function that remembers what it has computed."""

    class Remembering:
        def __init__(self):
            self.found = {}

        def __call__(self, T):
            key = np.asarray(T).tobytes()
            if key not in self.found:
                self.found[key] = 0.1 + 0 * np.asarray(T)
            return self.found[key]

    experiment = bare((1.0, 4.0), quenching=Remembering())
    first = cf.event_rate(experiment, SM)
    assert np.array_equal(cf.event_rate(experiment, SM), first)


def test_what_cannot_change_is_not_looked_at(csi):
    for name in cf.available_experiments():
        assert not cf.load(name).can_change
    table = cf.Table((0.0, 0.1), (0.1, 0.2))
    assert is_inert(table) and snapshot(table, list) is None
    assert not csi.replace(response=cf.Response(1.17, quenching=table)).can_change
    assert csi.replace(response=cf.Response(1.17, quenching=lambda T: 1.0 + 0 * T)).can_change


class WithState:
    """A source of the user's own, with a state and a method that nobody here knows of."""

    exposure_unit = "days"
    fluence_per_exposure = 1e18

    def __init__(self):
        self.strength = 1.0

    @property
    def components(self):
        return (cf.FluxComponent("own", False, self.spectrum, (1.0, 8.0)),)

    def spectrum(self, E):
        return self.strength * np.exp(-E)

    def about(self):
        return "mine"


def test_a_source_stays_what_the_user_gave():
    """It is wrapped, to be told from what it was before: nothing shows it."""
    own = WithState()
    detector = cf.Detector(cf.Target.of("Ge", {"Ge": 1}), 1.0, (0.1, 0.5))
    experiment = cf.Experiment("own", own, detector, 1.0, None, np.zeros(1))
    source = experiment.source
    assert isinstance(source, WithState) and source.about() == "mine"
    assert source == own and own == source and hash(source) == hash(own)
    for again in (pickle.loads(pickle.dumps(experiment)), copy.deepcopy(experiment)):
        assert isinstance(again.source, WithState) and again.source.about() == "mine"
        np.testing.assert_array_equal(cf.event_rate(again, SM), cf.event_rate(experiment, SM))
    own.strength = 2.0
    with pytest.raises(ValueError, match=r"source: .* has changed"):
        cf.event_rate(experiment, SM)


def test_what_cannot_be_sampled_any_more_has_changed():
    """A function that raises has no values."""
    fails = []

    def function(T):
        return 1.0 / T if not fails else fails[0](T)

    before = snapshot(function, lambda: function(np.ones(3)))
    fails.append(None)
    assert before.difference(snapshot(function, lambda: function(np.ones(3)))) is not None
