"""What is left of χ: published anchors, conservation laws, and what is refused."""

import math
import pickle
import pkgutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast._support.remember import forget
from cevns_fast.cosmology import boltzmann

relic_density, thermal_cross_section = cf.cosmology.relic_density, cf.cosmology.thermal_cross_section
READINGS = ("dirac", "majorana", "majorana-lepton-conserving", "dirac-pair")
PROCESSES = ("chi-chi-nu-nu", "S-S-nu-nu", "chi-chi-S-S")


@pytest.mark.parametrize(
    "T, expected",
    [
        (200.0, (1.5184851503e-08, 8.1990091653e-07, 1.8029115632e-07)),
        (3.0, (6.5064101434e-06, 3.2884893735e-05, 6.5134292743e-07)),
    ],
)
def test_averages_for_3_and_10_MeV(T, expected):
    found = [float(thermal_cross_section(process, 3.0, 10.0, T)) for process in PROCESSES]
    assert found == pytest.approx(expected, rel=1e-10)


def test_degrees_of_freedom():
    g = cf.cosmology.degrees_of_freedom(np.array([[200.0, 100.0, 10.0], [1.0, 0.1, 1e-3]]))
    assert g.g_rho == pytest.approx(np.array([[39.9418, 17.7471, 10.7427], [10.5454, 4.3182, 3.3830]]), abs=6e-5)
    assert g.g_s == pytest.approx(np.array([[37.4586, 17.3283, 10.7422], [10.5482, 4.7982, 3.9310]]), abs=6e-5)


def test_slope_of_the_entropy_is_its_derivative():
    from cevns_fast.cosmology.radiation import with_tilt

    T = np.array([0.02, 0.1, 1.0, 30.0, 119.0, 121.0, 300.0, 1e5])
    h = 1e-4
    up, down = (np.log(with_tilt(T * np.exp(sign * h), T)[1]) for sign in (1, -1))
    assert with_tilt(T)[2] == pytest.approx(1 + (up - down) / (2 * h) / 3, abs=1e-7)


def test_yields_for_3_and_10_MeV():
    relic = relic_density(3.0, 10.0, [1e-3, 1e-4], x=[0.0150000001, 30.0, 100.0])
    assert relic.Y_chi[:, 0] == pytest.approx(1.233210e-2, rel=1e-6)
    assert relic.Y_chi[0, 1:] == pytest.approx([4.5796091e-05, 3.872952e-05], rel=2e-7)
    assert relic.Y_chi[1, 2] == pytest.approx(2.792155e-02, rel=2e-7)
    assert relic.omega_h2[0] == pytest.approx(31.9, abs=0.05)
    assert relic.dilution[0] == pytest.approx(266, abs=1)
    assert relic_density(3.0, 10.0, 1e-3).x_freeze_out == pytest.approx(9.8, abs=0.05)


def test_constant_cross_section_anchor():
    assert cf.cosmology.thermal_relic(100e3, 2.2e-26) == pytest.approx(0.1149, abs=5e-5)


def test_earlier_QCD_transition_leaves_more():
    early, late = (float(relic_density(3.0, 10.0, 1e-5, T_qcd=T).omega_h2) for T in (150.0, 200.0))
    assert early / late == pytest.approx(1.47, abs=0.005)


@pytest.mark.parametrize("fermion", [True, False])
@pytest.mark.parametrize("z", [0.02, 1.0, 5.0])
def test_quantum_statistics_and_counted_species_are_integrals_over_momenta(z, fermion):
    from scipy.integrate import quad

    from cevns_fast.cosmology.expansion import Assumptions, Points, Species, TimeGrid, _ideal_gas
    from cevns_fast.cosmology.radiation import with_tilt

    T, species, sign = 2.0, Species(2.0 * z, 3.0, fermion), 1 if fermion else -1

    def moment(power, statistics):
        """∫ p² (E/T)^power f(E) dp over 2π²T³."""

        def integrand(p):
            E = math.hypot(p, z)
            return p**2 * E**power / (math.exp(E) + statistics)

        return species.g * quad(integrand, 0, 60 + z, limit=200)[0] / (2 * math.pi**2)

    points = Points((species.mass / T * 1.5,), alone=True)
    start = TimeGrid(species.mass, T, points, Assumptions(quantum=True)).log_start(species)
    entropy = 2 * math.pi**2 / 45 * with_tilt(np.array([T]))[1][0]
    assert math.exp(start) * entropy == pytest.approx(moment(0, sign), rel=2e-4)
    g_rho, _ = _ideal_gas(species, np.array([T]))
    assert g_rho[0] == pytest.approx(30 / math.pi**2 * moment(1, 0), rel=1e-8)


def test_systematics():
    shifts = cf.cosmology.relic_systematics(3.0, 10.0, [1e-3, 1e-5])
    assert shifts["T_qcd"][1] == pytest.approx(1.47, abs=0.005)
    assert shifts["T_qcd"][0] == pytest.approx(1.0, abs=1e-4)  # thermal: no memory of the start
    assert all(0.5 < ratio < 1.5 for each in shifts.values() for ratio in each)
    assert abs(shifts["chi and S in g_*"][1] - 1) > 0.01


