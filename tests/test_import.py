"""The front door: public names, and an import that costs next to nothing."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import fastdl
from fastdl import backend
from fastdl.errors import FastdlError

ROOT = Path(fastdl.__file__).parent
# Packages, as importlib names them; that of the kernels may not be built.
PACKAGES = [
    ".".join(["fastdl", *path.parent.relative_to(ROOT).parts])
    for path in sorted(ROOT.glob("*/**/__init__.py"))
    if "kernels" not in path.parts or backend.name == "compiled"
]
# Slow to import; only what needs them may load them.
SLOW = ("matplotlib", "PIL", "tqdm", "safetensors", "urllib.request", "ssl", "email")


def modules_after(code):
    """Return the names of all modules that a fresh interpreter has after `code`."""
    code = f"import json, sys\n{code}\nprint(json.dumps(list(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(result.stdout))


def test_import_loads_nothing_but_itself():
    """Where nothing loads more at start, as the finder of an editable install does."""
    usual = modules_after("import __future__, importlib, typing")
    assert modules_after("import fastdl") - usual == {"fastdl"}


def test_using_everything_loads_nothing_slow():
    code = "import fastdl\nfor name in fastdl.__all__: getattr(fastdl, name)"
    modules = modules_after(code)
    assert "fastdl.train.trainer" in modules
    assert not set(SLOW) & modules


@pytest.mark.parametrize("name", fastdl.__all__)
def test_public_name(name):
    assert getattr(fastdl, name) is getattr(fastdl, name)
    assert name in dir(fastdl)


def aliases(package):
    """Yield (home, name) of each ``from home import name as name``."""
    path = Path(importlib.import_module(package).__file__)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname == alias.name:
                    yield node.module, alias.name


def test_type_checkers_see_the_same_names():
    """They read imports, Python reads a table."""
    homes = {name: home for home, name in aliases("fastdl")}
    assert sorted(homes) == sorted(fastdl.__all__)
    for name, home in homes.items():
        seen = getattr(importlib.import_module(home), name)
        assert getattr(fastdl, name) is seen


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_exports_what_it_imports_by_alias(package):
    exported = getattr(importlib.import_module(package), "__all__", [])
    assert exported == sorted(name for _, name in aliases(package))


def test_a_star_import_brings_no_modules():
    names: dict[str, object] = {}
    exec("from fastdl.nn import *", names)
    assert {"Linear", "init"} <= set(names)
    assert not {"linear", "exports", "shape"} & set(names)


def test_names_are_what_they_say():
    assert fastdl.Tensor([1.0]).shape == (1,)
    assert fastdl.tensor is fastdl.Tensor
    assert fastdl.manual_seed is fastdl.random.seed
    assert fastdl.save is fastdl.nn.save
    assert fastdl.Trainer is fastdl.train.Trainer
    assert fastdl.FastdlError is FastdlError
    assert fastdl.info()["fastdl"] == fastdl.__version__


def test_functional_as_a_module():
    import fastdl.functional as F

    assert F is fastdl.functional
    assert F.relu([-1.0, 2.0]).numpy().tolist() == [0, 2]


def test_unknown_name():
    with pytest.raises(AttributeError, match="'fastdl' has no attribute 'trainer'"):
        _ = fastdl.trainer


@pytest.mark.skipif(backend.name != "compiled", reason="the reference has no threads")
def test_threads():
    before = fastdl.get_num_threads()
    try:
        fastdl.set_num_threads(3)
        assert fastdl.get_num_threads() == 3
        for count in (0, -1, 1.5, "2"):
            with pytest.raises(FastdlError, match="threads"):
                fastdl.set_num_threads(count)
        assert fastdl.get_num_threads() == 3
    finally:
        fastdl.set_num_threads(before)


def test_threads_of_the_reference(monkeypatch):
    monkeypatch.setattr(backend, "name", "reference")
    assert fastdl.get_num_threads() == 1
    with pytest.raises(FastdlError, match="only the compiled kernels"):
        fastdl.set_num_threads(2)
