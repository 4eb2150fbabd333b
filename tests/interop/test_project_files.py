"""What other services read of the project says the same everywhere."""

import json
import re
import tomllib
from pathlib import Path

import pytest

import cevns_fast as cf

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


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
