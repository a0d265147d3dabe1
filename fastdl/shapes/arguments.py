"""Checks of single arguments: integers, sizes, paddings, names, types, labels."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np

from fastdl.errors import ArgumentError, DtypeError, ShapeError, suggest
from fastdl.shapes.activations import ACTIVATIONS, Activation
from fastdl.shapes.numbers import is_number
from fastdl.typing import ArrayLike, DtypeLike, PaddingLike, PairLike, Shape

Pair = tuple[int, int]
Padding = tuple[Pair, Pair] | str  # what `padding2d` makes of a `PaddingLike`

# How a 3 x 3 convolution may be computed.
CONV_ALGORITHMS = ("auto", "direct", "winograd")

# An array of more elements, 16 TiB of float32, fits into no machine that this library
# is for. Kernels count in 63 bits and never ask whether a product of sizes wraps: for
# each element of the arrays that are checked here they take less than 2^20 bytes beside
# (Winograd's tiles, in whole vectors, of 1024 threads).
MAX_ELEMENTS = 2**42
_BITS = 128  # of a seed; a longer integer is a mistake, and too long to be printed

_NUMBERS = (float, int, np.floating, np.integer)
_REALS = (np.dtype(np.float32), np.dtype(np.float64))
_MARKS = (-100, -1, 255)  # labels by which the field marks what is to be ignored
_ROUNDING = 1e-6  # by which a probability computed in float32 may exceed 1


def _index(value: object) -> int:
    """Return `value` as int; bools and floats raise TypeError, they are mistakes."""
    if type(value) is int:  # the usual case, quickly
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    return operator.index(value)  # type: ignore[arg-type]  # raises TypeError


def _check_bits(value: int, name: str) -> None:
    if value.bit_length() > _BITS:
        raise ShapeError(
            f"{name} must be below 2**{_BITS}, got a number of {value.bit_length()} "
            f"bits"
        )


def integer(value: object, name: str, minimum: int = 1) -> int:
    """Return `value` as int; ShapeError unless it is an integer >= `minimum`."""
    try:
        result = _index(value)
    except TypeError:
        result = minimum - 1
    _check_bits(result, name)
    if result < minimum:
        raise ShapeError(f"{name} must be an integer >= {minimum}, got {value!r}")
    return result


def flag(value: object, name: str) -> bool:
    """Return `value` as bool; ArgumentError unless it is True or False."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ArgumentError(f"{name} must be True or False, got {value!r:.60}")


def is_positive(value: object) -> bool:
    """Return whether a value is a finite number above 0."""
    return is_number(value) and bool(0 < value < math.inf)


def is_in(value: object, end: float) -> bool:
    """Return whether a value is a number in [0, end)."""
    return isinstance(value, _NUMBERS) and bool(0 <= value < end)


def is_share(value: object) -> bool:
    """Return whether a value is a number in [0, 1]."""
    return isinstance(value, _NUMBERS) and bool(0 <= value <= 1)


def array(values: ArrayLike, name: str) -> np.ndarray:
    """Return `values` as an array; ShapeError for rows that differ in length."""
    try:
        return np.asarray(values)
    except ValueError:  # of NumPy: "inhomogeneous shape"
        raise ShapeError(
            f"{name} must be one array; are all rows of the same length?"
        ) from None


def pair(value: PairLike, name: str, minimum: int = 1) -> Pair:
    """Return an integer or a pair of integers as a pair (vertical, horizontal).

    Parameters
    ----------
    value
        One integer for both directions, or two.
    name
        What the value is, for the message: ``"conv2d: stride"``.
    minimum
        The smallest legal value.

    Raises
    ------
    ShapeError
        For anything else: bools, floats, other lengths, too small values.
    """
    try:
        if isinstance(value, (tuple, list)):
            first, second = map(_index, value)
        else:
            first = second = _index(value)
    except (TypeError, ValueError):
        first = second = minimum - 1
    for size in (first, second):
        _check_bits(size, name)
    if first < minimum or second < minimum:
        raise ShapeError(
            f"{name} must be an integer >= {minimum} or a pair of them, got {value!r}"
        )
    return first, second


