"""Operations that move elements, and sums and the like along axes, as ONNX."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastdl.errors import GraphError
from fastdl.interop.onnx.elementwise import Emit, of_step
from fastdl.interop.onnx.graph import (
    PICTURES,
    Graph,
    Layout,
    Value,
    common,
    natural,
    rows_of,
)
from fastdl.interop.onnx.trace import Step
from fastdl.typing import Shape

_FIRST, _LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max

# Shapes ------------------------------------------------------------------------------


def _reshape(g: Graph, step: Step, x: Value) -> Value:
    shape = step.shape
    keeps_examples = x.shape[:1] == shape[:1] and (
        -1 not in x.shape[1:] and math.prod(x.shape[1:]) == math.prod(shape[1:])
    )
    if keeps_examples and x.array is None:
        if x.layout == PICTURES and len(shape) == 2:
            return of_step(step, g.add("Flatten", x.name), rows_of(x.shape[1:]))
        if x.rank == 2 and len(shape) == 4 and x.layout == rows_of(shape[1:]):
            _, h, w, c = shape
            return of_step(step, g.reshaped(x.name, (-1, c, h, w)), PICTURES)
    return of_step(step, _in_shape(g, step, g.natural(x)), natural(len(shape)))


def _in_shape(g: Graph, step: Step, x: str) -> str:
    """Add the reshape of a value in our order to the shape of the step."""
    if step.shape.count(-1) > 1:
        raise GraphError(
            f"export_onnx: {step.operation}: two sizes of {step.sizes} depend on the "
            f"size of the batch"
        )
    return g.reshaped(x, step.shape)


def _transpose(g: Graph, step: Step, x: Value) -> Value:
    """Say where our axes are now; nothing needs to move."""
    (inverse,) = step.arguments
    inverse = inverse or range(x.rank)[::-1]
    name = g.natural(x) if x.array is not None or x.layout.order else x.name
    axes = range(x.rank) if name != x.name else x.layout.axes
    return of_step(step, name, Layout(tuple(inverse[axis] for axis in axes)))


def _flip(g: Graph, step: Step, x: Value) -> Value:
    (axes,) = step.arguments
    name, layout = _in_order_along(g, x, axes)
    return of_step(step, g.reversed(name, map(layout.place, axes)), layout)


def _in_order_along(g: Graph, x: Value, axes: Iterable[int]) -> tuple[str, Layout]:
    """Return a value whose features are in our order if one of the axes has them."""
    layout = common(x.rank, [x])
    if x.rank - 1 in axes:
        layout = Layout(layout.axes)
    return g.arranged(x, layout), layout


def _broadcast_to(g: Graph, step: Step, x: Value) -> Value:
    rank = len(step.shape)
    inside = (1,) * (rank - x.rank) + x.shape
    sizes = []
    for axis, (old, new) in enumerate(zip(inside, step.shape, strict=True)):
        if new == -1 and old != -1 and step.sizes[axis] != 2:
            raise GraphError(
                "export_onnx: broadcast_to: a size is made of that of the batch"
            )
        is_new = new == -1 and old != -1
        sizes.append(g.batch_size() if is_new else g.integers(1 if new == -1 else new))
    target = g.add("Concat", *sizes, axis=0) if len(sizes) > 1 else sizes[0]
    return of_step(step, g.add("Expand", g.natural(x), target), natural(rank))


def _pad(g: Graph, step: Step, x: Value) -> Value:
    inside, value = step.arguments
    widths = [
        (part.start, size - part.stop)
        for part, size in zip(inside, step.sizes, strict=True)
    ]
    padded = [axis for axis, width in enumerate(widths) if any(width)]
    name, layout = _in_order_along(g, x, padded)
    pads = [widths[axis][side] for side in (0, 1) for axis in layout.axes]
    name = g.add("Pad", name, g.integers(*pads), g.number(value, step.dtype))
    return of_step(step, name, layout)


def _concatenate(g: Graph, step: Step, *parts: Value) -> Value:
    axis = step.arguments[0] % len(step.shape)
    layout = common(len(step.shape), parts)
    if len(step.shape) == 2 and axis == 1:  # of each part in the order it has
        layout = _joined([part.layout for part in parts], [p.shape[1] for p in parts])
        names = [g.arranged(part, part.layout) for part in parts]
    else:
        names = [g.arranged(part, layout) for part in parts]
    return of_step(step, g.add("Concat", *names, axis=layout.place(axis)), layout)


def _joined(layouts: list[Layout], sizes: list[int]) -> Layout:
    if all(layout == natural(2) for layout in layouts):
        return natural(2)
    orders, before = [], 0
    for layout, size in zip(layouts, sizes, strict=True):
        order = np.arange(size) if layout.order is None else np.array(layout.order)
        orders.append(before + order)
        before += size
    return Layout((0, 1), tuple(np.concatenate(orders).tolist()))


# Indices -----------------------------------------------------------------------------


def _index(g: Graph, step: Step, x: Value) -> Value:
    first, second = (_one_key_an_axis(*each) for each in (step.arguments, step.twins))
    keys = [step.fixed(*pair) for pair in zip(first, second, strict=True)]
    old = [key for key in keys if key is not None]
    cut = {a: key for a, key in enumerate(old) if key != slice(None)}
    picked = {a: cut.pop(a) for a in list(cut) if not isinstance(cut[a], slice)}
    is_list = any(np.ndim(key) for key in picked.values())
    if is_list and len(picked) + keys.count(None) > 1:
        raise _unknown_index()
    name, layout = _in_order_along(g, x, {*cut, *picked})
    if is_list or None in keys:
        name, layout = g.natural(x), natural(x.rank)
    if cut:
        name = _cut(g, name, {layout.place(axis): key for axis, key in cut.items()})
    for axis in sorted(picked, reverse=True):
        place, key = layout.place(axis), np.asarray(picked[axis], np.int64)
        name = g.add("Gather", name, g.constant(key), axis=place)
        layout = layout if key.ndim else layout.without((axis,))
    if None in keys:
        left = [key for key in keys if not isinstance(key, int)]
        new = [axis for axis, key in enumerate(left) if key is None]
        name = g.add("Unsqueeze", name, g.integers(*new))
    if layout.axes == tuple(range(len(layout.axes))):
        layout = Layout(tuple(range(len(step.shape))), layout.order)
    return of_step(step, name, layout)


def _one_key_an_axis(key: Any, shape: Shape) -> list[Any]:
    """Return a slice, an integer or a list of them for each axis, None for a new one.

    A slice that takes all is ``slice(None)``, whatever it looked like.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    if not any(each is Ellipsis for each in keys):
        keys.append(Ellipsis)
    place = next(i for i, each in enumerate(keys) if each is Ellipsis)
    missing = len(shape) - sum(each is not None for each in keys) + 1
    keys[place : place + 1] = [slice(None)] * missing
    sizes = iter(shape)
    return [each if each is None else _plain(each, next(sizes)) for each in keys]


