"""Benchmarks of cevns_fast. Set-up and compilation stay outside the timed bodies; both sides of a ratio run in one
process. Kernels are cached in a folder of their own, made anew for each version: a stale kernel measures nothing."""

import hashlib
import os
import tempfile
from pathlib import Path


def _kernel_cache() -> str:
    """A cache folder that depends on the package's sources, so that it is never stale and never in the repository."""
    import importlib.util

    spec = importlib.util.find_spec("cevns_fast")
    digest = hashlib.sha256()
    for path in sorted(Path(spec.origin).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return str(Path(tempfile.gettempdir()) / f"cevns_fast-asv-{os.getuid()}-{digest.hexdigest()[:16]}")


os.environ.setdefault("NUMBA_CACHE_DIR", _kernel_cache())

# asv forks its workers from a process that has imported this: what is slow to load is loaded once.
import numpy as np  # noqa: E402
import scipy.integrate  # noqa: E402
import scipy.optimize  # noqa: E402, F401

import cevns_fast as cf  # noqa: E402

for name in cf.__all__:
    getattr(cf, name)


def _load_kernels() -> None:
    """Compile the kernels or load them, so that no benchmark's set-up has to."""
    csi, eft, x = cf.load("coherent-csi-2017"), cf.SingletEFT(40.0), np.linspace(-1e-3, 1e-3, 3)
    cf.limit_scan(csi, eft, "C_S")
    cf.correlation_scan(csi, eft, ("C_S", "a_M"), x, x, threads=1)
    cf.event_rate(csi, cf.VectorMediator(m_chi=10.0, m_zprime=100.0, gchi_gq=1e-8))


_load_kernels()