def padding2d(padding: PaddingLike, operation: str) -> Padding:
    """Return `padding` as ((top, bottom), (left, right)), "same" or "valid".

    Parameters
    ----------
    padding
        An integer for all sides, a pair (vertical, horizontal),
        ((top, bottom), (left, right)), "same" or "valid".
    operation
        The name for the message.

    Raises
    ------
    ShapeError
        For anything else.
    """
    if isinstance(padding, str):
        if padding in ("same", "valid"):
            return padding
    elif isinstance(padding, (tuple, list)):
        if len(padding) == 2:
            name = f"{operation}: padding"
            return pair(padding[0], name, 0), pair(padding[1], name, 0)
    else:
        both = pair(padding, f"{operation}: padding", 0)  # type: ignore[arg-type]
        return both, both
    raise ShapeError(
        f"{operation}: padding must be an integer, a pair (vertical, horizontal), "
        f"((top, bottom), (left, right)), 'same' or 'valid', got {padding!r}"
    )


_activation_places = {kind: place for place, kind in enumerate(ACTIVATIONS)}


def activation_index(kind: str, operation: str = "activation") -> int:
    """Return the place of `kind` in `ACTIVATIONS`; ArgumentError for other names."""
    try:
        return _activation_places[kind]
    except (KeyError, TypeError):
        hint = suggest(str(kind), ACTIVATIONS)
        raise ArgumentError(f"{operation}: unknown activation {kind!r}{hint}") from None


def activation_row(kind: str, operation: str) -> Activation:
    """Return the row of `kind` in `ACTIVATIONS`; ArgumentError for other names."""
    activation_index(kind, operation)
    return ACTIVATIONS[kind]


def activation_parameter(
    kind: str, parameter: float | None, operation: str
) -> float | None:
    """Return the parameter of an activation, the usual one for None.

    Raises
    ------
    ArgumentError
        It is out of range, or `kind` has none.
    """
    known = ACTIVATIONS[kind].parameter
    if known is None:
        if parameter is not None:
            raise ArgumentError(f"{operation}: {kind} has no parameter")
        return None
    if parameter is None:
        return known.usual
    is_number = isinstance(parameter, _NUMBERS) and math.isfinite(parameter)
    if not is_number or (known.positive and parameter <= 0):
        positive = "positive " * known.positive
        raise ArgumentError(
            f"{operation}: {known.name} of {kind} must be a finite {positive}number, "
            f"got {parameter!r}"
        )
    return parameter


def conv_algorithm_index(algorithm: str | None, operation: str) -> int:
    """Return the place in `CONV_ALGORITHMS`, the first for None.

    Raises
    ------
    ArgumentError
        For other names.
    """
    if algorithm is None:
        return 0
    if algorithm not in CONV_ALGORITHMS:
        hint = suggest(str(algorithm), CONV_ALGORITHMS)
        raise ArgumentError(f"{operation}: unknown algorithm {algorithm!r}{hint}")
    return CONV_ALGORITHMS.index(algorithm)


def fused_activation(
    activation: str | None, operation: str, caller: str | None = None
) -> str:
    """Return the activation that an operation applies itself, "identity" for None.

    Raises
    ------
    ArgumentError
        For one that is not fusable with it in `ACTIVATIONS`; the message names the
        `caller`, by default the operation.
    """
    if activation is None:
        return "identity"
    known = [kind for kind, row in ACTIVATIONS.items() if operation in row.fusable]
    if activation not in known:
        raise ArgumentError(
            f"{caller or operation}: activation must be None or one of "
            f"{', '.join(known)}; got "
            f"{activation!r}; apply others with activation_forward"
        )
    return activation


def derived_activation(
    activation: str | None, y: object, beta: object, operation: str
) -> str:
    """Return the activation of the gradient of batch norm, "identity" for None.

    Raises
    ------
    ArgumentError
        There is nothing to find its derivative from, or y, which does not tell.
    """
    kind = fused_activation(activation, "batch_norm", operation)
    if y is not None and ACTIVATIONS[kind].derivative != "y":
        raise ArgumentError(
            f"{operation}: y does not tell the derivative of {kind}; give beta"
        )
    if kind != "identity" and y is None and beta is None:
        raise ArgumentError(f"{operation}: {kind} needs beta, or y after a residual")
    return kind


