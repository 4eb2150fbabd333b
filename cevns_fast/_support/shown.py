"""How objects show themselves: one line for a terminal, a table with a small picture for a notebook.

Nothing that takes time is computed for it: what is shown is what the object has. Pictures are SVG in the colour of the
text around them, so they suit a dark page as well.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

_WIDTH, _HEIGHT, _MARGIN = 260, 120, 4
_COLORS = ("currentColor", "#D55E00", "#0072B2", "#E69F00", "#AA4499")


def number(value: Any, digits: int = 4) -> str:
    """A number as one would write it: np.float64(0.1) is 0.1, and a complex one without parts that are zero."""
    if isinstance(value, bool | np.bool_) or value is None or isinstance(value, str):
        return str(value)
    if isinstance(value, complex | np.complexfloating):
        return number(value.real, digits) if value.imag == 0 else f"{complex(value):.{digits}g}"
    if isinstance(value, int | float | np.number):
        return f"{value:.{digits}g}" if not isinstance(value, int | np.integer) else str(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {number(each, digits)}" for key, each in value.items())
    if isinstance(value, Iterable):
        return ", ".join(number(each, digits) for each in value)
    return str(value)


def plain(value: Any) -> Any:
    """The value without numpy's types, as `repr` should show it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if type(value) is not float and isinstance(value, float):
        return float(value)
    return value


def line(kind: str, *words: str) -> str:
    """``<kind word, word>``."""
    return f"<{kind} {', '.join(filter(None, words))}>"


def table(title: str, rows: Mapping[str, Any], *pictures: str) -> str:
    """HTML: a title, a table of names and values, and pictures beside it."""
    cells = "".join(
        f'<tr><th style="text-align:left">{html.escape(name)}</th><td style="text-align:left">'
        f"{html.escape(number(value))}</td></tr>"
        for name, value in rows.items()
    )
    beside = "".join(f"<div>{picture}</div>" for picture in pictures if picture)
    return (
        f'<div class="cevns-fast"><strong>{html.escape(title)}</strong>'
        f'<div style="display:flex;gap:1.5em;flex-wrap:wrap"><table>{cells}</table>{beside}</div></div>'
    )


def grid(columns: Mapping[str, Sequence[Any]], most: int = 12) -> str:
    """HTML: columns under their names, at most so many rows."""
    rows = list(zip(*columns.values(), strict=True))
    left_out = len(rows) - most
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(number(cell))}</td>" for cell in row) + "</tr>" for row in rows[:most]
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    more = f'<tr><td colspan="{len(columns)}">… {left_out} more</td></tr>' if left_out > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}{more}</tbody></table>"


def steps(edges: ArrayLike, label: str, *series: tuple[str, ArrayLike]) -> str:
    """SVG: counts per unit of the observable, as steps; the first filled, a line for each that follows."""
    bins = np.asarray(edges, dtype=float)
    if bins.size < 2 or not series:
        return ""
    each = [np.asarray(counts, dtype=float) / np.diff(bins) for _, counts in series]
    x = np.repeat(bins, 2)[1:-1]
    if bins[0] > 0 and bins[-1] > 50 * bins[0]:
        x = np.log(x)
    top = max([float(np.nanmax(y)) for y in each if np.isfinite(y).any()] + [0.0])
    low = min([float(np.nanmin(y)) for y in each if np.isfinite(y).any()] + [0.0])
    frame = (float(x[0]), float(x[-1]), low, top)
    marks = []
    for i, y in enumerate(each):
        outline = _path(x, np.repeat(y, 2), frame)
        if i == 0:
            (left, zero), (right, _) = _place(x[[0, -1]], np.zeros(2), frame)
            marks.append(f'<path d="{outline}L{right},{zero}L{left},{zero}Z" fill="currentColor" opacity="0.15"/>')
        marks.append(f'<path d="{outline}" fill="none" stroke="{_COLORS[i % len(_COLORS)]}"/>')
    return _svg(marks, _caption(label, [name for name, _ in series]))


