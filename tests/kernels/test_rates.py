"""The rate kernel against formulas that share nothing with it; ``rates_sanitize.c`` looks at its memory."""

import math
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
import pytest
from cases import crossed
from hypothesis import example, given
from hypothesis import strategies as st

import cevns_fast as cf
from cevns_fast._kernels import rates as kernel
from cevns_fast.constants import G_FERMI, MEV2_CM2
from cevns_fast.counts import flux, polynomial, rows
from cevns_fast.counts.plan import plan_of

M_CESIUM = 123772.75


@given(
    E=st.floats(1e-3, 60.0),
    fraction=st.floats(1e-40, 1.0) | st.just(0.0),
    M=st.sampled_from([938.3, 21409.2, M_CESIUM]),
)
@example(E=52.8, fraction=1.0, M=M_CESIUM)
@example(E=52.8, fraction=0.0, M=M_CESIUM)
@example(E=30.0, fraction=1e-6, M=M_CESIUM)
@example(E=30.0, fraction=1 - 1e-12, M=M_CESIUM)
def test_recoil_limits(E, fraction, M):
    """BRX Eq. (9) in 240 digits, from nothing to the heaviest particle that a neutrino can make."""
    m = fraction * M * (math.sqrt(1 + 2 * E / M) - 1)
    with mpmath.workdps(240):  # T_min ∝ m⁴ is what is left of a difference
        e, mu, big = mpmath.mpf(E), mpmath.mpf(m), mpmath.mpf(M)
        square = 4 * big**2 * e**2 - 4 * big * mu**2 * (e + big) + mu**4
        if square < 0 or e < mu + mu**2 / (2 * big):  # m was rounded upwards
            assert kernel.recoil_limits(E, m, M) == (0.0, 0.0)
            return
        middle, root = 2 * big * e**2 - mu**2 * (e + big), e * mpmath.sqrt(square)
        scale = 2 * big * (2 * e + big)
        low, high = float((middle - root) / scale), float((middle + root) / scale)
        # How far from the threshold decides what double precision can know.
        slack = 1e-15 * float(2 * big * e * mu / mpmath.sqrt(square)) if square > 0 else 1e-7
    found = kernel.recoil_limits(E, m, M)
    rel = 1e-13 + slack * E / M * 10
    assert found == pytest.approx((low, high), rel=rel + (1e-6 if fraction > 1 - 1e-10 else 0), abs=1e-300)


def test_recoil_limits_below_threshold():
    assert kernel.recoil_limits(0.0, 0.0, M_CESIUM) == (0.0, 0.0)
    assert kernel.recoil_limits(-1.0, 0.0, M_CESIUM) == (0.0, 0.0)
    assert kernel.recoil_limits(29.9, 30.0, M_CESIUM) == (0.0, 0.0)
    assert kernel.recoil_limits(30.003, 30.0, M_CESIUM) == (0.0, 0.0)  # the threshold is 30.00364
    assert kernel.recoil_limits(30.004, 30.0, M_CESIUM)[1] > 0
    assert kernel.recoil_limits(30.0, 0.0, M_CESIUM) == (0.0, pytest.approx(2 * 30**2 / (M_CESIUM + 60), rel=1e-14))


@given(T=st.floats(1e-9, 1.0), M=st.sampled_from([938.3, M_CESIUM]), m=st.floats(0.0, 50.0))
def test_least_energy(T, M, m):
    """CL Eq. (A2): (TM + m²/2)/(√(T(T + 2M)) − T)."""
    with mpmath.workdps(40):
        t, big, mu = mpmath.mpf(T), mpmath.mpf(M), mpmath.mpf(m)
        expected = float((t * big + mu**2 / 2) / (mpmath.sqrt(t * (t + 2 * big)) - t))
    found = kernel.massless_energy(math.sqrt(T), M) * (1 + m * m / (2 * M * T))
    assert found == pytest.approx(expected, rel=1e-14)
    low, high = kernel.recoil_limits(found * (1 + 1e-9), m, M)
    assert low <= T * (1 + 1e-6) and high >= T * (1 - 1e-6)


