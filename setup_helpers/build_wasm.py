"""The explorer's WebAssembly: the C interface, compiled by zig's compiler from PyPI.

``python setup_helpers/build_wasm.py`` writes the module that the package ships; with ``--check`` it says whether that
is, byte by byte, what the sources make. ``pip install ziglang==0.17.1`` first: other versions make other bytes. The
module ends with the digest of its sources, by which tests tell, also without a compiler, that these have changed.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KERNELS = ROOT / "cevns_fast" / "_kernels"
MODULE = ROOT / "cevns_fast" / "output" / "explorer" / "likelihood.wasm"
ZIGLANG = "0.17.1"
# Vectors of two numbers, which all browsers have had since 2023; products and sums are not fused, as in Python.
OPTIONS = ("-target", "wasm32-wasi", "-mexec-model=reactor", "-std=c99", "-O2", "-msimd128", "-ffp-contract=off",
           "-ffunction-sections", "-Wl,--no-entry", "-Wl,--gc-sections", "-Wl,--strip-all")  # fmt: skip


def exports() -> list[str]:
    """The functions of the C interface, but for the one that opens files, and memory for their arguments."""
    text = (KERNELS / "cevns_fast.h").read_text("utf-8")
    declared = text[text.index("/* declarations */") : text.index("/* end of declarations */")]
    functions = re.findall(r"\b(cevns_fast_\w+)\(", declared)
    return [*(name for name in functions if name != "cevns_fast_open"), "malloc", "free"]


def sources() -> list[Path]:
    """What is compiled, in order."""
    return sorted(KERNELS.glob("likelihood*.c"))


def digest() -> bytes:
    """Of all that the module is made of, less comments and white space."""
    headers = [KERNELS / name for name in ("cevns_fast.h", "likelihood_types.h", "machine.h")]
    found = hashlib.sha256(" ".join([ZIGLANG, *OPTIONS]).encode())
    for path in (*headers, *sources()):
        code = re.sub(r"/\*.*?\*/", " ", path.read_text("utf-8"), flags=re.DOTALL)
        found.update(" ".join(code.split()).encode())
    return found.hexdigest().encode()


def section(name: bytes, content: bytes) -> bytes:
    """A custom section of a module, which whoever runs it ignores; short, so that lengths are single bytes."""
    body = bytes([len(name)]) + name + content
    assert len(body) < 128
    return bytes([0, len(body)]) + body


def build(module: Path) -> None:
    """Compile; paths are relative, so that none of this machine is in what is made."""
    found = metadata.version("ziglang")
    if found != ZIGLANG:
        raise SystemExit(f"ziglang {found}: must be {ZIGLANG}, pip install ziglang=={ZIGLANG}")
    names = [path.name for path in sources()]
    kept = [f"-Wl,--export={name}" for name in exports()]
    subprocess.run(
        [sys.executable, "-m", "ziglang", "cc", *OPTIONS, *kept, "-I.", *names, "-o", str(module)],
        cwd=KERNELS, check=True,
    )  # fmt: skip


def main() -> int:
    """Write the module, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the module that is there, write nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "likelihood.wasm"
        build(new)
        made = new.read_bytes() + section(b"sources", digest())
    if not check:
        MODULE.write_bytes(made)
    same = MODULE.exists() and MODULE.read_bytes() == made
    verdict = "" if same else ", which are not those that are there: run setup_helpers/build_wasm.py"
    print(f"{MODULE.relative_to(ROOT)}: {len(made)} bytes{verdict}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
