"""`NumericalInteraction`: what a definition may be, and that it works wherever an interaction does."""

import math
import pickle

import cross_sections
import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.interactions.numerical import HIGHEST_DEGREE

PARAMETERS = {"m_chi": 2.0, "m_S": 10.0, "y": 1e-4}


@pytest.fixture(scope="module")
def scalar():
    return cf.NumericalInteraction(cross_sections.scalar, PARAMETERS, couplings={"y": 4}, final_mass="m_chi")


@pytest.fixture(scope="module")
def built_in():
    return cf.ScalarMediator(m_chi=2.0, m_S=10.0, y_bar=1e-4)


@pytest.fixture(scope="module")
def added():
    """A second weak charge, which interferes with the Standard Model's."""
    return cf.NumericalInteraction(cross_sections.interference, {"sin2": 0.2312, "g": 0.1}, couplings={"g": 2})


def constant(E, T, nucleus, beam, p):
    return 1e-20


def test_it_is_an_interaction_with_its_own_parameters(scalar):
    assert isinstance(scalar, cf.NumericalInteraction)
    assert repr(scalar) == "NumericalInteraction[scalar](m_chi=2.0, m_S=10.0, y=0.0001)"
    assert (scalar.m_S, scalar.replace(m_S=3.0).m_S) == (10.0, 3.0)
    assert scalar.replace() == scalar != scalar.replace(m_S=3.0) and hash(scalar.replace()) == hash(scalar)
    other = cf.NumericalInteraction(cross_sections.scalar, {**PARAMETERS, "m_S": 3.0}, {"y": 4}, "m_chi")
    assert type(other) is type(scalar) and other == scalar.replace(m_S=3.0)
    with pytest.raises(ValueError, match="m_T"):
        scalar.replace(m_T=1.0)
    with pytest.raises(AttributeError):
        scalar.m_S = 4.0
    assert cf.NumericalInteraction(constant, {}).default_couplings == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dsigma": 3}, r"dsigma = 3: must be a function dsigma\(E, T, nucleus, beam, p\)"),
        ({"dsigma": lambda E, T: E}, r"dsigma: takes \(E, T\): must be a function"),
        ({"dsigma": math.sqrt}, "dsigma = <built-in function sqrt>: must be a function"),
        ({"parameters": [1.0]}, r"parameters = \[1.0\]: must be a mapping"),
        ({"parameters": {"y": "1"}}, "parameters: y = '1': must be a finite number"),
        ({"parameters": {"y": math.nan}}, "parameters: y = nan: must be a finite number"),
        ({"parameters": {"y": 1j}}, "parameters: y = 1j: must be "),
        ({"parameters": {"2y": 1.0}}, "parameters: '2y': must be a name"),
        ({"parameters": {"replace": 1.0}}, "parameters: 'replace': must be a name that is no attribute"),
        ({"couplings": ["y"]}, r"couplings = \['y'\]: must be a mapping"),
        ({"couplings": {"z": 1}}, "couplings: 'z': must be one of the parameters, m_chi, m_S, y"),
        ({"couplings": {"y": 0}}, "couplings: degree in y = 0: must be a whole number from 1"),
        ({"couplings": {"y": HIGHEST_DEGREE + 1}}, "degree in y = 9"),
        ({"couplings": {"y": 2.0}}, "degree in y = 2.0"),
        ({"final_mass": "m"}, "final_mass = 'm': did you mean 'm_S'"),
        ({"final_mass": "y"}, "final_mass = 'y': must be no coupling"),
        ({"final_mass": -1.0}, "final_mass = -1.0: must be a finite number >= 0"),
        ({"parameters": {**PARAMETERS, "m_chi": -1.0}, "final_mass": "m_chi"}, "m_chi = -1.0: must be >= 0"),
        ({"E_breakpoints": 30.0}, "E_breakpoints = 30.0: must be a sequence"),
        ({"T_breakpoints": (0.0,)}, "T_breakpoints = 0.0: must be a finite number > 0"),
    ],
)
def test_a_definition_is_checked(changes, message):
    given = {"dsigma": cross_sections.scalar, "parameters": PARAMETERS, "couplings": {"y": 4}} | changes
    with pytest.raises(ValueError, match=message):
        cf.NumericalInteraction(**given)


