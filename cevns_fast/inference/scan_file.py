"""Scans as netCDF: written whole or not at all, read by name, and only as they were saved."""

import hashlib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from cevns_fast._support import files

if TYPE_CHECKING:
    import xarray

CHECKSUM = "checksum"  # of names and numbers: an attribute, which survives what other programs do to the file
_SEAL = b"cevns_fast seal "  # before the SHA-256 of all bytes, behind the end of the netCDF file, where nobody looks
_SHA256 = 32
_LEAST_BYTES = 1e-3  # of a file for a byte of its numbers: what compression can reach
_OF_THE_FORMAT = ("_FillValue", "coordinates")  # attributes that xarray adds


def save(dataset: "xarray.Dataset", path: str | Path, *, overwrite: bool) -> Path:
    """Write a scan's dataset, with its checksum."""
    target = Path(path)
    h5netcdf, xarray = _packages("save")
    files.refuse_existing([target], overwrite=overwrite, how="overwrite=True")
    sealed = dataset.assign_attrs({CHECKSUM: _checksum(dataset)})
    with files.whole(target, overwrite=overwrite) as file:
        patient = _Patient(file)
        with h5netcdf.File(patient, "w") as opened:
            sealed.dump_to_store(xarray.backends.H5NetCDFStore(opened))
        if patient.error is not None:
            raise patient.error
        seal = _SEAL + _digest(file, file.seek(0, io.SEEK_END))
        file.seek(0, io.SEEK_END)
        file.write(seal)
    return target


class _Patient(io.RawIOBase):
    """A file whose first error waits until it is closed: the HDF5 library does not survive one that comes earlier."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.error, self.size = file, None, 0
        super().__init__()

    error: OSError | None

    def write(self, data: Any) -> int:
        """All of it, or so the caller believes."""
        if self.error is None:
            try:
                self.file.write(data)
                self.file.flush()
            except OSError as error:
                self.error = error
        return len(data)

    def readinto(self, buffer: Any) -> int:
        """Zeros, after an error."""
        view = memoryview(buffer).cast("B")
        got = self.file.readinto(view) if self.error is None else 0  # type: ignore[attr-defined]
        view[got:] = bytes(len(view) - got)
        return len(view)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Wherever it is asked for."""
        return self.file.seek(offset, whence) if self.error is None else offset

    def tell(self) -> int:
        """Where it is."""
        return self.file.tell()

    def truncate(self, size: int | None = None) -> int:
        """To a size."""
        if self.error is None:
            try:
                return self.file.truncate(size)
            except OSError as error:
                self.error = error
        return size or 0

    def flush(self) -> None:
        """Every write has been flushed."""

    def seekable(self) -> bool:
        """It is."""
        return True

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is."""
        return True


def load(path: str | Path, checked: "Callable[[xarray.Dataset], xarray.Dataset] | None" = None) -> "xarray.Dataset":
    """A scan's dataset, or one that another function checks, in the order in which it was saved, if it is that."""
    h5netcdf, xarray = _packages("open_scan")
    where = f"path = {str(path)!r}"
    if not Path(path).exists():
        raise FileNotFoundError(f"{where}: there is no such file")
    if not Path(path).is_file():
        raise ValueError(f"{where}: is not a saved scan: it is not a file")
    try:
        size = Path(path).stat().st_size
        _refuse_broken_seal(Path(path), size)
        with h5netcdf.File(path, "r") as opened:
            # Packed values, dates and missing numbers are no part of a scan: nothing is to be decoded.
            dataset = xarray.open_dataset(xarray.backends.H5NetCDFStore(opened), decode_cf=False, cache=False)
            needed = sum(variable.nbytes for variable in dataset.variables.values())
            if needed * _LEAST_BYTES > size:
                raise ValueError(f"claims {needed} bytes of numbers in a file of {size}")
            dataset = (checked or _checked)(dataset.load())
    except (PermissionError, ImportError):
        raise
    except Exception as error:  # a damaged file can end in any of them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{where}: is not a saved scan: {reason}") from None
    return dataset


def _refuse_broken_seal(path: Path, size: int) -> None:
    """A damaged file can keep the HDF5 library busy for ever, so nothing that is known to be damaged gets there."""
    with path.open("rb") as file:
        file.seek(max(0, size - len(_SEAL) - _SHA256))
        end = file.read()
        if not end.startswith(_SEAL):
            return  # of an earlier version, or written anew by another program
        if _digest(file, size - len(end)) != end[len(_SEAL) :]:
            raise ValueError("it is damaged, or was changed since it was saved (checksum)")


def _digest(file: BinaryIO, size: int) -> bytes:
    """SHA-256 of the first bytes of a file."""
    state = hashlib.sha256()
    file.seek(0)
    while size > 0 and (piece := file.read(min(size, 2**20))):
        state.update(piece)
        size -= len(piece)
    return state.digest()


def _packages(caller: str) -> tuple[Any, Any]:
    """h5netcdf and xarray."""
    try:
        import h5netcdf
        import xarray
    except ImportError:
        raise ImportError(f"{caller} needs xarray and h5netcdf: pip install 'cevns_fast[scan]'") from None
    return h5netcdf, xarray


