"""What the tests of the command line share."""

import pytest

from cevns_fast import cli


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function from arguments to exit status, stdout and stderr; the working directory is a fresh one."""
    monkeypatch.chdir(tmp_path)

    def call(*argv):
        status = cli.main([str(each) for each in argv])
        return status, *capsys.readouterr()

    return call
