"""The blocks of docs/frameworks.md that need heavy packages run as printed, where these are installed."""

import re
import warnings
from pathlib import Path

import pytest

import cevns_fast as cf

TEXT = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text("utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")[1:]}
PACKAGES = {"JAX": "jax", "PyTorch": "torch", "PyMC": "pymc", "cobaya": "cobaya", "POPxf: smelli and jelli": "jelli"}


def blocks(text, kinds):
    return re.findall(rf"^```(?:{kinds})\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_every_section_has_a_package():
    assert set(SECTIONS) == set(PACKAGES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("section", PACKAGES)
def test_blocks_run(section, tmp_path, monkeypatch, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("rgevolve" if section.startswith("POPxf") else PACKAGES[section])
        pytest.importorskip(PACKAGES[section], reason=f"{PACKAGES[section]} is not installed")
    if section == "PyMC":  # the chains of a documentation may be shorter here
        pymc = pytest.importorskip("pymc")
        short = {"draws": 20, "tune": 20, "chains": 1, "cores": 1, "progressbar": False, "random_seed": 1}
        sample = pymc.sample
        monkeypatch.setattr(pymc, "sample", lambda: sample(**short, compute_convergence_checks=False))
    monkeypatch.chdir(tmp_path)
    namespace = {"cf": cf, "__name__": "__docs__"}
    for block in (*blocks(TEXT.partition("\n## ")[0], "python"), *blocks(SECTIONS[section], "python|py")):
        exec(compile(block, "frameworks.md", "exec", dont_inherit=True), namespace)
