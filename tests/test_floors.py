"""The house has floors, and imports only go down."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

FLOORS = {
    1: [
        "errors",
        "exports",
        "words",
        "dlpack",
        "typing",
        "files",
        "shapes",
        "random",
        "progress",
        "structure",
        "shards",
        "engine",
        "threads",
        "backend",
        "kernels",
        "reference",
    ],
    2: ["recording", "hooks", "tape", "autograd", "functional"],
    3: ["nn", "optim", "models", "metrics", "data", "datasets"],
    4: ["train", "strategy", "tune", "interop", "sklearn", "parallel"],
    5: ["cli", "report", "examples", "__main__"],
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
# Packages that are slow to import, or that not everybody has.
HEAVY = {
    "PIL",
    "matplotlib",
    "mpi4py",
    "onnx",
    "onnxruntime",
    "optuna",
    "psycopg",
    "scipy",
    "selenium",
    "sklearn",
    "tensorboardX",
    "tensorflow",
    "torch",
}
ROOT = Path(__file__).parents[1] / "fastdl"
# The package itself is the front door, above all floors.
SOURCES = sorted(p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py")
CYTHON = sorted([*ROOT.rglob("*.pyx"), *ROOT.rglob("*.pxd")])
CYTHON_FROM_PACKAGE = re.compile(r"^\s*from fastdl c?import ([\w, ]+)", re.M)
CYTHON_FROM_ROOM = re.compile(r"^\s*(?:from|import|cimport) fastdl\.(\w+)", re.M)


def room_of(path):
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_modules(path, nodes):
    """Yield the full names that import statements bring in."""
    package = ["fastdl", *path.relative_to(ROOT).parts[:-1]]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def rooms_entered(path):
    """Return the names right under fastdl that a file imports, anywhere in it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        names = imported_modules(path, ast.walk(ast.parse(text)))
        names = [name for name in names if name.split(".")[0] == "fastdl"]
        return {[*name.split("."), ""][1] for name in names}
    lists = CYTHON_FROM_PACKAGE.findall(text)
    names = {name.strip() for names in lists for name in names.split(",")}
    return names | set(CYTHON_FROM_ROOM.findall(text))


def nodes_run_at_import(tree):
    """Yield the statements of a module that importing it runs."""
    for node in tree.body if hasattr(tree, "body") else []:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from nodes_run_at_import(node)
        for part in ("orelse", "finalbody", "handlers"):
            yield from nodes_run_at_import(ast.Module(getattr(node, part, []), []))


def relative(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES + CYTHON, ids=relative)
def test_imports_go_down(path):
    room = room_of(path)
    assert room in FLOOR_OF, f"{room} has no floor: add it to FLOORS"
    floor = FLOOR_OF[room]
    for name in rooms_entered(path) - {"__version__"}:
        if floor < 5:
            assert name in FLOOR_OF, f"import {name or 'fastdl'} from its own module"
        above = FLOOR_OF.get(name, 0)
        assert above <= floor, f"floor {floor} imports fastdl.{name} of floor {above}"


def test_rooms_do_not_import_in_circles():
    graph: dict[str, set[str]] = {}
    for path in SOURCES + CYTHON:
        room = room_of(path)
        graph.setdefault(room, set()).update(
            rooms_entered(path) & set(FLOOR_OF) - {room}
        )
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


# Rooms whose modules are free of circles. Types count, and imports inside functions.
WITHOUT_CIRCLES = [
    "cli",
    "data",
    "datasets",
    "files",
    "functional",
    "interop",
    "kernels",
    "metrics",
    "models",
    "nn",
    "optim",
    "reference",
    "report",
    "shapes",
    "sklearn",
    "strategy",
    "train",
    "tune",
]
# Two types that name each other: modules are found in a tree, and are trees; the table
# is made of a module, whose method returns it; a callback is given the Trainer that
# runs it, and what users write (`trainer: Trainer`) may be no narrower than what the
# base class says.
MUTUAL = {
    ("fastdl.nn.tree", "fastdl.nn.module"),
    ("fastdl.nn.summary", "fastdl.nn.module"),
    ("fastdl.train.callback", "fastdl.train.trainer"),
}


def modules_imported(nodes, path, modules):
    """Return which of the modules are imported by nodes of a file."""
    names = set()
    for name in imported_modules(path, nodes):
        names.add(name if name in modules else name.rpartition(".")[0])
    return names & set(modules)


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["fastdl", *(part for part in parts if part != "__init__")])


@pytest.mark.parametrize("room", WITHOUT_CIRCLES)
def test_modules_of_a_room_do_not_import_in_circles(room):
    modules = {module_name(path): path for path in SOURCES if room_of(path) == room}
    graph = {
        name: {
            other
            for other in modules_imported(ast.walk(parsed(path)), path, modules)
            if other != name and (name, other) not in MUTUAL
        }
        for name, path in modules.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize(("name", "other"), sorted(MUTUAL))
def test_types_that_name_each_other_do_no_more(name, other):
    path = ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py")
    tree = parsed(path)
    assert modules_imported(ast.walk(tree), path, [other])
    assert not modules_imported(nodes_run_at_import(tree), path, [other])


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_heavy_packages_are_imported_where_they_are_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = imported_modules(path, nodes_run_at_import(tree))
    # A class of scikit-learn's has a base there; the package loads it at its first use.
    based = {"sklearn"} if path.match("sklearn/[a-z]*.py") else set()
    assert not (HEAVY - based) & {name.split(".")[0] for name in names}


def test_importing_fastdl_loads_nothing_heavy():
    code = "import sys, fastdl; print(*{name.split('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(result.stdout.split())
    assert "fastdl" in loaded
    assert not HEAVY & loaded
