"""Completion in shells, by the shells themselves."""

import shutil
import subprocess

import pytest

import cevns_fast as cf
from cevns_fast import cli
from cevns_fast.cli.models import MODELS

ASK = """
{script}
COMP_WORDS=({words} "{last}"); COMP_CWORD={n}; COMPREPLY=()
_cevns_fast; printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def complete():
    """What bash offers behind some words."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    from cevns_fast.cli.completion import script

    def offered(*words, last=""):
        code = ASK.format(script=script("bash"), words=" ".join(words), last=last, n=len(words))
        run = subprocess.run([bash, "-c", code], check=True, capture_output=True, text=True, timeout=30)
        assert run.stderr == ""
        return run.stdout.split()

    return offered


def test_commands_options_and_names(complete):
    assert complete("cevns-fast", last="sc") == ["scan"]
    assert {"rate", "limit", "scan", "reproduce", "completion"} <= set(complete("cevns-fast"))
    assert complete("cevns-fast", "limit", "-e") == list(cf.available_experiments())
    assert complete("cevns-fast", "rate", "--experiment", last="conus-4") == ["conus-4kg"]
    assert complete("cevns-fast", "rate", "--model") == list(MODELS)
    assert complete("cevns-fast", "scan", "--format") == ["png", "pdf", "svg"]
    assert complete("cevns-fast", "scan", last="--prof") == ["--profile"]
    assert complete("cevns-fast", "reproduce", last="cha") == ["chang-liao-2020", "chao-2021"]
    assert "--profile" not in complete("cevns-fast", "limit", last="--")


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete -F"), ("zsh", "bashcompinit"), ("fish", "-l profile")])
def test_every_shell_has_a_script(shell, word, capsys):
    assert cli.main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert word in out
    if shell != "bash" and shutil.which(shell):
        subprocess.run([shell, "-n"], input=out, text=True, check=True, timeout=30)


def test_other_shells_are_refused(capsys):
    assert cli.main(["completion", "csh"]) == 2
