"""The explorer's page: parts of it from this folder, numbers from likelihoods, everything in one file."""

import base64
import json
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import Any

from cevns_fast import __version__
from cevns_fast import _validate as validate
from cevns_fast.experiments.experiment import Experiment
from cevns_fast.output.explorer.choices import Choice
from cevns_fast.output.explorer.fits import Progress, described_fit, groups_of
from cevns_fast.output.explorer.spectra import described_experiment

TITLE = "Coherent neutrino–nucleus scattering, live"
SCRIPTS = (
    "kernel.js", "contours.js", "drawing.js", "plane.js", "spectra.js", "controls.js", "explorer.js",
)  # fmt: skip


def explorer_page(
    experiments: Sequence[Experiment], choices: Sequence[Choice], *, tell: Progress = lambda text: None
) -> str:
    """A page that needs nothing else: experiments and interactions to choose, parameters to move.

    Parameters
    ----------
    experiments : sequence of Experiment
        Those that hold the same data are not fitted together.
    choices : sequence of Choice
        See `choice_of`.
    tell : callable, optional
        Is told what is computed next: tables in a mass take seconds.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    ValueError
        If nothing is given, or an experiment is there twice.

    Examples
    --------
    >>> import cevns_fast as cf
    >>> from cevns_fast.output.explorer.choices import choice_of
    >>> page = explorer_page([cf.load("coherent-csi-2017")], [choice_of(cf.NSI)])
    >>> page[:15]
    '<!doctype html>'
    """
    if not experiments or not choices:
        raise ValueError("experiments, choices: must hold at least one each")
    validate.unique((each.name, f"experiment {each.name!r}") for each in experiments)
    groups = groups_of(experiments)
    described = {
        "version": __version__,
        "experiments": [described_experiment(each) for each in experiments],
        "models": [described_fit(experiments, groups, each, tell) for each in choices],
    }
    return _page(described)


def _page(described: dict[str, Any]) -> str:
    """The template, filled."""
    return Template(_text("page.html")).substitute(
        title=TITLE,
        generator=f"cevns_fast {__version__}",
        style=_text("style.css"),
        described=_as_data(described),
        module=base64.b64encode(_bytes("likelihood.wasm")).decode("ascii"),
        script="\n".join(map(_text, SCRIPTS)),
        footer=f"Made by cevns_fast {__version__}. Statements about allowed regions are those of its likelihoods.",
    )


def _as_data(described: dict[str, Any]) -> str:
    """JSON that no HTML parser takes for markup, whatever the names of a user's experiments are."""
    text = json.dumps(described, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _bytes(name: str) -> bytes:
    """A file of this folder."""
    return (resources.files(__package__) / name).read_bytes()


def _text(name: str) -> str:
    """One with letters."""
    return _bytes(name).decode("utf-8")