def _checked(raw: "xarray.Dataset") -> "xarray.Dataset":
    """The dataset with its dimensions by name and its axes rising; `ValueError` if it is not a scan's, or changed."""
    dataset = raw.set_coords([name for name in ("m_chi",) if name in raw.variables])
    for variable in dataset.variables.values():
        for attribute in _OF_THE_FORMAT:
            variable.attrs.pop(attribute, None)
    if "chi2" not in dataset or "couplings" not in dataset.attrs:
        raise ValueError("it has no chi2 or couplings")
    couplings = tuple(str(dataset.attrs["couplings"]).split(", "))
    leading = [name for name in ("interaction", "m_chi") if name in dataset["chi2"].dims and name not in couplings]
    order = (*leading, *couplings)
    if set(dataset["chi2"].dims) != set(order) or len(set(order)) != len(order):
        raise ValueError(f"chi2 has the dimensions {dataset['chi2'].dims}, must have {order}")
    for name in couplings:
        if name not in dataset.variables or dataset[name].dims != (name,):
            raise ValueError(f"the coupling {name!r} has no axis of its own")
    dataset = dataset.transpose(*order, ..., missing_dims="ignore").sortby(list(couplings))
    for key, variable in dataset.variables.items():
        if variable.dtype.kind != "f" or variable.dtype.itemsize != 8:
            raise ValueError(f"{key} is of {variable.dtype}, must be float64")
        if np.isnan(variable.values).any() or (key in couplings and not np.isfinite(variable.values).all()):
            raise ValueError(f"{key} is not a number somewhere")
    for name in couplings:
        if not np.all(np.diff(dataset[name].values) > 0):
            raise ValueError(f"the axis of {name} has the same value twice")
        _refuse_other_axis(dataset.attrs, name, dataset[name].values)
    dataset.attrs.pop("coordinates", None)
    saved = dataset.attrs.pop(CHECKSUM, None)
    if saved is None:
        _refuse_unless_old(dataset, couplings, order)
    elif saved != _checksum(dataset):
        raise ValueError("its numbers, names or attributes are not those that were saved (checksum)")
    return dataset


def checked_limits(raw: "xarray.Dataset") -> "xarray.Dataset":
    """The dataset of a limit curve with its mass as the only coordinate; `ValueError` if it is none, or changed."""
    needed = {"upper", "best_fit", "chi2_min", "allowed"}
    if not needed <= set(raw.variables) or not {"coupling", "delta_chi2"} <= set(raw.attrs):
        raise ValueError("it has no limits")
    dataset = raw.set_coords([name for name in raw.variables if name not in needed | {"expected"}])
    dataset = dataset.transpose(..., "interval", "end")
    for variable in dataset.variables.values():
        for attribute in _OF_THE_FORMAT:
            variable.attrs.pop(attribute, None)
    dataset.attrs.pop("coordinates", None)
    if dataset.attrs.pop(CHECKSUM, None) != _checksum(dataset):
        raise ValueError("its numbers, names or attributes are not those that were saved (checksum)")
    return dataset


def _refuse_other_axis(attributes: Mapping[str, Any], name: str, axis: Any) -> None:
    """The provenance has known every axis from the first version on."""
    from cevns_fast.parallel.chunks import digest

    stated = str(attributes.get(f"grid of {name}"))
    if not stated.endswith(f"sha256 {digest(np.asarray(axis, dtype=np.float64))}"):
        raise ValueError(f"the axis of {name} is not the one that was saved")


# What a scan had before scans had a checksum.
_OLD_ATTRIBUTES = re.compile(
    "cevns_fast_version|experiments|interactions|couplings|profiled|phases|standard_model|statistic|nuisances|rtol"
    "|grid of .*|templates"
)


def _refuse_unless_old(dataset: "xarray.Dataset", couplings: tuple[str, ...], order: tuple[str, ...]) -> None:
    """Without a checksum names and shapes must be those of version 0.1.0."""
    strange = [key for key in dataset.attrs if not _OLD_ATTRIBUTES.fullmatch(str(key))]
    if strange or dataset.attrs.get("cevns_fast_version") != "0.1.0":
        raise ValueError(f"it has no checksum, and {strange or 'no known version'}")
    profiled = [name for name in str(dataset.attrs["profiled"]).split(", ") if name]
    each = {f"best_fit_{name}": ("coupling", name) for name in (*couplings, *profiled)}
    found = sum(str(name).startswith("nuisance_") for name in dataset.data_vars)
    names = [str(dataset[f"nuisance_{i}"].attrs["nuisance"]) for i in range(found)]
    each |= {f"nuisance_{i}": ("nuisance", name) for i, name in enumerate(names)}
    if ", ".join(names) != dataset.attrs["nuisances"]:
        raise ValueError(f"it has no checksum, and the nuisances {names}")
    if set(map(str, dataset.data_vars)) != {"chi2", "chi2_min", *each}:
        raise ValueError(f"it has no checksum, and the variables {sorted(map(str, dataset.data_vars))}")
    leading = order[: len(order) - len(couplings)]
    if set(dataset.coords) - set(couplings) - ({"m_chi"} if leading else set()):
        raise ValueError(f"it has no checksum, and the coordinates {sorted(map(str, dataset.coords))}")
    for variable, (key, value) in each.items():
        if dataset[variable].attrs.get(key) != value or dataset[variable].dims != leading:
            raise ValueError(f"{variable}: has no checksum, and is not of {value!r}")


def _checksum(dataset: "xarray.Dataset") -> str:
    """SHA-256 of all names, dimensions, attributes and numbers."""
    state = hashlib.sha256()

    def add(*parts: Any) -> None:
        text = repr(parts).encode()
        state.update(f"{len(text)}:".encode() + text)

    for key in sorted(map(str, dataset.attrs)):
        add("attribute", key, str(dataset.attrs[key]))
    for name in sorted(map(str, dataset.variables)):
        variable = dataset.variables[name]
        add("variable", name, tuple(map(str, variable.dims)), variable.shape)
        for key in sorted(map(str, variable.attrs)):
            add("attribute", key, str(variable.attrs[key]))
        state.update(np.ascontiguousarray(variable.values, dtype="<f8").tobytes())
    return "sha256 " + state.hexdigest()
