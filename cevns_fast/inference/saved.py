"""What results have in common: a labelled dataset, and a netCDF file that keeps it."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cevns_fast import _validate as validate

if TYPE_CHECKING:
    import xarray


class Saved(ABC):
    """A result that can be written as netCDF."""

    @abstractmethod
    def to_xarray(self) -> "xarray.Dataset":
        """It as a labelled dataset."""

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write it as netCDF, which `open_scan` and `open_limits`, each its own, and every netCDF program read.

        Parameters
        ----------
        path : str or Path
        overwrite : bool
            Replace a file that is there.

        Returns
        -------
        Path

        Raises
        ------
        FileExistsError
            If there is such a file, unless `overwrite`.
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
        ...     path = scan.save(Path(folder, "C_V.nc"))
        ...     again = cf.open_scan(path)
        >>> bool((again.chi2 == scan.chi2).all())
        True
        """
        from cevns_fast.inference import scan_file

        overwrite = validate.flag("overwrite", overwrite)
        return scan_file.save(self.to_xarray(), validate.path("path", path), overwrite=overwrite)


def needed_xarray() -> Any:
    """The module, or which extra brings it."""
    try:
        import xarray
    except ImportError:
        raise ImportError("to_xarray needs xarray: pip install 'cevns_fast[scan]'") from None
    return xarray
