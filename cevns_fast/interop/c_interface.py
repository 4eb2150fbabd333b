"""The C interface: its header and its sources, for a program of one's own."""

from pathlib import Path

from cevns_fast import _kernels
from cevns_fast import _validate as validate
from cevns_fast._support import files

KERNELS = Path(_kernels.__path__[0])
SOURCES = tuple(sorted(path.name for path in KERNELS.glob("likelihood*.c")))
FILES = ("cevns_fast.h", "likelihood_types.h", "machine.h", *SOURCES, "CMakeLists.txt")
COMPILE = f"cc -O3 -fPIC -shared {' '.join(SOURCES)} -lm -o libcevns_fast.so"


def write_c_interface(directory: str | Path, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write headers and sources of the C interface, which evaluate what `Likelihood.export` wrote.

    Parameters
    ----------
    directory : str or Path
        It is made if it does not exist.
    overwrite : bool
        Replace files that are there.

    Returns
    -------
    tuple of Path
        ``cevns_fast.h``, which a program includes, and what it needs: ``likelihood_types.h`` and ``likelihood*.c``, C99
        without dependencies, for ``cc -O3 -fPIC -shared likelihood*.c -lm -o libcevns_fast.so``, or to be compiled
        into the program. ``CMakeLists.txt`` makes and installs a CMake package and a pkg-config file of it.

    Raises
    ------
    FileExistsError
        If a file is there, unless `overwrite`.

    Examples
    --------
    >>> import tempfile
    >>> import cevns_fast as cf
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     [path.name for path in cf.write_c_interface(directory)][:3]
    ['cevns_fast.h', 'likelihood_types.h', 'machine.h']
    """
    directory, overwrite = validate.path("directory", directory), validate.flag("overwrite", overwrite)
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"directory = {str(directory)!r}: is a file, must be a folder")
    paths = tuple(Path(directory) / name for name in FILES)
    files.refuse_existing(paths, overwrite=overwrite, how="overwrite=True (--force)")
    files.write({path: (KERNELS / path.name).read_bytes() for path in paths}, overwrite=overwrite)
    return paths
