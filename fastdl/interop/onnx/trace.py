"""What a forward pass computes, as a list of steps.

It is run twice, on random batches of two sizes. A size that is not the same depends on
the batch, and is left open in the exported graph. A constant that is not the same was
computed from the input behind the tape's back, and cannot be exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from fastdl.autograd import Leaf, Node, Tensor, tracing
from fastdl.errors import GraphError
from fastdl.nn import Module, Parameter
from fastdl.nn.module import run
from fastdl.structure import Structure, leaves, map_shapes, tree_map
from fastdl.typing import Shape

T = TypeVar("T")

CONSTANT, INPUT = "constant", "input"  # no operations: where values come from

_BATCHES = (2, 3)
# Which operands may be left out, by operation.
_OPTIONAL = {
    "linear": (2,),
    "conv2d": (2,),
    "conv_transpose2d": (2,),
    "batch_norm": (3,),
    "batch_norm_inference": (3,),
}


@dataclass(frozen=True)
class Step:
    """One value of a forward pass, and how it is computed.

    Attributes
    ----------
    operation
        The name of an operation, or `CONSTANT` or `INPUT`.
    inputs
        The numbers of the steps that make its operands; None for one left out.
    arguments, twins
        `Node.arguments` in the first and in the second pass.
    shape
        Of the value, with -1 for each size that depends on the batch.
    sizes
        The shape in the first pass.
    dtype
        The type of the value.
    array, name
        Of a constant: its values, or None if they are not the same in both passes; and
        the name of the parameter that it is.
    wanted
        Of rows that become pictures: the order in which ONNX needs the features.
    """

    operation: str
    inputs: tuple[int | None, ...]
    arguments: tuple
    twins: tuple
    shape: Shape
    sizes: Shape
    dtype: np.dtype
    array: np.ndarray | None = None
    name: str = ""
    wanted: Shape | None = None

    def fixed(self, argument: T, twin: T) -> T:
        """Return an argument; GraphError if its twin shows that it is not fixed."""
        if not _equal(argument, twin):
            raise GraphError(
                f"export_onnx: {self.operation}: an argument depends on the input or "
                f"on the size of the batch, which a graph cannot say"
            )
        return argument


@dataclass(frozen=True)
class Program:
    """The steps of a forward pass in order, and the numbers of its inputs and outputs.

    `outputs` is a number, or a tuple or dict of them, as the model returns tensors.
    """

    steps: list[Step]
    inputs: list[int]
    outputs: Structure


def traced(model: Module, input_shape: Structure) -> Program:
    """Return what a built model computes in evaluation from examples of one shape.

    Raises
    ------
    GraphError
        It depends on values, or on the size of the batch, in a way that the tape does
        not see; or on a tensor that is not in the model.
    """
    names = {id(p.data): name for name, p in model.named_parameters()}
    with model.mode(training=False):
        first, second = (_Pass(model, input_shape, batch) for batch in _BATCHES)
        if [first.outline(n) for n in first.nodes] != [
            second.outline(n) for n in second.nodes
        ]:
            raise GraphError(
                "export_onnx: forward computes something else for 3 examples than for "
                "2; it must not depend on values, or on the size of the batch"
            )
        pairs = zip(first.nodes, second.nodes, strict=True)
        steps = [_step(first, a, second, b, names) for a, b in pairs]
    return Program(steps, first.inputs, first.outputs)


@contextmanager
def _with_nodes(model: Module) -> Iterator[None]:
    """Give a node to all tensors of a model, so that each use of them is noted."""
    found = {id(t): t for m in model.modules() for t in _tensors(vars(m))}
    before = [(tensor, tensor._node) for tensor in found.values()]
    try:
        for tensor in found.values():
            is_parameter = isinstance(tensor, Parameter)
            tensor._node = Leaf(tensor) if is_parameter else Tensor(tensor.data)._node
        yield
    finally:
        for tensor, node in before:
            tensor._node = node


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


class _Pass:
    """One forward pass on a random batch: what it noted, with the nodes numbered."""

    def __init__(self, model: Module, input_shape: Structure, batch: int) -> None:
        rng, dtype = np.random.default_rng(0), model._dtype()

        def example(shape: Shape) -> Tensor:
            return Tensor(rng.random((batch, *shape)), dtype=dtype)

        with tracing() as self._trace, _with_nodes(model), np.errstate(all="ignore"):
            x = map_shapes(example, input_shape)
            y = run(model, x)
        self._numbers: dict[Node | Leaf, int] = {}
        for node in self._trace:
            for source in node.inputs:
                if isinstance(source, Leaf):  # counted when it is first used
                    self._number(source)
            self._number(node)
        self.inputs = [self._number(tensor._node) for tensor in leaves(x)]
        self.outputs = tree_map(lambda tensor: self._number(tensor._node), y)

    def _number(self, node: Node | Leaf | None) -> int:
        if node is None or (isinstance(node, Node) and node not in self._trace):
            raise GraphError(
                "export_onnx: forward uses a tensor that is neither computed from the "
                "input nor an attribute of the model; make it an nn.Parameter, or an "
                "array kept by register_buffer"
            )
        return self._numbers.setdefault(node, len(self._numbers))

    @property
    def nodes(self) -> list[Node | Leaf]:
        """All nodes, operands before results."""
        return list(self._numbers)

    def operation(self, node: Node | Leaf) -> str:
        if isinstance(node, Node) and node.backward is not None:
            return node.operation
        return INPUT if self._numbers[node] in self.inputs else CONSTANT

    def sources(self, node: Node | Leaf) -> tuple[int | None, ...]:
        """Return the numbers of the operands."""
        if isinstance(node, Leaf):
            return ()
        optional = _OPTIONAL.get(node.operation, ())
        return tuple(
            None if source is None and place in optional else self._number(source)
            for place, source in enumerate(node.inputs)
        )

    def outline(self, node: Node | Leaf) -> tuple[str, tuple[int | None, ...]]:
        """Return what must be the same for batches of all sizes."""
        return self.operation(node), self.sources(node)

    def array(self, node: Node | Leaf) -> np.ndarray:
        """Return the values of a constant."""
        if isinstance(node, Node):
            return node.arguments[0]
        tensor = node.tensor()
        assert tensor is not None  # the model holds it
        return tensor.data

    def shape(self, node: Node | Leaf) -> tuple[Shape, np.dtype]:
        if isinstance(node, Node):
            return self._trace[node]
        array = self.array(node)
        return array.shape, array.dtype


def _step(
    first: _Pass,
    node: Node | Leaf,
    second: _Pass,
    twin: Node | Leaf,
    names: dict[int, str],
) -> Step:
    """Return a step, seen in both passes."""
    operation, inputs = first.outline(node)
    (sizes, dtype), (others, _) = first.shape(node), second.shape(twin)
    if len(sizes) != len(others):
        raise GraphError(
            f"export_onnx: {operation}: the number of axes depends on the input"
        )
    shape = tuple(a if a == b else -1 for a, b in zip(sizes, others, strict=True))
    if operation == CONSTANT:
        array = first.array(node)
        name = names.get(id(array), "")
        known = array if _equal(array, second.array(twin)) else None
        return Step(operation, (), (), (), shape, sizes, dtype, known, name)
    arguments, twins = (
        each.arguments if isinstance(each, Node) else () for each in (node, twin)
    )
    return Step(operation, inputs, arguments, twins, shape, sizes, dtype)


def _equal(a: Any, b: Any) -> bool:
    """Whether two arguments are the same, arrays among them too."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool(
            np.all((a == b) | ((a != a) & (b != b)))  # NaN is NaN here
        )
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)):
        return len(a) == len(b) and all(map(_equal, a, b))
    return type(a) is type(b) and bool(a == b)