def curves(x: ArrayLike, label: str, *series: tuple[str, ArrayLike], log: bool = False) -> str:
    """SVG: lines; logarithmic in both directions if wanted, without what is not positive or not finite."""
    at = np.asarray(x, dtype=float)
    each = [np.asarray(y, dtype=float) for _, y in series]
    if log:
        with np.errstate(all="ignore"):
            at, each = np.log(at), [np.log(y) for y in each]
    seen = [np.isfinite(at) & np.isfinite(y) for y in each]
    shown = [y[where] for y, where in zip(each, seen, strict=True) if where.any()]
    if at.size < 2 or not shown:
        return ""
    frame = (
        float(np.nanmin(at[np.isfinite(at)])), float(np.nanmax(at[np.isfinite(at)])),
        min(float(y.min()) for y in shown), max(float(y.max()) for y in shown),
    )  # fmt: skip
    marks = [
        f'<path d="{_path(at, np.where(where, y, np.nan), frame)}" fill="none" stroke="{_COLORS[i % len(_COLORS)]}"/>'
        for i, (y, where) in enumerate(zip(each, seen, strict=True))
    ]
    return _svg(marks, _caption(label, [name for name, _ in series]))


def plane(values: ArrayLike, levels: Sequence[float], label: str) -> str:
    """SVG: where values[x, y] are below each of the levels, the smallest darkest."""
    every = np.asarray(values, dtype=float)
    x, y = (np.unique(np.linspace(0, n - 1, min(n, 60)).round().astype(int)) for n in every.shape)
    inside = (every[np.ix_(x, y)][:, :, None] <= np.asarray(levels)).sum(axis=2)
    if not inside.any():
        return ""
    wide, high = (_WIDTH - 2 * _MARGIN) / x.size, (_HEIGHT - 2 * _MARGIN) / y.size
    marks = []
    for j in range(y.size):  # runs of one level in a row are one rectangle
        ends = np.flatnonzero(np.diff(inside[:, j], prepend=-1, append=-1))
        for a, b in pairwise(ends.tolist()):
            if inside[a, j]:
                top = _HEIGHT - _MARGIN - (j + 1) * high
                marks.append(
                    f'<rect x="{_MARGIN + a * wide:.1f}" y="{top:.1f}" width="{(b - a) * wide:.1f}" '
                    f'height="{high:.1f}" opacity="{0.25 * inside[a, j]:g}"/>'
                )
    return _svg(['<g fill="#0072B2" shape-rendering="crispEdges">', *marks, "</g>"], label)


def _caption(label: str, names: Sequence[str]) -> str:
    return ": ".join([label, ", ".join(names)]) if any(names) else label


def _place(x: Any, y: Any, frame: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    """Points in the picture."""
    left, right, low, high = frame
    across, up = (right - left) or 1.0, (high - low) or 1.0
    return [
        (
            round(_MARGIN + (a - left) / across * (_WIDTH - 2 * _MARGIN), 1),
            round(_HEIGHT - _MARGIN - (b - low) / up * (_HEIGHT - 2 * _MARGIN), 1) if math.isfinite(b) else math.nan,
        )
        for a, b in zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True)
    ]


def _path(x: Any, y: Any, frame: tuple[float, float, float, float]) -> str:
    """A line with gaps where y is NaN; of many points so many as can be seen."""
    if np.size(x) > 4 * _WIDTH:
        kept = np.linspace(0, np.size(x) - 1, 2 * _WIDTH).round().astype(int)
        x, y = np.asarray(x)[kept], np.asarray(y)[kept]
    text, pen = "", "M"
    for a, b in _place(x, y, frame):
        if math.isnan(b) or math.isnan(a):
            pen = "M"
            continue
        text, pen = f"{text}{pen}{a:g},{b:g}", "L"
    return text


def _svg(marks: Sequence[str], caption: str) -> str:
    frame = (
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{_WIDTH - 2 * _MARGIN}" height="{_HEIGHT - 2 * _MARGIN}" '
        'fill="none" stroke="currentColor" stroke-opacity="0.3"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{frame}{"".join(marks)}</svg>'
        f'<div style="font-size:85%">{html.escape(caption)}</div>'
    )
