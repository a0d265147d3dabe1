"""Structures of arrays."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

from fastdl import structure
from fastdl.errors import ArgumentError, ShapeError

A, B, C = np.arange(3), np.ones((3, 2)), np.zeros((3, 4, 5))
NESTED = {"left": A, "right": (B, C)}


def test_tree_map_keeps_the_structure():
    assert structure.tree_map(np.ndim, A) == 1
    assert structure.tree_map(np.ndim, (A, B)) == (1, 2)
    assert structure.tree_map(np.ndim, NESTED) == {"left": 1, "right": (2, 3)}


def test_tree_map_pairs_entries_of_dicts_by_name():
    ordered = OrderedDict(b=B, a=A)
    summed = structure.tree_map(np.add, {"a": A, "b": B}, ordered)
    np.testing.assert_array_equal(summed["a"], 2 * A)
    np.testing.assert_array_equal(summed["b"], 2 * B)


def test_tree_map_of_tuples_of_other_lengths():
    with pytest.raises(ValueError, match="shorter"):
        structure.tree_map(np.add, (A, B), (A,))


def test_map_shapes_takes_sequences_of_integers_for_shapes():
    assert structure.map_shapes(len, (4, 5)) == 2
    assert structure.map_shapes(len, [4, 5]) == 2
    assert structure.map_shapes(len, ()) == 0
    assert structure.map_shapes(len, ((4, 5), [3])) == (2, 1)
    assert structure.map_shapes(len, {"a": (4,), "b": ((1, 2), ())}) == {
        "a": 1,
        "b": (2, 0),
    }


def test_example_shapes():
    assert structure.example_shapes(B) == (2,)
    assert structure.example_shapes(NESTED) == {"left": (), "right": ((2,), (4, 5))}


def test_names_say_where_a_leaf_is():
    named = dict(structure.named_leaves(NESTED, "x"))
    assert list(named) == ["x['left']", "x['right'][0]", "x['right'][1]"]
    assert named["x['right'][1]"] is C
    assert list(structure.named_leaves(A, "x")) == [("x", A)]


def test_listed_is_equal_for_equal_structures():
    assert structure.entries({"a": 1, "b": 2}, "x") == "x['a'], x['b']"
    assert structure.entries({"b": 1, "a": 2}, "x") == "x['a'], x['b']"
    assert structure.entries((1, 2), "x") == "x[0], x[1]"


def test_check_lengths_names_the_entry():
    assert structure.check_lengths("here", x=NESTED, y=None) == 3
    message = r"here: x\['left'\] has 3 examples but y\[1\] has 2; .*y\[1\] \(2,"
    with pytest.raises(ShapeError, match=message):
        structure.check_lengths("here", x=NESTED, y=(A, A[:2]))


@pytest.mark.parametrize("empty", [(), {}, {"a": ()}])
def test_a_structure_without_arrays(empty):
    with pytest.raises(ArgumentError, match="without any"):
        structure.length(empty)
    with pytest.raises(ArgumentError, match="without any"):
        structure.check_lengths("here", x=empty)


def test_put_and_at():
    rooms = {"a": np.zeros(3), "b": np.zeros((3, 2))}
    structure.put(rooms, np.array([0, 2]), {"b": B[:2], "a": A[1:]})
    np.testing.assert_array_equal(rooms["a"], [1, 0, 2])
    np.testing.assert_array_equal(rooms["b"], [[1, 1], [0, 0], [1, 1]])
    assert structure.at(rooms, 2)["a"] == 2
