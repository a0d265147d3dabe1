"""The operators of ONNX, computed by fastdl's operations.

ONNX has pictures as (n, c, h, w), our operations take (n, h, w, c). So a tensor comes
with the axes of ONNX that its own are; it is transposed where an operator needs it
otherwise, and no sooner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import DataError
from fastdl.typing import Shape

PICTURES = (0, 2, 3, 1)  # which axis in ONNX each of (n, h, w, c) is


class Laid(NamedTuple):
    """A tensor, and the axis in ONNX that each of its axes is."""

    tensor: Tensor
    axes: Shape

    def along(self, axes: Sequence[int]) -> Tensor:
        """Return the tensor with its axes in another order."""
        if tuple(axes) == self.axes:
            return self.tensor
        return F.transpose(self.tensor, [self.axes.index(axis) for axis in axes])

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.axes)

    @property
    def natural(self) -> Tensor:
        """The tensor with its axes as ONNX has them."""
        return self.along(range(self.rank))

    @property
    def shape(self) -> Shape:
        """The shape in ONNX."""
        return tuple(self.tensor.shape[self.axes.index(i)] for i in range(self.rank))


def laid(tensor: Tensor) -> Laid:
    """Return a tensor whose axes are as ONNX has them."""
    return Laid(tensor, tuple(range(tensor.ndim)))


Operand = Laid | np.ndarray | None
"""A tensor; integers or booleans; or nothing, where an operand is left out."""


class Operator(NamedTuple):
    """A node of the graph.

    Attributes
    ----------
    kind
        The name of the operator, such as "Conv".
    inputs, outputs
        The names of values; "" for one left out.
    attributes
        Numbers, texts and lists of them, by name.
    training
        Whether batch norms use the batch.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    training: bool = False

    def refuse(self, what: str) -> DataError:
        """Return the error for a form of the operator that we do not have."""
        return DataError(f"load_onnx: {self.kind} with {what} is not supported")


Run = Callable[..., Any]
"""Called with the operator and its operands."""

# Arguments ---------------------------------------------------------------------------


def number(operand: Operand, default: float) -> float:
    """Return the number that an operand is, or the default where it is left out."""
    if operand is None:
        return default
    return float(np.asarray(operand if isinstance(operand, np.ndarray) else operand[0]))


def integers(op: Operator, operand: Operand, name: str) -> list[int] | None:
    """Return integers that later opsets have as an input, earlier ones as attribute."""
    if operand is None:
        return op.attributes.get(name)
    if not isinstance(operand, np.ndarray):
        raise op.refuse(f"{name} that depend on the input")
    return operand.ravel().tolist()


def _tensor(operand: Operand, like: Laid) -> Laid:
    if isinstance(operand, np.ndarray):
        return laid(Tensor(operand, dtype=like.tensor.dtype))
    assert operand is not None
    return operand


# Element by element ------------------------------------------------------------------


def _of_one(function: Callable[[Tensor], Tensor]) -> Run:
    def run(op: Operator, x: Laid) -> Laid:
        return x._replace(tensor=function(x.tensor))

    return run


def _meet(a: Laid, b: Laid) -> tuple[Tensor, Tensor, Shape]:
    """Return two operands with the axes of the result, and which these are."""
    rank = max(a.rank, b.rank)
    full = [x.axes for x in (a, b) if x.rank == rank]
    axes = next((each for each in full if each != tuple(range(rank))), full[0])

    def arranged(x: Laid) -> Tensor:
        if x.rank == rank:
            return x.along(axes)
        if x.tensor.size == 1:
            return x.tensor.reshape(())
        return laid(x.natural.reshape((1,) * (rank - x.rank) + x.shape)).along(axes)

    x, y = arranged(a), arranged(b)
    shape = np.broadcast_shapes(x.shape, y.shape)
    if shape not in (x.shape, y.shape):
        x = F.broadcast_to(x, shape)
    return x, y, axes


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Run:
    def run(op: Operator, a: Operand, b: Operand) -> Laid:
        like = a if isinstance(a, Laid) else b
        assert isinstance(like, Laid)
        x, y, axes = _meet(_tensor(a, like), _tensor(b, like))
        return Laid(function(x, y), axes)

    return run


def _of_many(function: Callable[[Tensor, Tensor], Tensor]) -> Run:
    def run(op: Operator, first: Laid, *others: Laid) -> Laid:
        for other in others:
            first = _of_two(function)(op, first, other)
        return first

    return run


def _clip(op: Operator, x: Laid, low: Operand = None, high: Operand = None) -> Laid:
    limits = number(low, -math.inf), number(high, math.inf)
    if limits == (0, 6):
        return x._replace(tensor=F.relu6(x.tensor))
    return x._replace(tensor=F.clamp(x.tensor, *limits))