def flat(E):
    return np.full_like(E, 0.02)


@pytest.fixture(params=["line", "flat spectrum"])
def beam(request, source):
    if request.param == "line":
        return source(cf.FluxComponent("line", False, lines=((30.0, 1.0),)), fluence=1e12)
    return source(cf.FluxComponent("flat", False, flat, (10.0, 50.0)), fluence=1e12)


def integral(T, E):
    """∫dT (2 − MT/E² − 2T/E + T²/E²) up to T."""
    return 2 * T - (M(E) / E**2 + 2 / E) * T**2 / 2 + T**3 / (3 * E**2)


def M(E):
    return cf.nuclide("Cs133").mass + 0 * E


def test_counts_of_the_standard_model_in_closed_form(beam, bare):
    """A point nucleus and sharp bins: polynomials between the kinematic limits."""
    bins = np.array([0.5, 3.0, 9.0, 14.0, 60.0])
    experiment = bare(bins, source=beam, exposure=1.0, form_factor=cf.PointNucleus(), light_yield=1.0)
    mass, Q = cf.nuclide("Cs133").mass, 55 * (0.5 - 2 * 0.2312) - 39
    edges, T_max = bins * 1e-3, lambda E: 2 * E * E / (mass + 2 * E)
    if beam.components[0].lines:
        per_bin = np.diff(integral(np.minimum(edges, T_max(30.0)), 30.0))
    else:  # Gauss–Legendre in E between the energies at which a bin edge becomes T_max
        kinks = [10.0, *(E for E in (edges + np.sqrt(edges * (edges + 2 * mass))) / 2 if 10 < E < 50), 50.0]
        x, w = np.polynomial.legendre.leggauss(30)
        per_bin = 0.0
        for low, high in pairwise(kinks):
            E = (low + high) / 2 + (high - low) / 2 * x[:, None]
            per_bin = per_bin + 0.02 * (high - low) / 2 * w @ np.diff(integral(np.minimum(edges, T_max(E)), E), axis=1)
    norm = experiment.detector.nuclei[0] * 1e12 * MEV2_CM2 * G_FERMI**2 * mass / (2 * math.pi) * Q**2
    found = polynomial.total_polynomial(experiment, [cf.StandardModel()], standard_model=False).values[0, 0]
    np.testing.assert_allclose(found, norm * per_bin, rtol=1e-12, atol=1e-13 * norm * np.max(per_bin))


