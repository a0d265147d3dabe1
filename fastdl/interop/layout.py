"""Where PyTorch keeps the numbers of a model's arrays.

Two things differ. Its weights have their axes in another order, which each layer says.
And it has pictures as (n, c, h, w), so that behind a Flatten the features come in
another order: channel by channel there, pixel by pixel here. Which layers are behind a
Flatten, and what it flattened, is read from the tape of one forward pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain

import numpy as np

from fastdl.autograd import Leaf, Node, Tensor
from fastdl.errors import GraphError
from fastdl.nn import Linear, Module
from fastdl.nn.layout import moved_weights
from fastdl.nn.module import run
from fastdl.nn.tree import join
from fastdl.structure import map_shapes
from fastdl.typing import Shape

# Operations behind which a feature is still where it was.
_IN_PLACE = re.compile(
    "abs|activation|add|astype|batch_norm(_inference)?|clamp|divide|dropout|exp|"
    "layer_norm|log|maximum|minimum|multiply|negative|normalise|power|prelu|reshape|"
    "sqrt|subtract|where"
)
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
    picture : tuple of int, optional
        (h, w, c), if the first axis counts the elements of a flattened picture.
    """

    array: np.ndarray
    axes: Shape
    picture: Shape | None = None

    @property
    def torch_shape(self) -> Shape:
        """The shape of the array in PyTorch."""
        return tuple(self.array.shape[axis] for axis in np.argsort(self.axes))

    def from_torch(self, values: np.ndarray) -> np.ndarray:
        """Return values of `torch_shape` in our order."""
        values = values.transpose(self.axes)
        if self.picture is not None:
            h, w, c = self.picture
            values = np.moveaxis(values.reshape(c, h, w, -1), 0, 2)
        return values.reshape(self.array.shape)

    def to_torch(self) -> np.ndarray:
        """Return the array's values in PyTorch's order."""
        values = self.array
        if self.picture is not None:
            pixels = values.reshape(*self.picture, -1)
            values = np.moveaxis(pixels, 2, 0).reshape(values.shape)
        return values.transpose(np.argsort(self.axes))


def layouts(model: Module) -> dict[str, Layout]:
    """Return the layout of each parameter and buffer that PyTorch has too, by name.

    Raises
    ------
    GraphError
        The model was not built.
    """
    axes = {name: order for name, _, order in moved_weights(model)}
    pictures = _flattened_pictures(model)
    parameters = ((name, p.data) for name, p in model.named_parameters())
    return {
        name: Layout(
            array, axes.get(name, tuple(range(array.ndim))), pictures.get(name)
        )
        for name, array in chain(parameters, model.named_buffers())
        if name.rpartition(".")[2] != _OURS_ALONE
    }


def _flattened_pictures(model: Module) -> dict[str, Shape]:
    """Return (h, w, c) for each array whose first axis counts a flattened picture."""
    if model.input_shape is None:
        raise GraphError(
            "the order of the weights behind a Flatten depends on the size of the "
            "pictures; call model.build(input_shape) first"
        )
    found: dict[str, Shape] = {}
    names = {id(module): name for name, module in model.named_modules()}

    def note(module: Module, inputs: tuple, output: object) -> None:
        if not inputs or not isinstance(inputs[0], Tensor) or inputs[0].ndim != 2:
            return
        features = inputs[0].shape[1]
        picture = _picture_behind(inputs[0]._node, features)
        if picture is not None:
            for name in _counting(module, features):
                found.setdefault(join(names[id(module)], name), picture)

    def example(shape: Shape) -> Tensor:
        # It needs a gradient, so that everything behind it is recorded.
        return Tensor(np.zeros((1, *shape), model._dtype()), requires_grad=True)

    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_hook(note).remove)
        stack.enter_context(model.mode(training=False))
        run(model, map_shapes(example, model.input_shape))
    return found


def _picture_behind(node: Node | Leaf | None, features: int) -> Shape | None:
    """Return the shape of the picture that a tensor of features is, or None."""
    while isinstance(node, Node) and _IN_PLACE.fullmatch(node.operation):
        source = next((n for n in node.inputs if isinstance(n, Node)), None)
        if node.operation == "reshape":
            (shape,) = node.arguments
            if len(shape) == 4 and math.prod(shape[1:]) == features:
                # Whoever flattens a transposed picture has PyTorch's order already.
                is_moved = source is not None and source.operation == "transpose"
                return None if is_moved else shape[1:]
        node = source
    return None


def _counting(module: Module, features: int) -> Iterator[str]:
    """Yield the names of a layer's own arrays with a row or number for each feature."""
    parameters = ((name, p.data) for name, p in module._own_parameters())
    buffers = ((name, getattr(module, name)) for name in module._buffer_names)
    for name, array in chain(parameters, buffers):
        counts_outputs = isinstance(module, Linear) and name == "bias"
        if array.shape[:1] == (features,) and not counts_outputs:
            yield name
