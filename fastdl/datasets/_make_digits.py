"""Makes digits.npz from the two text files of the UCI Machine Learning Repository.

    python -m fastdl.datasets._make_digits optdigits.tra optdigits.tes

Each row of the files has the 64 pixels of one digit, from 0 to 16, and its label.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from fastdl.datasets.npz import DIGITS


def make_digits(train: Path, test: Path, archive: Path = DIGITS) -> None:
    """Write the rows of two text files as x_train, y_train, x_test, y_test."""
    arrays: dict[str, Any] = {}
    for part, path in (("train", train), ("test", test)):
        rows = np.loadtxt(path, dtype=np.uint8, delimiter=",")
        arrays[f"x_{part}"] = rows[:, :64].reshape(-1, 8, 8)
        arrays[f"y_{part}"] = rows[:, 64]
    np.savez_compressed(archive, **arrays)


if __name__ == "__main__":
    make_digits(*map(Path, sys.argv[1:3]))
