"""How objects travel between processes, and how many threads work."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast.parallel import chunks

EFT = cf.SingletEFT(m_chi=20.0, C_S=0.01)


def public_objects(csi):
    grid = np.linspace(-0.05, 0.05, 5)
    fit = cf.Likelihood(csi, statistic="poisson", model=EFT, parameters=("C_S", "alpha"))
    flux = cf.ScaleNuisance("flux", 0.1)
    shape = cf.ShapeNuisance("shape", up=(csi,), down=(csi,))
    return [
        csi, csi.source, csi.detector, csi.backgrounds[0], cf.load("conus-100kg"), cf.nuclide("Cs133"),
        EFT, cf.StandardModel(), cf.ScalarMediator(m_chi=5.0, m_S=10.0, y_bar=1e-5), flux, shape,
        cf.VectorMediator(m_chi=10.0, m_zprime=100.0, gchi_gq=5e-8, case="A"), *fit.parameters,
        cf.templates(csi, EFT), cf.limit_scan(csi, EFT, "C_V"),
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), grid, grid),
        cf.Likelihood(csi), fit, cf.best_fit(fit), cf.goodness_of_fit(fit, toys=50),
        cf.feldman_cousins(fit, {"C_S": 0.0}, toys=50),
    ]  # fmt: skip


def test_everything_public_travels(csi):
    for each in public_objects(csi):
        again = pickle.loads(pickle.dumps(each))
        assert type(again) is type(each)
        if isinstance(each, cf.Likelihood):
            assert again.chi2(EFT) == each.chi2(EFT)
            if each.parameters:
                assert again([0.02, 0.1]) == each([0.02, 0.1])


def test_importing_starts_nothing():
    code = """if True:
        import os, threading
        before = set(os.listdir("."))
        import cevns_fast as cf
        names = [getattr(cf, name) for name in dir(cf)]
        assert threading.active_count() == 1, threading.enumerate()
        assert set(os.listdir(".")) == before
    """
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=120)


def test_the_number_of_threads_is_that_of_the_call_or_the_chosen_one(csi, monkeypatch):
    seen = []
    real = chunks.run

    def spy(work, rows, identity, executor, threads, checkpoint, progress):
        seen.append(threads)
        real(work, rows, identity, executor, threads, checkpoint, progress)

    monkeypatch.setattr(chunks, "run", spy)
    grid = np.linspace(-0.05, 0.05, 5)
    default = cf.get_num_threads()
    try:
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), grid, grid)
        cf.set_num_threads(3)
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), grid, grid)
        cf.correlation_scan(csi, EFT, ("C_S", "a_M"), grid, grid, threads=2)
    finally:
        cf.set_num_threads(None)
    assert seen == [default, 3, 2]
    assert cf.get_num_threads() == default


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_is_checked(bad):
    with pytest.raises(ValueError, match=r"threads = .*: must be a whole number >= 1"):
        cf.set_num_threads(bad)
