"""What does the same looks the same, and what does not does not."""

import logging
import textwrap
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pytest

from fastdl import nn, no_grad, optim
from fastdl.data import Augment, Mixup
from fastdl.train.description import differences
from fastdl.train.fingerprint import (
    describe,
    describe_array,
    described_class,
    text_of,
)


class Slotted:
    __slots__ = ("_hidden", "size")

    def __init__(self, size, hidden=0):
        self.size, self._hidden = size, hidden


class Shown:
    def __init__(self, size):
        self._size = size

    def __repr__(self):
        return f"Shown({self._size})"


@dataclass
class Noise:
    scale: float

    def __call__(self, x):
        return x * self.scale


class Net(nn.Module):
    """Not registered; keeps more than its arguments."""

    def __init__(self, width, scale=0.5):
        self.body = nn.Linear(2, width)
        self.heads = [nn.ReLU(), nn.Dropout(0.1)]
        self.scale = scale


def scaled(factor):
    return lambda x: x * factor


def with_default(x, factor=2):
    return x * factor


class Circle:
    def __init__(self, size):
        self.me, self.size = self, size
        self.list = [self]


X = np.arange(12.0).reshape(4, 3)
ALIKE = {
    "numbers": (1, np.int64(1)),
    "real numbers": (1, 1.0, np.float32(1)),
    "list and tuple": ([1, 2], (1, 2)),
    "sets": ({"a", "b", "c"}, {"c", "b", "a"}),
    "paths": (Path("here"), Path("elsewhere")),
    "arrays": (X, X.copy(), np.asfortranarray(X), X[::-1][::-1], X.astype(">f8")),
    "objects of arrays": (np.array([1, "a"], object), np.array([1, "a"], object)),
    "lambdas": (scaled(2), scaled(2)),
    "partials": (partial(scaled, 2), partial(scaled, 2)),
    "hidden": (Slotted(1, 2), Slotted(1, 3)),
    "circles": (Circle(1), Circle(1)),
    "modules": (nn.Linear(2, 3), nn.Linear(2, 3)),
    "own modules": (Net(3), Net(3)),
    "long lists": (list(range(1000)), tuple(range(1000))),
    "loggers": (logging.getLogger("a"), logging.getLogger("b")),
    "generators": (np.random.default_rng(0), np.random.default_rng(1)),
}
UNLIKE = {
    "numbers": (1, 2, True, "1", None, float("nan"), float("inf"), 2**70, -(2**70)),
    "bytes": (b"a", b"b"),
    "arrays": (X, X.T, X.astype(np.float32), X[:3], X + 1e-9, X.reshape(-1)),
    "lambdas": (scaled(2), scaled(3), lambda x: x + 2, lambda x: x + 3),
    "functions": (with_default, np.square, np.exp, len, int),
    "methods": (Noise(1.0).__call__, Noise(2.0).__call__),
    "partials": (partial(scaled, 2), partial(scaled, 3), partial(scaled, factor=2)),
    "objects": (Noise(1.0), Noise(2.0), Slotted(1), Slotted(2), Shown(1), Shown(2)),
    "values": (1 + 2j, 1 + 3j, Fraction(1, 2), Fraction(1, 3), range(3), range(4)),
    "circles": (Circle(1), Circle(2)),
    "modules": (nn.Dropout(0.1), nn.Dropout(0.2), nn.ReLU(), nn.Tanh()),
    "own modules": (Net(3), Net(4), Net(3, 0.7), Net(3).freeze()),
    "containers": (
        nn.Sequential(nn.ReLU(), nn.Tanh()),
        nn.Sequential(nn.Tanh(), nn.ReLU()),
        nn.Sequential(nn.ReLU()),
    ),
    "transforms": (Augment(flip=0.1), Augment(flip=0.2), Mixup(0.1, 2), Mixup(0.2, 2)),
    "penalties": (nn.L2(0.1), nn.L2(0.2), nn.L1(0.1), nn.L2(0.1, names="0.*")),
    "schedules": (optim.Cosine(0.1), optim.Cosine(0.1, warmup=1), optim.OneCycle(0.1)),
    "long lists": (list(range(1000)), list(range(1, 1001)), list(range(1001))),
}


@pytest.mark.parametrize("name", ALIKE)
def test_alike(name):
    assert len({text_of(describe(value)) for value in ALIKE[name]}) == 1


@pytest.mark.parametrize("name", UNLIKE)
def test_unlike(name):
    texts = {text_of(describe(value)) for value in UNLIKE[name]}
    assert len(texts) == len(UNLIKE[name])