@pytest.mark.jit
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (cross_sections.has_no_charge, "dsigma: numba cannot compile it: Unknown attribute 'charge' of type Nucleus"),
        (cross_sections.returns_complex, "dsigma: it returns complex128, must return a real number"),
    ],
)
def test_what_numba_cannot_compile(function, message):
    with pytest.raises(ValueError, match=message) as caught:
        cf.NumericalInteraction(function, {})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.jit
def test_parameters_cannot_be_written():
    def writes(E, T, nucleus, beam, p):
        p[0] = 2.0
        return E

    with pytest.raises(ValueError, match=r"numba cannot compile it: .*readonly"):
        cf.NumericalInteraction(writes, {"a": 1.0})


def test_division_by_zero_is_refused(csi):
    def divides(E, T, nucleus, beam, p):
        return 1e-20 / (p[0] - 1.0)

    bad = cf.NumericalInteraction(divides, {"a": 1.0})
    assert np.isfinite(cf.event_rate(csi, bad.replace(a=2.0))).all()
    with pytest.raises(ValueError, match=r"dsigma: is (inf|nan)"):
        cf.event_rate(csi, bad)


def test_templates_are_the_built_in_ones(csi, scalar, built_in):
    found, expected = cf.templates(csi, [scalar, scalar.replace(m_chi=5.0)]), cf.templates(csi, built_in)
    assert found.pairs == (("y",), ("y",) * 2, ("y",) * 3, ("y",) * 4)
    assert not found.values[:, :-1].any()
    np.testing.assert_allclose(found.values[0, -1], expected.values[0], rtol=1e-12, atol=0.0)
    np.testing.assert_allclose(
        found.standard_model[0] + found.values[0, -1] * 1e-16, cf.event_rate(csi, scalar), rtol=1e-12, atol=0.0
    )


def test_templates_with_interference(csi, added):
    """Negative where the charges have opposite signs, and as far as the polynomial goes the same at every g."""
    t = cf.templates(csi, added)
    assert t.pairs == (("g",), ("g", "g")) and np.all(t.values[0] < 0) and np.all(t.values[1] > 0)
    for g in (-0.3, 1e-5, 2.0):
        expected = cf.event_rate(csi, added.replace(g=g))
        np.testing.assert_allclose(t.counts({"g": g}), expected, rtol=1e-11, atol=0.0)


def test_degrees_are_checked_at_one_more_point(csi):
    root = cf.NumericalInteraction(cross_sections.square_root, {"a": 1.0}, {"a": 2})
    assert cf.event_rate(csi, root).all()
    with pytest.raises(
        ValueError, match=r"couplings = \{'a': 2\}: counts are no polynomial of these degrees: at a = 0.61"
    ):
        cf.templates(csi, root)
    low = cf.NumericalInteraction(cross_sections.scalar, PARAMETERS, {"y": 3}, "m_chi")
    with pytest.raises(ValueError, match="no polynomial"):
        cf.limit_scan(csi, low, "y")


@pytest.mark.parametrize("degree", range(1, HIGHEST_DEGREE + 1))
def test_every_degree(csi, degree):
    def power(E, T, nucleus, beam, p):
        return 1e-22 * (1.0 + p[0] ** p[1])

    one = cf.NumericalInteraction(power, {"g": 3.0, "n": float(degree)}, {"g": degree})
    t = cf.templates(csi, one, standard_model=False)
    np.testing.assert_allclose(t.values[-1], t.standard_model, rtol=1e-9)
    assert not t.values[:-1].any()


def test_phases_are_refused(csi, scalar):
    with pytest.raises(ValueError, match="phase of y = 1j: must be left out"):
        cf.templates(csi, scalar, phases={"y": 1j})


