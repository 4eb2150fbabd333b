"""The cffi builder of the C kernels: one extension module, declared by their own headers.

Of each header Python sees what stands between "declarations" and "end of declarations", so the two cannot drift apart.
"""

import os
from pathlib import Path
from zipfile import ZipFile

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "cevns_fast" / "_kernels"
MODULE = "cevns_fast._kernels._c"
HEADERS = (
    "fg.h",
    "cevns_fast.h",
    "likelihood_types.h",
    "coupling_limits.h",
    "plane.h",
    "profile.h",
    "random.h",
    "rates.h",
    "toys.h",
)


def ffi_builder() -> FFI:
    """Return a builder, in API mode: a wrong signature is a compile error, and calls release the GIL."""
    builder = FFI()
    for header in HEADERS:
        text = (KERNELS / header).read_text("utf-8")
        builder.cdef(text[text.index("/* declarations */") : text.index("/* end of declarations */")])
    builder.set_source(MODULE, "\n".join(f'#include "{header}"' for header in HEADERS))
    return builder


def emit_c_code(directory: Path = ROOT / "build") -> None:
    """Write the glue code where ``pyproject.toml`` names it as a source of the extension."""
    directory.mkdir(exist_ok=True)
    ffi_builder().emit_c_code(str(directory / "_c.c"))


def leave_in_place(wheel: Path) -> None:
    """Copy the compiled module of a wheel into the source tree; a process that runs with an older one keeps that."""
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(f"{MODULE.replace('.', '/')}."):
                aside = ROOT / f"{name}.{os.getpid()}"
                aside.write_bytes(archive.read(name))
                aside.replace(ROOT / name)