def test_a_function_of_other_code():
    """But not one on other lines."""
    one, two, other = {}, {}, {}
    exec("def f(x):\n    return [i * 2 for i in x if i in {'a', 'b', 'c'}]", one)
    exec("\n\n\ndef f(x):\n\n  return [i * 2 for i in x if i in {'c', 'b', 'a'}]", two)
    exec("def f(x):\n    return [i * 3 for i in x if i in {'a', 'b', 'c'}]", other)
    texts = [text_of(describe(each["f"])) for each in (one, two, other)]
    assert texts[0] == texts[1] != texts[2]


METHODS = {
    "call": "def __call__(self, x):\n    return x * {}",
    "helper": "def _factor(self):\n    return {}",
    "property": "@property\ndef factor(self):\n    return {}",
    "static": "@staticmethod\ndef factor():\n    return {}",
    "class": "@classmethod\ndef factor(cls):\n    return {}",
    "cached": "@cached_property\ndef factor(self):\n    return {}",
    "wrapped": "@no_grad()\ndef __call__(self, x):\n    return x * {}",
    "value": "factor = {}",
    "values": "factors = (1, {})",
}


@pytest.mark.parametrize("base", [object, nn.Module, optim.SGD, Augment])
@pytest.mark.parametrize("method", METHODS)
def test_a_class_of_other_code(method, base):
    """Its own and what it inherits, but for what it inherits from fastdl."""

    def made(number):
        names = {"base": base, "no_grad": no_grad, "cached_property": cached_property}
        body = textwrap.indent(METHODS[method].format(number), "    ")
        exec(f"class A(base):\n{body}\nclass B(A):\n    pass", names)
        return text_of(described_class(names["B"]))

    assert made(2) == made(2) != made(3)
    assert describe(base.__new__(base)) == describe(base.__new__(base))


def test_a_class_of_fastdl_is_its_name():
    assert described_class(Augment) == {"class": "Augment"}
    assert "code" not in text_of(describe(nn.Sequential(nn.Linear(2, 3))))


class Counter:
    def __init__(self, size):
        self.size, self.calls, self.cache = size, 0, {}


class Renamed(Counter):
    def __init__(self, width):
        super().__init__(width)


def test_what_an_object_was_made_with_is_enough():
    """Unless it is not known: then all that it shows."""
    one, two = Counter(1), Counter(1)
    two.calls, two.cache = 5, {1: 2}
    assert describe(one) == describe(two) != describe(Counter(2))
    assert describe(Renamed(1)) != describe(Renamed(2))


def test_a_list_that_contains_itself():
    endless = []
    endless.append(endless)
    assert describe(endless) == {"class": "builtins.list"}


def test_a_large_array_is_hashed_by_pieces(monkeypatch):
    rows = np.array([3, 0, 2])
    whole = describe_array(X), describe_array(X[rows])
    monkeypatch.setattr("fastdl.train.fingerprint._ROWS", 1)
    assert (describe_array(X), describe_array(X, rows)) == whole


def test_differences_are_named():
    saved = {"a": 1, "b": {"c": [1, 2], "d": {"digest": "x"}}, "gone": 3, "n": None}
    now = {"a": 1, "b": {"c": [1, 5], "d": {"digest": "y"}}, "new": "z" * 99, "n": None}
    found = differences(saved, now)
    assert found["b"] == "  b.c.1: 2, now 5\n  b.d: other values"
    assert found["gone"] == "  gone: 3, now nothing"
    assert found["new"].startswith("  new: nothing, now 'zzz")
    assert len(found["new"]) < 90
    assert list(found) == ["b", "gone", "new"]


def test_many_differences_are_cut():
    found = differences({"a": [0] * 50}, {"a": [1] * 50})
    assert found["a"].splitlines()[-1] == "  a: 40 more differences"


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        (nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3, flip=True)),
        (nn.MaxPool2d(2), nn.MaxPool2d(2, ceil_mode=True)),
        (nn.AvgPool2d(2), nn.AvgPool2d(2, count_include_pad=False)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_older_files_lack_is_described_where_it_matters(usual, other):
    """So that a training of an earlier version can be resumed."""
    newer = set(type(usual)._newer_arguments)
    assert newer <= usual.config().keys()
    assert not newer & describe(usual)["itself"].keys()
    assert newer & describe(other)["itself"].keys()


def test_a_subclass_may_lack_an_argument():
    class Edges(nn.Conv2d):
        def __init__(self):
            super().__init__(1, 2, 3)

    assert "flip" not in describe(Edges())["itself"]
