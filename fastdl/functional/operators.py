"""The operators and methods of `Tensor`: each is a function of this package.

The in-place operators (``+=``, ``-=``, ``*=``, ``/=`` and ``t[key] = value``) write
into ``data`` and tell the tape. They are meant for where nothing is recorded:

- inside `no_grad`, and where no operand needs a gradient, they work in place;
- elsewhere a leaf that needs a gradient refuses them, because the tape would miss them;
- any other ``a += b`` that must be recorded means ``a = a + b``.

Comparisons have no gradient; they return plain arrays of bool.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import numpy as np

from fastdl import exports
from fastdl.autograd import Leaf, Tensor, is_recording
from fastdl.autograd import from_dlpack as from_dlpack
from fastdl.errors import ArgumentError, GraphError
from fastdl.functional import (
    elementwise,
    indexing,
    joining,
    norm,
    reduction,
    shaping,
    unary,
)
from fastdl.functional.elementwise import as_operand, operands
from fastdl.functional.indexing import Key
from fastdl.functional.matmul import matmul
from fastdl.shapes import check_shape
from fastdl.typing import TensorLike


def _reflected(
    function: Callable[[TensorLike, TensorLike], Tensor],
) -> Callable[..., Tensor]:
    """Return the method for ``other <operator> tensor``."""

    def method(self: Tensor, other: TensorLike) -> Tensor:
        return function(other, self)

    return method


def _compared(compare: Callable[[Any, Any], Any]) -> Callable[..., np.ndarray]:
    def method(self: Tensor, other: TensorLike) -> np.ndarray:
        a, b, *_ = operands(self, other, compare.__name__)
        return compare(a.data, b.data)

    return method


def _refuse(change: str) -> NoReturn:
    raise GraphError(
        f"{change}: a tensor that needs a gradient cannot be changed in place, for the "
        "tape would miss it; do it inside `with fastdl.no_grad():`"
    )


def _in_place(function: Callable[..., Tensor], sign: str) -> Callable[..., Tensor]:
    """Return the method for ``tensor <operator>= other``."""

    def method(self: Tensor, other: TensorLike) -> Tensor:
        if is_recording() and isinstance(self._node, Leaf):
            _refuse(sign)
        result = function(self, other)
        if result._node is not None:
            return result
        check_shape(sign, "a result", result.data.shape, self.data.shape)
        self.data[...] = result.data
        self.mark_changed()
        return self

    return method


def _set_item(self: Tensor, key: Key, value: TensorLike) -> None:
    value = as_operand(value, self) if not isinstance(value, Tensor) else value
    if is_recording() and (self._node or value._node):
        _refuse("tensor[key] = value")
    self.data[key] = value.data  # type: ignore[index]  # as in `indexing.index`
    self.mark_changed()


def _of_axis_by_name(choose: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Refuse ``x.max(1)[1]``: in PyTorch places, here the largest number of row 1."""
    name = choose.__name__

    @wraps(choose)
    def method(self: Tensor, *positional: Any, **options: Any) -> Tensor:
        if positional:
            raise ArgumentError(
                f"{name}: name the axis: {name}(axis={positional[0]!r:.20}) gives "
                f"values only, arg{name} their places"
            )
        return choose(self, **options)

    return method


METHODS: dict[str, Any] = {
    "__add__": elementwise.add,
    "__radd__": _reflected(elementwise.add),
    "__iadd__": _in_place(elementwise.add, "+="),
    "__sub__": elementwise.subtract,
    "__rsub__": _reflected(elementwise.subtract),
    "__isub__": _in_place(elementwise.subtract, "-="),
    "__mul__": elementwise.multiply,
    "__rmul__": _reflected(elementwise.multiply),
    "__imul__": _in_place(elementwise.multiply, "*="),
    "__truediv__": elementwise.divide,
    "__rtruediv__": _reflected(elementwise.divide),
    "__itruediv__": _in_place(elementwise.divide, "/="),
    "__pow__": elementwise.power,
    "__rpow__": _reflected(elementwise.power),
    "__matmul__": matmul,
    "__rmatmul__": _reflected(matmul),
    "__neg__": unary.negative,
    "__abs__": unary.abs,
    "abs": unary.abs,
    "astype": unary.astype,
    "clamp": unary.clamp,
    "exp": unary.exp,
    "log": unary.log,
    "sqrt": unary.sqrt,
    "argmax": reduction.argmax,
    "argmin": reduction.argmin,
    "cumsum": reduction.cumsum,
    "logsumexp": norm.logsumexp,
    "max": _of_axis_by_name(reduction.max),
    "mean": reduction.mean,
    "min": _of_axis_by_name(reduction.min),
    "norm": norm.norm,
    "prod": reduction.prod,
    "std": norm.std,
    "sum": reduction.sum,
    "var": norm.var,
    "expand_dims": shaping.expand_dims,
    "flatten": shaping.flatten,
    "flip": shaping.flip,
    "reshape": shaping.reshape,
    "squeeze": shaping.squeeze,
    "transpose": shaping.transpose,
    "unsqueeze": shaping.unsqueeze,
    "view": shaping.reshape,
    "T": property(shaping.transpose, doc="The tensor with its axes reversed."),
    "split": joining.split,
    "take_along_axis": indexing.take_along_axis,
    "__getitem__": indexing.index,
    "__setitem__": _set_item,
    "__lt__": _compared(operator.lt),
    "__le__": _compared(operator.le),
    "__gt__": _compared(operator.gt),
    "__ge__": _compared(operator.ge),
    "__eq__": _compared(operator.eq),
    "__ne__": _compared(operator.ne),
}


def complete() -> None:
    """Put the operators and methods into `Tensor`."""
    for name, method in METHODS.items():
        setattr(Tensor, name, method)
    exports.translate(Tensor)
