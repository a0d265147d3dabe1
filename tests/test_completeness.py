"""An operation has its file on every floor that it passes; none is left out.

`tests/test_backend.py` compares the signatures of the two backends.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastdl import reference

ROOT = Path(__file__).parents[1]
OPERATIONS = sorted(
    {path.stem for path in ROOT.glob("fastdl/reference/[a-z]*.py")}
    | {path.stem for path in ROOT.glob("fastdl/kernels/*.pyx")}
)
ROOMS = [
    "csrc/{}.c",
    "fastdl/kernels/{}.pyx",
    "fastdl/reference/{}.py",
    "fastdl/functional/{}.py",
    "fastdl/nn/{}.py",
    "tests/reference/test_{}.py",
    "tests/kernels/test_{}.py",
    "tests/functional/test_{}.py",
    "tests/nn/test_{}.py",
    "bench/bench_{}.py",
]
PACKAGES = ["kernels", "reference", "functional", "nn"]  # that export what they define
# Where a floor has its own word for an operation, or no use of it (None).
ELSEWHERE = {
    "csrc/conv2d.c": "csrc/matmul.c",  # a window is a row of a product
    "csrc/upsample.c": "csrc/resample.c",  # averages into any size use it, too
    "fastdl/kernels/conv2d.pyx": "fastdl/kernels/conv2d/passes.pyx",
    "fastdl/nn/matmul.py": "fastdl/nn/linear.py",
    "fastdl/nn/softmax.py": "fastdl/nn/loss.py",
    "fastdl/functional/optimizer.py": None,  # an update is not differentiated
    "fastdl/nn/optimizer.py": "fastdl/optim/optimizer.py",
    "fastdl/functional/augment.py": None,  # data need no gradient
    "fastdl/nn/augment.py": "fastdl/data/augment.py",
    "fastdl/functional/gather.py": None,
    "fastdl/nn/gather.py": "fastdl/data/loader.py",
    "fastdl/nn/penalty.py": "fastdl/nn/regularization.py",
    "fastdl/nn/elementwise.py": None,  # tensors have operators
    "fastdl/nn/scale.py": None,  # the end of models.SqueezeExcitation
}


def file_of(room, operation):
    """Return the path of an operation's file in a room; None where it has none."""
    if room.startswith(("tests/functional", "tests/nn")):  # beside what they test
        source = file_of(
            room.replace("tests", "fastdl").replace("test_", ""), operation
        )
        return source and re.sub(r"fastdl/(\w+)/(\w+)", r"tests/\1/test_\2", source)
    path = room.format(operation)
    return ELSEWHERE.get(path, path)


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def operation_of(function):
    """Return the name of the file in which a kernel is written."""
    return getattr(reference, function).__module__.rpartition(".")[2]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_there(operation, room):
    path = file_of(room, operation)
    assert path is None or (ROOT / path).is_file(), f"{operation} lacks {path}"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_file_defines_is_imported(package, operation):
    """By the package, which exports it, or by another file."""
    suffix = "pyx" if package == "kernels" else "py"
    path = file_of(f"fastdl/{package}/{{}}.{suffix}", operation)
    if path is None:
        return
    home = ".".join(Path(path).with_suffix("").parts)
    names = set(re.findall(r"^(?:def|class) ([A-Za-z]\w*)", text_of(path), re.M))
    assert names
    statement = rf"from {re.escape(home)} import (\([^)]*\)|.*)"
    for importing in ROOT.glob("fastdl/**/*.py"):
        for imported in re.findall(statement, importing.read_text(encoding="utf-8")):
            names -= set(re.findall(r"\w+", imported))
    assert not names, f"not imported from {path}"


@pytest.mark.parametrize("function", reference.__all__)
def test_every_kernel_is_used(function):
    """Through the backend, by one of the floors above."""
    above = "".join(
        path.read_text(encoding="utf-8") for path in ROOT.glob("fastdl/*/*.py")
    )
    assert re.search(rf"backend\.{function}\b", above)


@pytest.mark.parametrize(
    "room", ["tests/kernels/test_{}.py", "tests/reference/test_{}.py"]
)
@pytest.mark.parametrize("function", reference.__all__)
def test_every_kernel_is_tested(function, room):
    path = file_of(room, operation_of(function))
    assert re.search(rf"\b{function}\b", text_of(path)), f"not tested in {path}"


def micro_kernels():
    table = text_of("csrc/microkernels.def")
    return re.findall(r"^MICROKERNEL\((\w+),", table, re.M)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "csrc").glob("*.c")), ids=lambda p: p.name
)
def test_every_function_in_c_is_used(file):
    """It is a micro-kernel of the table, or called by one."""
    text = file.read_text(encoding="utf-8")
    functions = set(re.findall(r"^static [\w *]*?(\w+)\(", text, re.M))
    functions -= {
        name for name in functions if len(re.findall(rf"\b{name}\b", text)) > 1
    }
    assert not functions - set(micro_kernels())


def test_a_macro_has_one_meaning():
    """All micro-kernels are compiled as one file."""
    defined = [
        name
        for file in re.findall(
            r'^#include "(\w+\.c)"', text_of("csrc/microkernels.c"), re.M
        )
        for name in set(re.findall(r"^#define (\w+)", text_of(f"csrc/{file}"), re.M))
    ]
    assert not {name for name in defined if defined.count(name) > 1}


def test_every_micro_kernel_is_called():
    loop_nests = "".join(
        path.read_text(encoding="utf-8")
        for path in ROOT.glob("fastdl/kernels/**/*.p[yx][xd]")
        if path.name != "table.pxd"  # there they are declared
    )
    assert micro_kernels()
    assert not [
        name for name in micro_kernels() if not re.search(rf"\.{name}\b", loop_nests)
    ]


def test_functions_of_micro_kernels_have_telling_names():
    """All of them are compiled as one file, in which a single word means anything.

    Only micro-kernels and what every file is written in (simd.h) may take one.
    """
    csrc = ROOT / "csrc"
    files = re.findall(
        r'^#include "(\w+\.c)"', (csrc / "microkernels.c").read_text(), re.M
    )
    micro_kernels = (csrc / "microkernels.def").read_text()
    assert files
    names = {
        (name, file)
        for file in [*files, "vecmath.h", "rows.h"]
        for name in re.findall(
            r"^(?:static|ALWAYS_INLINE) [\w *]*?(\w+)\(",
            (csrc / file).read_text(),
            re.M,
        )
    }
    assert ("row_max", "softmax.c") in names
    assert not [
        (name, file)
        for name, file in sorted(names)
        if "_" not in name and f"MICROKERNEL({name}," not in micro_kernels
    ]
