"""The vector mediator: limits, symmetries, dimensions, and the fast path against the slow twin."""

import dataclasses
import itertools
import math
import pickle

import numpy as np
import pytest
from accuracy import approx, error, slow_counts
from cases import crossed, quick_are
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import cevns_fast as cf
from cevns_fast._support.remember import forget
from cevns_fast.constants import G_FERMI
from cevns_fast.counts.polynomial import total_polynomial
from cevns_fast.interactions import vector_mediator
from cevns_fast.nuclear import nucleon
from cevns_fast.nuclear.nucleon import PARTON_CONTENTS, PartonContent

CS, SM = cf.nuclide("Cs133"), cf.StandardModel()
LOOPS_ONLY = {"tree": False}
# Every one of the sixteen conventions, by its four switches.
CONVENTIONS = [
    cf.LoopConvention(*choice)
    for choice in itertools.product(
        ("corrected", "published"), ("corrected", "published"), ("nucleon", "nucleus"), (True, False)
    )
]


def coefficients(nuclide=CS, **fields):
    """(c1, c2, c3) of unit coupling."""
    vector = cf.VectorMediator(**{"m_chi": 50.0, "m_zprime": 300.0, "gchi_gq": 1.0, **fields})
    return np.array(list(vector.loop_coefficients(nuclide).values()))


def xsec(vector, E=40.0, T=0.01, **options):
    return cf.differential_cross_section(vector, CS, E, T, **options)


# --- as an object -----------------------------------------------------------------------------


