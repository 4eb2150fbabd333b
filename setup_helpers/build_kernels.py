"""The cffi builders of the C kernels.

The declarations Python sees are those of the headers themselves, so the two cannot drift apart.
"""

from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
HEADERS = {
    "_fg": ("fg.h",),
    "_likelihood": ("cevns_fast.h", "coupling_limits.h"),
    "_plane": ("plane.h",),
    "_rates": ("rates.h",),
}


def ffi_builder(module: str) -> FFI:
    """Return a builder, in API mode: a wrong signature is a compile error, and calls release the GIL."""
    builder = FFI()
    for header in HEADERS[module]:
        text = (ROOT / "cevns_fast" / "_kernels" / header).read_text("utf-8")
        if "/* declarations" in text:
            text = text[text.index("/* declarations") : text.index("/* end of declarations")]
        builder.cdef("\n".join(line for line in text.splitlines() if not line.startswith("#")))
    builder.set_source(f"cevns_fast._kernels.{module}", "\n".join(f'#include "{each}"' for each in HEADERS[module]))
    return builder


def emit_c_code(directory: Path = ROOT / "build") -> None:
    """Write the glue code where ``pyproject.toml`` names it as a source of each extension."""
    directory.mkdir(exist_ok=True)
    for module in HEADERS:
        ffi_builder(module).emit_c_code(str(directory / f"{module}.c"))
