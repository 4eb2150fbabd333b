"""Scans as netCDF: read by name, refused when changed or damaged, whole or not there."""

import os
import subprocess
import sys

import numpy as np
import pytest
from cases import quick_are

import cevns_fast as cf

xarray = pytest.importorskip("xarray")
pytest.importorskip("h5py")

AXES = np.linspace(-0.05, 0.05, 7), np.linspace(-1e-3, 1e-3, 5)


@pytest.fixture(scope="module")
def scan(csi):
    batch = [cf.SingletEFT(m_chi=m) for m in (10.0, 40.0)]
    return cf.correlation_scan(csi, batch, ("C_S", "a_M"), *AXES, profile=["C_V"])


@pytest.fixture(scope="module")
def saved(scan, tmp_path_factory):
    return scan.save(tmp_path_factory.mktemp("saved") / "scan.nc")


@pytest.fixture
def edited(saved, tmp_path):
    """A function that lets another program change the file's dataset."""

    def edit(change):
        with xarray.open_dataset(saved, engine="h5netcdf") as opened:
            dataset = opened.load()
        changed = change(dataset)
        changed.attrs.update(dataset.attrs)
        changed.to_netcdf(tmp_path / "edited.nc", engine="h5netcdf")
        return tmp_path / "edited.nc"

    return edit


def assert_same(a, b):
    assert (a.couplings, a.provenance) == (b.couplings, b.provenance)
    for name in ("best_fit", "nuisances"):
        assert list(getattr(a, name)) == list(getattr(b, name))
    for x, y in zip(numbers(a), numbers(b), strict=True):
        np.testing.assert_array_equal(x, y)


def numbers(scan):
    return scan.chi2, scan.chi2_min, *scan.axes, scan.masses, *scan.best_fit.values(), *scan.nuisances.values()


REARRANGED = {
    "as it is": lambda d: d,
    "transposed": lambda d: d.transpose("a_M", "m_chi", "C_S"),
    "a reversed axis": lambda d: d.isel(C_S=slice(None, None, -1)),
    "a reordered axis": lambda d: d.isel(a_M=[3, 1, 0, 4, 2]),
    "variables in another order": lambda d: d[sorted(d.variables, reverse=True)],
}


def test_a_transposed_plane_is_the_plane(csi, tmp_path):
    """Read by position, χ² at (0.03, 0) was that of another point: 5.8009 for 6.1449."""
    axes = np.linspace(-0.05, 0.05, 11), np.linspace(-1e-3, 1e-3, 11)
    scan = cf.correlation_scan(csi, cf.SingletEFT(40.0), ("C_S", "a_M"), *axes)
    with xarray.open_dataset(scan.save(tmp_path / "scan.nc"), engine="h5netcdf") as opened:
        dataset = opened.load()
    dataset.transpose("a_M", "C_S").to_netcdf(tmp_path / "transposed.nc", engine="h5netcdf")
    found = cf.open_scan(tmp_path / "transposed.nc")
    assert found.chi2[8, 5] == pytest.approx(6.1449, abs=5e-5)
    assert found.chi2[5, 8] == pytest.approx(5.8009, abs=5e-5)


@pytest.mark.parametrize("how", REARRANGED)
def test_what_is_rearranged_is_read_by_name(scan, edited, how):
    assert_same(cf.open_scan(edited(REARRANGED[how])), scan)


def renamed_attribute(d):
    d["best_fit_C_S"].attrs["coupling"] = "a_M"
    return d


def packed(d):
    d["chi2"].encoding |= {"dtype": "int16", "scale_factor": 0.1, "_FillValue": -1}
    return d


CHANGED = {
    "cut axis": lambda d: d.isel(C_S=slice(0, 5)),
    "every second point": lambda d: d.isel(a_M=slice(None, None, 2)),
    "planes in another order": lambda d: d.isel(m_chi=[1, 0]),
    "one plane": lambda d: d.isel(m_chi=0),
    "shifted axis": lambda d: d.assign_coords(C_S=d.C_S + 1e-12),
    "a bit of chi2": lambda d: d.assign(chi2=d.chi2 * (1 + 3e-16)),
    "a missing number": lambda d: d.assign(chi2=d.chi2.where(d.chi2 > d.chi2.min())),
    "another minimum": lambda d: d.assign(chi2_min=d.chi2_min + 1),
    "single precision": lambda d: d.astype("f4"),
    "packed": packed,
    "another coupling's best fit": renamed_attribute,
    "swapped names": lambda d: d.rename(C_S="a_M", a_M="C_S"),
    "one variable less": lambda d: d.drop_vars("nuisance_0"),
    "one variable more": lambda d: d.assign(best_fit_C_T=d.best_fit_C_V.assign_attrs(coupling="C_T")),
}


