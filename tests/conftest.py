"""What all tests share: a fresh kernel cache, the experiments they play with, kernels compiled and as plain Python."""

import atexit
import functools
import os
import re
import shutil
import tempfile
from types import SimpleNamespace

# Before anything imports numba: a kernel cached by an earlier version must not vouch for the code under test. The
# process that starts xdist's workers comes here first: they inherit its folder, and it removes it at its end.
if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="cevns_fast-numba-")
    atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)

# Each of two workers on two cores: threads of a matrix product would wait for those of the other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

import cevns_fast as cf

settings.register_profile("reproducible", derandomize=True, deadline=None, database=None, max_examples=25)
settings.load_profile("reproducible")

JIT_DISABLED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


@functools.cache
def asks_the_twin(path):
    """Whether a file of tests imports what looks up the slow twin's numbers."""
    return re.search(r"^(?:from|import) (?:accuracy|slow_twin)\b", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """What may ask the slow twin is marked; what only makes sense with numba's compiler is skipped without it."""
    for item in items:
        if asks_the_twin(item.path):
            item.add_marker(pytest.mark.twin)
        if JIT_DISABLED and item.get_closest_marker("jit"):
            item.add_marker(pytest.mark.skip(reason="NUMBA_DISABLE_JIT=1: there is no compiler"))


@pytest.fixture(scope="session")
def csi():
    """COHERENT CsI 2017."""
    return cf.load("coherent-csi-2017")


@pytest.fixture(scope="session")
def bare():
    """A function that makes an experiment without data or background from bins and fields of its parts."""

    def make(bins, *, composition=None, source=None, exposure=1.76e23, form_factor=None, **response):
        response = {"light_yield": 1.17} | response
        detector = cf.Detector(
            cf.Target.of("target", composition or {"Cs": 1}),
            mass=14.57,
            bins=tuple(bins),
            response=cf.Response(**response),
            form_factor=form_factor or cf.HelmFormFactor(),
        )
        return cf.Experiment(
            name="bare",
            source=source or cf.PionDecayAtRest(distance=19.3),
            detector=detector,
            exposure=exposure,
            observed=None,
            steady_state=np.zeros(len(bins) - 1),
        )

    return make


class Source(SimpleNamespace):
    """Anything with these three fields is a source; hashed by identity."""

    __hash__ = object.__hash__


@pytest.fixture(scope="session")
def source():
    """A function that makes a source from flux components."""

    def make(*components, fluence=1e6):
        return Source(components=components, fluence_per_exposure=fluence, exposure_unit="days")

    return make
