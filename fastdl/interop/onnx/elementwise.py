"""Operations element by element, and products of matrices, as ONNX."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from fastdl.interop.onnx.graph import PICTURES, Graph, Layout, Value, common, natural
from fastdl.interop.onnx.trace import Step
from fastdl.shapes import ACTIVATIONS
from fastdl.typing import Shape

Emit = Callable[..., Value]
"""Called with the graph, the step, and the value of each operand (or None)."""


def of_step(step: Step, name: str, layout: Layout) -> Value:
    """Return the value of a step under its name in the graph."""
    return Value(name, step.shape, layout)


# Of one operand ----------------------------------------------------------------------


def _of_one(operator: str) -> Emit:
    def emit(g: Graph, step: Step, x: Value) -> Value:
        layout = common(x.rank, [x])
        return of_step(step, g.add(operator, g.arranged(x, layout)), layout)

    return emit


def _clamp(g: Graph, step: Step, x: Value) -> Value:
    layout = common(x.rank, [x])
    limits = [
        "" if math.isinf(limit) else g.number(limit, step.dtype)
        for limit in step.arguments
    ]
    return of_step(step, g.add("Clip", g.arranged(x, layout), *limits), layout)


def _astype(g: Graph, step: Step, x: Value) -> Value:
    from onnx import helper

    layout, to = common(x.rank, [x]), helper.np_dtype_to_tensor_dtype(step.dtype)
    return of_step(step, g.add("Cast", g.arranged(x, layout), to=to), layout)


def _over_last_axis(operator: str) -> Emit:
    def emit(g: Graph, step: Step, x: Value) -> Value:
        layout = common(x.rank, [x])
        axis = layout.place(x.rank - 1)
        return of_step(step, g.add(operator, g.arranged(x, layout), axis=axis), layout)

    return emit


# Activations -------------------------------------------------------------------------


def activate(
    g: Graph, x: str, kind: str | None, dtype: np.dtype, parameter: float | None = None
) -> str:
    """Add an activation of ``fastdl.shapes.ACTIVATIONS`` behind the result x."""
    if kind is None or kind == "identity":
        return x
    usual = ACTIVATIONS[kind].parameter
    if parameter is None and usual is not None:
        parameter = usual.usual

    def number(value: float) -> str:
        return g.number(value, dtype)

    if kind == "silu":
        return g.add("Mul", x, g.add("Sigmoid", x))
    if kind == "relu6":
        return g.add("Clip", x, number(0), number(6))
    if kind == "softplus" and parameter != 1:
        beta = number(parameter)  # type: ignore[arg-type]  # it has one
        return g.add("Div", g.add("Softplus", g.add("Mul", x, beta)), beta)
    if kind in ("leaky_relu", "elu"):
        operator = {"leaky_relu": "LeakyRelu", "elu": "Elu"}[kind]
        return g.add(operator, x, alpha=float(parameter))  # type: ignore[arg-type]
    return g.add(_ACTIVATIONS[kind], x)


_ACTIVATIONS = {
    "gelu": "Gelu",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "hard_swish": "HardSwish",
    "softplus": "Softplus",
}


def _activation(g: Graph, step: Step, x: Value) -> Value:
    kind, parameter = step.arguments
    layout = common(x.rank, [x])
    name = activate(g, g.arranged(x, layout), kind, step.dtype, parameter)
    return of_step(step, name, layout)


# Of two operands ---------------------------------------------------------------------


def _of_two(operator: str) -> Emit:
    def emit(g: Graph, step: Step, a: Value, b: Value) -> Value:
        layout = common(len(step.shape), (a, b))
        name = g.add(operator, g.arranged(a, layout), g.arranged(b, layout))
        return of_step(step, name, layout)

    return emit


def _where(g: Graph, step: Step, a: Value, b: Value) -> Value:
    chosen = step.fixed(step.arguments[0], step.twins[0])
    condition = Value("", chosen.shape, natural(chosen.ndim), chosen)
    layout = common(len(step.shape), (a, b))
    names = [g.arranged(each, layout) for each in (condition, a, b)]
    return of_step(step, g.add("Where", *names), layout)


# Products ----------------------------------------------------------------------------


def _matmul(g: Graph, step: Step, a: Value, b: Value) -> Value:
    name = g.add("MatMul", g.natural(a), g.natural(b))
    return of_step(step, name, natural(len(step.shape)))


def _linear(g: Graph, step: Step, x: Value, weight: Value, bias: Value | None) -> Value:
    kind, _ = step.arguments
    if x.layout == PICTURES and weight.array is not None:
        name, layout = _linear_of_pixels(g, x, weight, bias), PICTURES
    elif x.rank == 2:
        name, layout = _linear_of_rows(g, x, weight, bias, step.wanted)
    else:
        name, layout = g.add("MatMul", g.natural(x), g.natural(weight)), natural(x.rank)
        if bias is not None:
            name = g.add("Add", name, g.natural(bias))
    return of_step(step, activate(g, name, kind, step.dtype), layout)


def _linear_of_rows(
    g: Graph, x: Value, weight: Value, bias: Value | None, wanted: Shape | None
) -> tuple[str, Layout]:
    """Let the weights follow the order of the features, rather than the reverse."""
    if weight.array is None or (bias is not None and bias.array is None):
        names = [g.natural(each) for each in (x, weight, bias) if each is not None]
        return g.add("Gemm", *names), natural(2)
    order, layout = x.layout.order, Layout((0, 1), wanted)

    def reordered(array: np.ndarray) -> np.ndarray:
        array = array if order is None else array.take(order, 0)
        return array if wanted is None else array.take(wanted, 1)

    names = [g.arranged(x, x.layout), g.stored(weight, (order, wanted), reordered)]
    if bias is not None:
        names.append(g.arranged(bias, Layout((0,), wanted)))
    return g.add("Gemm", *names), layout


def _linear_of_pixels(g: Graph, x: Value, weight: Value, bias: Value | None) -> str:
    """Add the convolution with filters of a pixel that it is."""
    names = [
        g.arranged(x, PICTURES),
        g.stored(weight, "filters", lambda w: w.T[:, :, np.newaxis, np.newaxis]),
    ]
    if bias is not None:
        names.append(g.natural(bias))
    return g.add("Conv", *names)


ELEMENTWISE: dict[str, Emit] = {
    "abs": _of_one("Abs"),
    "activation": _activation,
    "add": _of_two("Add"),
    "astype": _astype,
    "clamp": _clamp,
    "divide": _of_two("Div"),
    "exp": _of_one("Exp"),
    "linear": _linear,
    "log": _of_one("Log"),
    "log_softmax": _over_last_axis("LogSoftmax"),
    "matmul": _matmul,
    "maximum": _of_two("Max"),
    "minimum": _of_two("Min"),
    "multiply": _of_two("Mul"),
    "negative": _of_one("Neg"),
    "power": _of_two("Pow"),
    "prelu": _of_two("PRelu"),
    "scale": _of_two("Mul"),
    "softmax": _over_last_axis("Softmax"),
    "sqrt": _of_one("Sqrt"),
    "subtract": _of_two("Sub"),
    "where": _where,
}