def test_immutable_hashable_comparable_picklable():
    vector = cf.VectorMediator(10.0, 100.0, quark_couplings={"u": 0.5, "b": 2.0}, variant=CONVENTIONS[5])
    assert vector.quark_couplings == (0.5, 0.0, 0.0, 0.0, 2.0, 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        vector.m_chi = 5.0
    assert vector == vector.replace() and hash(vector) == hash(vector.replace())
    assert vector != vector.replace(case="B")
    assert pickle.loads(pickle.dumps(vector)) == vector


def test_named_variants_are_conventions():
    published, corrected = cf.LoopConvention.PUBLISHED, cf.LoopConvention.CORRECTED
    assert dataclasses.astuple(published) == ("published", "published", "nucleus", False)
    assert dataclasses.astuple(corrected) == ("corrected", "corrected", "nucleon", True)
    for case in "AB":
        for name, convention in (("published", published), ("corrected", corrected)):
            assert np.all(coefficients(case=case, variant=name) == coefficients(case=case, variant=convention))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"m_chi": -1.0}, r"m_chi = -1.0: must be a finite number > 0"),
        ({"m_chi": 0.0}, r"m_chi = 0.0: must be a finite number > 0"),
        ({"m_chi": -1.0, "loops": False}, r"m_chi = -1.0: must be a finite number >= 0"),
        ({"m_zprime": math.inf}, r"m_zprime = inf"),
        ({"gchi_gq": 1j}, r"gchi_gq = 1j"),
        ({"case": "C"}, r"case = 'C': must be one of 'A', 'B'"),
        ({"variant": "corected"}, r"did you mean 'corrected'"),
        ({"loops": 1}, r"loops = 1: must be True or False"),
        ({"tree": None}, r"tree = None: must be True or False"),
        ({"chi_couplings": 1.0}, r"chi_couplings = 1.0: must be the 2 numbers \(g_χL, g_χR\)"),
        ({"quark_couplings": (1.0, 1.0)}, r"must be the 6 numbers \(g_u, g_d, g_s, g_c, g_b, g_t\)"),
        ({"quark_couplings": {"x": 1.0}}, r"quark_couplings: unknown field 'x'"),
        ({"quark_couplings": (0, 0, math.nan, 0, 0, 0)}, r"quark_couplings: g_s = nan"),
        ({"quark_masses": (0, 1, 1, 1, 1, 1)}, r"quark_masses: m_u = 0: must be a finite number > 0"),
        ({"nucleon": "micromegas"}, r"nucleon = 'micromegas': did you mean 'micrOMEGAs'"),
        ({"sin2_theta_w": 1.5}, r"sin2_theta_w = 1.5: must be from 0 to 1"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        cf.VectorMediator(**{"m_chi": 10.0, "m_zprime": 100.0, **fields})


def test_parton_contents():
    for content in PARTON_CONTENTS.values():
        assert content.source
        assert sum(content.twist2_proton) == sum(content.twist2_neutron) < 1
        assert content.gluon_fraction[0] == approx(1 - sum(content.mass_fraction_proton), rel=1e-12)
    with pytest.raises(ValueError, match=r"mass_fraction_proton = .*: must add up to at most 1"):
        PartonContent((0.5, 0.5, 0.1), (0, 0, 0), (0,) * 5, (0,) * 5, "")
    with pytest.raises(ValueError, match="twist2_neutron"):
        PartonContent((0, 0, 0), (0, 0, 0), (0,) * 5, (0,) * 4, "")


# --- the tree ---------------------------------------------------------------------------------


@pytest.mark.parametrize("quarks", [{"d": 1.0}, {"u": 1.0}, {"u": 0.3, "d": -0.8, "s": 5.0}])
@pytest.mark.parametrize("antineutrino", [False, True])
def test_heavy_tree_is_the_eft_with_opposite_axial(quarks, antineutrino):
    """g/m_Z'² = √2 G_F C_V = −√2 G_F D_A: a left-handed current is half of vector less axial vector."""
    E, T = np.meshgrid([15.0, 40.0, 52.0], [0.003, 0.01, 0.04])
    m_zprime, g = 1e7, 1e-3
    unit = g / m_zprime**2 / (math.sqrt(2) * G_FERMI)
    C = (unit * quarks.get("u", 0.0), unit * quarks.get("d", 0.0))
    D = (-C[0], -C[1])
    tree = cf.VectorMediator(10.0, m_zprime, g, loops=False, quark_couplings=quarks, chi_couplings=(1.0, 7.0))
    found = xsec(tree, E, T, antineutrino=antineutrino)
    assert np.any(found > 0)
    for helicity in ("summed", "left"):
        # Left-handed: half of the sum, evaluated with V = C_V − D_A alone; here that is all of it.
        eft = cf.SingletEFT(10.0, C_V=C, D_A=D, helicity=helicity)
        assert found == approx(xsec(eft, E, T, antineutrino=antineutrino), rel=1e-8)


def test_massless_chi_through_a_massless_mediator():
    """Then (23) is the Standard Model's with √2 G_F Q → g Q'/2MT."""
    T, M = 0.01, CS.mass
    tree = cf.VectorMediator(0.0, 0.0, 1e-8, loops=False, quark_couplings={"d": 1.0})
    charge = 1e-8 * (CS.Z + 2 * CS.N)
    weak = CS.Z * (0.5 - 2 * SM.sin2_theta_w) - CS.N * 0.5
    expected = (charge / (2 * M * T) / (math.sqrt(2) * G_FERMI * weak)) ** 2
    assert xsec(tree, T=T) / xsec(SM, T=T) == approx(expected, rel=1e-12)


def test_no_tree_where_there_is_none():
    heavy = {"m_chi": 60.0, "m_zprime": 600.0, "gchi_gq": 1e-4, "loops": False}
    assert xsec(cf.VectorMediator(**heavy)) == 0
    for without in ({"case": "B"}, {"tree": False}, {"chi_couplings": (0.0, 1.0)}):
        assert xsec(cf.VectorMediator(**{**heavy, "m_chi": 10.0, **without})) == 0
    assert xsec(cf.VectorMediator(**{**heavy, "m_chi": 10.0})) > 0


# --- c1, c2, c3 -------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "kappa", "kappa_gluon"), [("A", -4, -3), ("B", 12, 13)])
def test_loops_with_vectors_alone(case, kappa, kappa_gluon):
    """(26)–(28), shortened by the identities among the loop functions; massless quarks decouple φ's own boxes."""
    m, m_zprime = 50.0, 300.0
    g = {"u": 0.3, "d": 0.7, "s": 1.1, "c": -0.4, "b": 1.3}
    massless = (1e-9,) * 6
    found = coefficients(case=case, quark_couplings=g, chi_couplings=(0.5, 0.2), quark_masses=massless)
    D, pi2 = vector_mediator.loop_functions(m, m_zprime), (4 * math.pi) ** 2
    content = PARTON_CONTENTS["micrOMEGAs"]
    scalar, gluon, twist = 0.0, 0.0, 0.0
    for number, mass, f, moments, f_G in (
        (CS.Z, 938.27209, content.mass_fraction_proton, content.twist2_proton, 0.9209),
        (CS.N, 939.56542, content.mass_fraction_neutron, content.twist2_neutron, 0.9170),
    ):
        scalar += number * mass * sum(g[q] ** 2 * x for q, x in zip("uds", f, strict=True))
        gluon += number * mass * f_G * (g["c"] ** 2 + g["b"] ** 2)
        twist += number / mass * sum(g[q] ** 2 * x for q, x in zip("udscb", moments, strict=True))
    mixed = 32 / m_zprime**2 * D.D00b if case == "B" else 0.0  # the Z'φ boxes
    c1 = 0.1 * m / pi2 * ((-(kappa - 2) * D.D0b + mixed) * scalar - kappa_gluon * 2 / 27 * D.D0b * gluon)
    c2 = 0.25 / pi2 * (4 * D.D0b - 8 / 3 * D.D1b) * twist / 133**2
    c3 = -0.1 / pi2 * 8 * m / m_zprime**2 * D.D11a_D11b * twist / 133**2
    assert found == approx([c1, c2, c3], rel=1e-9)


def test_each_switch_moves_what_it_names():
    """F_G: c1 of case B; φφ: c1, c2, c3 of case B; momentum: c2, c3 of both; interference: none of them."""
    names = {"F_G": "published", "phi_phi": "published", "momentum": "nucleus", "sm_interference": False}
    moved = {
        ("A", "F_G"): [], ("A", "phi_phi"): [], ("A", "momentum"): [1, 2], ("A", "sm_interference"): [],
        ("B", "F_G"): [0], ("B", "phi_phi"): [0, 1, 2], ("B", "momentum"): [1, 2], ("B", "sm_interference"): [],
    }  # fmt: skip
    for (case, switch), expected in moved.items():
        base = coefficients(case=case)
        other = coefficients(case=case, variant=cf.LoopConvention(**{switch: names[switch]}))
        assert np.flatnonzero(base != other).tolist() == expected, (case, switch)
        if switch == "momentum":
            assert other[1:] / base[1:] == approx([133**2, 133**2], rel=1e-12)


def test_phi_phi_factors():
    """Published is −2 times corrected, in what the φφ boxes add to the other diagrams."""
    quarks = {"quark_couplings": {"s": 1.0}, "case": "B"}
    without = coefficients(**quarks, quark_masses=(1e-9,) * 6)
    added = {
        name: coefficients(**quarks, variant=cf.LoopConvention(phi_phi=name)) - without
        for name in ("published", "corrected")
    }
    assert added["published"] / added["corrected"] == approx([-2, -2, -2], rel=1e-9)


def test_chirality_of_chi():
    """c1 and c3 flip the neutrino's helicity: ∝ g_χL g_χR; c2 does not: ∝ g_χL²."""
    for case in "AB":
        unit = coefficients(case=case)
        assert coefficients(case=case, chi_couplings=(2.0, -3.0)) == approx(unit * [-6, 4, -6], rel=1e-12)


def test_heavy_quarks_couple_as_named():
    """t enters by F_G of case B alone; c and b in all."""
    for case in "AB":
        assert np.all((coefficients(case=case, quark_couplings={"t": 1.0}) != 0) == [case == "B", False, False])
    top = cf.F_G(50.0, 300.0, 172760.0)
    content = 55 * 938.27209 * 0.9209 + 78 * 939.56542 * 0.9170
    expected = 50.0**3 / 300.0**4 * 4 / 27 * 172760.0**2 * top * content / (4 * math.pi) ** 2
    assert coefficients(case="B", quark_couplings={"t": 1.0})[0] == approx(expected, rel=1e-12)


@pytest.mark.parametrize("case", ["A", "B"])
@pytest.mark.parametrize("variant", ["published", "corrected"])
def test_dimensions(case, variant, monkeypatch):
    """All masses scaled, nucleons' and quarks' too: c1 ∝ MeV⁻², c2 ∝ MeV⁻⁵, c3 ∝ MeV⁻⁶, dσ/dT ∝ MeV⁻³."""
    s, E, T = 3.0, 40.0, 0.01
    point = {"m_chi": 30.0, "m_zprime": 200.0, "gchi_gq": 1e-4, "case": case, "variant": variant}
    scaled = {
        **point, "m_chi": 30.0 * s, "m_zprime": 200.0 * s,
        "quark_masses": tuple(s * m for m in nucleon.SIX_QUARK_MASSES),
    }  # fmt: skip
    interference = {"variant": cf.LoopConvention.PUBLISHED} if variant == "published" else {}
    point |= interference
    scaled |= interference

    class Heavy(type(CS)):
        mass = property(lambda self: s * CS.mass)

    heavy = Heavy(**dataclasses.asdict(CS))
    before = coefficients(**point)
    sigma = [
        xsec(cf.VectorMediator(**point), E, T, form_factor=cf.PointNucleus(), antineutrino=a) for a in (False, True)
    ]
    monkeypatch.setattr(vector_mediator, "M_PROTON", s * vector_mediator.M_PROTON)
    monkeypatch.setattr(vector_mediator, "M_NEUTRON", s * vector_mediator.M_NEUTRON)
    monkeypatch.setattr(vector_mediator, "G_FERMI", vector_mediator.G_FERMI / s**2)
    forget()
    assert coefficients(**scaled) == approx(before * [s**-2, s**-5, s**-6], rel=1e-12)
    for antineutrino, value in zip((False, True), sigma, strict=True):
        found = cf.differential_cross_section(
            cf.VectorMediator(**scaled), heavy, s * E, s * T,
            form_factor=cf.PointNucleus(), antineutrino=bool(antineutrino),
        )  # fmt: skip
        assert found * s**3 == approx(value, rel=1e-10)
    forget()


@pytest.mark.parametrize("case", ["A", "B"])
def test_decoupling(case):
    """All loops vanish as 1/m_Z'² or faster for heavy mediators, and stay finite through m_χ = m_Z'."""
    heavy = [coefficients(case=case, m_zprime=m) for m in (1e6, 2e6)]
    assert np.all(np.abs(heavy[1]) < 0.3 * np.abs(heavy[0]))
    around = [coefficients(case=case, m_zprime=50.0 * (1 + d)) for d in (-1e-9, 0.0, 1e-9)]
    assert around[1] == approx((around[0] + around[2]) / 2, rel=1e-12)


# --- the interference with the Standard Model ---------------------------------------------------


def part(values, m_chi=100.0, antineutrino=False, **fields):
    """Interference alone: the odd part of dσ/dT under ν ↔ ν̄, for loop coefficients set by hand."""
    vector = cf.VectorMediator(m_chi, 1000.0, 1.0, **{**LOOPS_ONLY, **fields})
    with pytest.MonkeyPatch.context() as patch:
        table = np.outer(values, [0.5, 0.5])[None]
        patch.setattr(vector_mediator, "_nuclear_loops", lambda batch, nuclide: table)
        return xsec(vector, antineutrino=antineutrino)


def test_only_c2_interferes_with_the_standard_model():
    c1, c2, c3 = 1e-9, 1e-17, 1e-21
    for values in ((c1, 0.0, 0.0), (0.0, 0.0, c3), (c1, 0.0, c3)):
        on, off = (part(values, variant=cf.LoopConvention(sm_interference=i)) for i in (True, False))
        assert on == off > 0
        assert part(values, antineutrino=True) == on
    # Q < 0, so a positive c2 helps neutrinos; the term flips for antineutrinos and is linear in c2.
    off = part((0.0, c2, 0.0), variant=cf.LoopConvention(sm_interference=False))
    neutrino, antineutrino = (part((0.0, c2, 0.0), antineutrino=a) - off for a in (False, True))
    assert neutrino > 0
    assert antineutrino == approx(-neutrino, rel=1e-9)
    assert part((0.0, 2 * c2, 0.0)) - 4 * off == approx(2 * neutrino, rel=1e-9)


def test_interference_against_the_cross_section_of_the_sum():
    """At T → 0, where the nucleus stands still, k̸ = M γ⁰ and c2 is a vector current of strength c2 M² E:
    amplitudes add, (−√2 G_F Q + c2 M² E)², up to T/E and T/M."""
    T, E, M, c2 = 1e-9, 40.0, CS.mass, 1e-17
    Q = CS.Z * (0.5 - 2 * SM.sin2_theta_w) - CS.N * 0.5
    point = {"form_factor": cf.PointNucleus()}
    vector = cf.VectorMediator(100.0, 1000.0, 1.0, **LOOPS_ONLY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_mediator, "_nuclear_loops", lambda *_: np.array([[[0, 0], [c2 / 2, c2 / 2], [0, 0]]]))
        new = [xsec(vector, E, T, antineutrino=a, **point) for a in (False, True)]
    standard = xsec(SM, E, T, **point)
    for sign, found in zip((1, -1), new, strict=True):
        amplitude = 1 - sign * c2 * M**2 * E / (math.sqrt(2) * G_FERMI * Q)
        assert (found + standard) / standard == approx(amplitude**2, rel=1e-6)


def test_interference_knows_the_weak_mixing_angle(csi):
    """The charge that c2 meets is that of `sin2_theta_w`."""
    vector = cf.VectorMediator(5.0, 10.0, 2e-7, **LOOPS_ONLY, variant=cf.LoopConvention(momentum="nucleus"))
    off = cf.LoopConvention(momentum="nucleus", sm_interference=False)
    part = []
    for angle in (0.0, 0.25, 0.5):
        on = cf.event_rate(csi, vector.replace(sin2_theta_w=angle), standard_model=False)
        part.append(on - cf.event_rate(csi, vector.replace(variant=off), standard_model=False))
    assert part[0] + part[2] == approx(2 * part[1], rel=1e-9)  # linear in the angle
    # Q = Z (1/2 − 2 s²) − N/2
    ratio = np.mean([(n.N - n.Z) / (n.N + n.Z) for n in csi.detector.target.nuclides])
    assert part[0] / part[2] == approx(np.full(12, ratio), rel=0.02)


# --- counts as polynomials ----------------------------------------------------------------------


def test_counts_are_a_polynomial_in_the_coupling(csi):
    """Tree and interference ∝ g², loops ∝ g⁴; evaluated anywhere they are the counts of the interaction."""
    vector = cf.VectorMediator(10.0, 20.0, variant=cf.LoopConvention(momentum="nucleus"))
    t = cf.templates(csi, vector)
    assert t.pairs == (("gchi_gq",) * 2, ("gchi_gq",) * 4)
    for g in (0.0, 3e-9, -2e-8, 1e-7):
        assert t.counts({"gchi_gq": g}) == approx(cf.event_rate(csi, vector.replace(gchi_gq=g)), rel=1e-12)
    # A phase of g_χ can be absorbed in χ.
    turned = cf.templates(csi, vector, phases={"gchi_gq": 1j})
    assert np.all(turned.values == t.values)


def test_a_batch_is_its_members(csi):
    """Interactions of every sort side by side give what each gives alone."""
    batch = [
        cf.VectorMediator(m, r * m, 1e-8 * m, case=case, variant=variant, loops=loops, nucleon=content)
        for (m, r, content), case, variant, loops in itertools.product(
            [(1.0, 2.0, "micrOMEGAs"), (60.0, 0.5, "micrOMEGAs 2")],
            "AB",
            ["published", "corrected", CONVENTIONS[6]],
            [True, False],
        )
    ]
    batch.append(cf.VectorMediator(3.0, 5.0, 1e-8, quark_couplings={"u": 1.0, "c": 2.0}, chi_couplings=(1, -1)))
    batch.append(cf.VectorMediator(0.0, 5.0, 1e-8, loops=False))
    together = cf.event_rate(csi, batch)
    for row, each in zip(together, batch, strict=True):
        assert row == approx(cf.event_rate(csi, each), rel=1e-13)


# --- limits -------------------------------------------------------------------------------------


def brute_force(experiment, vector, level, grid):
    """Where Δχ² <= level for g >= 0: from a dense grid, each crossing refined; and the smallest χ²."""
    like, t = cf.Likelihood(experiment), cf.templates(experiment, vector)

    def chi2(g):
        powers = np.array([np.power(g, len(pair)) for pair in t.pairs])
        return like.chi2_of_counts(t.standard_model + powers.T @ t.values)

    values = chi2(grid)
    best = int(np.argmin(values))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(chi2, bounds=around, method="bounded", options={"xatol": 1e-12 * around[1]})
    minimum = min(found.fun, values[best])
    excess = values - minimum - level
    crossings = [
        optimize.brentq(lambda g: chi2(g) - minimum - level, grid[i], grid[i + 1], xtol=1e-30, rtol=1e-13)
        for i in np.flatnonzero(np.sign(excess[1:]) != np.sign(excess[:-1]))
    ]
    return np.array(crossings), minimum, bool(excess[0] <= 0)


@pytest.fixture(scope="module")
def excess(csi):
    """CsI with a signal three times as large as the Standard Model's, well known: zero coupling is excluded."""
    signal = cf.event_rate(csi, SM)
    return csi.replace(observed=np.round(csi.observed + 2 * signal), signal_uncertainty=0.05)


@pytest.fixture(scope="module")
def gross(csi):
    """Four times the signal, poorly known: allowed also where loops, orders of magnitude above tree, fit no worse."""
    return csi.replace(observed=np.round(csi.observed + 3 * cf.event_rate(csi, SM)), signal_uncertainty=0.3)


@pytest.fixture(scope="module")
def antineutrinos(csi):
    """ν̄ of one energy: c2 interferes destructively, and where it is −2 times the SM all is as without it."""

    @dataclasses.dataclass(frozen=True)
    class Source:
        components: tuple
        fluence_per_exposure: float
        exposure_unit: str = "protons on target"

    line = cf.FluxComponent("line", antineutrino=True, lines=((45.0, 1.0),))
    source = Source((line,), csi.source.fluence_per_exposure)
    return csi.replace(source=source, observed=None, steady_state=np.ones(12), signal_uncertainty=0.02)


@pytest.mark.parametrize(
    ("name", "variant"),
    crossed(
        ["csi", "excess", "gross", "antineutrinos"],
        ["published", "corrected", cf.LoopConvention(momentum="nucleus")],
    ),
)
def test_limits_against_brute_force(name, variant, request):
    """Of the quartic with its interference, where tree and loops are orders of magnitude apart and where not."""
    experiment, grid = request.getfixturevalue(name), np.geomspace(1e-16, 1e6, 6001)
    batch = [
        cf.VectorMediator(m, r * m, case=case, variant=variant)
        for m in (0.7, 5.0, 30.0, 52.0, 300.0)
        for r in (2.0, 10.0)
        for case in "AB"
    ]
    curve = cf.limit_scan(experiment, batch, "gchi_gq", delta_chi2=4.61)
    for vector, upper, intervals, minimum in zip(batch, curve.upper, curve.intervals, curve.chi2_min, strict=True):
        expected, least, from_zero = brute_force(experiment, vector, 4.61, grid)
        edges = np.sort(intervals[intervals > 0])
        edges = edges[edges < grid[-1]]
        assert edges == approx(expected, rel=1e-6), vector
        assert minimum == pytest.approx(least, rel=1e-9, abs=1e-15)  # of simulated data it is 0
        assert np.array_equal(intervals, -intervals[::-1, ::-1])  # even in the coupling
        assert np.any((intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)) == from_zero
        assert upper == np.abs(intervals).max()


def test_disjoint_intervals(excess, antineutrinos):
    """Zero excluded: one interval for each sign. Destructive interference: allowed again where it is undone."""
    curve = cf.limit_scan(excess, cf.VectorMediator(10.0, 100.0), "gchi_gq", delta_chi2=4.61)
    assert len(curve.intervals[0]) == 2 and curve.intervals[0][0, 1] < 0 < curve.intervals[0][1, 0]
    hidden = cf.VectorMediator(300.0, 600.0, variant=cf.LoopConvention(momentum="nucleus"))
    (intervals,) = cf.limit_scan(antineutrinos, hidden, "gchi_gq", delta_chi2=2.71).intervals
    assert len(intervals) == 3
    inside = np.mean(intervals[-1])
    counts = [cf.event_rate(antineutrinos, hidden.replace(gchi_gq=g)).sum() for g in (0.0, inside / 2**0.5, inside)]
    assert counts[1] < 0.2 * counts[0] < counts[2] < 1.5 * counts[0]


# --- fast = slow ----------------------------------------------------------------------------------


def error_beside_and_alone(experiment, interaction):
    """The larger of the errors with the Standard Model's counts and without, where there is something to see."""
    _, terms = slow_counts(experiment, interaction)
    assert terms.any()
    return max(error(experiment, interaction, standard_model) for standard_model in (True, False))


BINS = (6.0, 8.5, 20.0)


@pytest.mark.parametrize("case", quick_are(["A", "B"], 1))
@pytest.mark.parametrize(
    ("m_chi", "m_zprime"),
    [(1e-3, 1e-3), (0.3, 3.0), (1.0, 2.0), (10.0, 100.0), (29.8, 2.0), (50.0, 100.0), (60.0, 120.0), (800.0, 50.0)],
)
def test_fast_equals_slow_over_masses(bare, case, m_chi, m_zprime):
    g = 1e-8 * (1 + m_zprime) ** 2
    for variant in ("published", "corrected"):
        vector = cf.VectorMediator(m_chi, m_zprime, g, case=case, variant=variant)
        assert error_beside_and_alone(bare(BINS), vector) < 1, variant


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: "-".join(map(str, dataclasses.astuple(c))))
def test_fast_equals_slow_in_every_convention(bare, convention):
    vector = cf.VectorMediator(
        20.0, 30.0, 1e-6, case="B", variant=convention, nucleon="micrOMEGAs 2",
        quark_couplings=(0.3, -1.0, 0.5, 0.2, 1.5, 0.1), chi_couplings=(0.8, -0.6),
    )  # fmt: skip
    assert error_beside_and_alone(bare(BINS), vector) < 1


