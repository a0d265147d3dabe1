"""What the tests of all commands share."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from fastdl.cli import main


@pytest.fixture
def fastdl_command(capsys):
    """Run a command in this process; return its exit code, output and errors."""

    def run(*argv):
        code = main([str(argument) for argument in argv])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """The folder of a run of three epochs; read only."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    argv = ["train", "digits", "--model", "mlp", "--epochs", "3", "--out", str(path)]
    assert main(argv) == 0
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of pictures of two sizes, of the classes blue and red."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 5)):
        for name, channel in (("red", 0), ("blue", 2)):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 100, (9 + i % 2, 8, 3), np.uint8)
                pixels[..., channel] += 100
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return root


@pytest.fixture
def without_matplotlib(monkeypatch):
    """Make `import matplotlib` fail; it also saves the time for pictures."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
