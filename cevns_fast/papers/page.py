"""The report on all papers, as a page of HTML and as Markdown: printed numbers beside ours, and the figures."""

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import cevns_fast
from cevns_fast.output.tables import Sheet
from cevns_fast.papers.report import VERDICTS, Made, Paper, PaperFigure

TITLE = "Three papers on neutrino-nucleus scattering, reproduced"
INTRO = (
    "The figures and the printed results of the parts of three papers that concern coherent elastic "
    "neutrino-nucleus scattering, beside what cevns_fast {version} obtains from the papers' own assumptions. Nothing "
    "was fitted to the printed numbers; where the two differ, the table says why."
)
# A sign beside each verdict, so that colour is not the only one.
SIGNS = {"reproduced": "✓", "within convention": "≈", "not reproduced": "✗"}
NOT_MADE = "This could not be made here ({kind}); the message is on the terminal."


class Chapter(NamedTuple):
    """A paper: its folder, itself, and what was made of it, the printed numbers first."""

    folder: str
    paper: Paper
    made: tuple[Made, ...]

    @property
    def verdicts(self) -> Counter[str]:
        """How often each verdict was given."""
        numbers = self.made[0].data
        return Counter(map(str, numbers.columns["verdict"])) if numbers is not None else Counter()

    def links(self, made: Made) -> dict[str, str]:
        """Relative paths of files by suffix."""
        return {path.suffix: f"{self.folder}/{path.name}" for path in made.files}


def summary(chapters: Sequence[Chapter]) -> Sheet:
    """How many numbers of each paper have which verdict."""
    return Sheet({
        "paper": [chapter.paper.title for chapter in chapters],
        **{f"{SIGNS[verdict]} {verdict}": [f"{c.verdicts[verdict]}" for c in chapters] for verdict in VERDICTS},
    })  # fmt: skip


# --- Markdown ------------------------------------------------------------------------------------


def markdown(chapters: Sequence[Chapter]) -> str:
    """The report as Markdown, its pictures beside it."""
    blocks = [f"# {TITLE}", INTRO.format(version=cevns_fast.__version__), summary(chapters).markdown().rstrip()]
    blocks.append("\n".join(f"- {SIGNS[verdict]} **{verdict}**: {meaning}." for verdict, meaning in VERDICTS.items()))
    for chapter in chapters:
        blocks += [f"## {chapter.paper.title}", chapter.paper.citation]
        for made in chapter.made:
            links = chapter.links(made)
            blocks.append(f"### {made.part.title}")
            if made.failure is not None:
                blocks.append(f"*{NOT_MADE.format(kind=type(made.failure).__name__)}*")
            if isinstance(made.part, PaperFigure):
                blocks += [f"![{made.part.title}]({links[suffix]})" for suffix in links if suffix == ".png"]
            elif made.data is not None:
                blocks.append(made.data.markdown().rstrip())
            if made.part.caption:
                blocks.append(made.part.caption)
            if links:
                blocks.append("Files: " + ", ".join(f"[{s[1:].upper()}]({link})" for s, link in links.items()))
    return "\n\n".join(blocks) + "\n"


# --- HTML ----------------------------------------------------------------------------------------

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #1a1a1a;
  background: #fff; max-width: 84rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 3rem; border-top: 2px solid #1a1a1a; padding-top: .6rem; }
