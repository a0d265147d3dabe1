"""Output sizes and argument checks: the only copy, used on every floor.

Sizes are plain integers. Images are (n, h, w, c), filters (kh, kw, c / groups, oc),
dense weights (in, out). Checks run before any memory is taken; an error names the
operation, what it expected, what came and the likely fix.
"""

from __future__ import annotations

import operator as _operator
from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from fastdl.errors import ArgumentError, DtypeError, ShapeError, suggest

Shape = tuple[int, ...]
Pair = tuple[int, int]
# What a user may write, and what `padding2d` makes of it.
PaddingLike = int | Sequence[Any] | str
Padding = tuple[Pair, Pair] | str

# The order is that of the enum in csrc.
ACTIVATIONS = (
    "identity",
    "relu",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "silu",
    "relu6",
    "hard_swish",
    "gelu",
)

_REALS = (np.dtype(np.float32), np.dtype(np.float64))


class Conv2dShape(NamedTuple):
    """Every size of one convolution."""

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    oc: int
    oh: int
    ow: int
    stride_h: int
    stride_w: int
    top: int
    bottom: int
    left: int
    right: int
    dilation_h: int
    dilation_w: int
    groups: int


class Pool2dShape(NamedTuple):
    """Every size of one pooling."""

    n: int
    h: int
    w: int
    c: int
    kh: int
    kw: int
    oh: int
    ow: int
    stride_h: int
    stride_w: int
    top: int
    bottom: int
    left: int
    right: int


# Arguments ---------------------------------------------------------------------------


def _index(value: Any) -> int:
    """Return `value` as int; bools and floats raise TypeError, they are mistakes."""
    if type(value) is int:  # the usual case, quickly
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    return _operator.index(value)


def integer(value: Any, name: str, minimum: int = 1) -> int:
    """Return `value` as int; ShapeError unless it is an integer >= `minimum`."""
    try:
        result = _index(value)
    except TypeError:
        result = minimum - 1
    if result < minimum:
        raise ShapeError(f"{name} must be an integer >= {minimum}, got {value!r}")
    return result


def pair(value: Any, name: str, minimum: int = 1) -> Pair:
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
        both = pair(padding, f"{operation}: padding", 0)
        return both, both
    raise ShapeError(
        f"{operation}: padding must be an integer, a pair (vertical, horizontal), "
        f"((top, bottom), (left, right)), 'same' or 'valid', got {padding!r}"
    )


def activation_index(kind: str, operation: str = "activation") -> int:
    """Return the place of `kind` in `ACTIVATIONS`; ArgumentError for other names."""
    try:
        return ACTIVATIONS.index(kind)
    except ValueError:
        hint = suggest(str(kind), ACTIVATIONS)
        raise ArgumentError(f"{operation}: unknown activation {kind!r}{hint}") from None


def _sizes(operation: str, name: str, shape: Sequence[int]) -> Shape:
    try:
        return tuple(map(_operator.index, shape))
    except TypeError:
        raise ShapeError(
            f"{operation}: the shape of {name} must hold integers, got {shape!r}"
        ) from None


