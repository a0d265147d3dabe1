"""An operation has its file on every floor that it passes; none is left out.

`tests/test_backend.py` compares the signatures of the two backends.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastdl import reference

ROOT = Path(__file__).parents[1]
OPERATIONS = [
    "matmul",
    "conv2d",
    "pool2d",
    "batchnorm",
    "activation",
    "layernorm",
    "softmax",
    "dropout",
    "optimizer",
    "augment",
    "gather",
    "elementwise",
]
ROOMS = [
    "csrc/{}.c",
    "fastdl/kernels/{}.pyx",
    "fastdl/reference/{}.py",
    "fastdl/functional/{}.py",
    "fastdl/nn/{}.py",
    "tests/reference/test_{}.py",
    "tests/kernels/test_{}.py",
    "bench/bench_{}.py",
]
# Where a floor has its own word for an operation, or no use of it (None).
ELSEWHERE = {
    "csrc/conv2d.c": "csrc/matmul.c",  # a window is a row of a product
    "fastdl/kernels/conv2d.pyx": "fastdl/kernels/conv2d/passes.pyx",
    "fastdl/nn/matmul.py": "fastdl/nn/linear.py",
    "fastdl/nn/softmax.py": "fastdl/nn/loss.py",
    "fastdl/functional/optimizer.py": None,  # an update is not differentiated
    "fastdl/nn/optimizer.py": "fastdl/optim/optimizer.py",
    "fastdl/functional/augment.py": None,  # data need no gradient
    "fastdl/nn/augment.py": "fastdl/data/augment.py",
    "fastdl/functional/gather.py": None,
    "fastdl/nn/gather.py": "fastdl/data/loader.py",
    "fastdl/nn/elementwise.py": None,  # tensors have operators
}


def file_of(room, operation):
    path = room.format(operation)
    return ELSEWHERE.get(path, path)


def operation_of(function):
    """Return the name of the file in which a kernel is written."""
    return getattr(reference, function).__module__.rpartition(".")[2]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_there(operation, room):
    path = file_of(room, operation)
    assert path is None or (ROOT / path).is_file(), f"{operation} lacks {path}"


def test_no_operation_is_unknown():
    """A new one belongs into OPERATIONS."""
    assert {operation_of(function) for function in reference.__all__} == set(OPERATIONS)


@pytest.mark.parametrize("function", reference.__all__)
def test_every_kernel_is_tested_compiled(function):
    path = ROOT / file_of("tests/kernels/test_{}.py", operation_of(function))
    assert re.search(rf"\b{function}\b", path.read_text(encoding="utf-8"))


def test_every_micro_kernel_is_called():
    table = (ROOT / "csrc/microkernels.def").read_text(encoding="utf-8")
    micro_kernels = re.findall(r"^MICROKERNEL\((\w+),", table, re.M)
    loop_nests = "".join(
        path.read_text(encoding="utf-8")
        for path in ROOT.glob("fastdl/kernels/**/*.p[yx][xd]")
        if path.name != "table.pxd"  # there they are declared
    )
    assert micro_kernels
    unused = [
        name for name in micro_kernels if not re.search(rf"\.{name}\b", loop_nests)
    ]
    assert not unused
