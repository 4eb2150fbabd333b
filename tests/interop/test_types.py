"""What editors and type checkers know of the façade."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cevns_fast as cf

SOURCE = Path(__file__).resolve().parents[2]

# A user's script: what each line is, as mypy and pyright name it, is behind it.
SCRIPT = """\
from typing import reveal_type

import cevns_fast as cf

csi = cf.load("coherent-csi-2017")
reveal_type(csi)  # Experiment
reveal_type(csi.replace(signal_uncertainty=0.1))  # Experiment
reveal_type(cf.SingletEFT(m_chi=10.0).replace(C_S=0.1))  # SingletEFT
reveal_type(cf.limit_scan(csi, [cf.SingletEFT(m_chi=1.0)], "C_V"))  # LimitCurve
reveal_type(cf.templates(csi, cf.SingletEFT(m_chi=1.0)))  # Templates
reveal_type(cf.Likelihood(csi).chi2(cf.StandardModel()))  # float
reveal_type(cf.event_rate(csi, cf.StandardModel()))  # ndarray
reveal_type(cf.open_scan("scan.nc").contours(0.9))  # Contours
reveal_type(cf.nuclide("Cs133"))  # Nuclide
reveal_type(cf.cosmology.relic_density(m_chi=3.0, m_S=10.0, y_chi=1e-3))  # RelicDensity
reveal_type(cf.constants.G_FERMI)  # float
"""
MISTAKES = """\
import cevns_fast as cf

cf.nonsense()
cf.import_module("os")
cf.load(3)
cf.SingletEFT(m_chi=10.0, no_coupling=1.0)
"""


def test_the_stub_is_current():
    """And so names what `_HOMES` names."""
    script = SOURCE / "setup_helpers" / "write_stub.py"
    if not script.exists():
        pytest.skip("only in the source folder")
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_the_stub_names_what_the_facade_has():
    text = Path(cf.__file__).with_suffix(".pyi").read_text("utf-8")
    found = re.findall(r"^from (\S+) import (\w+) as \2$", text, re.MULTILINE)
    homes = {name: f"cevns_fast.{home}" for home, names in cf._HOMES.items() for name in names if name}
    modules = dict.fromkeys((home for home, names in cf._HOMES.items() if names == ("",)), "cevns_fast")
    assert {name: home for home, name in found} == homes | modules
    assert sorted(cf.__all__) == sorted([name for _, name in found] + ["__version__"])


def test_completion_offers_public_names_only():
    cf.load  # noqa: B018 - what was loaded must not show either
    assert dir(cf) == sorted(cf.__all__)
    assert all(name == "__version__" or not name.startswith("_") for name in dir(cf))
    assert {"import_module", "Any"}.isdisjoint(dir(cf))


def checked(checker, folder, scripts):
    """What a checker says of each line, by script and number, and all that it says."""
    for name, text in scripts.items():
        (folder / name).write_text(text, "utf-8")
    root, options, environment = Path(cf.__file__).parents[1], [], dict(os.environ)
    if checker == "mypy":
        options = ["--strict", f"--cache-dir={folder / 'cache'}"]
        if root.name != "site-packages":  # what is installed, it finds, and refuses to be told
            environment["MYPYPATH"] = str(root)
    else:
        (folder / "pyrightconfig.json").write_text(f'{{"extraPaths": ["{root.as_posix()}"]}}', "utf-8")
    run = subprocess.run(
        [sys.executable, "-m", checker, *options, *scripts],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    said = {}
    for name, number, words in re.findall(r"^.*?(\w+\.py):(\d+):(.*)$", run.stdout, re.MULTILINE):
        said[name, int(number)] = said.get((name, int(number)), "") + words
    return said, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "basedpyright"])
def test_checkers_know_every_public_name_and_no_other(checker, tmp_path):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed: pip install 'cevns_fast[test]'")
    names = "".join(f"reveal_type(cf.{name})  # \n" for name in cf.__all__ if name not in cf._MODULES)
    scripts = {"script.py": SCRIPT + names, "mistakes.py": MISTAKES}
    said, output = checked(checker, tmp_path, scripts)
    for number, line in enumerate(scripts["script.py"].splitlines(), start=1):
        words = said.get(("script.py", number), "")
        if not line.startswith("reveal_type"):
            assert not words, output
            continue
        assert re.search("Revealed type|Type of", words), (line, output)
        found = words.rpartition(" is ")[2].strip('" ?')
        assert re.search(rf"\b{line.partition('# ')[2]}\b|Literal\[[\d.e-]+\]", found), (line, found)
        assert found not in ("Any", "Unknown"), line
    for number, line in enumerate(MISTAKES.splitlines(), start=1):
        assert ("error" in said.get(("mistakes.py", number), "")) == line.startswith("cf."), (line, output)
