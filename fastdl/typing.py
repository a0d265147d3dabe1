"""What the library's functions take, by name, for annotations.

These are aliases for arrays and plain values. An alias that involves a class of the
library is defined next to that class, such as `fastdl.data.DataLike`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import SupportsIndex, TypeAlias

import numpy as np
from numpy import typing as npt

__all__ = [
    "ArrayLike",
    "ArraysLike",
    "Axis",
    "DtypeLike",
    "Index",
    "Json",
    "OutputSizeLike",
    "PaddingLike",
    "PairLike",
    "ScaleLike",
    "Shape",
    "ShapesLike",
    "StrPath",
    "TensorLike",
]

ArrayLike: TypeAlias = npt.ArrayLike
"""What `numpy.asarray` takes: an array, a number, or nested sequences of numbers.

Also any object with ``__array__``: a `fastdl.Tensor`, a tensor of another library, a
table. Only its values count; nothing is differentiated with respect to it.
"""

TensorLike: TypeAlias = ArrayLike
"""What a differentiable operation takes: a `fastdl.Tensor`, or what becomes one.

A type checker sees no difference from `ArrayLike`, since a tensor has ``__array__``. A
reader does: gradients flow to a tensor that is given here.
"""

ArraysLike: TypeAlias = ArrayLike | tuple[ArrayLike, ...] | Mapping[str, ArrayLike]
"""One array, or several in a tuple or a dict; a list is one array.

What a model of several inputs takes: ``model(*x)`` for a tuple, ``model(**x)`` for a
dict.
"""

DtypeLike: TypeAlias = npt.DTypeLike
"""What `numpy.dtype` takes: ``np.float32``, ``"float32"``, or a dtype."""

ScaleLike: TypeAlias = float | Sequence[float]
"""How many times as large: one number, or (vertical, horizontal)."""

Shape: TypeAlias = tuple[int, ...]
"""The sizes of the axes of an array."""

ShapesLike: TypeAlias = (
    Sequence[int] | tuple[Sequence[int], ...] | Mapping[str, Sequence[int]]
)
"""The shape of one array, or a tuple or dict of the shapes of several."""

Axis: TypeAlias = int | Sequence[int] | None
"""One axis, several, or all of them (None)."""

Index: TypeAlias = SupportsIndex | slice | Sequence[int] | np.ndarray
"""Which rows: one, or several as a slice, integers or a boolean mask."""

PairLike: TypeAlias = int | Sequence[int]
"""A size along both sides of a picture: one integer, or (vertical, horizontal)."""

OutputSizeLike: TypeAlias = int | Sequence[int | None] | None
"""The size of a result: as `PairLike`, and None for a side that stays as it is."""

PaddingLike: TypeAlias = int | Sequence[int | Sequence[int]] | str
"""Zeros around a picture.

An integer, (vertical, horizontal), ((top, bottom), (left, right)), "same" or "valid".
"""

StrPath: TypeAlias = str | os.PathLike[str]
"""The path of a file or folder."""

Json: TypeAlias = "float | str | Sequence[Json] | Mapping[str, Json] | None"
"""What JSON can hold; to a type checker bool and int are floats as well."""
