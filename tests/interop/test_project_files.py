"""What other services read of the project says the same everywhere."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import cevns_fast as cf
from cevns_fast.interop import c_interface

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "cevns_fast"
KERNELS = PACKAGE / "_kernels"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, SETUPTOOLS = SETTINGS["project"], SETTINGS["tool"]["setuptools"]


def included(paths):
    """Headers of ours that C files include, and that these include."""
    found, left = set(), list(paths)
    while left:
        names = set(re.findall(r'^#include "([\w.]+)"', left.pop().read_text("utf-8"), re.MULTILINE)) - found
        found |= names
        left += [KERNELS / name for name in names]
    return found


def test_version_title_and_licence_agree():
    citation, zenodo = (
        (ROOT / "CITATION.cff").read_text("utf-8"),
        json.loads((ROOT / ".zenodo.json").read_text("utf-8")),
    )
    recipe = (ROOT / "conda" / "recipe.yaml").read_text("utf-8")
    assert PROJECT["version"] == cf.__version__
    assert re.search(rf"^version: {re.escape(cf.__version__)}$", citation, re.MULTILINE)
    assert f'version: "{cf.__version__}"' in recipe
    assert f'title: "{zenodo["title"]}"' in citation
    assert zenodo["license"] == PROJECT["license"] and f"license: {PROJECT['license']}" in citation
    assert f"license: {PROJECT['license']}" in recipe and PROJECT["description"] in recipe
    assert all(each["identifier"].removeprefix("arXiv:") in citation for each in zenodo["related_identifiers"])


def test_the_recipe_asks_for_what_the_package_needs():
    recipe = (ROOT / "conda" / "recipe.yaml").read_text("utf-8")
    run = recipe[recipe.index("  run:") : recipe.index("  run_constraints:")]
    found = {name: bound for name, bound in re.findall(r"- ([\w-]+) >=([\d.]+)", run)}
    assert found == dict(each.split(">=") for each in PROJECT["dependencies"])


def test_workflows_are_yaml_and_run_what_exists():
    yaml = pytest.importorskip("yaml")
    folder = ROOT / ".github" / "workflows"
    if not folder.exists():
        pytest.skip("an sdist has no workflows")
    names = set()
    for path in folder.glob("*.yml"):
        workflow = yaml.safe_load(path.read_text("utf-8"))
        names.add(workflow["name"])
        for job in workflow["jobs"].values():
            assert "permissions" in workflow
            commands = " ".join(step.get("run", "") for step in job.get("steps", []))
            for script in re.findall(r"\.ci/[\w-]+", commands):
                assert (ROOT / script).exists()
    assert names == {"tests", "wheels", "docs", "benchmarks", "release"}
    pythons = yaml.safe_load((folder / "tests.yml").read_text("utf-8"))["jobs"]["tests"]["strategy"]["matrix"]["python"]
    assert pythons[0] == PROJECT["requires-python"].removeprefix(">=")


def test_the_extension_is_made_of_all_c_files_and_made_anew_for_each_header():
    (module,) = SETUPTOOLS["ext-modules"]
    here = KERNELS.relative_to(ROOT).as_posix()
    assert module["sources"] == ["build/_c.c", *sorted(f"{here}/{path.name}" for path in KERNELS.glob("*.c"))]
    assert module["depends"] == sorted(f"{here}/{path.name}" for path in KERNELS.glob("*.h"))


def test_the_c_interface_is_shipped_with_all_headers_that_it_includes():
    headers = included(KERNELS.glob("likelihood*.c"))
    assert headers == {name for name in c_interface.FILES if name.endswith(".h")}
    shipped = {path.name for pattern in SETUPTOOLS["package-data"]["cevns_fast"] for path in PACKAGE.glob(pattern)}
    assert shipped >= set(c_interface.FILES)
    text = (ROOT / "setup_helpers" / "build_wasm.py").read_text("utf-8")
    assert headers == set(re.findall(r'"(\w+\.h)"', text[text.index("def digest") :])), "what its digest is made of"
