"""The example scripts run as they are, in an empty folder, without a warning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
ELSEWHERE = {"global_fit"}  # test_adapters runs it, and reads its numbers


@pytest.mark.slow
@pytest.mark.parametrize("script", [p for p in EXAMPLES if p.stem not in ELSEWHERE], ids=lambda p: p.stem)
def test_an_example_runs(script, tmp_path):
    environment = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_examples():
    assert {"bounds", "cp_phases", "own_detector", "joint_fit", "global_fit"} <= {p.stem for p in EXAMPLES}
