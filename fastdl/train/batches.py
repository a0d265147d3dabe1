"""Data of any form, as batches for a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Number
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from fastdl.data import ArrayDataset, DataLoader, SparseRows
from fastdl.data.dataset import (
    DataLike,
    SparseLike,
    as_dataset,
    in_memory,
    is_array_like,
)
from fastdl.errors import ArgumentError
from fastdl.nn import Module
from fastdl.nn.module import required_inputs
from fastdl.structure import is_several, length, tree_map
from fastdl.train.class_weight import ClassWeight
from fastdl.train.losses import LossLike
from fastdl.train.streams import BatchStream, Stream, is_stream
from fastdl.train.targets import as_targets
from fastdl.typing import ArrayLike, ArraysLike

Source: TypeAlias = DataLike | DataLoader
"""Data with their labels, or inputs x alone."""

AnySource: TypeAlias = Source | Stream
"""The same, or what gives batches, such as a generator."""


def one_source(
    operation: str,
    model: Module,
    x: Source,
    y: ArraysLike | None,
    sample_weight: ArrayLike | None,
    second: str,
) -> Source:
    """Return the x, y and weights of a call as one source of data.

    Parameters
    ----------
    operation : str
        For the messages.
    model : Module
        It tells several inputs, which a tuple may be, from inputs with labels.
    x, y, sample_weight
        What the user gave; None for what is not there, or comes with x.
    second : str
        The option that the user meant when y turns out to be a number.

    Raises
    ------
    ArgumentError
        y is a number or not an array, or x has labels or weights of its own.
    """
    if y is None:
        return x if sample_weight is None else _weighted(operation, x, sample_weight)
    if isinstance(y, Number) or getattr(y, "ndim", None) == 0:
        raise ArgumentError(
            f"{operation}: the second place is for y, labels or targets, got {y}; did "
            f"you mean {second}={y}?"
        )
    is_array = is_array_like(x) or isinstance(x, SparseLike)
    if not (is_array or isinstance(x, Mapping) or _are_inputs(x, model)):
        raise ArgumentError(
            f"{operation}: x is a {type(x).__name__}, which brings its labels itself; "
            f"leave y out (data to measure the training by go into validation= of fit)"
        )
    if not (is_array_like(y) or is_several(y)):
        raise ArgumentError(
            f"{operation}: y must be an array of labels or targets beside an array x, "
            f"got {type(y).__name__}"
        )
    if _holds_arrays(x) and len(x) != length(y):
        raise ArgumentError(
            f"{operation}: x is a list of {len(x)} arrays; several inputs are a tuple, "
            f"{operation}((a, b), y), or a dict"
        )
    inputs: Any = x  # an array, a dict or the tuple that `_are_inputs` let pass
    return in_memory(inputs, y, sample_weight)


def _weighted(
    operation: str, x: Source, sample_weight: ArrayLike
) -> ArrayDataset | SparseRows:
    """Return data that bring their labels, with the weights that stand beside them."""
    data = x if isinstance(x, DataLoader) else as_dataset(x)
    if not isinstance(data, (ArrayDataset, SparseRows)) or data.weight is not None:
        raise ArgumentError(
            f"{operation}: sample_weight stands beside arrays x and y; other data "
            f"bring their weights themselves, as (x, y, weight) and "
            f"ArrayDataset(x, y, weight) do, got {type(x).__name__}"
        )
    return in_memory(data.x, data.y, sample_weight)


def _holds_arrays(x: object) -> TypeGuard[list]:
    return isinstance(x, list) and all(np.ndim(each) > 1 for each in x[:2])


def inputs_alone(model: Module, x: Source) -> Source:
    """Return a tuple of all inputs of a model as data without labels.

    Any other tuple is x with its labels.
    """
    return ArrayDataset(x) if _are_inputs(x, model) else x


def _are_inputs(x: object, model: Module) -> TypeGuard[tuple[ArrayLike, ...]]:
    """Whether a tuple holds what ``forward`` needs, and not inputs with labels."""
    if not isinstance(x, tuple) or any(map(is_several, x)):
        return False
    return 1 < len(x) == required_inputs(model)


def as_loader(data: Source, batch_size: int = 256) -> DataLoader:
    """Return a loader unchanged, and a loader of anything else, in order."""
    return data if isinstance(data, DataLoader) else DataLoader(data, batch_size)


def streamed(operation: str, data: AnySource, steps: int | None, option: str) -> Source:
    """Return a loader of what gives batches, and anything else unchanged.

    Raises
    ------
    ArgumentError
        There are steps, but nothing that they could count.
    """
    if is_stream(data):
        return BatchStream(data, steps, operation, option)
    if steps is not None:
        raise ArgumentError(
            f"{operation}: {option} counts batches of a generator; other data are "
            f"passed through as a whole, got {type(data).__name__}"
        )
    source: Any = data
    return source


def converted(
    batches: Iterable[tuple],
    model: Module,
    loss: LossLike | None = None,
    class_weight: ClassWeight | None = None,
) -> Iterator[tuple]:
    """Yield the batches in the dtype of the model's parameters.

    With a loss, y is converted to what that loss takes; without one, y is not used.
    The weight of an example is multiplied by that of its class.
    """
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))

    def cast(array: np.ndarray) -> np.ndarray:
        return array.astype(dtype, copy=False)

    for x, y, *weight in batches:
        if class_weight is not None:
            weight = [np.prod([class_weight(y), *weight], axis=0)]
        x = tree_map(cast, x)
        if y is not None and loss is not None:
            y = as_targets(y, x, loss)
        yield x, y, *weight