@pytest.mark.parametrize("how", quick_are(CHANGED, *range(0, len(CHANGED), 3)))
def test_what_is_changed_is_refused(edited, how):
    with pytest.raises(ValueError, match=r"edited\.nc'?: is not a saved scan: "):
        cf.open_scan(edited(CHANGED[how]))


def test_a_changed_attribute_is_refused(edited, saved):
    """Without their checksum, files of version 0.1.0 are told by their names."""
    with xarray.open_dataset(saved, engine="h5netcdf") as opened:
        dataset = opened.load()
    for attributes in ({"statistic": "poisson"}, {"couplings": "a_M, C_S"}, {"checksum": "sha256 0"}):
        dataset.assign_attrs(attributes).to_netcdf(saved.with_name("other.nc"), engine="h5netcdf")
        with pytest.raises(ValueError, match="is not a saved scan"):
            cf.open_scan(saved.with_name("other.nc"))
    for strange in ({"checksun": "sha256 0"}, {"cevns_fast_version": "0.2.0"}):
        attributes = {key: value for key, value in dataset.attrs.items() if key != "checksum"}
        dataset.attrs = attributes | strange
        dataset.to_netcdf(saved.with_name("other.nc"), engine="h5netcdf")
        with pytest.raises(ValueError, match="it has no checksum, and"):
            cf.open_scan(saved.with_name("other.nc"))


def damaged(raw, rng, kind):
    """A file after some accident."""
    changed = bytearray(raw)
    start, n = int(rng.integers(len(raw) - 600)), int(rng.integers(1, 512))
    match kind:
        case "bit":
            changed[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        case "bits":
            for _ in range(20):
                changed[rng.integers(len(raw))] ^= 1 << rng.integers(8)
        case "truncated":
            del changed[start:]
        case "zeros":
            changed[start : start + n] = bytes(n)
        case "noise":
            changed[start : start + n] = rng.bytes(n)
        case "lost":
            del changed[start : start + n]
        case "copied":
            other = int(rng.integers(len(raw) - 600))
            changed[start : start + n] = changed[other : other + n]
    return bytes(changed)


@pytest.mark.parametrize("kind", ["bit", "bits", "truncated", "zeros", "noise", "lost", "copied"])
def test_damaged_files_are_refused(scan, saved, tmp_path, kind):
    """100 accidents of each kind; none is read with other numbers, and all errors are `ValueError`."""
    rng, raw, refused = np.random.default_rng(len(kind)), saved.read_bytes(), 0
    for _ in range(100):
        (tmp_path / "damaged.nc").write_bytes(damaged(raw, rng, kind))
        try:
            found = cf.open_scan(tmp_path / "damaged.nc")
        except ValueError as error:
            refused += 1
            assert "damaged.nc': is not a saved scan: " in str(error)
        else:
            assert_same(found, scan)
    assert refused > 50


@pytest.mark.parametrize("place", ["folder", "pipe"])
def test_what_is_no_file_is_refused(tmp_path, place):
    """Opening a pipe would wait for ever."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a saved scan: it is not a file"):
        cf.open_scan(tmp_path / place)


def test_files_are_not_overwritten_silently(scan, tmp_path):
    path = tmp_path / "scan.nc"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"scan\.nc exists; overwrite=True overwrites it"):
        scan.save(path)
    assert path.read_text() == "precious"
    scan.save(path, overwrite=True)
    assert_same(cf.open_scan(path), scan)


def test_a_folder_in_place_of_a_file(scan, tmp_path):
    with pytest.raises(ValueError, match="is a folder, must be a file"):
        scan.save(tmp_path, overwrite=True)


FULL = """
import resource, sys
import cevns_fast as cf
import xarray, h5netcdf
scan = cf.open_scan(sys.argv[1])
for room in range(0, 20000, 500):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    try:
        scan.save(sys.argv[2])
    except OSError as error:
        assert error.filename == sys.argv[2], error
    else:
        print("saved")
        break
"""


@pytest.mark.slow
def test_a_full_disk_is_an_error_and_leaves_nothing(saved, tmp_path):
    """The HDF5 library's own writing ended in a segmentation fault."""
    pytest.importorskip("resource")
    target = tmp_path / "out" / "scan.nc"
    command = [sys.executable, "-P", "-c", FULL.replace("20000", "15000"), str(saved), str(target)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert list(target.parent.iterdir()) == []
