"""What a scan leaves behind when it is killed, interrupted, out of disk, or its files are damaged."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import cevns_fast as cf
from cevns_fast._support import files
from cevns_fast.inference import planes
from cevns_fast.parallel.checkpoint import CheckpointWarning

GRIDS = np.linspace(-0.05, 0.05, 90), np.linspace(-1e-3, 1e-3, 100)
CHUNKS = 9
EFT = cf.SingletEFT(m_chi=40.0)

CHILD = """
import os, signal, sys, time
import numpy as np
import cevns_fast as cf
from cevns_fast._support import files
from cevns_fast.inference import planes
planes.PlaneProblem.points_per_chunk = 1000
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may ignore it

directory, event, when, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
finished = 0

def progress(done, total):
    global finished
    finished += 1
    if event == "kill" and finished == when:
        os.kill(os.getpid(), signal.SIGKILL)
    if event == "wait" and finished == 1:
        print("chunk", flush=True)
        while True:  # until the signal comes, however long that takes
            time.sleep(0.05)

publish = files.publish
if event == "kill before rename":
    def killed(aside, target, *, overwrite):
        global finished
        finished += 1
        if finished == when:
            os.kill(os.getpid(), signal.SIGKILL)
        publish(aside, target, overwrite=overwrite)
    files.publish = killed

cf.correlation_scan(cf.load("coherent-csi-2017"), cf.SingletEFT(m_chi=40.0), ("C_S", "a_M"),
                    np.linspace(-0.05, 0.05, 90), np.linspace(-1e-3, 1e-3, 100),
                    checkpoint=directory, progress=progress, threads=threads)
print("finished")
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(planes.PlaneProblem, "points_per_chunk", 1000)


def scan(csi, **options):
    return cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *GRIDS, **options)


@pytest.fixture(scope="module")
def expected(csi):
    return scan(csi).chi2.tobytes()


def chunk_files(directory):
    return sorted(directory.glob("chunk-*.bin"))


def computed_rows(monkeypatch):
    """How many rows a scan really computes."""
    count, fill = [0], planes.PlaneProblem.fill

    def counting(self, start, stop, out):
        count[0] += stop - start
        fill(self, start, stop, out)

    monkeypatch.setattr(planes.PlaneProblem, "fill", counting)
    return count


def child(tmp_path, *arguments):
    return [sys.executable, "-P", "-c", CHILD, str(tmp_path), *map(str, arguments)]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize(
    ("event", "when", "left"),
    [
        ("kill", 1, 1),
        ("kill", 5, 5),
        ("kill", CHUNKS, CHUNKS),
        ("kill before rename", 1, 0),
        ("kill before rename", 6, 2),
    ],
)
def test_killed(csi, expected, tmp_path, monkeypatch, event, when, left):
    """SIGKILL after so many chunks, or inside the writing of the manifest or of a chunk."""
    ended = subprocess.run(child(tmp_path, event, when, 1), capture_output=True, timeout=300)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(chunk_files(tmp_path)) == left
    assert len(list(tmp_path.glob("*.tmp"))) == (event == "kill before rename")
    count = computed_rows(monkeypatch)
    assert scan(csi, checkpoint=tmp_path).chi2.tobytes() == expected
    assert count[0] == 90 - 10 * left
    assert not list(tmp_path.glob("*.tmp")) and len(chunk_files(tmp_path)) == CHUNKS