def in_numpy(plan, moments, terms, final_mass, mediator_mass, n_rows):
    """What the kernel integrates where no panel is cut: sums over the nodes of a plan."""
    assert moments.flux.kinks.size == 2  # the ends of a spectrum, far from all recoils
    p, n_bins = plan.panels, plan.panels.bins
    out = np.zeros((len(final_mass), n_rows, n_bins))
    lanes = np.array([moments.lane.index(lane) for lane in terms.cell_lane])
    for i, (m, mediator) in enumerate(zip(final_mass, mediator_mass, strict=True)):
        for target, M in enumerate(p.mass):
            for panel in range(p.first_panel[target], p.first_panel[target + 1]):
                T, tau_weight = p.recoil.reshape(-1, 6)[panel], p.weight[p.first_weight[panel] :]
                bins = slice(p.first_bin[panel], p.first_bin[panel] + p.bin_count[panel])
                row = 1 if p.bin_count[panel] == 1 else -(-p.bin_count[panel] // 4) * 4
                weight = tau_weight[: 6 * row].reshape(6, row)[:, : p.bin_count[panel]]
                E = (T * M + m * m / 2) / (np.sqrt(T * (T + 2 * M)) - T)
                value = flux.moments_at(moments, E)[lanes] * T ** (terms.cell_power[:, None] - 2.0)
                cells = value / (2 * M * T + mediator**2) ** terms.propagator_power @ weight
                for pair, (r, cell) in enumerate(zip(terms.pair_row, terms.pair_cell, strict=True)):
                    entries = slice(terms.first_entry[pair], terms.first_entry[pair + 1])
                    c = terms.coefficient[target, min(i, terms.coefficient.shape[1] - 1), entries]
                    out[i, r, bins] += (c @ m ** terms.mass_power[entries].astype(float)) * cells[cell]
    return out


@pytest.mark.parametrize(
    ("smearing", "lanes", "propagator_power", "bins"),
    crossed(
        {"sharp": None, "smeared": cf.PoissonSmearing()},
        {"one group": 3, "two groups": 5, "three groups": 9},
        [0, 2],
        {"5 bins": (5, 6, 7, 8, 9, 10), "1 bin": (5, 12), "3 bins": (5, 7, 10, 12)},
    ),
)
def test_sums(smearing, lanes, propagator_power, bins, bare, source):
    """Cells, pairs, entries and rows in any order; bins and lanes that fill no vector; a row of coefficients each."""
    beam = source(
        cf.FluxComponent("flat", False, lambda E: np.full_like(E, 0.01), (100.0, 400.0)),
        cf.FluxComponent("flat bar", True, lambda E: np.full_like(E, 0.02), (100.0, 400.0)),
    )
    experiment = bare(bins, source=beam, composition={"Cs": 1, "I": 1}, smearing=smearing)
    plan = plan_of(beam, experiment.detector, 1e-9)
    asked = tuple((odd, k) for k in (0, -1, -2, 1, 2) for odd in (False, True))[:lanes]
    moments = flux.flux_moments(beam, asked)
    rng = np.random.default_rng(7)
    cells = [(j, lane) for j in range(5) for lane in moments.lane if rng.random() < 0.6]
    pairs = [(int(rng.integers(3)), int(rng.integers(len(cells)))) for _ in range(9)]
    sizes = rng.integers(1, 4, len(pairs))
    terms = kernel.Terms(
        *(np.ascontiguousarray(each) for each in np.array(cells).T),
        *(np.ascontiguousarray(each) for each in np.array(pairs).T),
        np.concatenate([[0], np.cumsum(sizes)]),
        rng.integers(0, 9, sizes.sum()),
        rng.normal(size=(len(plan.targets), 3, sizes.sum())),
        propagator_power,
    )
    final, mediator = np.array([0.0, 0.7, 2.0]), np.array([30.0, 0.0, 5.0])
    found = np.zeros((3, 3, experiment.n_bins))
    kernel.templates(moments.flux, plan.panels, terms, final, mediator, 0, 3, found)
    expected = in_numpy(plan, moments, terms, final, mediator, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13 * np.abs(expected).max())


@pytest.mark.parametrize("smearing", [None, cf.PoissonSmearing()], ids=["sharp", "smeared"])
@pytest.mark.parametrize(
    ("m", "mediator"), [(0.0, 0.3), (0.0, 30.0), (7.0, 0.0), (29.0, 5.0), (52.0, 0.0), (60.0, 1.0)]
)
def test_nodes_are_those_of_the_sums(smearing, m, mediator, bare):
    """Panels are cut at the images of lines and ends of spectra, and below the pole of a light mediator."""
    experiment = bare((0, 2, 5, 30), composition={"Cs": 1, "I": 1}, smearing=smearing)
    plan = plan_of(experiment.source, experiment.detector, 1e-9)
    moments = flux.flux_moments(experiment.source, ((False, -2), (False, 0), (True, -1)))
    n_targets, propagator_power = len(plan.targets), 2 if mediator else 0
    terms = kernel.Terms(
        np.array([2, 3, 4]), np.array(moments.lane), np.arange(3 * n_targets), np.tile(np.arange(3), n_targets),
        np.arange(3 * n_targets + 1), np.zeros(3 * n_targets, dtype=np.int64),
        np.repeat(np.eye(n_targets), 3, axis=1)[:, None].copy(), propagator_power,
    )  # fmt: skip
    sums = np.zeros((1, 3 * n_targets, experiment.n_bins))
    kernel.templates(moments.flux, plan.panels, terms, np.array([m]), np.array([mediator]), 0, 1, sums)
    nodes = kernel.nodes(moments.flux, plan.panels, m, mediator)
    assert nodes.weight.shape == (len(nodes.recoil), 1 if smearing is None else 3)
    found = np.zeros((n_targets, 3, experiment.n_bins))
    for target, M in enumerate(plan.panels.mass):
        part = slice(*nodes.first_node[target : target + 2])
        T, weight, bins = nodes.recoil[part], nodes.weight[part], nodes.first_bin[part]
        np.testing.assert_allclose(nodes.energy[part], cf.minimum_neutrino_energy(T, m, M), rtol=1e-14)
        values = flux.moments_at(moments, nodes.energy[part]) * T ** np.array([[0.0], [1.0], [2.0]])
        values /= (2 * M * T + mediator**2) ** propagator_power
        for b in range(weight.shape[1]):
            for cell in range(3):
                np.add.at(found[target, cell], bins + b, values[cell] * weight[:, b])
    assert (len(nodes.recoil) == 0) == (m == 60.0)
    np.testing.assert_allclose(found.reshape(sums[0].shape), sums[0], rtol=1e-12, atol=1e-14 * np.abs(sums).max())


def test_a_range_of_masses_writes_its_own_rows_only(bare, monkeypatch):
    """The kernel gets start, stop: other rows stay untouched, whatever is in them."""
    experiment = bare((3.0, 10.0))
    batch = [cf.SingletEFT(m, C_S=0.01) for m in (1.0, 20.0, 30.0, 40.0)]
    whole = cf.event_rate(experiment, batch, standard_model=False)
    calls = []

    def spy(flux, plan, terms, final_mass, mediator_mass, start, stop, out):
        calls.append((start, stop))
        kernel.templates(flux, plan, terms, final_mass, mediator_mass, 1, 3, out)

    monkeypatch.setattr(rows, "templates_kernel", spy)
    part = cf.event_rate(experiment, batch, standard_model=False)
    assert calls == [(0, 4)]
    assert not part[[0, 3]].any()
    np.testing.assert_array_equal(part[1:3], whole[1:3])


@pytest.mark.parametrize("m", [0.0, 10.0, 29.9, 45.0])
def test_kinematic_images_of_the_flux(m):
    """T_min and T_max of every energy above the threshold, in increasing order."""
    energies = np.array([0.0, 12.0, 29.792, 40.0, 52.8])
    expected = sorted(T for E in energies if E > m for T in kernel.recoil_limits(E, m, M_CESIUM))
    assert kernel.images(energies, m, M_CESIUM, 0.0) == expected


@pytest.mark.slow
def test_compilers_without_vectors_get_the_same_numbers(tmp_path):
    """Compiled for any processor with and without the compiler's vectors, and as it is here."""
    cc, driver = shutil.which("cc"), Path(__file__).parent / "rates_sanitize.c"
    if cc is None:
        pytest.skip("no C compiler")
    folder = Path(__file__).parents[2] / "cevns_fast" / "_kernels"
    found = []
    for options in ([], ["-DANY_MACHINE"], ["-DANY_MACHINE", "-DNO_VECTORS"]):
        program = tmp_path / f"rates{len(found)}"
        sources = [folder / "rates.c", driver, "-lm", "-o", program]
        strict = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-DPRINT_NUMBERS", *options, f"-I{folder}"]
        subprocess.run([cc, *strict, *sources], check=True, timeout=120)
        out = subprocess.run([program], check=True, capture_output=True, text=True, timeout=60).stdout
        found.append(np.array(out.split(), dtype=float))
    assert found[0].size > 100
    np.testing.assert_allclose(found[1], found[0], rtol=1e-12)
    np.testing.assert_array_equal(found[2], found[1])