@pytest.mark.parametrize("reading", READINGS)
def test_detailed_balance(reading):
    """n_χ² ⟨σv⟩(χχ → SS) = n_S² ⟨σv⟩(SS → χχ), the latter from the integral with S in the beginning."""
    from scipy.integrate import quad
    from scipy.special import k1, kn

    from cevns_fast.reference.relic_density import integrated_amplitude

    m, M, T = 3.0, 4.5, 2.0
    forward = float(thermal_cross_section("chi-chi-S-S", m, M, T, reading))
    rate, _ = quad(
        lambda E: float(integrated_amplitude("chi-chi-S-S", m, M, E * E, reading)) * float(k1(E / T)),
        2 * M,
        2 * M + 60 * T,
        epsrel=1e-10,
    )
    backward = rate / T / (64 * math.pi * M**4 * kn(2, M / T) ** 2)
    n_chi, n_S = 2 * m**2 * kn(2, m / T), M**2 * kn(2, M / T)
    assert n_chi**2 * forward == pytest.approx(n_S**2 * backward, rel=1e-8)


def test_N_is_conserved_without_annihilation():
    relic = relic_density(3.0, 10.0, 1e-9)
    N = relic.Y_chi + relic.Y_S
    assert np.ptp(N) / N[0] < 1e-10
    assert relic.Y_S[-1] / N[-1] < 1e-3


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("m_S", [4.5, 30.0, 300.0])
def test_yields_are_positive_and_N_falls_after_freeze_out(reading, m_S):
    relic = relic_density(3.0, m_S, np.logspace(-10, 0, 21), reading)
    assert (relic.Y_chi > 0).all() and np.isfinite(relic.Y_chi).all() and (relic.Y_S >= 0).all()
    frozen = 0
    for Y_chi, Y_S, x in zip(relic.Y_chi, relic.Y_S, relic.x_freeze_out, strict=True):
        if not math.isnan(x):  # Y_χ itself may still rise: S decays into it
            late = (Y_chi + Y_S)[relic.x > x]
            assert (np.diff(late) < 0).all()
            frozen += 1
    assert frozen >= 5


@pytest.mark.parametrize("reading", READINGS)
def test_strong_couplings_leave_less(reading):
    omega = relic_density(3.0, 10.0, np.logspace(-3, 0, 13), reading).omega_h2
    assert (np.diff(omega) < 0).all()


def test_equilibrium_is_followed_while_annihilation_is_fast():
    relic = relic_density(3.0, 10.0, 0.1, x=[0.1, 1.0, 5.0])
    assert relic.Y_chi == pytest.approx(relic.Y_eq, rel=1e-4)


def test_both_equations_give_what_one_does_where_S_decays_fast(monkeypatch):
    """At y = 1 conversion χχ ↔ SS is faster than the decay: its detailed balance keeps Y_S/Y_χ."""
    y = [1e-4, 1e-2, 1.0]
    one = relic_density(3.0, 4.5, y, "majorana", x=[0.1, 1.0, 10.0, 100.0])
    monkeypatch.setattr(boltzmann, "NEGLIGIBLE", 0.0)
    two = relic_density(3.0, 4.5, y, "majorana", x=[0.1, 1.0, 10.0, 100.0])
    assert (one.method, two.method) == ("reduced", "coupled")
    assert two.Y_chi == pytest.approx(one.Y_chi, rel=1e-6)
    assert two.Y_S[:, :2] == pytest.approx(one.Y_S[:, :2], rel=1e-6)


def test_no_module_has_the_name_of_what_the_package_gives():
    modules = {module.name for module in pkgutil.iter_modules(cf.cosmology.__path__)}
    assert not modules & set(cf.cosmology.__all__)


def test_points_do_not_matter_where_others_are_asked_for():
    grid = relic_density(3.0, 10.0, 1e-3)
    some = relic_density(3.0, 10.0, 1e-3, x=grid.x[[100, 250, -1]])
    assert some.Y_chi == pytest.approx(grid.Y_chi[[100, 250, -1]], rel=1e-7)


@pytest.mark.parametrize(
    "changes",
    [
        {"m_chi": 1e-6, "m_S": 1.0},
        {"m_S": 3.0001},
        {"m_S": 3e4},
        {"m_chi": 1e5, "m_S": 2e5, "T_qcd": 1e6},
        {"m_chi": 1000.0, "m_S": 1500.0, "T_qcd": 20.0},
        {"x_end": 1e8},
        {"T_qcd": 1.0},
    ],
)
def test_extremes_are_finite(changes):
    y = np.array([3.5, 1e-2, 1e-6, 1e-14])
    relic = relic_density(**{"m_chi": 3.0, "m_S": 10.0, "y_chi": y, "reading": "majorana", **changes})
    assert (relic.omega_h2 > 0).all() and np.isfinite(relic.omega_h2).all()


def test_shapes():
    relic = relic_density(3.0, 10.0, np.full((2, 3), 1e-3), x=[1.0, 2.0])
    assert relic.Y_chi.shape == (2, 3, 2) and relic.omega_h2.shape == (2, 3)
    assert relic_density(3.0, 10.0, 1e-3).omega_h2.shape == ()


