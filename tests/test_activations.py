"""Each row of the table of activations has its function in every room."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.functional.activation import activation
from fastdl.nn.activation import LAYERS
from fastdl.reference import activation as reference
from fastdl.shapes import ACTIVATIONS

ROOT = Path(__file__).parents[1]
KINDS = [kind for kind in ACTIVATIONS if kind != "identity"]
X = np.linspace(-4, 4, 20, dtype=np.float32)


def is_defined(kind, path, pattern):
    return re.search(pattern.format(kind), (ROOT / path).read_text(encoding="utf-8"))


# A room, and whether a kind is there.
ROOMS = {
    "FORWARD in csrc/activation.c": lambda kind: is_defined(
        kind, "csrc/activation.c", r"\bFORWARD\({},"
    ),
    "BACKWARD in csrc/activation.c": lambda kind: is_defined(
        kind, "csrc/activation.c", r"\bBACKWARD\({},"
    ),
    "functions in fastdl/reference/activation.py": lambda kind: (
        kind in reference._FUNCTIONS
    ),
    "its equations in fastdl/reference/activation.py": lambda kind: re.search(
        rf"^{kind} ", reference.__doc__, re.M
    ),
    "a function in fastdl.functional": lambda kind: kind in F.__all__,
    "a layer in fastdl/nn/activation.py": lambda kind: kind in LAYERS,
    "its layer in fastdl.nn": lambda kind: LAYERS[kind].__name__ in nn.__all__,
    "values in tests/reference/test_activation.py": lambda kind: is_defined(
        kind, "tests/reference/test_activation.py", r'"{}": \['
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_there(kind, room):
    assert ROOMS[room](kind), f"{kind} lacks {room}"


def test_no_room_has_others():
    assert set(reference._FUNCTIONS) == set(ACTIVATIONS)
    assert set(LAYERS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_function_and_layer_are_the_activation(kind):
    """S03: with the usual parameter; the layer can be described and made again."""
    expected = activation(X, kind).data
    layer = LAYERS[kind]()
    again = nn.from_config(nn.to_config(layer))
    for function in (getattr(F, kind), layer, again):
        np.testing.assert_array_equal(function(X).data, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_parameter_of_the_layer(kind):
    known = ACTIVATIONS[kind].parameter
    assert LAYERS[kind]().parameter == (None if known is None else known.usual)
    if known is not None:
        value = known.usual / 2
        layer = LAYERS[kind](value)
        assert layer.parameter == value
        assert repr(value) in repr(layer)
        expected = activation(X, kind, value).data
        np.testing.assert_array_equal(getattr(F, kind)(X, value).data, expected)
        np.testing.assert_array_equal(layer(X).data, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("operation", ["linear", "conv2d"])
def test_where_it_is_fusable_x_is_not_needed(kind, operation):
    """A product that applies an activation itself keeps the result alone."""
    row = ACTIVATIONS[kind]
    assert row.derivative in ("x", "y")
    assert row.derivative == "y" or operation not in row.fusable
