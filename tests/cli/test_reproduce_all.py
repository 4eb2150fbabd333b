"""`cevns-fast reproduce --all`: everything in one folder, with a report; and what it refuses."""

import pytest

from cevns_fast import papers
from cevns_fast.output import drawing
from cevns_fast.papers import gallery
from cevns_fast.papers.report import Paper, PaperFigure, PrintedNumber


@pytest.mark.slow
def test_everything(run, tmp_path, monkeypatch):
    """Figures are drawn but not rendered, which takes most of the time: test_cli does that, paper by paper."""
    pytest.importorskip("matplotlib")
    rendered = []
    for kind in ("png", "pdf"):
        monkeypatch.setattr(drawing, kind, lambda figure, kind=kind: rendered.append(kind) or kind.encode())
    status, out, err = run("reproduce", "--all", "-o", "gallery")
    assert (status, err) == (0, "") and "gallery/report.html" in out
    for name in papers.PAPERS:
        paper, folder = papers.paper(name), tmp_path / "gallery" / name
        assert {path.name for path in folder.iterdir()} == {path.name for path in paper.files(folder)}
        assert paper.title in out
        assert all(figure.title and figure.caption for figure in paper.figures)
    report = (tmp_path / "gallery" / "report.html").read_text(encoding="utf-8")
    assert rendered.count("png") == rendered.count("pdf") == 14
    assert report.count("<figure>") == report.count("<img ") == 14 and str(tmp_path) not in report
    status, _, err = run("reproduce", "--all", "-o", "gallery")
    assert status == 2 and "--force" in err


@pytest.mark.parametrize("argv", [["reproduce"], ["reproduce", "chao-2021", "--all"]])
def test_one_paper_or_all(run, tmp_path, argv):
    status, out, err = run(*argv)
    assert (status, out) == (2, "") and err.count("\n") == 1 and "--all" in err and "chao-2021" in err
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_one_line_and_the_rest_is_written(run, tmp_path, monkeypatch):
    def broken():
        raise RuntimeError("no such thing")

    def numbers():
        return [PrintedNumber("(1)", "x", "here", "1", 1.0)]

    bad = Paper("A citation", (PaperFigure("bad", broken, print, "Bad"),), numbers, title="Bad")
    monkeypatch.setattr(gallery, "PAPERS", ("bad",))
    monkeypatch.setattr(gallery, "paper", lambda name: bad)
    status, out, err = run("reproduce", "--all")
    assert status == 2 and err.count("\n") == 1 and "bad" in err and "no such thing" in err
    assert "written" in out and (tmp_path / "results" / "report.html").is_file()