def test_interference_may_be_negative_but_no_sum(csi, added):
    alone = cf.event_rate(csi, added, standard_model=False)
    assert np.all(alone < 0)
    assert np.all(cf.event_rate(csi, added) > 0)

    def removes(E, T, nucleus, beam, p):
        return -1e-12

    with pytest.raises(ValueError, match=r"interaction = .*removes.*: bin \d+ has -.* counts with the Standard Model"):
        cf.event_rate(csi, cf.NumericalInteraction(removes, {}))


def test_cross_section_and_spectrum(csi, scalar, built_in):
    E, T = np.array([0.1, 20.0, 30.0, 50.0])[:, None], np.array([0.0, 1e-4, 5e-3, 0.02])
    for antineutrino in (False, True):
        found, expected = (
            cf.differential_cross_section(each, cf.nuclide("I127"), E, T, antineutrino=antineutrino)
            for each in (scalar, built_in)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=0.0)
    T = np.geomspace(1e-4, 0.05, 7)
    found, expected = (cf.recoil_spectrum(csi, each, T) for each in (scalar, built_in))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=0.0)
    assert isinstance(cf.recoil_spectrum(csi, scalar, 0.01), float)


def test_a_spectrum_at_a_point_is_its_own(csi, scalar):
    """What is computed at one recoil does not depend on the others that are asked for."""
    T = np.append(np.geomspace(1e-5, 0.0465, 9), [0.02, 0.1])
    together = cf.recoil_spectrum(csi, scalar, T, standard_model=False)
    assert together.tolist() == [cf.recoil_spectrum(csi, scalar, t, standard_model=False) for t in T]
    assert together[0] > 0 and together[-1] == 0


def test_limits(csi, scalar, built_in):
    masses = (0.5, 5.0, 20.0)
    found = cf.limit_scan(csi, [scalar.replace(m_chi=m) for m in masses], "y").upper
    expected = cf.limit_scan(csi, [built_in.replace(m_chi=m) for m in masses], "y_bar").upper
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_correlation_scan_with_two_couplings(csi):
    def two(E, T, nucleus, beam, p):
        A = p[0] * nucleus.Z * nucleus.F_p + p[1] * nucleus.N * nucleus.F_n
        return 1e-22 * A * A * (1.0 - T * nucleus.M / (2 * E * E))

    both = cf.NumericalInteraction(two, {"g_p": 0.01, "g_n": 0.01}, couplings={"g_p": 2, "g_n": 2})
    x = np.linspace(-0.05, 0.05, 21)
    scan = cf.correlation_scan(csi, both, ("g_p", "g_n"), x, x, threads=1)
    fit = cf.Likelihood(csi)
    for i, j in ((0, 0), (3, 17), (20, 11)):
        assert scan.chi2[i, j] == pytest.approx(fit.chi2(both.replace(g_p=x[i], g_n=x[j])), rel=1e-9)
    with pytest.raises(ValueError, match="coupling = 'm'"):
        cf.correlation_scan(csi, both, ("g_p", "m"), x, x)
    profiled = cf.correlation_scan(csi, both, ("g_p",), x, profile=("g_n",), threads=1)
    fine = cf.correlation_scan(csi, both, ("g_p", "g_n"), x, np.linspace(-0.1, 0.1, 4001), threads=1)
    np.testing.assert_allclose(profiled.chi2, fine.chi2.min(axis=1), rtol=0, atol=2e-3)
    assert np.all(profiled.chi2 <= fine.chi2.min(axis=1) * (1 + 1e-12))


def test_likelihood_in_a_mass_of_another_name(csi):
    """A final mass has its kinks under any name, and the range that the source can make."""
    few = csi.mask(range(3, csi.n_bins))
    parameters = {"m": 10.0, "m_S": 10.0, "y": 1e-4}
    scalar = cf.NumericalInteraction(cross_sections.scalar, parameters, {"y": 4}, final_mass="m")
    bounds = {"m": (8.0, 12.0)}
    fit = cf.Likelihood(few, model=scalar, parameters=("m", "y"), bounds=bounds)
    plain = cf.Likelihood(few)
    for m in (8.31, 9.3, 11.77):
        assert fit([m, 1e-4]) == pytest.approx(plain.chi2(scalar.replace(m=m)), rel=1e-9)
    free = cf.Likelihood(few, model=scalar, parameters=("m", "y"))
    assert free.parameters[0].lower == 0.0 and free.parameters[0].upper == pytest.approx(52.8, abs=0.1)