@pytest.mark.slow
def test_interrupted(csi, expected, tmp_path):
    """SIGINT, as from Ctrl-C: the child ends, with KeyboardInterrupt and unfinished, and can be resumed."""
    with subprocess.Popen(
        child(tmp_path, "wait", 0, 2), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "chunk\n"
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(timeout=300)
    assert "KeyboardInterrupt" in errors and running.returncode != 0 and "finished" not in out
    assert len(chunk_files(tmp_path)) == 1 and not list(tmp_path.glob("*.tmp"))
    assert scan(csi, checkpoint=tmp_path).chi2.tobytes() == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_stopped_by_the_callback(csi, expected, tmp_path, monkeypatch, threads):
    def stop(done, total):
        if done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(csi, checkpoint=tmp_path, progress=stop, threads=threads)
    assert 3 <= len(chunk_files(tmp_path)) < CHUNKS
    count = computed_rows(monkeypatch)
    left = 90 - 10 * len(chunk_files(tmp_path))
    assert scan(csi, checkpoint=tmp_path).chi2.tobytes() == expected
    assert count[0] == left


def test_finished_scans_are_read(csi, expected, tmp_path, monkeypatch):
    assert scan(csi, checkpoint=str(tmp_path / "new" / "folder")).chi2.tobytes() == expected
    count = computed_rows(monkeypatch)
    again = scan(csi, checkpoint=tmp_path / "new" / "folder")
    assert again.chi2.tobytes() == expected and count[0] == 0
    assert again.chi2_min == scan(csi).chi2_min


def test_what_is_read_has_the_same_best_fit(csi, tmp_path):
    """With a predicted variance the search starts from the lowest point of the grid, also of one that was read."""
    excess = csi.replace(variance="prediction", observed=cf.event_rate(csi, EFT.replace(C_S=0.03)))
    first, again = (scan(excess, checkpoint=tmp_path) for _ in range(2))
    assert first.best_fit["C_S"].tobytes() == again.best_fit["C_S"].tobytes()
    assert first.chi2_min.tobytes() == again.chi2_min.tobytes()


def test_nothing_begins_after_an_interruption(csi, monkeypatch):
    fill, begun = planes.PlaneProblem.fill, []

    def slow(self, start, stop, out):
        begun.append(start)
        time.sleep(0.05)
        fill(self, start, stop, out)

    def stop(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(planes.PlaneProblem, "fill", slow)
    with pytest.raises(KeyboardInterrupt):
        scan(csi, progress=stop, threads=2)
    assert len(begun) <= 5


@pytest.mark.parametrize("damage", ["flip a byte", "flip a byte of the checksum", "truncate", "empty", "longer"])
def test_damaged_chunks_are_computed_again(csi, expected, tmp_path, monkeypatch, damage):
    scan(csi, checkpoint=tmp_path)
    path = chunk_files(tmp_path)[4]
    raw = bytearray(path.read_bytes())
    if damage.startswith("flip"):
        raw[5000 if damage == "flip a byte" else 7] ^= 4
    path.write_bytes({"truncate": raw[:-100], "empty": b"", "longer": raw + b"\0"}.get(damage, raw))
    count = computed_rows(monkeypatch)
    with pytest.warns(CheckpointWarning, match=r"chunk-000004\.bin: is damaged") as warned:
        assert scan(csi, checkpoint=tmp_path).chi2.tobytes() == expected
    assert len(warned) == 1 and count[0] == 10
    scan(csi, checkpoint=tmp_path)  # now it is sound


MISMATCHES = {
    "grid of C_S": lambda csi, **o: cf.correlation_scan(csi, EFT, ("C_S", "a_M"), GRIDS[0] * 1.01, GRIDS[1], **o),
    "couplings": lambda csi, **o: cf.correlation_scan(csi, EFT, ("C_V", "a_M"), *GRIDS, **o),
    "interactions": lambda csi, **o: cf.correlation_scan(csi, cf.SingletEFT(41.0), ("C_S", "a_M"), *GRIDS, **o),
    "profiled": lambda csi, **o: cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *GRIDS, profile=("C_T",), **o),
    "phases": lambda csi, **o: cf.correlation_scan(csi, EFT, ("C_S", "a_M"), *GRIDS, phases={"C_S": 1j}, **o),
    "standard_model": lambda csi, **o: cf.correlation_scan(
        csi, EFT, ("C_S", "a_M"), *GRIDS, standard_model=cf.StandardModel(0.2386), **o
    ),
    "templates": lambda csi, **o: scan(csi.replace(signal_uncertainty=0.2), **o),
    "experiments": lambda csi, **o: scan(csi.replace(name="other"), **o),
}


@pytest.mark.parametrize("field", MISMATCHES)
def test_another_scans_checkpoint_is_refused(csi, tmp_path, field):
    scan(csi, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=f"belongs to another scan: {field} is "):
        MISMATCHES[field](csi, checkpoint=tmp_path)
    scan(csi, checkpoint=tmp_path)


def test_a_file_is_no_folder(csi, tmp_path):
    (tmp_path / "scan").write_text("precious")
    with pytest.raises(ValueError, match=r"checkpoint = .*: is a file, must be a folder"):
        scan(csi, checkpoint=tmp_path / "scan")
    assert (tmp_path / "scan").read_text() == "precious"


@pytest.mark.parametrize("name", ["manifest.json", "chunk-000000.bin"])
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_in_a_checkpoint_is_refused(csi, tmp_path, name, make):
    """A folder was an IsADirectoryError, a pipe was waited for without end."""
    if name != "manifest.json":
        scan(csi, checkpoint=tmp_path)
        (tmp_path / name).unlink()
    make(tmp_path / name)
    with pytest.raises(ValueError, match=f"checkpoint = .*: {name} is no file"):
        scan(csi, checkpoint=tmp_path)


def test_other_folders_are_refused(csi, tmp_path):
    (tmp_path / "thesis.tmp").write_text("precious")
    with pytest.raises(ValueError, match=r"is not empty and holds no manifest\.json"):
        scan(csi, checkpoint=tmp_path)
    assert (tmp_path / "thesis.tmp").read_text() == "precious"
    for content in (b"", b"{", b"[1]", b"\xff", b"[" * 100_000):
        (tmp_path / "manifest.json").write_bytes(content)
        with pytest.raises(ValueError, match="not readable"):
            scan(csi, checkpoint=tmp_path)


@pytest.mark.parametrize(
    "name", ["chunk-notes.tmp", "manifest.json.old.tmp", "chunk-000001.bin.mine.tmp", "thesis.tmp"]
)
def test_only_own_files_are_tidied_up(csi, expected, tmp_path, name):
    """Whether the folder is refused or used."""
    mine = tmp_path / name
    mine.write_text("precious")
    with pytest.raises(ValueError, match=r"is not empty and holds no manifest\.json"):
        scan(csi, checkpoint=tmp_path)
    assert mine.read_text() == "precious"
    mine.unlink()
    scan(csi, checkpoint=tmp_path)
    mine.write_text("precious")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left_over = tmp_path / f"chunk-000003.bin.{dead.pid}.tmp"  # as version 0.1.0 named them
    left_over.write_text("half")
    with pytest.raises(ValueError, match="belongs to another scan"):
        MISMATCHES["couplings"](csi, checkpoint=tmp_path)
    assert left_over.exists()
    assert scan(csi, checkpoint=tmp_path).chi2.tobytes() == expected
    assert mine.read_text() == "precious" and not left_over.exists()


def test_what_another_process_is_writing_stays(csi, tmp_path):
    scan(csi, checkpoint=tmp_path)
    theirs = tmp_path / f"chunk-000003.bin.{os.getppid()}.tmp"
    theirs.write_text("half")
    scan(csi, checkpoint=tmp_path)
    assert theirs.exists()


@pytest.mark.slow
def test_several_processes_with_one_checkpoint(csi, expected, tmp_path):
    """All of them finish, with the same bits; of 36 calls 17 died when each tidied up after the others."""
    command = [sys.executable, "-P", "-c", CHILD]
    for attempt in range(4):
        place = str(tmp_path / f"{attempt}")
        running = [
            subprocess.Popen([*command, place, "none", "0", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(3)
        ]
        for each in running:
            out, err = each.communicate(timeout=300)
            assert (each.returncode, out.split()[-1:], err) == (0, [b"finished"], b"")
        assert scan(csi, checkpoint=place).chi2.tobytes() == expected
        assert not list(Path(place).glob("*.tmp"))


def test_another_scan_that_begins_in_this_moment_is_refused(csi, tmp_path, monkeypatch):
    """The folder was empty when it was looked at, and then another process writes its manifest."""
    publish = files.publish

    def overtaken(aside, target, *, overwrite):
        monkeypatch.setattr(files, "publish", publish)
        MISMATCHES["couplings"](csi, checkpoint=tmp_path)
        publish(aside, target, overwrite=overwrite)

    monkeypatch.setattr(files, "publish", overtaken)
    with pytest.raises(ValueError, match="belongs to another scan: couplings is 'C_V, a_M' there"):
        scan(csi, checkpoint=tmp_path)


def test_full_disk(csi, expected, tmp_path, monkeypatch):
    """What was finished stays, no partial file does, and the error is the system's."""
    fsync, calls = os.fsync, [0]

    def full(descriptor):
        calls[0] += 1
        if calls[0] > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        scan(csi, checkpoint=tmp_path)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert len(chunk_files(tmp_path)) == 3 and len(list(tmp_path.iterdir())) == 4
    monkeypatch.setattr(planes.PlaneProblem, "points_per_chunk", 1000)
    assert scan(csi, checkpoint=tmp_path).chi2.tobytes() == expected


@pytest.fixture
def small_disk(tmp_path):
    """A real file system with room for a manifest and four chunks."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=44k", "tmpfs", str(place)], capture_output=True)
    except OSError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_really_full_disk(csi, expected, small_disk):
    folder = Path(small_disk)
    with pytest.raises(OSError, match="No space left"):
        scan(csi, checkpoint=folder)
    assert 1 <= len(chunk_files(folder)) < CHUNKS and not list(folder.glob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=1m", str(folder)], check=True)
    assert scan(csi, checkpoint=folder).chi2.tobytes() == expected


def test_progress_callback(csi, tmp_path):
    for options in ({}, {"checkpoint": tmp_path}, {"checkpoint": tmp_path}, {"threads": 2}):
        seen = []
        scan(csi, progress=lambda done, total: seen.append((done, total)), **options)  # noqa: B023
        assert seen == [(10 * k, 90) for k in range(1, CHUNKS + 1)]


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_bar_only_on_a_terminal(csi, monkeypatch, terminal):
    pytest.importorskip("tqdm")
    import io

    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(sys, "stderr", stream)
    scan(csi, progress=True)
    assert ("90/90" in stream.getvalue()) == terminal
    if not terminal:
        assert stream.getvalue() == ""
