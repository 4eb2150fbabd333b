"""The code of the documentation runs as printed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(p for p in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] if "```python" in p.read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning")  # pyhf 0.7 uses it
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    namespace: dict[str, object] = {"__name__": "__docs__"}
    for block in blocks:
        exec(compile(block, page.name, "exec", dont_inherit=True), namespace)


def test_extending_computes_what_it_says(tmp_path, monkeypatch, capsys):
    page = ROOT / "docs" / "extending.md"
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__docs__"}
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        exec(compile(block, page.name, "exec", dont_inherit=True), namespace)
    heavy, light = namespace["curve"].upper[-1], namespace["curve"].upper[0]  # type: ignore[attr-defined]
    assert light < heavy, "a lighter mediator is bounded more strongly"
    chromium = namespace["cf"].event_rate(namespace["chromium"], namespace["cf"].StandardModel())  # type: ignore
    assert (chromium > 0).sum() == 3 and chromium[-1] == 0, "0.75 MeV neutrinos give 70Ge at most 0.0173 keV"
