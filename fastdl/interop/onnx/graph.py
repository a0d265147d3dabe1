"""The graph under construction, and how its values lie.

ONNX has pictures as (n, c, h, w), we have them as (n, h, w, c). So each value says in
which order it has our axes, and, of rows that were pictures, our features. Most
operations take their operands as they lie. One that does not gets them rearranged: a
constant at once, any other value by a node.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from fastdl.typing import Shape

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto


Attribute: TypeAlias = "float | str | Sequence[int]"
"""What nodes have beside operands."""


class Layout(NamedTuple):
    """How a value lies in ONNX.

    Attributes
    ----------
    axes : tuple of int
        For each of its axes there, the axis of ours that it is.
    order : tuple of int or None
        For each of its places along our last axis, the one of ours that it is. None:
        they are the same. Only of rows (n, features), whose axes are the same.
    """

    axes: Shape
    order: Shape | None = None

    def place(self, axis: int) -> int:
        """Return where an axis of ours is."""
        return self.axes.index(axis)

    def without(self, axes: Shape) -> Layout:
        """Return the layout when axes of ours have gone."""
        left = [axis for axis in self.axes if axis not in axes]
        return Layout(tuple(sorted(left).index(axis) for axis in left))


def natural(rank: int) -> Layout:
    """Return the layout in which the axes are in our order."""
    return Layout(tuple(range(rank)))


def channels_first(rank: int) -> Layout:
    """Return the layout (n, c, h, w) of pictures, and the like for other ranks."""
    return Layout((0, rank - 1, *range(1, rank - 1)))


PICTURES = channels_first(4)


def rows_of(picture: Shape) -> Layout:
    """Return the layout of rows that are flattened pictures (c, h, w)."""
    h, w, c = picture
    order = np.arange(h * w * c).reshape(h, w, c).transpose(2, 0, 1).ravel()
    same = np.array_equal(order, np.arange(order.size))
    return Layout((0, 1), None if same else tuple(order.tolist()))


@dataclass(frozen=True)
class Value:
    """A value of the graph.

    Attributes
    ----------
    name
        Its name in ONNX; of a constant that of the parameter that it is, or "".
    shape
        Its shape here, with -1 for each size that depends on the batch.
    layout
        How it lies in ONNX; a constant can lie in any way.
    array
        The values of a constant.
    """

    name: str
    shape: Shape
    layout: Layout
    array: np.ndarray | None = None

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)


class Graph:
    """The nodes and constants so far."""

    def __init__(self, inputs: Sequence[str], reserved: Iterable[str]) -> None:
        self._inputs = inputs
        self._names = set(reserved)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self._stored: dict[tuple, str] = {}
        self._kept: list[np.ndarray] = []  # so that the ids in `_stored` stay theirs

    def add(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Add a node with one result, and return the name of that."""
        from onnx import helper

        name = self._unique(f"{operator}_{len(self.nodes)}")
        kept: dict[str, Any] = attributes  # none is one of the options of make_node
        node = helper.make_node(operator, inputs, [name], name, **kept)
        self.nodes.append(node)
        return name

    def constant(self, array: np.ndarray, name: str = "") -> str:
        """Add an array as it is, and return its name."""
        from onnx import numpy_helper

        name = self._unique(name or "constant")
        tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
        self.constants[name] = tensor
        return name

    def _unique(self, name: str) -> str:
        if name in self._names:
            numbered = (f"{name}_{i}" for i in count(1))
            name = next(each for each in numbered if each not in self._names)
        self._names.add(name)
        return name

    def finish(self, outputs: Mapping[str, Value]) -> None:
        """Give outputs their names, and their axes and features our order."""
        from onnx import helper

        made = {name: self.natural(value) for name, value in outputs.items()}
        results = {result for node in self.nodes for result in node.output}
        names: dict[str, str] = {}
        for name, result in made.items():
            if result in results and result not in names:
                names[result] = name
            else:  # an input, a constant, or the same as another output
                result = names.get(result, result)
                self.nodes.append(helper.make_node("Identity", [result], [name], name))
        for node in self.nodes:
            for part in (node.input, node.output):
                part[:] = [names.get(each, each) for each in part]

    def integers(self, *values: int) -> str:
        """Add integers, such as the axes that an operator takes, and return a name."""
        key = ("integers", values)
        if key not in self._stored:
            self._stored[key] = self.constant(np.array(values, np.int64))
        return self._stored[key]

    def number(self, value: float, dtype: np.dtype) -> str:
        """Add one number, and return its name."""
        key = ("number", value, dtype)
        if key not in self._stored:
            self._stored[key] = self.constant(np.array(value, dtype))
        return self._stored[key]

    def batch_size(self) -> str:
        """Return the name of the number of examples, a vector of one integer."""
        return self._once("Shape", self._inputs[0], start=0, end=1)

    def reversed(self, name: str, places: Iterable[int]) -> str:
        """Return the name of a value whose elements are reversed along some axes."""
        axes = list(places)
        last, before = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        starts, ends, steps = ([n] * len(axes) for n in (last, before, -1))
        where = (self.integers(*each) for each in (starts, ends, axes, steps))
        return self.add("Slice", name, *where)

    def reshaped(self, name: str, shape: Iterable[int]) -> str:
        """Return the name of a value in another shape, as ONNX says it."""
        return self.add("Reshape", name, self.integers(*shape))

    def arranged(self, value: Value, layout: Layout) -> str:
        """Return the name of a value in another layout, perhaps of a higher rank.

        As an operand of fewer axes than the result it is stretched as in NumPy, along
        new first axes.
        """
        rank = len(layout.axes)
        if value.shape[-1:] != () and value.shape[-1] == 1:
            layout = Layout(layout.axes)  # one feature has no order
        if value.array is not None:
            return self.stored(value, layout, lambda x: _arranged(x, layout))
        if value.rank < rank:
            name = self._rearranged(value.name, value.layout, natural(value.rank))
            new = self.integers(*range(rank - value.rank))
            name = self._once("Unsqueeze", name, new)
            return self._rearranged(name, natural(rank), layout)
        return self._rearranged(value.name, value.layout, layout)

    def natural(self, value: Value) -> str:
        """Return the name of a value whose axes and features are in our order."""
        return self.arranged(value, natural(value.rank))

    def _rearranged(self, name: str, old: Layout, new: Layout) -> str:
        if old == new:
            return name
        if old.order is not None or new.order is not None:
            if old.order is not None:
                back = self.integers(*np.argsort(old.order).tolist())
                name = self._once("Gather", name, back, axis=-1)
            if new.order is not None:
                name = self._once("Gather", name, self.integers(*new.order), axis=-1)
            return name
        return self._once("Transpose", name, perm=[old.place(a) for a in new.axes])

    def _once(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Return the result of a node, which is added when it is first asked for."""
        key = (operator, inputs, str(attributes))
        if key not in self._stored:
            self._stored[key] = self.add(operator, *inputs, **attributes)
        return self._stored[key]

    def stored(
        self, value: Value, how: Hashable, change: Callable[[np.ndarray], np.ndarray]
    ) -> str:
        """Return the name of a constant, changed in a way that `how` identifies."""
        assert value.array is not None
        key = (id(value.array), how)
        if key not in self._stored:
            self._stored[key] = self.constant(change(value.array), value.name)
            self._kept.append(value.array)
        return self._stored[key]


def _arranged(array: np.ndarray, layout: Layout) -> np.ndarray:
    """Return a constant in a layout; of fewer axes, as short as it can be stretched."""
    rank, first = len(layout.axes), array.ndim
    array = array.reshape((1,) * (rank - first) + array.shape)
    if layout.order is not None:
        array = array.take(layout.order, -1)
    array = array.transpose(layout.axes)
    while first < rank and array.shape[:1] == (1,):
        array = array[0]
    return array


def common(rank: int, values: Iterable[Value]) -> Layout:
    """Return the layout for a result of so many axes of values that meet in it.

    It is that of the first one whose axes or features are in another order than ours.
    """
    layouts = [v.layout for v in values if v.array is None and v.rank == rank]
    return next((each for each in layouts if each != natural(rank)), natural(rank))
