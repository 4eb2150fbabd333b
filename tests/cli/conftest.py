"""What the tests of the command line share."""

import pytest

from cevns_fast import cli


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function from arguments to exit status, stdout and stderr; the working directory is a fresh one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*argv):
        status = cli.main([str(each) for each in argv])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def refused(run, tmp_path):
    """A function from arguments that are refused, before any file is written, to the one line that says why."""

    def call(*argv):
        status, out, err = run(*argv)
        assert (status, out) == (2, "")
        assert err.startswith("cevns-fast: error: ") and err.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        return err

    return call
