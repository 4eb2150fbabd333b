"""The cffi builder of ``cevns_fast._kernels._fg``, the compiled form of ``_kernels/fg.c``.

The declarations Python sees are those of ``fg.h`` itself, so the two cannot drift apart.
"""

from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
HEADER = ROOT / "cevns_fast" / "_kernels" / "fg.h"


def ffi_builder() -> FFI:
    """Return the builder, in API mode: a wrong signature is a compile error, and calls release the GIL."""
    declarations = [line for line in HEADER.read_text("utf-8").splitlines() if not line.startswith("#")]
    builder = FFI()
    builder.cdef("\n".join(declarations))
    builder.set_source("cevns_fast._kernels._fg", f'#include "{HEADER.name}"')
    return builder


def emit_c_code(path: Path = ROOT / "build" / "_fg.c") -> None:
    """Write the glue code to `path`, the place ``pyproject.toml`` names as a source of the extension."""
    path.parent.mkdir(exist_ok=True)
    ffi_builder().emit_c_code(str(path))