def _hard_sigmoid(op: Operator, x: Laid) -> Laid:
    slope, middle = op.attributes.get("alpha", 0.2), op.attributes.get("beta", 0.5)
    return x._replace(tensor=F.clamp(x.tensor * slope + middle, 0, 1))


def _gelu(op: Operator, x: Laid) -> Laid:
    if op.attributes.get("approximate", "none") != "none":
        raise op.refuse("an approximation")
    return x._replace(tensor=F.gelu(x.tensor))


def _cast(op: Operator, x: Operand) -> Operand:
    from onnx import helper

    dtype = helper.tensor_dtype_to_np_dtype(op.attributes["to"])
    if isinstance(x, np.ndarray):
        array = x.astype(dtype)
        return laid(Tensor(array)) if dtype.kind == "f" else array
    if x is None or dtype.char not in "fd":
        raise op.refuse(f"a tensor to {dtype}")
    return x._replace(tensor=x.tensor.astype(dtype))


def _where(op: Operator, condition: np.ndarray, a: Operand, b: Operand) -> Laid:
    like = a if isinstance(a, Laid) else b
    if not isinstance(condition, np.ndarray) or not isinstance(like, Laid):
        raise op.refuse("a condition that depends on the input")
    x, y, axes = _meet(_tensor(a, like), _tensor(b, like))
    rank = len(axes)
    shape = (1,) * (rank - condition.ndim) + condition.shape
    return Laid(F.where(condition.reshape(shape).transpose(axes), x, y), axes)


def _prelu(op: Operator, x: Laid, slope: Laid) -> Laid:
    if slope.tensor.size == 1:
        return x._replace(tensor=F.prelu(x.tensor, slope.tensor.reshape(1)))
    last = [x.rank - slope.rank + i for i, n in enumerate(slope.shape) if n != 1]
    if len(last) != 1:
        raise op.refuse(f"slopes of shape {slope.shape}")
    axes = (*(axis for axis in range(x.rank) if axis not in last), *last)
    return Laid(F.prelu(x.along(axes), slope.tensor.reshape(-1)), axes)


def _softmax(function: Callable[[Tensor], Tensor]) -> Run:
    def run(op: Operator, x: Laid) -> Laid:
        axis = op.attributes.get("axis", -1) % x.rank
        axes = (*(each for each in x.axes if each != axis), axis)  # it comes last
        return Laid(function(x.along(axes)), axes)

    return run


# Products ----------------------------------------------------------------------------


def _gemm(op: Operator, a: Laid, b: Laid, c: Laid | None = None) -> Laid:
    x = a.along((1, 0) if op.attributes.get("transA") else (0, 1))
    y = F.linear(x, b.along((1, 0) if op.attributes.get("transB") else (0, 1)))
    if op.attributes.get("alpha", 1.0) != 1:
        y = y * op.attributes.get("alpha")
    if c is not None:
        bias = (
            c.natural
            if op.attributes.get("beta", 1.0) == 1
            else c.natural * op.attributes.get("beta")
        )
        y = y + bias
    return laid(y)


def _matmul(op: Operator, a: Laid, b: Laid) -> Laid:
    x, y = a.natural, b.natural
    if min(x.ndim, y.ndim) < 2:
        raise op.refuse("a vector")
    if y.ndim == 2:
        return laid(F.linear(x, y))
    return laid(F.einsum("...ij,...jk->...ik", x, y))


PRODUCTS: dict[str, Run] = {"Gemm": _gemm, "MatMul": _matmul}
ELEMENTWISE: dict[str, Run] = {
    "Abs": _of_one(F.abs),
    "Add": _of_two(F.add),
    "Cast": _cast,
    "Clip": _clip,
    "Div": _of_two(F.divide),
    "Dropout": lambda op, x, *_: x,
    "Elu": lambda op, x: x._replace(
        tensor=F.elu(x.tensor, op.attributes.get("alpha", 1.0))
    ),
    "Exp": _of_one(F.exp),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _of_one(F.hard_swish),
    "Identity": lambda op, x: x,
    "LeakyRelu": lambda op, x: x._replace(
        tensor=F.leaky_relu(x.tensor, op.attributes.get("alpha", 0.01))
    ),
    "Log": _of_one(F.log),
    "LogSoftmax": _softmax(F.log_softmax),
    "Max": _of_many(F.maximum),
    "Min": _of_many(F.minimum),
    "Mul": _of_two(F.multiply),
    "Neg": _of_one(F.negative),
    "PRelu": _prelu,
    "Pow": _of_two(F.power),
    "Reciprocal": _of_one(lambda x: 1 / x),
    "Relu": _of_one(F.relu),
    "Sigmoid": _of_one(F.sigmoid),
    "Softmax": _softmax(F.softmax),
    "Softplus": _of_one(F.softplus),
    "Sqrt": _of_one(F.sqrt),
    "Sub": _of_two(F.subtract),
    "Sum": _of_many(F.add),
    "Tanh": _of_one(F.tanh),
    "Where": _where,
}