@pytest.mark.parametrize("antineutrino", [False, True])
@pytest.mark.parametrize("form_factor", [cf.HelmFormFactor(neutron_radius=5.1), cf.PointNucleus()])
def test_fast_equals_slow_for_each_sign_and_form_factor(bare, antineutrino, form_factor):
    """Protons and neutrons weigh differently in Q, c1, c2, c3: form factors must meet the right ones."""
    component = cf.FluxComponent("line", antineutrino, lines=((40.0, 1.0),))

    @dataclasses.dataclass(frozen=True)
    class Source:
        components: tuple = (component,)
        fluence_per_exposure: float = 1e-6
        exposure_unit: str = "protons on target"

    experiment = bare(BINS, source=Source(), form_factor=form_factor)
    vector = cf.VectorMediator(5.0, 10.0, 3e-7, variant=cf.LoopConvention(momentum="nucleus"))
    assert error_beside_and_alone(experiment, vector) < 1
    E, T = np.meshgrid([8.0, 40.0], [0.002, 0.012])
    for each in (vector, vector.replace(case="B")):
        options = {"antineutrino": antineutrino, "form_factor": form_factor}
        slow = cf.reference.differential_cross_section(each, CS, E, T, **options)
        assert cf.differential_cross_section(each, CS, E, T, **options) == approx(slow, rel=1e-10)


