"""Beside the pages, a small explorer: ``live.html``, made at every build."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import cevns_fast as cf
from cevns_fast.output.explorer.choices import choice_of
from cevns_fast.output.explorer.page import explorer_page


def write(app: Sphinx, exception: Exception | None) -> None:
    """One experiment and what takes no more than a second."""
    if exception is None and app.builder.format == "html":
        choices = [choice_of(each) for each in (cf.SingletEFT, cf.LightVector, cf.NSI)]
        page = explorer_page([cf.load("coherent-csi-2017")], choices)
        (Path(app.outdir) / "live.html").write_text(page, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hook."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
