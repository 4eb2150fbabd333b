"""Objects and scans that an earlier version saved: pickles name modules that have moved since."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cevns_fast as cf

SAVED = Path(__file__).parent / "saved_by_0.1.0"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("interaction", cf.SingletEFT(m_chi=10.0, a_M=3e-4)),
        ("vector", cf.VectorMediator(m_chi=10.0, m_zprime=100.0, case="B")),
        ("experiment", "coherent-csi-2017"),
        ("reactor", "conus-100kg"),
        ("curve", "a_M"),
        ("templates", ("a_M", "C_S", "C_V", "C_T")),
    ],
)
def test_a_pickle_loads_in_a_new_process(name, expected):
    """Each alone: nothing that it needs has been imported before."""
    code = f"import pickle; print(type(pickle.load(open({str(SAVED / f'{name}.pickle')!r}, 'rb'))).__module__)"
    result = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True, timeout=120)
    loaded = pickle.loads((SAVED / f"{name}.pickle").read_bytes())
    assert type(loaded).__module__ == result.stdout.strip()
    assert type(loaded) is getattr(cf, type(loaded).__name__)
    if isinstance(expected, cf.SingletEFT | cf.VectorMediator):
        assert loaded == expected
    elif name in ("experiment", "reactor"):
        np.testing.assert_array_equal(cf.event_rate(loaded, EFT), cf.event_rate(cf.load(expected), EFT))
    elif name == "curve":
        assert loaded.coupling == expected and np.isfinite(loaded.upper).all()
    else:
        assert loaded.couplings == expected


EFT = cf.SingletEFT(m_chi=2.0, C_S=0.01)


def test_a_scan_opens():
    scan = cf.open_scan(SAVED / "scan.nc")
    assert scan.chi2[3, 2] == 2.832971141647936
    assert scan.best_fit["C_S"][0] == pytest.approx(0, abs=1e-12)
    again = cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0), ("C_S", "a_M"), *scan.axes)
    np.testing.assert_allclose(scan.chi2, again.chi2, rtol=1e-12)
    many = cf.open_scan(SAVED / "scan_masses.nc")
    assert many.masses.tolist() == [10.0, 40.0] and set(many.best_fit) == {"C_S", "a_M", "C_V"}


@pytest.mark.parametrize("name", ["scan", "scan_masses"])
def test_a_pickled_scan_still_searches(name):
    """Its search is of a class that has another name since."""
    loaded = pickle.loads((SAVED / f"{name}.pickle").read_bytes())
    last, first = (EFT.replace(m_chi=40.0), "C_S") if name == "scan" else (cf.SingletEFT, "m_chi")
    again = cf.correlation_scan(cf.load("coherent-csi-2017"), last, (first, "a_M"), *loaded.axes)
    np.testing.assert_allclose(loaded.chi2, again.chi2, rtol=1e-12)
    np.testing.assert_allclose(loaded.chi2_min, again.chi2_min, rtol=1e-12)
    assert type(loaded.search) is type(again.search)


def test_a_pickled_likelihood_still_bends():
    loaded = pickle.loads((SAVED / "likelihood.pickle").read_bytes())
    assert loaded.chi2(cf.StandardModel()) == pytest.approx(2.916347294047202, rel=1e-12)


def test_a_pickled_fit_is_still_a_function():
    fit = pickle.loads((SAVED / "fit.pickle").read_bytes())
    assert fit([0.01, 2e-4]) == pytest.approx(5.2185783634293585, rel=1e-12)
    assert np.isfinite(fit.gradient([0.01, 2e-4])).all() and cf.best_fit(fit).chi2 < 5.0


def test_old_names_are_for_pickles_only():
    with pytest.raises(ImportError):
        import cevns_fast.nothing_of_this_name  # noqa: F401
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        from cevns_fast import experiments

        experiments.Nothing  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        from cevns_fast.likelihood import pulls

        pulls.Nothing  # noqa: B018
