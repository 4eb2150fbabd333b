"""Scans and maps from the files that they were saved to."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cevns_fast import _validate as validate
from cevns_fast._validate import Floats
from cevns_fast.inference import scan_file
from cevns_fast.inference.confidence_map import map_of
from cevns_fast.inference.scan_result import Minima, Scan

if TYPE_CHECKING:
    import xarray


def open_scan(path: str | Path) -> Scan:
    """Read a scan that `Scan.save` wrote.

    Everything is read by name, so the order of dimensions and of points along an axis does not matter. A checksum tells
    whether the numbers, names and attributes are those that were saved.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Scan

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a saved scan, or was changed or damaged since.
    ImportError
        If xarray or h5netcdf is missing (extra ``scan``).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import cevns_fast as cf
    >>> x = np.linspace(-0.2, 0.2, 41)
    >>> scan = cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=10.0), ("C_V",), x)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = cf.open_scan(scan.save(Path(folder, "C_V.nc")))
    >>> again.couplings
    ('C_V',)
    """
    path = validate.path("path", path)
    dataset = scan_file.load(path)
    couplings = tuple(str(dataset.attrs["couplings"]).split(", "))
    scan = Scan(
        couplings=couplings,
        axes=tuple(np.asarray(dataset[name].values, dtype=np.float64) for name in couplings),
        chi2=np.asarray(dataset["chi2"].values, dtype=np.float64),
        search=Minima(
            chi2=np.atleast_1d(dataset["chi2_min"].values),
            couplings=_by_attribute(dataset, "coupling"),
            nuisances=_by_attribute(dataset, "nuisance"),
        ),
        masses=np.asarray(dataset["m_chi"].values) if "m_chi" in set(dataset.coords) - set(couplings) else None,
        provenance={str(key): str(value) for key, value in dataset.attrs.items()},
    )
    return map_of(scan, dataset) if "p_value" in dataset else scan


def _by_attribute(dataset: "xarray.Dataset", key: str) -> dict[str, Floats]:
    """The variables that carry an attribute, by its value, as they were saved: couplings first, nuisances by number."""
    found = {
        str(v.attrs[key]): (name, np.atleast_1d(v.values)) for name, v in dataset.data_vars.items() if key in v.attrs
    }
    if key == "nuisance":
        return {name: values for name, (_, values) in sorted(found.items(), key=lambda item: _number(str(item[1][0])))}
    names = ", ".join(str(dataset.attrs[owner]) for owner in ("couplings", "profiled")).split(", ")
    return {name: found[name][1] for name in names if name}


def _number(variable: str) -> int:
    """Of ``nuisance_3``."""
    return int(variable.rpartition("_")[2])
