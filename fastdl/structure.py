"""Structures of arrays: one array, or a tuple or dict of structures.

What a model with several inputs or outputs takes and returns. Whatever is done to one
array is done to each of a structure by `tree_map`, which gives a plain array, what
nearly all models take, straight to the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from fastdl.errors import ArgumentError, ShapeError
from fastdl.typing import Index, Shape

Structure: TypeAlias = Any
"""Of arrays, tensors or texts, whatever the leaves are to the caller."""


def tree_map(
    function: Callable[..., object], first: Structure, *others: Structure
) -> Structure:
    """Apply a function to each leaf, and return the results in the same structure.

    Parameters
    ----------
    function : callable
        Takes one leaf of each structure.
    first : structure
        It says where the leaves are.
    *others : structure
        With the same places, at least.
    """
    if isinstance(first, np.ndarray):
        return function(first, *others)
    if isinstance(first, tuple):
        rows = zip(first, *others, strict=True)
        return tuple(tree_map(function, *each) for each in rows)
    if isinstance(first, Mapping):
        return {
            key: tree_map(function, value, *(other[key] for other in others))
            for key, value in first.items()
        }
    return function(first, *others)


def at(structure: Structure, index: Index) -> Structure:
    """Return ``array[index]`` of each array."""
    return tree_map(lambda array: array[index], structure)


def put(structure: Structure, index: Index, values: Structure) -> None:
    """Assign ``array[index] = value`` for each array and its value."""
    tree_map(lambda array, value: array.__setitem__(index, value), structure, values)


def map_shapes(function: Callable[[Shape], object], shapes: Structure) -> Structure:
    """Apply a function to each shape; a sequence of integers is a leaf here."""
    if isinstance(shapes, Mapping):
        return {key: map_shapes(function, each) for key, each in shapes.items()}
    if is_shape(shapes):
        return function(tuple(shapes))
    return tuple(map_shapes(function, each) for each in shapes)


def is_shape(shapes: Structure) -> bool:
    """Whether it is the shape of one array rather than those of several."""
    nested = (Sequence, Mapping)
    return not isinstance(shapes, Mapping) and not any(
        isinstance(each, nested) for each in shapes
    )


def example_shapes(structure: Structure) -> Structure:
    """Return the shape of one example of each array, without the batch axis."""
    return tree_map(lambda array: array.shape[1:], structure)


def is_several(structure: object) -> bool:
    """Whether it is a tuple or a dict rather than a single leaf."""
    if isinstance(structure, np.ndarray):  # the usual case, and the cheaper question
        return False
    return isinstance(structure, (tuple, Mapping))


def names(structure: Structure, name: str) -> Structure:
    """Return what messages call each leaf: "x" alone, else "x[0]" or "x['left']"."""
    if isinstance(structure, tuple):
        return tuple(names(each, f"{name}[{i}]") for i, each in enumerate(structure))
    if isinstance(structure, Mapping):
        return {key: names(each, f"{name}[{key!r}]") for key, each in structure.items()}
    return name


def leaves(structure: Structure) -> list[Any]:
    """Return all leaves in order."""
    if not is_several(structure):
        return [structure]
    parts = structure if isinstance(structure, tuple) else structure.values()
    return [leaf for part in parts for leaf in leaves(part)]


def named_leaves(structure: Structure, name: str) -> Iterator[tuple[str, Any]]:
    """Return pairs (name, leaf), with the names of `names`."""
    return zip(leaves(names(structure, name)), leaves(structure), strict=True)


def first_leaf(structure: Structure) -> Any:
    """Return the first leaf; ArgumentError if there is none."""
    if not is_several(structure):
        return structure
    for leaf in leaves(structure):
        return leaf
    raise ArgumentError("expected arrays, got a tuple or dict without any")


def length(structure: Structure) -> int:
    """Return the number of examples, by the first array."""
    return len(first_leaf(structure))


def check_lengths(operation: str, **structures: Structure) -> int:
    """Return how many examples all arrays have.

    Raises
    ------
    ShapeError
        They have not all as many; the message names the entry. None is passed over.
    """
    known = {name: each for name, each in structures.items() if each is not None}
    for each in known.values():
        first_leaf(each)
    (first, array), *others = chain.from_iterable(
        named_leaves(each, name) for name, each in known.items()
    )
    for name, other in others:
        if len(other) != len(array):
            raise ShapeError(
                f"{operation}: {first} has {len(array)} examples but {name} has "
                f"{len(other)}; both need one row per example ({first} {array.shape}, "
                f"{name} {other.shape})"
            )
    return len(array)


def entries(structure: Structure, name: str) -> str:
    """Return the names of all leaves as text; it is equal for equal structures."""
    return ", ".join(sorted(leaves(names(structure, name))))