def _plain(key: Any, size: int) -> Any:
    if isinstance(key, slice):
        return slice(None) if key.indices(size) == (0, size, 1) else key
    array = np.asarray(key)
    if array.dtype.kind == "b" and array.ndim == 1:
        array = np.flatnonzero(array)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise _unknown_index()
    return array.tolist()


def _unknown_index() -> GraphError:
    return GraphError(
        "export_onnx: index: a graph can take slices, integers, and one list of "
        "integers; use several steps, or a product with a mask"
    )


def _cut(g: Graph, x: str, slices: dict[int, slice]) -> str:
    """Add slices, by their places in ONNX."""
    starts, ends, steps = [], [], []
    for each in slices.values():
        step = 1 if each.step is None else each.step
        first, end = (0, _LAST) if step > 0 else (_LAST, _FIRST)
        starts.append(first if each.start is None else each.start)
        ends.append(end if each.stop is None else each.stop)
        steps.append(step)
    return g.add(
        "Slice", x, *(g.integers(*each) for each in (starts, ends, slices, steps))
    )


# Along axes --------------------------------------------------------------------------


def _reduced(g: Graph, step: Step, operator: str, x: Value, kept: Shape) -> Value:
    """Add an operator over the axes that are 1 in `kept`.

    Where an axis had the size 1 before, nothing is lost by taking it too.
    """
    axes = tuple(axis for axis, size in enumerate(kept) if size == 1)
    layout = common(x.rank, [x])
    if layout.order is not None and x.rank - 1 not in axes:
        layout = natural(x.rank)
    name = g.arranged(x, layout)
    if not axes:
        return of_step(step, name, layout)
    dropped = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    keeps = dropped != step.shape
    places = g.integers(*map(layout.place, axes))
    name = g.add(operator, name, places, keepdims=int(keeps))
    layout = Layout(layout.axes) if keeps else layout.without(axes)
    if len(step.shape) != len(layout.axes):  # some of the axes of size 1 have gone
        kept_shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
        name = g.natural(Value(name, kept_shape, layout))
        return of_step(step, _in_shape(g, step, name), natural(len(step.shape)))
    return of_step(step, name, layout)


