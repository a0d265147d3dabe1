"""Operators of ONNX that move elements or take sums, computed by fastdl's operations.

Those on integers alone, with which files compute shapes, are NumPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.interop.onnx.run import Laid, Operand, Operator, Run, integers, laid, number
from fastdl.typing import Shape


def _positive(axes: list[int], rank: int) -> tuple[int, ...]:
    return tuple(axis % rank for axis in axes)


# Shapes ------------------------------------------------------------------------------


def _shape(op: Operator, x: Operand) -> np.ndarray:
    assert x is not None
    return np.array(
        x.shape[slice(op.attributes.get("start", 0), op.attributes.get("end"))],
        np.int64,
    )


def _reshape(op: Operator, x: Laid, target: Operand) -> Laid:
    sizes = integers(op, target, "shape")
    assert sizes is not None
    if not op.attributes.get("allowzero"):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return laid(F.reshape(x.natural, sizes))


def _flatten(op: Operator, x: Laid) -> Laid:
    axis = op.attributes.get("axis", 1)
    rows = math.prod(x.shape[:axis])
    return laid(F.reshape(x.natural, rows, math.prod(x.shape[axis:])))


def _transpose(op: Operator, x: Laid) -> Laid:
    """Say which axes these are now; nothing needs to move."""
    order = op.attributes.get("perm") or list(range(x.rank))[::-1]
    return x._replace(axes=tuple(order.index(axis) for axis in x.axes))


def _squeeze(op: Operator, x: Laid, axes: Operand = None) -> Laid:
    gone = integers(op, axes, "axes")
    if gone is None:
        return laid(F.squeeze(x.natural))
    return laid(F.squeeze(x.natural, _positive(gone, x.rank)))


def _unsqueeze(op: Operator, x: Laid, axes: Operand = None) -> Laid:
    return laid(F.expand_dims(x.natural, integers(op, axes, "axes") or ()))


def _expand(op: Operator, x: Laid, target: Operand) -> Laid:
    sizes = integers(op, target, "shape")
    shape = np.broadcast_shapes(x.shape, tuple(sizes or ()))
    return laid(F.broadcast_to(x.natural, shape))


def _concat(op: Operator, *parts: Laid) -> Laid:
    axes = parts[0].axes
    place = axes.index(op.attributes["axis"] % len(axes))
    return Laid(F.concatenate([part.along(axes) for part in parts], place), axes)


def _split(op: Operator, x: Laid, sizes: Operand = None) -> tuple[Laid, ...]:
    place = x.axes.index(op.attributes.get("axis", 0) % x.rank)
    whole, listed = x.tensor.shape[place], integers(op, sizes, "split")
    parts: Any = listed or -(-whole // len(op.outputs))
    return tuple(Laid(part, x.axes) for part in F.split(x.tensor, parts, place))


def _pad(
    op: Operator, x: Laid, pads: Operand, value: Operand = None, axes: Operand = None
) -> Laid:
    if op.attributes.get("mode", "constant") != "constant":
        raise op.refuse(f"mode={op.attributes.get('mode')}")
    widths = integers(op, pads, "pads") or []
    padded = _positive(integers(op, axes, "axes") or list(range(x.rank)), x.rank)
    sides = dict(
        zip(
            padded,
            zip(widths[: len(padded)], widths[len(padded) :], strict=True),
            strict=True,
        )
    )
    each = [sides.get(axis, (0, 0)) for axis in x.axes]
    return x._replace(tensor=F.pad(x.tensor, each, number(value, 0.0)))


# Elements ----------------------------------------------------------------------------


def _slice(op: Operator, x: Laid, *operands: Operand) -> Laid:
    return x._replace(tensor=x.tensor[_keys(op, x, *operands)])


def _keys(
    op: Operator,
    x: Laid,
    starts: Operand,
    ends: Operand,
    axes: Operand = None,
    steps: Operand = None,
) -> tuple[slice, ...]:
    first, end = integers(op, starts, "starts") or [], integers(op, ends, "ends") or []
    where = _positive(integers(op, axes, "axes") or list(range(len(first))), x.rank)
    by = integers(op, steps, "steps") or [1] * len(first)
    keys = {}
    for axis, a, b, step in zip(where, first, end, by, strict=True):
        # Backwards, an end before the first element cannot be written as a number.
        size = x.shape[axis]
        keys[axis] = slice(a, None if step < 0 and b < -size else b, step)
    return tuple(keys.get(axis, slice(None)) for axis in x.axes)


def _gather(op: Operator, x: Laid, places: Operand) -> Laid:
    if not isinstance(places, np.ndarray):
        raise op.refuse("indices that depend on the input")
    axis = op.attributes.get("axis", 0) % x.rank
    return laid(x.natural[(*(slice(None),) * axis, places)])


# Along axes --------------------------------------------------------------------------


def _reduce(function: Callable[..., Tensor]) -> Run:
    def run(op: Operator, x: Laid, axes: Operand = None) -> Laid:
        listed = integers(op, axes, "axes")
        if not listed:
            if op.attributes.get("noop_with_empty_axes"):
                return x
            listed = list(range(x.rank))
        reduced = _positive(listed, x.rank)
        places = tuple(i for i, axis in enumerate(x.axes) if axis in reduced)
        if op.attributes.get("keepdims", 1):
            return x._replace(tensor=function(x.tensor, axis=places, keepdims=True))
        left = [axis for axis in x.axes if axis not in reduced]
        order = sorted(left)
        y = function(x.tensor, axis=places, keepdims=False)
        return Laid(y, tuple(order.index(axis) for axis in left))

    return run


def _norm(p: float) -> Callable[..., Tensor]:
    return lambda x, axis, keepdims: F.norm(x, p, axis, keepdims)


def _cumsum(op: Operator, x: Laid, axis: Operand) -> Laid:
    if op.attributes.get("exclusive") or op.attributes.get("reverse"):
        raise op.refuse("exclusive or reverse")
    place = x.axes.index(int(number(axis, 0)) % x.rank)
    return x._replace(tensor=F.cumsum(x.tensor, place))


SHAPING: dict[str, Run] = {
    "Concat": _concat,
    "CumSum": _cumsum,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Pad": _pad,
    "ReduceL1": _reduce(_norm(1)),
    "ReduceL2": _reduce(_norm(2)),
    "ReduceLogSumExp": _reduce(F.logsumexp),
    "ReduceMax": _reduce(F.max),
    "ReduceMean": _reduce(F.mean),
    "ReduceMin": _reduce(F.min),
    "ReduceProd": _reduce(F.prod),
    "ReduceSum": _reduce(F.sum),
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}

# Of integers -------------------------------------------------------------------------


def _quotient(op: Operator, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.trunc(a / b).astype(a.dtype)


def _listed(op: Operator, axes: np.ndarray | None) -> Shape | None:
    found = integers(op, axes, "axes")
    return None if found is None else tuple(found)


def _of_slices(op: Operator, x: np.ndarray, *operands: Operand) -> np.ndarray:
    return x[_keys(op, laid(Tensor(x)), *operands)]


ON_INTEGERS: dict[str, Run] = {
    "Add": lambda op, a, b: a + b,
    "Concat": lambda op, *parts: np.concatenate(parts, op.attributes.get("axis")),
    "Div": _quotient,
    "Gather": lambda op, x, places: np.asarray(
        x.take(places, op.attributes.get("axis", 0))
    ),
    "Mul": lambda op, a, b: a * b,
    "Reshape": lambda op, x, shape: x.reshape(shape),
    "Slice": _of_slices,
    "Squeeze": lambda op, x, axes=None: np.squeeze(x, _listed(op, axes)),
    "Sub": lambda op, a, b: a - b,
    "Unsqueeze": lambda op, x, axes=None: np.expand_dims(x, _listed(op, axes) or ()),
}