@pytest.mark.slow
def test_threads_do_not_change_a_bit():
    y = np.logspace(-3, -1, 5)
    one = relic_density(3.0, 11.0, y)
    forget()  # the tables are made anew
    two = relic_density(3.0, 11.0, y, threads=2)
    assert one.Y_chi.tobytes() == two.Y_chi.tobytes()


def test_plane_is_its_points_on_any_executor_and_resumed(tmp_path):
    m, y = np.array([1.0, 3.0, 20.0]), np.logspace(-5, -2, 4)
    arguments = {"m_chi": m, "m_S": 3 * m, "y_chi": y, "reading": "majorana"}
    plain = cf.cosmology.relic_plane(**arguments, threads=1)
    with ThreadPoolExecutor(2) as pool:
        assert (cf.cosmology.relic_plane(**arguments, executor=pool, checkpoint=tmp_path / "c") == plain).all()
    assert (cf.cosmology.relic_plane(**arguments, threads=2, checkpoint=tmp_path / "c") == plain).all()
    points = [[float(relic_density(a, 3 * a, b, "majorana").omega_h2) for b in y] for a in m]
    assert plain == pytest.approx(np.array(points), rel=1e-14)
    with pytest.raises(ValueError, match="checkpoint"):
        cf.cosmology.relic_plane(**{**arguments, "reading": "dirac"}, threads=1, checkpoint=tmp_path / "c")


def test_rows_can_be_sent_elsewhere():
    from cevns_fast.cosmology.abundance_plane import _RelicRows

    m, y = np.array([1.0, 3.0, 20.0]), np.logspace(-5, -2, 4)
    whole = cf.cosmology.relic_plane(m, 3 * m, y, threads=1)
    part, first = pickle.loads(pickle.dumps(_RelicRows(m, 3 * m, y, "dirac", 200.0, 100.0).part(1, 3)))
    out = np.empty((2, 4))
    part.fill(first, first + 2, out)
    assert (out == whole[1:]).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"m_S": 2.0}, r"m_S = 2.0: must be > m_chi = 3.0"),
        ({"m_S": 3.0}, r"m_S = 3.0: must be > m_chi = 3.0"),
        ({"m_chi": 0.0}, r"m_chi = 0.0: must be a finite number > 0"),
        ({"T_qcd": 1e20}, r"T_qcd = 1e\+20: must be in \(0, 1e\+19\] MeV"),
        ({"T_qcd": -1.0}, r"T_qcd = -1.0: must be a finite number > 0"),
        ({"y_chi": 4.0}, r"y_chi = 4.0: must be in \(0, 3.545\)"),
        ({"y_chi": 0.0}, r"y_chi = 0.0: must be in"),
        ({"y_chi": math.nan}, r"nan.*: must be finite"),
        ({"reading": "Dirac"}, r"reading = 'Dirac': did you mean 'dirac'"),
        ({"x_end": 0.01}, r"x_end = 0.01: must be > 0.015"),
        ({"x": [2.0, 1.0]}, r"x = \[2.0, 1.0\]: must be increasing"),
        ({"width": "total"}, r"width = 'total': must be one of"),
        ({"threads": 0}, r"threads = 0: must be a whole number >= 1"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        relic_density(**{"m_chi": 3.0, "m_S": 10.0, "y_chi": 1e-3, **change})


def test_refusals_of_averages():
    with pytest.raises(ValueError, match="process = 'chi-chi-nu': did you mean 'chi-chi-nu-nu'"):
        thermal_cross_section("chi-chi-nu", 3.0, 10.0, 1.0)
    with pytest.raises(ValueError, match=r"T = 0\.0: must be > 0"):
        thermal_cross_section("chi-chi-nu-nu", 3.0, 10.0, [1.0, 0.0])


def test_scalars_in_give_scalars_out():
    """As everywhere: floats that print as numbers, not arrays without axes."""
    relic, g = relic_density(3.0, 10.0, 1e-3), cf.cosmology.degrees_of_freedom(10.0)
    widths = cf.cosmology.decay_widths(5.0, mixing=1e-4)
    found = {
        "omega_h2": relic.omega_h2,
        "dilution": relic.dilution,
        "x_freeze_out": relic.x_freeze_out,
        "g_rho": g.g_rho,
        "g_s": g.g_s,
        "thermal_cross_section": thermal_cross_section("chi-chi-nu-nu", 3.0, 10.0, 1.0),
        "n_eff": cf.cosmology.n_eff("Z'", 10.0),
        "n_eff_of_energies": cf.cosmology.n_eff_of_energies(2.0, 1.0),
        "mixing_bound": cf.cosmology.mixing_bound(0.01),
        "seesaw_limit": cf.cosmology.seesaw_limit(1e-5, 1e3),
        "decay_length": widths.decay_length(10.0),
        "decay_probability": widths.decay_probability(10.0, 20.0),
        **cf.cosmology.relic_systematics(3.0, 10.0, 1e-3),
    }
    assert [name for name, value in found.items() if not isinstance(value, float)] == []