@pytest.mark.parametrize("vector", [
    cf.VectorMediator(10.0, 100.0, 5e-8),
    cf.VectorMediator(100.0, 1000.0, 5e-4, case="B", variant="published"),
], ids=["A", "B"])  # fmt: skip
def test_fast_equals_slow_on_csi(csi, vector):
    assert error_beside_and_alone(csi, vector) < 1


contents = st.builds(
    PartonContent,
    *[st.tuples(*[st.floats(0, 0.2)] * n) for n in (3, 3, 5, 5)],
    source=st.just("drawn"),
)


@given(
    m_chi=st.floats(1e-2, 200.0),
    ratio=st.floats(0.3, 30.0),
    case=st.sampled_from("AB"),
    variant=st.sampled_from(CONVENTIONS),
    content=contents,
    quarks=st.tuples(*[st.floats(-2, 2)] * 5, st.just(0.0)),
    chi=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
@settings(max_examples=10)
def test_loop_coefficients_equal_those_of_the_slow_twin(m_chi, ratio, case, variant, content, quarks, chi):
    from cevns_fast.reference.channel import Beam
    from cevns_fast.reference.vector_mediator import vector_mediator as slow_channels

    vector = cf.VectorMediator(
        m_chi, ratio * m_chi, 1.0, case=case, variant=variant, nucleon=content, quark_couplings=quarks,
        chi_couplings=chi, **LOOPS_ONLY,
    )  # fmt: skip
    E, T, M = np.array([20.0, 50.0]), 0.004, CS.mass
    (channel,) = slow_channels(vector, CS, cf.PointNucleus())
    slow = channel.terms(E, T, Beam(True, None))
    values = vector.loop_coefficients(CS)
    scale = M**3 / (8 * math.pi) * (2 * M + T)
    expected = [
        scale * T * (values["c1"] / (M * E)) ** 2,
        scale * T * 2 * values["c1"] * values["c3"] * np.ones(2),
        scale * T * (values["c3"] * M * E) ** 2,
        scale * values["c2"] ** 2 * (2 * M * E * (E - T) - M**2 * T),
    ]
    terms = np.abs(slow[:3]).sum(axis=0)
    assert np.all(np.abs(slow[:3] - expected[:3]) <= 1e-10 * terms)
    assert slow[3] == approx(expected[3], rel=1e-10)


def test_monomials_of_a_scan_over_many_masses(csi):
    """One kernel run for all: 800 interactions, three monomials, no cell that is not finite."""
    batch = [
        cf.VectorMediator(m, r * m, case=case)
        for m in np.geomspace(0.1, 1000.0, 200).tolist()
        for r in (2.0, 10.0)
        for case in "AB"
    ]
    polynomial = total_polynomial(csi, batch, ["gchi_gq"], standard_model=False)
    assert set(polynomial.exponents) == {(0,), (2,), (4,)}
    assert polynomial.values.shape == (800, 3, 12) and np.all(np.isfinite(polynomial.values))
    assert not polynomial.imaginary.any()


def test_interference_is_with_the_standard_model_that_is_added(csi):
    vector = cf.VectorMediator(m_chi=10.0, m_zprime=20.0, gchi_gq=1e-8)
    other = cf.StandardModel(0.23857)
    with pytest.raises(ValueError, match=r"sin2_theta_w = 0.2312.*0.23857"):
        cf.event_rate(csi, vector, standard_model=other)
    with pytest.raises(ValueError, match=r"sin2_theta_w"):
        cf.limit_scan(csi, [vector], "gchi_gq", standard_model=other)
    same = cf.event_rate(csi, vector.replace(sin2_theta_w=0.23857), standard_model=other)
    assert same.sum() > cf.event_rate(csi, vector).sum(), "the low-energy angle has the larger weak charge"
    published = cf.VectorMediator(m_chi=10.0, m_zprime=20.0, gchi_gq=1e-8, variant="published")
    cf.event_rate(csi, published, standard_model=other)  # no interference, nothing to contradict