def sizes(operation: str, name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape as a tuple of integers; ShapeError when it holds others."""
    try:
        return tuple(map(_index, shape))
    except TypeError:
        raise ShapeError(
            f"{operation}: the shape of {name} must hold integers, got {shape!r}"
        ) from None


def check_elements(operation: str, name: str, shape: Sequence[int]) -> None:
    """Raise ShapeError when an array has more than `MAX_ELEMENTS` elements.

    Empty axes count as one element: strides are products of the other axes.
    """
    count = math.prod(max(size, 1) for size in shape)
    if count > MAX_ELEMENTS:
        raise ShapeError(
            f"{operation}: {name} of shape {tuple(shape)} would have {count:,} "
            f"elements, more than any memory holds (the limit is {MAX_ELEMENTS:,})"
        )


def real_dtype(dtype: DtypeLike, name: str) -> np.dtype[Any]:
    """Return float32 or float64 in native byte order; DtypeError for another type."""
    try:
        real = np.dtype(dtype)
    except TypeError:
        raise DtypeError(f"{name}: dtype {dtype!r:.60} is no type of numbers") from None
    if real.char not in "fd" or dtype is None:  # which NumPy takes for float64
        got = real if dtype is not None else None
        raise DtypeError(f"{name}: expected dtype float32 or float64, got {got}")
    return real.newbyteorder("=")


def check_shape(
    operation: str, name: str, shape: Sequence[int], expected: Sequence[int]
) -> None:
    """Raise ShapeError unless array `name` has the expected shape."""
    if tuple(shape) != tuple(expected):
        raise ShapeError(
            f"{operation}: expected {name} of shape {tuple(expected)}, "
            f"got {tuple(shape)}"
        )


def check_output(
    operation: str, out: object, shape: Sequence[int], dtype: np.dtype
) -> None:
    """Raise ShapeError or DtypeError unless a result can be written to `out`."""
    if not isinstance(out, np.ndarray) or out.shape != tuple(shape):
        raise ShapeError(
            f"{operation}: expected out of shape {tuple(shape)}, "
            f"got {getattr(out, 'shape', type(out).__name__)}"
        )
    if out.dtype.num != dtype.num:
        raise DtypeError(f"{operation}: out must be {dtype}, got {out.dtype}")
    if not (out.flags.carray and out.dtype.isnative):
        raise DtypeError(
            f"{operation}: out must be writable, C-contiguous, aligned and in native "
            "byte order; np.require(out, requirements='CAW') gives such an array"
        )


def holds_pictures(array: object) -> TypeGuard[np.ndarray]:
    """Whether an array is of bytes with two axes or more for each example.

    See `fastdl.data.pictures` for what follows from that.
    """
    return isinstance(array, np.ndarray) and array.dtype.char == "B" and array.ndim >= 3


def check_apart(
    operation: str,
    written: Mapping[str, np.ndarray | None],
    read: Mapping[str, np.ndarray | None],
) -> None:
    """Raise ArgumentError when an array that is written shares memory with another.

    None is skipped. Arrays whose elements lie between each other count as one memory.
    """
    arrays = [(name, a) for name, a in (*written.items(), *read.items())]
    for i, (name, array) in enumerate(arrays[: len(written)]):
        for other, second in arrays[i + 1 :]:
            if array is None or second is None:
                continue
            if np.may_share_memory(array, second):
                raise ArgumentError(
                    f"{operation}: {name} is written and must not share memory with "
                    f"{other}; pass a copy of one of them"
                )


def check_real(operation: str, **arrays: np.ndarray | None) -> None:
    """Check that all arrays are float32 or all are float64; None is skipped.

    Raises
    ------
    DtypeError
        Naming the operation, the array, its type and the type of the first array.
    """
    first = None
    for name, array in arrays.items():
        if array is None:
            continue
        if not isinstance(array, np.ndarray):
            raise DtypeError(
                f"{operation}: {name} must be a NumPy array, got "
                f"{type(array).__name__}; convert it with np.asarray"
            )
        if array.dtype not in _REALS:
            raise DtypeError(
                f"{operation}: {name} is {array.dtype}, expected float32 or float64; "
                f"convert it with {name}.astype(np.float32)"
            )
        if first is None:
            first, dtype = name, array.dtype
        elif array.dtype != dtype:
            other = "model" if name == "weight" else name
            raise DtypeError(
                f"{operation}: {name} is {array.dtype} but {first} is {dtype}; convert "
                f"one: {first}.astype(np.{array.dtype}) or {other}.astype(np.{dtype})"
            )


def labels(labels: ArrayLike, n: int, classes: int, operation: str) -> np.ndarray:
    """Check the labels of `n` examples and return them as an array.

    Parameters
    ----------
    labels
        Integers (n,) in [0, classes), or one row of probabilities (or a one-hot row)
        for each example: (n, classes).
    n, classes
        The shape of the logits.
    operation
        The name for the messages.

    Returns
    -------
    numpy.ndarray
        (n,) int64, a copy: kernels use them as indices, and another thread may write
        into the array of the caller; or (n, classes) as it came.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        For a wrong shape, a wrong type, or a label out of range.
    """
    labels = array(labels, f"{operation}: the labels")
    if labels.shape == (n, classes):
        if labels.dtype.kind not in "fiub":
            raise DtypeError(
                f"{operation}: expected rows of probabilities, got type {labels.dtype}"
            )
        return labels
    if labels.shape != (n,):
        hint = "; use labels.reshape(-1)" if labels.shape == (n, 1) else ""
        raise ShapeError(
            f"{operation}: expected labels of shape ({n},) (integers) or "
            f"({n}, {classes}) (one-hot), got {labels.shape}{hint}"
        )
    if labels.dtype.kind not in "biu":
        raise DtypeError(
            f"{operation}: expected integer labels, got type {labels.dtype}; convert "
            "class numbers with labels.astype(np.int64)"
        )
    labels = labels.copy()
    if n:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            wrong = low if low < 0 else high
            hint = ""
            if (low, high) == (1, classes):
                hint = "; do the labels start at 1?"
            elif wrong in _MARKS:
                hint = f"; CrossEntropyLoss(ignore_index={wrong}) leaves them out"
            raise ArgumentError(
                f"{operation}: expected labels from 0 to {classes - 1}, "
                f"got {wrong}{hint}"
            )
    return labels.astype(np.int64, copy=False)


def check_probabilities(
    values: np.ndarray,
    operation: str,
    missing: bool,
    hint: str = "the targets are probabilities, not logits",
) -> None:
    """Raise ArgumentError unless all values are probabilities, numbers in [0, 1].

    Parameters
    ----------
    values
        Any shape.
    operation
        The name for the message.
    missing
        Whether NaN, which marks a missing value, passes.
    hint
        The end of the message.
    """
    if not values.size or values.dtype.kind == "b":
        return
    low, high = np.fmin.reduce(values, None), np.fmax.reduce(values, None)
    wrong = low if low < -_ROUNDING else high if high > 1 + _ROUNDING else None
    if wrong is None and not missing and np.isnan(values).any():
        wrong = math.nan
    if wrong is not None:
        raise ArgumentError(
            f"{operation}: expected probabilities in [0, 1], got {wrong}; {hint}"
        )


def rows(indices: ArrayLike, m: int, operation: str) -> np.ndarray:
    """Check the indices of some of `m` rows and return a copy of them as int64.

    A copy, as in `labels`.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        They are no list of integers, or one is outside [0, m).
    """
    try:
        indices = np.asarray(indices)
    except ValueError:  # lists of several lengths
        raise DtypeError(f"{operation}: indices are no array of integers") from None
    if indices.ndim != 1:
        raise ShapeError(f"{operation}: expected indices (n,), got {indices.shape}")
    if indices.dtype.kind not in "iu":
        raise DtypeError(
            f"{operation}: expected integer indices, got type {indices.dtype}"
        )
    indices = indices.copy()
    if len(indices) and (indices.min() < 0 or indices.max() >= m):
        raise ArgumentError(
            f"{operation}: expected indices from 0 to {m - 1}, got "
            f"{indices.min()} to {indices.max()}"
        )
    return indices.astype(np.int64, copy=False)


def gathered(
    shape: Shape, indices: ArrayLike, m: int, axis: int, operation: str
) -> np.ndarray:
    """Check that `shape` is that of what was taken along an axis of size `m`.

    Returns
    -------
    numpy.ndarray
        The indices, as `rows` has them.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        There is no such axis >= 0, or the indices are not as many as its size, or not
        those of rows.
    """
    checked = rows(indices, m, operation)
    if not 0 <= axis < len(shape) or shape[axis] != len(checked):
        raise ShapeError(
            f"{operation}: expected dy with an axis {axis} of size {len(checked)}, as "
            f"many as there are indices, got {tuple(shape)}"
        )
    return checked
