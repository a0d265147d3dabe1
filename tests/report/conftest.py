"""Finished runs, for the tests of pages."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from fastdl.cli import main
from fastdl.report.png import encode_png


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory):
    """The folder of a run of one epoch; read only."""
    return _train(tmp_path_factory, "digits", "digits")


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory):
    """A run of two classes whose names, like that of its folder, want to be HTML."""
    root = tmp_path_factory.mktemp("pictures")
    _write_pictures(root, HOSTILE, 40)
    name = "<i onclick=alert(1)>&amp;"
    return _train(tmp_path_factory, name, str(root), "--model", "logistic")


@pytest.fixture(scope="session")
def many_run(tmp_path_factory):
    """A run of a hundred classes."""
    root = tmp_path_factory.mktemp("pictures")
    _write_pictures(root, [f"kind {i:02}" for i in range(100)], 10)
    return _train(tmp_path_factory, "many", str(root), "--model", "logistic")


HOSTILE = ("<script>document.title='x'", "\"><img src=x onerror='document.title=1'>")


def _write_pictures(root, classes, count):
    rng = np.random.default_rng(0)
    for name in classes:
        (root / name).mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            (root / name / f"{i}.png").write_bytes(encode_png(pixels))


def _train(tmp_path_factory, name, *options):
    path = tmp_path_factory.mktemp("runs") / name
    argv = ["train", *options, "--epochs", "1", "--no-report", "--out", str(path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)  # its pictures take two seconds
        assert main(argv) == 0
    return path