def _sum(g: Graph, step: Step, x: Value) -> Value:
    kept, _, factor = step.arguments
    return _reduced(g, step, "ReduceSum" if factor == 1 else "ReduceMean", x, kept)


def _extreme(g: Graph, step: Step, x: Value) -> Value:
    kept, ufunc = step.arguments
    operator = "ReduceMax" if ufunc is np.maximum else "ReduceMin"
    return _reduced(g, step, operator, x, kept)


def _prod(g: Graph, step: Step, x: Value) -> Value:
    (axes,) = step.arguments
    kept = tuple(1 if axis in axes else 0 for axis in range(x.rank))
    return _reduced(g, step, "ReduceProd", x, kept)


def _logsumexp(g: Graph, step: Step, x: Value) -> Value:
    _, total = step.arguments
    return _reduced(g, step, "ReduceLogSumExp", x, total.shape)


def _norm(g: Graph, step: Step, x: Value) -> Value:
    p, kept = step.arguments
    if p in (1, 2) and 1 in kept:
        return _reduced(g, step, f"ReduceL{p:.0f}", x, kept)
    layout = common(x.rank, [x])
    sizes = Value(g.add("Abs", g.arranged(x, layout)), x.shape, layout)
    if p == math.inf:
        return _reduced(g, step, "ReduceMax", sizes, kept)
    power = g.add("Pow", sizes.name, g.number(p, step.dtype))
    total = _reduced(g, step, "ReduceSum", Value(power, x.shape, layout), kept)
    root = g.add("Pow", total.name, g.number(1 / p, step.dtype))
    return of_step(step, root, total.layout)


def _var(g: Graph, step: Step, x: Value) -> Value:
    _, _, kept, correction = step.arguments
    axes = [axis for axis, size in enumerate(kept) if size == 1]
    sizes = [x.shape[axis] for axis in axes]
    if correction and -1 in sizes:
        raise GraphError(
            f"export_onnx: {step.operation}: over the examples of a batch only "
            f"correction=0 can be exported"
        )
    layout = common(x.rank, [x])
    name = g.arranged(x, layout)
    mean = g.add("ReduceMean", name, g.integers(*map(layout.place, axes)))
    centred = g.add("Sub", name, mean)
    squares = Value(g.add("Mul", centred, centred), x.shape, layout)
    if not correction:
        return _reduced(g, step, "ReduceMean", squares, kept)
    total = _reduced(g, step, "ReduceSum", squares, kept)
    divisor = g.number(math.prod(sizes) - correction, step.dtype)
    return of_step(step, g.add("Div", total.name, divisor), total.layout)


def _std(g: Graph, step: Step, x: Value) -> Value:
    variance = _var(g, step, x)
    return of_step(step, g.add("Sqrt", variance.name), variance.layout)


def _cumsum(g: Graph, step: Step, x: Value) -> Value:
    (axis,) = step.arguments
    name, layout = _in_order_along(g, x, (axis,))
    place = g.constant(np.array(layout.place(axis), np.int64))
    return of_step(step, g.add("CumSum", name, place), layout)


SHAPING: dict[str, Emit] = {
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "cumsum": _cumsum,
    "extreme": _extreme,
    "flip": _flip,
    "index": _index,
    "logsumexp": _logsumexp,
    "norm": _norm,
    "pad": _pad,
    "prod": _prod,
    "reshape": _reshape,
    "std": _std,
    "sum": _sum,
    "transpose": _transpose,
    "var": _var,
}
