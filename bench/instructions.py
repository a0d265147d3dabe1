"""Instructions of a few kernels, counted by valgrind: a check without noise.

Valgrind does not know AVX-512, so the kernels for AVX2 run, on one thread. The count
of a call is that of several calls in a row, Python's share included; it repeats to
about one part in a thousand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import Table

CALLS = 4
# Valgrind writes its counts and starts again from zero when the program enters this
# function of the C library, which nothing else here calls.
MARK = "getppid"


def _cases() -> dict[str, Callable[[], Any]]:
    from fastdl import kernels

    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.standard_normal(shape, np.float32)

    x, weight = normal(2, 16, 16, 64), normal(3, 3, 64, 64)
    first, filters = normal(4, 28, 28, 1), normal(5, 5, 1, 6)
    a, b, gamma = normal(64, 256), normal(256, 128), normal(64)
    adam = np.zeros((4, a.size), np.float32)  # param, grad, m, v
    options = {"padding": 1}
    return {
        "matmul 64x256 256x128": lambda: kernels.matmul(a, b),
        "conv2d 2,64,16 -> 64 direct": lambda: kernels.conv2d_forward(
            x, weight, algorithm="direct", **options
        ),
        "conv2d 2,64,16 -> 64 Winograd": lambda: kernels.conv2d_forward(
            x, weight, algorithm="winograd", **options
        ),
        "conv2d 4,1,28 -> 6": lambda: kernels.conv2d_forward(first, filters),
        "dweight 2,64,16 -> 64 direct": lambda: kernels.conv2d_backward_weight(
            x, x, 3, algorithm="direct", **options
        ),
        "batchnorm 2,16,16,64": lambda: kernels.batchnorm_forward(x, gamma, gamma),
        "adam 16,384": lambda: kernels.adam_step(*adam, lr=1e-3, step=1),
        "eager relu of 1 number": _eager_relu(),
    }


def _eager_relu() -> Callable[[], Any]:
    from fastdl import Tensor
    from fastdl import functional as F

    one = Tensor([1.0], requires_grad=True)
    return lambda: F.relu(one)


def run_cases() -> None:
    """Run each case between two marks; valgrind runs this."""
    for case in _cases().values():
        case()
        case()
        os.getppid()
        for _ in range(CALLS):
            case()
        os.getppid()


def instructions() -> Table:
    """Count the instructions of a few kernels."""
    table = Table(
        "Instructions",
        "Thousands of instructions of one call (AVX2, one thread), by valgrind: a "
        "check without noise.",
        ("kernel", "thousands"),
    )
    if shutil.which("valgrind") is None:
        table.after = "valgrind is not installed: skipped."
        return table
    environment = os.environ | {
        "FASTDL_ISA": "avx2",
        "FASTDL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }
    code = "from bench.instructions import run_cases; run_cases()"
    with tempfile.TemporaryDirectory() as folder:
        command = (
            "valgrind", "--tool=callgrind", f"--dump-before={MARK}",
            f"--callgrind-out-file={folder}/counts", sys.executable, "-c", code,
        )  # fmt: skip
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode:
            last = result.stderr.strip().splitlines()[-1]
            table.after = f"valgrind could not run the kernels ({last}): skipped."
            return table
        for place, name in enumerate(_cases()):
            text = Path(folder, f"counts.{2 * place + 2}").read_text()
            (count,) = re.findall(r"^totals: (\d+)", text, re.M)
            table.rows.append((name, f"{int(count) / CALLS / 1000:,.1f}"))
    return table
