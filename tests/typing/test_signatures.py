"""Public signatures: they say what they take and return, and agree on defaults."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from fastdl import functional as F
from fastdl import nn

ROOT = Path(__file__).parents[2] / "fastdl"
# Rooms whose signatures have real types.
TYPED = [
    "autograd",
    "backend",
    "cli",
    "data",
    "datasets",
    "engine",
    "errors",
    "files",
    "functional",
    "hooks",
    "interop",
    "metrics",
    "models",
    "nn",
    "optim",
    "random",
    "recording",
    "reference",
    "report",
    "shapes",
    "sklearn",
    "strategy",
    "tape",
    "threads",
    "train",
    "tune",
    "typing",
]
# Where `Any` is the type, and why.
OF_A_SUBCLASS = "a module of the user's own chooses what it takes and returns"
OF_ANY_CLASS = "a layer has attributes of its own: model[0].weight"
EXCEPTIONS = {
    "data/mapped: MapDataset.__getitem__(return)": "what the user's own object gives",
    "files/damage: parse_json(return)": "JSON, whose form the caller checks",
    "files/damage: read_json(return)": "JSON, whose form the caller checks",
    "nn/collection: Dict.__getitem__(return)": OF_ANY_CLASS,
    "nn/collection: List.__getitem__(return)": OF_ANY_CLASS,
    "nn/container: Sequential.__getattr__(return)": OF_ANY_CLASS,
    "nn/container: Sequential.__getitem__(return)": OF_ANY_CLASS,
    "nn/module: Module.__call__(inputs)": OF_A_SUBCLASS,
    "nn/module: Module.__call__(options)": OF_A_SUBCLASS,
    "nn/module: Module.forward(inputs)": OF_A_SUBCLASS,
    "nn/module: Module.forward(options)": OF_A_SUBCLASS,
    "nn/module: Module.forward(return)": OF_A_SUBCLASS,
    "strategy/pipeline: Pipeline.__call__(return)": "what the last stage gives",
    "tune/scale: Scale.position(value)": "each scale has values of its own kind",
    "tune/scale: Scale.stored(return)": "the same",
    "tune/scale: Scale.stored(value)": "the same",
    "tune/scale: Scale.value(return)": "the same",
    "tune/trial: Trial.__getitem__(return)": "whoever asks by name knows the kind",
}


def sources(room):
    return sorted([*ROOT.glob(f"{room}.py"), *ROOT.glob(f"{room}/**/*.py")])


def says_nothing(annotation):
    """Whether an annotation is missing, `Any`, or a union with it."""
    if isinstance(annotation, ast.BinOp):
        return says_nothing(annotation.left) or says_nothing(annotation.right)
    return annotation is None or ast.unparse(annotation) == "Any"


def untyped(function, is_method):
    """Yield the parameters, or "return", whose type is unknown."""
    given = function.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    if is_method and "staticmethod" not in map(ast.unparse, function.decorator_list):
        parameters = parameters[1:]
    parameters += filter(None, (given.vararg, given.kwarg))
    yield from (each.arg for each in parameters if says_nothing(each.annotation))
    if says_nothing(function.returns) and function.name != "__init__":
        yield "return"


def untyped_in(tree, owner=None):
    """Yield "Class.method(parameter)" of what is public in a module, or in a class.

    A class with an underscore counts too: others inherit its methods.
    """
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from untyped_in(node, node)
        elif isinstance(node, ast.FunctionDef):
            is_magic = node.name.startswith("__")
            if is_magic or not node.name.startswith("_"):
                name = f"{owner.name}.{node.name}" if owner else node.name
                for part in untyped(node, owner is not None):
                    yield f"{name}({part})"


@pytest.mark.parametrize("room", TYPED)
def test_signatures_have_real_types(room):
    found = [
        f"{path.relative_to(ROOT).with_suffix('').as_posix()}: {place}"
        for path in sources(room)
        for place in untyped_in(ast.parse(path.read_text(encoding="utf-8")))
    ]
    expected = [
        place for place in EXCEPTIONS if place.startswith((f"{room}/", f"{room}:"))
    ]
    assert sources(room)
    assert sorted(found) == sorted(expected)


def test_a_signature_without_types_is_found():
    code = """
class _Base:
    def __init__(self, x: Any): ...
    @staticmethod
    def make(x) -> None: ...
def f(a: int, *b: Any | None, **c: dict[str, Any]) -> Any: ...
def _private(a): ...
"""
    assert list(untyped_in(ast.parse(code))) == [
        "_Base.__init__(x)",
        "_Base.make(x)",
        "f(b)",
        "f(return)",
    ]


def functions_of_layers():
    """Yield (layer, function) where `functional` has the operation of a layer."""
    functions = {name.replace("_", ""): each for name, each in vars(F).items()}
    for name, layer in vars(nn).items():
        words = name.lower()
        for word in (
            words,
            words.removesuffix("loss"),
            re.sub(r"norm[12]d", "norm", words),
        ):
            if inspect.isclass(layer) and inspect.isfunction(functions.get(word)):
                yield pytest.param(layer, functions[word], id=name)
                break


@pytest.mark.parametrize(("layer", "function"), list(functions_of_layers()))
def test_an_option_has_one_default(layer, function):
    """None in one of them says that the other decides."""
    options = inspect.signature(layer).parameters
    others = inspect.signature(function).parameters
    different = {
        name: (option.default, others[name].default)
        for name, option in options.items()
        if name in others
        and not {option.default, others[name].default} & {None, option.empty}
        and option.default != others[name].default
    }
    assert not different
