"""What the tests of all commands share."""

from __future__ import annotations

import pytest

from fastdl.cli import main


@pytest.fixture
def fastdl_command(capsys):
    """Run a command in this process; return its exit code, output and errors."""

    def run(*argv):
        code = main([str(argument) for argument in argv])
        return code, *capsys.readouterr()

    return run
