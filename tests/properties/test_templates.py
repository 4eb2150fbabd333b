"""Templates, batches and threads: the same counts however they are asked for, bit by bit where that is promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cevns_fast as cf

SIZES = {"a_M": 3e-4, "C_S": 0.01, "C_V": 0.05, "C_T": 0.1, "a_E": 3e-4, "D_P": 0.01, "D_A": 0.05}
QUARKS = {f"{name}_{quark}": SIZES[name] for name in SIZES if name not in ("a_M", "a_E") for quark in "ud"}
BINS = (6.0, 8.5, 20.0)
numbers = st.floats(-1.0, 1.0, allow_subnormal=False)
complex_numbers = st.builds(complex, numbers, numbers)


def assert_close(counts, expected, scale):
    np.testing.assert_array_less(np.abs(counts - expected), 1e-13 * np.abs(scale) + 1e-300)


@settings(max_examples=40)
@given(
    m_chi=st.floats(0.0, 53.5),
    values=st.fixed_dictionaries({n: st.one_of(numbers, complex_numbers) for n in SIZES}),
    helicity=st.sampled_from(["summed", "left"]),
)
def test_counts_of_templates_are_those_of_the_interaction(bare, m_chi, values, helicity):
    values = {name: SIZES[name] * x for name, x in values.items()}
    experiment, bare_one = bare(BINS, composition={"Cs": 1, "I": 1}), cf.SingletEFT(m_chi, helicity=helicity)
    made = cf.templates(experiment, bare_one, tuple(SIZES))
    direct = cf.event_rate(experiment, bare_one.replace(**values))
    assert_close(made.counts(values), direct, sum_of_squares(experiment, m_chi, values) + direct)


def sum_of_squares(experiment, m_chi, values):
    """Counts of each coupling alone, summed: by Cauchy and Schwarz they bound the interferences."""
    alone = [cf.SingletEFT(m_chi, **{name: value}) for name, value in values.items()]
    return cf.event_rate(experiment, alone, standard_model=False).sum(axis=0)


@given(values=st.fixed_dictionaries({n: complex_numbers for n in QUARKS}))
def test_templates_of_quark_couplings(bare, values):
    values = {name: QUARKS[name] * x for name, x in values.items()}
    pairs = {n: (values[n + "_u"], values[n + "_d"]) for n in ("C_S", "D_P", "C_V", "D_A", "C_T")}
    made = cf.templates(bare(BINS), cf.SingletEFT(20.0), tuple(QUARKS))
    direct = cf.event_rate(bare(BINS), cf.SingletEFT(20.0, **pairs))
    each = {n: (abs(u) + abs(d)) for n, (u, d) in pairs.items()}
    assert_close(made.counts(values), direct, sum_of_squares(bare(BINS), 20.0, each) + direct)


@given(fixed=st.builds(complex, numbers, numbers), opened=complex_numbers)
def test_couplings_that_are_not_open_keep_their_value(bare, fixed, opened):
    eft = cf.SingletEFT(20.0, a_M=3e-4 * fixed, C_S=7.0)
    made = cf.templates(bare(BINS), eft, ("C_S",))
    direct = cf.event_rate(bare(BINS), eft.replace(C_S=0.01 * opened))
    assert_close(made.counts({"C_S": 0.01 * opened}), direct, direct + made.standard_model)


def test_one_quark_open_leaves_the_other(bare):
    eft = cf.SingletEFT(20.0, C_V=(0.3, 0.05))
    made = cf.templates(bare(BINS), eft, ("C_V_u",))
    expected = cf.event_rate(bare(BINS), eft.replace(C_V=(0.02, 0.05)))
    np.testing.assert_allclose(made.counts({"C_V_u": 0.02}), expected, rtol=1e-13)


def test_phases_turn_an_open_coupling(bare):
    phase = np.exp(0.3j)
    made = cf.templates(bare(BINS), cf.SingletEFT(20.0, a_M=3e-4j), ("C_S",), phases={"C_S": phase})
    for c in (-0.02, 0.01):
        direct = cf.event_rate(bare(BINS), cf.SingletEFT(20.0, a_M=3e-4j, C_S=c * phase))
        np.testing.assert_allclose(made.counts({"C_S": c}), direct, rtol=1e-13)


def test_counts_are_a_quadratic_polynomial(bare):
    """Third differences along any line through coupling space vanish."""
    start, step = np.array([1e-4, 0.02, -0.1]), np.array([2e-4, -0.013, 0.07])
    line = [cf.SingletEFT(20.0, a_M=x[0], C_S=x[1], C_V=x[2]) for x in (start + k * step for k in range(4))]
    counts = cf.event_rate(bare(BINS), line)
    third = np.diff(counts, n=3, axis=0)
    np.testing.assert_array_less(np.abs(third), 1e-12 * counts.max())
    assert np.all(np.abs(np.diff(counts, n=2, axis=0)) > 1e-3)


def mixed_batch():
    masses = np.concatenate([np.linspace(0.0, 53.2, 9), [29.79, 29.8, 52.81]])
    efts = [
        cf.SingletEFT(float(m), a_M=3e-4, C_S=0.01j, C_V=(0.05, 0.02), C_T=-0.1 if i % 2 else 0.1,
                      helicity="left" if i % 3 else "summed", variant="published" if i % 4 else "corrected")
        for i, m in enumerate(masses)
    ]  # fmt: skip
    return [cf.StandardModel(), *efts[:5], cf.StandardModel(0.23857), *efts[5:]]


@pytest.mark.parametrize("smearing", [None, cf.PoissonSmearing()], ids=["sharp", "smeared"])
def test_a_batch_equals_its_members_bit_by_bit(bare, smearing):
    experiment = bare((6, 8, 20), composition={"Cs": 1, "I": 1}, smearing=smearing)
    batch = mixed_batch()
    together = cf.event_rate(experiment, batch)
    assert together.shape == (len(batch), 2)
    for row, each in zip(together, batch, strict=True):
        assert np.array_equal(row, cf.event_rate(experiment, each)), each


def test_batch_templates_equal_single_ones_bit_by_bit(csi):
    batch = [cf.SingletEFT(m) for m in (0.0, 11.0, 29.79, 40.0, 52.8, 60.0)]
    together = cf.templates(csi, batch)
    for i, each in enumerate(batch):
        alone = cf.templates(csi, each)
        assert alone.pairs == together.pairs
        assert np.array_equal(alone.values, together.values[i])
        assert np.array_equal(alone.standard_model, together.standard_model[i])


def test_results_do_not_depend_on_threads(csi):
    batch = [each for each in mixed_batch() if isinstance(each, cf.SingletEFT)]
    one, two, many = (cf.templates(csi, batch, threads=n) for n in (1, 2, 40))
    assert np.array_equal(one.values, two.values) and np.array_equal(one.values, many.values)
    assert np.array_equal(cf.event_rate(csi, mixed_batch()), cf.event_rate(csi, mixed_batch(), threads=2))


def test_results_do_not_depend_on_what_was_computed_before(bare):
    experiment, eft = bare((5.7, 9.1, 30.0)), cf.SingletEFT(31.0, a_M=3e-4, C_S=0.01)
    first = cf.event_rate(experiment, eft)
    cf.event_rate(experiment, mixed_batch())
    cf.event_rate(bare((1.0, 2.0)), mixed_batch())
    assert np.array_equal(first, cf.event_rate(bare((5.7, 9.1, 30.0)), eft))


def test_zero_exactly_above_the_kinematic_limit(csi):
    M = cf.nuclide("I127").mass  # the lighter nucleus has the higher threshold
    heavier = cf.nuclide("Cs133").mass
    end = 105.6583755 / 2
    threshold = heavier * (np.sqrt(1 + 2 * end / heavier) - 1)
    assert threshold > M * (np.sqrt(1 + 2 * end / M) - 1)
    couplings = dict.fromkeys(SIZES, 1e3)
    for m_chi in (threshold * (1 + 1e-12), 53.0, 1e3, 1e6):
        eft = cf.SingletEFT(m_chi, **couplings)
        assert np.array_equal(cf.event_rate(csi, eft, standard_model=False), np.zeros(12)), m_chi
        assert np.array_equal(cf.event_rate(csi, eft), cf.event_rate(csi, cf.StandardModel()))
        assert not cf.templates(csi, eft).values.any()
        assert cf.recoil_spectrum(csi, eft, 0.01, standard_model=False) == 0
    below = cf.SingletEFT(threshold * (1 - 1e-3), **couplings)
    assert cf.event_rate(csi, below, standard_model=False).sum() > 0


def test_template_pairs_and_the_constant_part(csi):
    made = cf.templates(csi, cf.SingletEFT(10.0))
    assert made.couplings == ("a_M", "C_S", "C_V", "C_T")
    assert len(set(made.pairs)) == 10 and all(len(pair) == 2 for pair in made.pairs)
    assert np.array_equal(made.standard_model, cf.event_rate(csi, cf.StandardModel()))
    weak = cf.StandardModel(0.23857)
    assert np.array_equal(cf.templates(csi, cf.SingletEFT(10.0), standard_model=weak).standard_model,
                          cf.event_rate(csi, weak))  # fmt: skip
    assert not cf.templates(csi, cf.SingletEFT(10.0), standard_model=False).standard_model.any()


@pytest.mark.parametrize("rtol", [1e-4, 1e-8])
def test_a_looser_tolerance_is_kept(csi, rtol):
    eft = cf.SingletEFT(20.0, a_M=3e-4, C_S=0.01, C_T=0.1)
    np.testing.assert_allclose(cf.event_rate(csi, eft, rtol=rtol), cf.event_rate(csi, eft), rtol=rtol)


def gram_matrices(made):
    """The Hermitian form of the couplings in each bin, complex128[n_bins, couplings, couplings]."""
    index = {name: i for i, name in enumerate(made.couplings)}
    n = len(index)
    matrix = np.zeros((made.values.shape[1], n, n), dtype=complex)
    for pair, real, imaginary in zip(made.pairs, made.values, made.imaginary, strict=True):
        i, j = (index[name] for name in pair)
        # counts = Re[x_i* x_j] real + Im[x_i* x_j] imaginary = x† G x
        half = 0.5 * (real - 1j * imaginary)
        matrix[:, i, j] += half
        matrix[:, j, i] += half.conj()
    return matrix


@settings(max_examples=30)
@given(m_chi=st.floats(0.0, 52.8), helicity=st.sampled_from(["summed", "left"]), quarks=st.booleans())
def test_template_matrices_are_positive(csi, m_chi, helicity, quarks):
    """Counts are |amplitudes|², so each bin's matrix in the couplings has no negative eigenvalue."""
    names = ("a_M", "a_E", *QUARKS) if quarks else tuple(SIZES)
    made = cf.templates(csi, cf.SingletEFT(m_chi, helicity=helicity), names, standard_model=False)
    sizes = np.array([(SIZES | QUARKS)[name] for name in names])
    matrices = gram_matrices(made) * np.outer(sizes, sizes)
    eigenvalues = np.linalg.eigvalsh(matrices)
    assert np.all(eigenvalues >= -1e-12 * np.abs(eigenvalues).max(axis=1, keepdims=True))
