"""Functions of one operand, element by element."""

from __future__ import annotations

import math

import numpy as np

from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError
from fastdl.functional.elementwise import empty_like
from fastdl.shapes.numbers import is_number
from fastdl.typing import DtypeLike, TensorLike


def _negative_backward(node: Node, dy: np.ndarray) -> tuple:
    return (np.negative(dy, empty_like(dy)),)


def negative(x: TensorLike) -> Tensor:
    """Return -x."""
    x = as_tensor(x)
    y = np.negative(x.data, empty_like(x.data))
    return record(y, _negative_backward, (x._node,))


def _exp_backward(node: Node, dy: np.ndarray) -> tuple:
    return (np.multiply(dy, node.result, empty_like(dy)),)


def exp(x: TensorLike) -> Tensor:
    """Return e ** x."""
    x = as_tensor(x)
    y = np.exp(x.data, empty_like(x.data))
    return record(y, _exp_backward, (x._node,), saves_result=True)


def _log_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _ = node.saved
    return (np.divide(dy, x, empty_like(dy)),)


def log(x: TensorLike) -> Tensor:
    """Return the natural logarithm of x."""
    x = as_tensor(x)
    y = np.log(x.data, empty_like(x.data))
    return record(y, _log_backward, (x._node,), (x.data, x._changed))


def _sqrt_backward(node: Node, dy: np.ndarray) -> tuple:
    dx = np.divide(dy, node.result, empty_like(dy))
    dx *= 0.5
    return (dx,)


def sqrt(x: TensorLike) -> Tensor:
    """Return the square root of x; its gradient at 0 is infinite."""
    x = as_tensor(x)
    y = np.sqrt(x.data, empty_like(x.data))
    return record(y, _sqrt_backward, (x._node,), saves_result=True)


def _abs_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _ = node.saved
    dx = np.sign(x, empty_like(dy))
    dx *= dy
    return (dx,)


def abs(x: TensorLike) -> Tensor:
    """Return the absolute value of x; its gradient at 0 is 0."""
    x = as_tensor(x)
    y = np.absolute(x.data, empty_like(x.data))
    return record(y, _abs_backward, (x._node,), (x.data, x._changed))


def _astype_backward(node: Node, dy: np.ndarray) -> tuple:
    (dtype,) = node.arguments
    return (dy.astype(dtype),)


def astype(x: TensorLike, dtype: DtypeLike) -> Tensor:
    """Convert to float32 or float64; the gradient comes back in the type of `x`."""
    x = as_tensor(x)
    y = Tensor(x.data, dtype=dtype)
    if y.data is x.data:
        return x
    return record(y.data, _astype_backward, (x._node,), (), (x.data.dtype,))


def _clamp_backward(node: Node, dy: np.ndarray) -> tuple:
    (x, _), (low, high) = node.saved, node.arguments
    return (np.multiply(dy, (low <= x) & (x <= high), empty_like(dy)),)


def clamp(x: TensorLike, min: float | None = None, max: float | None = None) -> Tensor:
    """Limit the elements to [min, max].

    Parameters
    ----------
    x : Tensor or array_like
        Any shape; NaN stays NaN.
    min, max : float, optional
        The limits; None is no limit, but one of them must be given. For limits that
        are arrays there are `maximum` and `minimum`.

    Returns
    -------
    Tensor
        The shape of `x`. The gradient passes where min <= x <= max.

    Raises
    ------
    ArgumentError
        There is no limit, one is no number, or min is above max.
    """
    x = as_tensor(x)
    if min is None and max is None:
        raise ArgumentError("clamp: expected a limit, min or max or both, got none")
    low, high = -np.inf if min is None else min, np.inf if max is None else max
    for name, limit in (("min", low), ("max", high)):
        if not is_number(limit) or math.isnan(limit):
            raise ArgumentError(
                f"clamp: expected {name} as one number, not NaN, got {limit!r:.60}; "
                f"F.maximum and F.minimum take arrays"
            )
    if low > high:
        raise ArgumentError(f"clamp: expected min <= max, got min={min}, max={max}")
    y = np.clip(x.data, low, high, out=empty_like(x.data))
    return record(y, _clamp_backward, (x._node,), (x.data, x._changed), (low, high))