def test_likelihood_of_an_interaction_and_of_parameters(csi, scalar, built_in):
    plain = cf.Likelihood(csi)
    assert plain.chi2(scalar) == pytest.approx(plain.chi2(built_in), rel=1e-11)
    fit = cf.Likelihood(csi, model=scalar, parameters=("y", "alpha"))
    twin = cf.Likelihood(csi, model=built_in, parameters=("y_bar", "alpha"))
    point = [9e-5, 0.1]
    assert fit(point) == pytest.approx(twin(point), rel=1e-10)
    np.testing.assert_allclose(fit.gradient(point), twin.gradient(point), rtol=1e-8)
    step = 1e-9
    slope = (fit([9e-5 + step, 0.1]) - fit([9e-5 - step, 0.1])) / (2 * step)
    assert fit.gradient(point)[0] == pytest.approx(slope, rel=1e-5)


def test_likelihood_in_the_final_mass(csi):
    """m_χ is free as for any interaction that has one: its kinks are those of the built-in one."""
    few = csi.mask(range(3, csi.n_bins))
    parameters = {**PARAMETERS, "m_chi": 10.0}
    scalar = cf.NumericalInteraction(cross_sections.scalar, parameters, {"y": 4}, final_mass="m_chi")
    bounds = {"m_chi": (8.0, 12.0)}
    fit = cf.Likelihood(few, model=scalar, parameters=("m_chi", "y"), bounds=bounds)
    twin = cf.Likelihood(few, model=cf.ScalarMediator(10.0, 10.0), parameters=("m_chi", "y_bar"), bounds=bounds)
    assert fit([9.3, 1e-4]) == pytest.approx(twin([9.3, 1e-4]), rel=1e-9)
    np.testing.assert_allclose(fit.gradient([9.3, 1e-4]), twin.gradient([9.3, 1e-4]), rtol=1e-6)


def test_poisson_toys_pyhf_and_c(csi, scalar, tmp_path):
    fit = cf.Likelihood(csi, statistic="poisson", model=scalar, parameters=("y",))
    best = cf.best_fit(fit)
    assert best.chi2 <= fit([1e-6])
    found = cf.goodness_of_fit(fit, toys=50, seed=1)
    again = cf.goodness_of_fit(fit, toys=50, seed=1)
    assert 0 <= found.p_value <= 1 and found.p_value == again.p_value
    fit.export(tmp_path / "scalar.cevns")
    assert (tmp_path / "scalar.cevns").stat().st_size > 100


def test_pyhf(csi, scalar):
    pytest.importorskip("pyhf", reason="pyhf is not installed")
    spec = cf.pyhf_workspace(csi, scalar, {"y": 1e-4})
    names = {sample["name"] for channel in spec["channels"] for sample in channel["samples"]}
    assert len(names) > 1


def test_pickles_by_the_name_of_its_function(csi, scalar):
    again = pickle.loads(pickle.dumps(scalar))
    assert again == scalar and type(again) is type(scalar)
    assert pickle.loads(pickle.dumps(type(scalar))) is type(scalar)
    fit = cf.Likelihood(csi, model=scalar, parameters=("y",))
    assert pickle.loads(pickle.dumps(fit))([1e-4]) == fit([1e-4])

    def closure(E, T, nucleus, beam, p):
        return 1e-20

    with pytest.raises(
        pickle.PicklingError, match=r"dsigma = .*closure: cannot travel to another process; .* top level"
    ):
        pickle.dumps(cf.NumericalInteraction(closure, {}))


def test_there_is_no_term_table(scalar):
    with pytest.raises(TypeError, match="has no term table"):
        type(scalar).processes([scalar], cf.nuclide("Cs133"))
