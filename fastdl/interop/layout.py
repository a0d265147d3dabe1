"""Where PyTorch keeps the numbers of a model's arrays.

Two things differ. Its weights have their axes in another order, which each layer says.
And it has pictures as (n, c, h, w), so that behind a Flatten the features come in
another order, which is read from the tape of one forward pass (see `order`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

import numpy as np

from fastdl.autograd import Tensor
from fastdl.errors import GraphError
from fastdl.interop.order import Orders
from fastdl.nn import Linear, Module
from fastdl.nn.layout import moved_weights
from fastdl.nn.module import run
from fastdl.nn.tree import join
from fastdl.structure import map_shapes
from fastdl.typing import Shape

# The state of random numbers, which PyTorch does not keep with a layer.
_OURS_ALONE = "random_state"


@dataclass(frozen=True)
class Layout:
    """Where PyTorch keeps the numbers of one array.

    Parameters
    ----------
    array : ndarray
        The array itself: a parameter's values, or a buffer.
    axes : tuple of int
        For each axis of the array, the axis in PyTorch that it is.
    orders : dict of int to ndarray of int
        By axis of the array: where PyTorch has each of its indices, once its axes are
        moved. Other axes are in the same order.
    """

    array: np.ndarray
    axes: Shape
    orders: Mapping[int, np.ndarray]

    @property
    def is_known(self) -> bool:
        """Whether all orders could be told."""
        return all(
            np.array_equal(np.sort(order), np.arange(order.size))
            for order in self.orders.values()
        )

    @property
    def torch_shape(self) -> Shape:
        """The shape of the array in PyTorch."""
        return tuple(self.array.shape[axis] for axis in np.argsort(self.axes))

    def from_torch(self, values: np.ndarray) -> np.ndarray:
        """Return values of `torch_shape` in our order."""
        values = values.transpose(self.axes)
        for axis, order in self.orders.items():
            values = values.take(order, axis)
        return values

    def to_torch(self) -> np.ndarray:
        """Return the array's values in PyTorch's order."""
        values = self.array
        for axis, order in self.orders.items():
            values = values.take(np.argsort(order), axis)
        return values.transpose(np.argsort(self.axes))


def layouts(model: Module) -> dict[str, Layout]:
    """Return the layout of each parameter and buffer that PyTorch has too, by name.

    Raises
    ------
    GraphError
        The model was not built.
    """
    axes = {name: order for name, _, order in moved_weights(model)}
    orders = _orders(model)
    parameters = ((name, p.data) for name, p in model.named_parameters())
    return {
        name: Layout(
            array, axes.get(name, tuple(range(array.ndim))), orders.get(name, {})
        )
        for name, array in chain(parameters, model.named_buffers())
        if name.rpartition(".")[2] != _OURS_ALONE
    }


def _orders(model: Module) -> dict[str, dict[int, np.ndarray]]:
    """Return in which order PyTorch has the features of rows, by array and axis."""
    if model.input_shape is None:
        raise GraphError(
            "the order of the weights behind a Flatten depends on the size of the "
            "pictures; call model.build(input_shape) first"
        )
    calls: list[tuple[Module, Tensor, Tensor]] = []
    orders = Orders()

    def note(module: Module, inputs: tuple, output: object) -> None:
        tensors = [t for t in (*inputs, output) if isinstance(t, Tensor)]
        for tensor in tensors:
            orders.add(tensor)
        if len(inputs) == 1 and len(tensors) == 2:
            calls.append((module, tensors[0], tensors[1]))

    def example(shape: Shape) -> Tensor:
        # It needs a gradient, so that everything behind it is recorded.
        return Tensor(np.zeros((1, *shape), model._dtype()), requires_grad=True)

    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_hook(note).remove)
        stack.enter_context(model.mode(training=False))
        run(model, map_shapes(example, model.input_shape))

    orders.solve()
    found: dict[str, dict[int, np.ndarray]] = {}
    names = {id(module): name for name, module in model.named_modules()}
    for module, x, y in calls:
        for name, axis, rows in _features(module, x, y):
            order = orders.of(rows)
            own = found.setdefault(join(names[id(module)], name), {})
            if not np.array_equal(own.setdefault(axis, order), order):
                own[axis] = np.zeros_like(order)  # a shared layer, rows of two orders
    return found


def _features(
    module: Module, x: Tensor, y: Tensor
) -> Iterator[tuple[str, int, Tensor]]:
    """Yield (name, axis, rows) where a layer's own array has an index per feature."""
    is_linear = isinstance(module, Linear)
    parameters = ((name, p.data) for name, p in module._own_parameters())
    buffers = ((name, getattr(module, name)) for name in module._buffer_names)
    for name, array in chain(parameters, buffers):
        axes = {0: y} if is_linear and name == "bias" else {0: x}
        if is_linear and name == "weight":
            axes[1] = y
        for axis, rows in axes.items():
            if rows.shape == (1, *array.shape[axis : axis + 1]):
                yield name, axis, rows