h3 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
p, dl { max-width: 46rem; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem 1.5rem; }
a { color: #00548a; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid #ccc; }
th { border-bottom: 2px solid #1a1a1a; white-space: nowrap; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.word { min-width: 9rem; } td.prose { min-width: 18rem; }
td.word:first-child { white-space: nowrap; min-width: 0; }
.verdict { white-space: nowrap; border-left: .35rem solid; padding-left: .5rem; }
.reproduced { border-left-color: #009e73; } .within-convention { border-left: .35rem double #e69f00; }
.not-reproduced { border-left: .35rem dotted #d55e00; font-weight: 600; }
sub, sup { font-size: .75em; line-height: 0; }
.figures { columns: 23rem; column-gap: 2rem; }
figure { margin: 0 0 2rem; break-inside: avoid; } figcaption { font-size: .92rem; } figcaption b { display: block; }
img { max-width: 100%; height: auto; border: 1px solid #ddd; }
.failed { border: 2px dashed #d55e00; padding: .5rem; }
@media (max-width: 40rem) { /* a row is a card, its cells named */
  table, tbody, tr { display: block; } thead { display: none; }
  tr { border-bottom: 1px solid #1a1a1a; padding: .5rem 0; }
  td, td.number, td.word, td.word:first-child, td.prose { display: grid; grid-template-columns: 7.5rem 1fr;
    gap: .5rem; border-bottom: 0;
    padding: .1rem 0; text-align: left; white-space: normal; min-width: 0; max-width: none; }
  td::before { content: attr(data-name); color: #555; font-weight: 400; }
  td.verdict { border-left: 0; padding: .1rem 0; }
  td:empty { display: none; }
}
"""


def html(chapters: Sequence[Chapter]) -> str:
    """The report as a page of HTML, its pictures beside it."""
    contents = "".join(f'<li><a href="#{c.folder}">{escape(c.paper.title)}</a></li>\n' for c in chapters)
    meanings = "".join(f"<dt>{SIGNS[v]} {v}</dt>\n<dd>{escape(meaning)}.</dd>\n" for v, meaning in VERDICTS.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{TITLE}</h1>
<p>{escape(INTRO.format(version=cevns_fast.__version__))}</p>
</header>
<nav aria-label="Papers">
<ul>
{contents}</ul>
</nav>
<main>
{_table(summary(chapters))}
<dl>
{meanings}</dl>
{"".join(map(_section, chapters))}</main>
</body>
</html>
"""


def _section(chapter: Chapter) -> str:
    """A paper."""
    tables = [made for made in chapter.made if not isinstance(made.part, PaperFigure)]
    figures = [made for made in chapter.made if isinstance(made.part, PaperFigure)]
    return (
        f'<section id="{chapter.folder}">\n<h2>{escape(chapter.paper.title)}</h2>\n'
        f"<p>{escape(chapter.paper.citation)}</p>\n"
        + "".join(_table_with_title(chapter, made) for made in tables)
        + '<h3>Figures</h3>\n<div class="figures">\n'
        + "".join(_figure(chapter, made) for made in figures)
        + "</div>\n</section>\n"
    )


def _table_with_title(chapter: Chapter, made: Made) -> str:
    caption = f"<p>{mathematics(made.part.caption)}</p>\n" if made.part.caption else ""
    body = _table(made.data) if made.data is not None else ""
    files = _files(chapter.links(made))
    return f"<h3>{mathematics(made.part.title)}</h3>\n{caption}{_failure(made)}{body}<p>{files}</p>\n"


def _figure(chapter: Chapter, made: Made) -> str:
    """A picture that leads to the PDF, and what to look for."""
    links = chapter.links(made)
    picture = ""
    if ".png" in links:
        image = f'<img src="{links[".png"]}" alt="{escape(made.part.title)}">'
        picture = f'<a href="{links.get(".pdf", links[".png"])}">{image}</a>\n'
    return (
        f"<figure>\n{picture}{_failure(made)}<figcaption><b>{mathematics(made.part.title)}</b>\n"
        f"{mathematics(made.part.caption)} {_files(links)}</figcaption>\n</figure>\n"
    )


def _failure(made: Made) -> str:
    if made.failure is None:
        return ""
    return f'<p class="failed">{SIGNS["not reproduced"]} {NOT_MADE.format(kind=type(made.failure).__name__)}</p>\n'


def _files(links: dict[str, str]) -> str:
    return " · ".join(f'<a href="{link}">{suffix[1:].upper()}</a>' for suffix, link in links.items())


def _table(table: Sheet) -> str:
    """In a box that scrolls by itself on a narrow screen."""
    kinds = [_kind(column) for column in zip(*table.cells(), strict=True)]
    head = "".join(
        f'<th scope="col"{_class("number" if kind == "number" else "")}>{mathematics(name)}</th>'
        for name, kind in zip(table.columns, kinds, strict=True)
    )
    rows = "".join("<tr>" + "".join(map(_cell, table.columns, row, kinds)) + "</tr>\n" for row in table.cells())
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="Sheet">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )


def _kind(column: Sequence[str]) -> str:
    """Numbers stand right, short words in one line."""
    if all(re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?%?|inf|nan", cell) for cell in column):
        return "number"
    return "prose" if max(map(len, column)) > 60 else "word"


def _cell(name: str, cell: str, kind: str) -> str:
    """A cell that knows the name of its column, for narrow screens."""
    content, style = mathematics(cell), kind
    if cell in VERDICTS:
        content, style = f"{SIGNS[cell]} {cell}", f"verdict {cell.replace(' ', '-')}"
    elif kind == "number" and re.fullmatch(r"0\.000\d+", cell):
        content = mathematics(f"{float(cell):.3e}")
    return f'<td data-name="{escape(name)}"{_class(style)}>{f"<span>{content}</span>" if content else ""}</td>'


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


_GREEK = {"chi": "χ", "nu": "ν", "mu": "μ", "alpha": "α", "sigma": "σ", "Delta chi2": "Δχ²", "chi2": "χ²"}


def mathematics(text: str) -> str:
    """Plain text as HTML: Greek letters by name, subscripts, powers and powers of ten.

    Examples
    --------
    >>> mathematics("|g_chi g_q| < 6.7e-9")
    '|g<sub>χ</sub> g<sub>q</sub>| &lt; 6.7×10<sup>−9</sup>'
    >>> mathematics("m_Z' = 2 m_chi, |C_S|^2")
    'm<sub>Z′</sub> = 2 m<sub>χ</sub>, |C<sub>S</sub>|<sup>2</sup>'
    """
    text = re.sub(r"\b(\w)_([A-Z])'", r"\1_\2′", text).replace("y_bar", "ȳ")
    text = escape(text, quote=False)
    names = "|".join(sorted(_GREEK, key=len, reverse=True))
    text = re.sub(rf"(?<![A-Za-z])({names})(?![A-Za-z0-9])", lambda match: _GREEK[match[1]], text)
    text = re.sub(r"(?<!\w)(\w)_(\w{1,4}′?)(?!\w)", r"\1<sub>\2</sub>", text)
    text = re.sub(r"\^(\d)", r"<sup>\1</sup>", text)
    return re.sub(r"\b(\d(?:\.\d+)?)e([+-]?)0?(\d+)\b", _power_of_ten, text)


def _power_of_ten(match: "re.Match[str]") -> str:
    digits, sign, power = match.groups()
    return f"{digits}×10<sup>{'−' if sign == '-' else ''}{power}</sup>"
