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
