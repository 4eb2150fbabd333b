"""The report on the papers: its pages, its links, and that one failure leaves the rest."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import cevns_fast as cf
from cevns_fast import papers
from cevns_fast.output.drawing import Curve
from cevns_fast.output.plotting import lines
from cevns_fast.output.tables import Sheet
from cevns_fast.papers import gallery, page, report
from cevns_fast.papers.report import Paper, PaperFigure, PaperTable, PrintedNumber

VOID = {"meta", "img", "br", "link", "hr"}


class Page(HTMLParser):
    """Checks that elements nest, and collects links, identifiers and pictures."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.ids, self.images, self.text = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), (tag, attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag == "img":
            assert attributes["alt"]
            self.images.append(attributes["src"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(folder):
    """The page of a folder: every element closed, every link leads somewhere inside."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = Page(text)
    assert text.startswith("<!DOCTYPE html>") and 'name="viewport"' in text and "<title>" in text
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        parts = urlsplit(link)
        assert not parts.scheme and not link.startswith("/"), link
        if parts.path:
            assert (folder / parts.path).is_file(), link
        else:
            assert parts.fragment in found.ids, link
    for each in ("report.html", "report.md"):
        content = (folder / each).read_text(encoding="utf-8")
        assert cf.__version__ in content
        for place in (str(folder), str(Path.cwd()), str(Path.home()), str(Path(cf.__file__).parent)):
            assert len(place) < 6 or place not in content
    return found


def data():
    return Sheet({"x": [1.0, 2.0], "y": [1.0, 3.0]}, {"what": "a line"})


def draw(table):
    return lines([Curve("y", table.columns["x"], table.columns["y"])], x_label="x", y_label="y")


def numbers():
    return [
        PrintedNumber("(1)", "m_chi [MeV]", "here", "53", 52.8),
        PrintedNumber("(2)", "|C_S|^2", "here & <there>", "4.2e-3", 6e-3, otherwise={"another": 4.2e-3}),
        PrintedNumber("(3)", "g_chi", "here", "1e-5", 1.4e-4, "as |it| is"),
    ]


def broken(*_):
    raise RuntimeError(f"cannot, in {Path(__file__).parent}")


SOUND = Paper("A citation", (PaperFigure("fig", data, draw, "Fig. 1", "See m_chi."),), numbers, title="A & B")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function that writes the gallery of some papers."""

    def write(**found):
        monkeypatch.setattr(gallery, "PAPERS", tuple(found))
        monkeypatch.setattr(gallery, "paper", found.__getitem__)
        return gallery.write(tmp_path / "out")

    return write


def test_pages(made, tmp_path):
    pytest.importorskip("matplotlib")
    (chapter,) = made(sound=SOUND)
    folder = tmp_path / "out"
    found = check(folder)
    assert found.images == ["sound/fig.png"]
    names = {f"fig{s}" for s in (".csv", ".png", ".pdf")} | {"table.csv", "table.md"}
    assert {path.name for path in (folder / "sound").iterdir()} == names
    assert (folder / "sound" / "fig.pdf").read_bytes().startswith(b"%PDF")
    assert chapter.verdicts == {verdict: 1 for verdict in page.VERDICTS}
    words = " ".join(found.text)
    assert all(f"{sign} {verdict}" in words for verdict, sign in page.SIGNS.items())
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert "![Fig. 1](sound/fig.png)" in markdown and r"as \|it\| is" in markdown and "1.00 with another" in markdown


def test_the_same_files_whenever_they_are_made(tmp_path):
    pytest.importorskip("matplotlib")
    first, second = (SOUND.write(tmp_path / name) for name in "ab")
    assert b"CreationDate" not in (tmp_path / "a" / "fig.pdf").read_bytes()
    for one, other in zip(first, second, strict=True):
        assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in other.files]


@pytest.mark.parametrize(
    ("lost", "kept"),
    [
        ({"figures": (PaperFigure("bad", broken, draw, "Bad"), *SOUND.figures)}, {"bad": set()}),
        ({"figures": (PaperFigure("bad", data, broken, "Bad"), *SOUND.figures)}, {"bad": {".csv"}}),
        ({"numbers": broken}, {"table": set()}),
        ({"tables": (PaperTable("more", broken, "More"),)}, {"more": set()}),
    ],
    ids=["data", "drawing", "numbers", "table"],
)
def test_one_failure_leaves_the_rest(made, tmp_path, lost, kept):
    pytest.importorskip("matplotlib")
    fields = {"citation": "A citation", "figures": SOUND.figures, "numbers": numbers, "title": "Bad"} | lost
    chapters = made(bad=Paper(**fields), sound=SOUND)
    found = check(tmp_path / "out")
    assert {"bad/fig.png", "sound/fig.png"} <= set(found.images)
    assert "RuntimeError" in " ".join(found.text) and "cannot, in" not in " ".join(found.text)
    for name, suffixes in kept.items():
        assert {path.suffix for path in (tmp_path / "out" / "bad").glob(f"{name}.*")} == suffixes
    with pytest.raises(report.IncompleteError, match=f"not made: {next(iter(kept))} .RuntimeError: cannot"):
        report.refuse_failures([each for chapter in chapters for each in chapter.made])


def test_nothing_is_replaced(made, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.md").write_text("precious")
    with pytest.raises(FileExistsError, match=r"report\.md"):
        made(sound=SOUND)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.md"]


def test_the_gallery_shows_every_figure():
    guide = (Path(__file__).parents[2] / "docs" / "gallery.md").read_text(encoding="utf-8")
    listed = {name: papers.paper(name).figures for name in (papers.PUBLIC_DATA, *papers.PAPERS)}
    figures = [f"{name}/{figure.name}" for name, figures in listed.items() for figure in figures]
    assert re.findall(r"{figure} _static/gallery/([\w-]+/[\w-]+)\.png", guide) == figures


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nu_mu", "ν<sub>μ</sub>"),
        ("s_W M_W < e v_H/2", "s<sub>W</sub> M<sub>W</sub> &lt; e v<sub>H</sub>/2"),
        ("1.0e-12 and 2.5e13, 1e+05", "1.0×10<sup>−12</sup> and 2.5×10<sup>13</sup>, 1×10<sup>5</sup>"),
        ("sm_interference", "sm_interference"),
        ("Delta chi2 = 4.61, alpha", "Δχ² = 4.61, α"),
        ("y_bar at m_S", "ȳ at m<sub>S</sub>"),
        ("T_peak [keV]", "T<sub>peak</sub> [keV]"),
    ],
)
def test_mathematics(text, expected):
    assert page.mathematics(text) == expected