def check_shape(
    operation: str, name: str, shape: Sequence[int], expected: Sequence[int]
) -> None:
    """Raise ShapeError unless array `name` has the expected shape."""
    if tuple(shape) != tuple(expected):
        raise ShapeError(
            f"{operation}: expected {name} of shape {tuple(expected)}, "
            f"got {tuple(shape)}"
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
            raise DtypeError(
                f"{operation}: {name} is {array.dtype} but {first} is {dtype}; "
                "convert one with astype"
            )


# Geometry ----------------------------------------------------------------------------


def conv2d(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: PaddingLike = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    operation: str = "conv2d",
) -> Conv2dShape:
    """Return every size of a convolution, after checking them.

    Along each axis the output has floor((size + padding - window) / stride) + 1
    pixels, with window = dilation * (kernel - 1) + 1; with "same" padding it has
    ceil(size / stride), and an odd pixel of padding goes to the bottom or right.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    weight_shape
        (kh, kw, c / groups, oc).
    stride, dilation
        An integer >= 1 or a pair of them (vertical, horizontal).
    padding
        See `padding2d`.
    groups
        Divides c and oc; c for a depthwise convolution.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When anything does not fit.
    """
    # Arguments are normalised before the cache, to which True, 1 and 1.0 are equal.
    return _conv2d(
        _sizes(operation, "x", x_shape),
        _sizes(operation, "weight", weight_shape),
        pair(stride, f"{operation}: stride"),
        padding2d(padding, operation),
        pair(dilation, f"{operation}: dilation"),
        integer(groups, f"{operation}: groups"),
        operation,
    )


@lru_cache(maxsize=1024)
def _conv2d(
    x_shape: Shape,
    weight_shape: Shape,
    stride: Pair,
    padding: Padding,
    dilation: Pair,
    groups: int,
    operation: str,
) -> Conv2dShape:
    n, h, w, c = _image(operation, x_shape)
    if len(weight_shape) != 4:
        raise ShapeError(
            f"{operation}: expected weight of shape (kh, kw, c / groups, oc), "
            f"got {weight_shape}"
        )
    kh, kw, group_c, oc = weight_shape
    if min(weight_shape) < 1:
        raise ShapeError(
            f"{operation}: expected every size of weight to be at least 1, "
            f"got shape {weight_shape}"
        )
    if c % groups or oc % groups:
        raise ShapeError(
            f"{operation}: groups must divide the {c} input channels and the {oc} "
            f"output channels, got groups={groups}"
        )
    if c != group_c * groups:
        raise ShapeError(
            f"{operation}: x of shape {x_shape} has {c} channels, but weight of shape "
            f"{weight_shape} with groups={groups} takes {group_c * groups}"
            + _layout_hint(x_shape, weight_shape, groups)
        )
    oh, top, bottom = _axis(
        operation, "height", h, kh, dilation[0], stride[0], _side(padding, 0)
    )
    ow, left, right = _axis(
        operation, "width", w, kw, dilation[1], stride[1], _side(padding, 1)
    )
    return Conv2dShape(
        *(n, h, w, c, kh, kw, oc, oh, ow, *stride),
        *(top, bottom, left, right, *dilation, groups),
    )


def pool2d(
    x_shape: Sequence[int],
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: PaddingLike = 0,
    operation: str = "max_pool2d",
) -> Pool2dShape:
    """Return every size of a pooling, after checking them.

    The output sizes are those of `conv2d`. Padding must be smaller than the window,
    so that no window lies wholly in padding.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    kernel_size
        The window: an integer >= 1 or a pair of them (vertical, horizontal).
    stride
        As `kernel_size`; None means the size of the window.
    padding
        See `padding2d`.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When anything does not fit.
    """
    kernel = pair(kernel_size, f"{operation}: kernel_size")
    return _pool2d(
        _sizes(operation, "x", x_shape),
        kernel,
        kernel if stride is None else pair(stride, f"{operation}: stride"),
        padding2d(padding, operation),
        operation,
    )


@lru_cache(maxsize=1024)
def _pool2d(
    x_shape: Shape, kernel: Pair, stride: Pair, padding: Padding, operation: str
) -> Pool2dShape:
    n, h, w, c = _image(operation, x_shape)
    kh, kw = kernel
    oh, top, bottom = _axis(operation, "height", h, kh, 1, stride[0], _side(padding, 0))
    ow, left, right = _axis(operation, "width", w, kw, 1, stride[1], _side(padding, 1))
    if max(top, bottom) >= kh or max(left, right) >= kw:
        raise ShapeError(
            f"{operation}: padding must be smaller than the window of {kh} x {kw}, "
            f"got {((top, bottom), (left, right))}"
        )
    return Pool2dShape(
        *(n, h, w, c, kh, kw, oh, ow, *stride), *(top, bottom, left, right)
    )


def _image(operation: str, x_shape: Shape) -> Shape:
    """Check the shape of a batch of images."""
    if len(x_shape) != 4:
        hint = ""
        if len(x_shape) == 3:
            hint = (
                "; add the missing axis: x[np.newaxis] for one image, "
                "x[..., np.newaxis] for grey images without a channel axis"
            )
        raise ShapeError(
            f"{operation}: expected x of shape (n, h, w, c), got {x_shape}{hint}"
        )
    if min(x_shape[1:]) < 1:
        raise ShapeError(
            f"{operation}: expected images of at least 1 x 1 pixel and 1 channel, "
            f"got x of shape {x_shape}"
        )
    return x_shape


def _side(padding: Padding, axis: int) -> Pair | str:
    return padding if isinstance(padding, str) else padding[axis]


def _axis(
    operation: str,
    axis: str,
    size: int,
    kernel: int,
    dilation: int,
    stride: int,
    padding: Pair | str,
) -> tuple[int, int, int]:
    """Return output size, padding before and padding after along one axis."""
    window = dilation * (kernel - 1) + 1
    if padding == "same":
        output = -(-size // stride)
        total = max((output - 1) * stride + window - size, 0)
        return output, total // 2, total - total // 2
    before, after = (0, 0) if isinstance(padding, str) else padding
    padded = before + size + after
    if window > padded:
        dilated = f" (with dilation {dilation}: {window})" if dilation > 1 else ""
        raise ShapeError(
            f"{operation}: the kernel's {axis} {kernel}{dilated} is larger than the "
            f"padded input's {axis} {padded} ({before} + {size} + {after}); use a "
            "smaller kernel, more padding, or fewer pooling or strided layers before"
        )
    return (padded - window) // stride + 1, before, after


def _layout_hint(x_shape: Shape, weight_shape: Shape, groups: int) -> str:
    """Recognise arrays that come from a library with channels first."""
    channels, filters = x_shape[3], weight_shape[2] * groups
    if x_shape[1] == filters:
        return (
            "; x seems to be (n, c, h, w), fastdl stores (n, h, w, c): "
            "use x.transpose(0, 2, 3, 1)"
        )
    if weight_shape[1] * groups == channels and weight_shape[2] == weight_shape[3]:
        return (
            "; weight seems to be (oc, c, kh, kw), fastdl stores (kh, kw, c, oc): "
            "use weight.transpose(2, 3, 1, 0)"
        )
    return ""


@lru_cache(maxsize=1024)
def matmul(
    a_shape: Shape,
    b_shape: Shape,
    bias_shape: Shape | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    operation: str = "matmul",
) -> tuple[int, int, int]:
    """Return (m, k, n) of the product (m, k) x (k, n), after checking the shapes.

    Parameters
    ----------
    a_shape, b_shape
        Shapes as stored: (m, k) and (k, n), or (k, m) and (n, k) when transposed.
    bias_shape
        (n,) or None.
    transpose_a, transpose_b
        Whether the operand is transposed before the product.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When a rank or a size does not fit.
    """
    for name, shape in (("a", a_shape), ("b", b_shape)):
        if len(shape) != 2:
            hint = "; use x.reshape(len(x), -1) (Flatten)" if len(shape) > 2 else ""
            raise ShapeError(
                f"{operation}: expected {name} with 2 axes, got shape {shape}{hint}"
            )
    m, k = a_shape[::-1] if transpose_a else a_shape
    inner, n = b_shape[::-1] if transpose_b else b_shape
    if k != inner:
        of_a = " transposed" if transpose_a else ""
        of_b = " transposed" if transpose_b else ""
        hint = ""
        if k == n:
            hint = "; dense weights are stored (in, out): transpose b"
        raise ShapeError(
            f"{operation}: a of shape {a_shape}{of_a} has {k} columns, but b of shape "
            f"{b_shape}{of_b} has {inner} rows{hint}"
        )
    if bias_shape is not None and bias_shape != (n,):
        hint = ""
        if len(bias_shape) == 2 and n == bias_shape[0] * bias_shape[1]:
            hint = "; use bias.reshape(-1)"
        raise ShapeError(
            f"{operation}: expected bias of shape ({n},), got {bias_shape}{hint}"
        )
    return m, k, n


@lru_cache(maxsize=1024)
def broadcast(shape_a: Shape, shape_b: Shape, operation: str) -> Shape:
    """Return the common shape of two operands.

    Only one of the two may be stretched: (m, n) with (n,) is a bias, while (n,) with
    (n, 1) would give (n, n), which is nearly always a mistake.

    Raises
    ------
    ShapeError
        When the shapes do not fit, or neither has the shape of the result.
    """
    sizes = zip_longest(reversed(shape_a), reversed(shape_b), fillvalue=1)
    result = tuple(b if a == 1 else a for a, b in sizes)[::-1]
    fits = all(
        size in (1, full)
        for shape in (shape_a, shape_b)
        for size, full in zip(reversed(shape), reversed(result), strict=False)
    )
    if not fits:
        raise ShapeError(f"{operation}: shapes {shape_a} and {shape_b} do not fit")
    if result not in (shape_a, shape_b):
        raise ShapeError(
            f"{operation}: shapes {shape_a} and {shape_b} would both be stretched to "
            f"{result}; reshape one of them, or use broadcast_to when you mean it"
        )
    return result


def labels(labels: Any, n: int, classes: int, operation: str) -> np.ndarray:
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
        (n,) int64, or (n, classes) as it came.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        For a wrong shape, a wrong type, or a label out of range.
    """
    labels = np.asarray(labels)
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
    if labels.dtype.kind not in "iu":
        raise DtypeError(
            f"{operation}: expected integer labels, got type {labels.dtype}; convert "
            "class numbers with labels.astype(np.int64)"
        )
    if n:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            wrong = low if low < 0 else high
            hint = "; do the labels start at 1?" if (low, high) == (1, classes) else ""
            raise ArgumentError(
                f"{operation}: expected labels from 0 to {classes - 1}, "
                f"got {wrong}{hint}"
            )
    return np.asarray(labels, np.int64)
