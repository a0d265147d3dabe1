"""Signs that axes are in the order of another library.

fastdl has images (n, h, w, c), dense weights (in, out) and filters (kh, kw, c, oc);
PyTorch has (n, c, h, w), (out, in) and (oc, c, kh, kw). Usually the shapes do not fit
and an error says so. This module handles the cases that would run, but learn or predict
nonsense.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping

import numpy as np

from fastdl.nn.tree import Tree, join
from fastdl.typing import ArrayLike, Shape

_LEAST_SIDE = 8  # pixels; deep feature maps are smaller, and have many channels


def warn_channels_first(who: str, shape: Shape) -> None:
    """Warn if an example given as (h, w, c) is almost certainly a picture (c, h, w).

    That is: 1 or 4 channels and a square, or 3 channels and sides of at most 1 : 4.
    """
    if len(shape) != 3:
        return
    channels, *sides = shape
    longest = {1: min(sides), 3: 4 * min(sides), 4: min(sides)}.get(channels, 0)
    if min(sides) >= _LEAST_SIDE and max(sides) <= longest:
        c, h, w = shape
        warnings.warn(
            f"{who}: examples of shape {shape} look like pictures with the channels "
            f"first; fastdl takes (n, h, w, c): give x.transpose(0, 2, 3, 1). If they "
            f"are {c} high and {h} wide and have {w} channels, say so by "
            f"{who}({w}, ...)",
            stacklevel=2,
        )


def from_pytorch(state: Mapping[str, ArrayLike]) -> dict[str, ArrayLike]:
    """Return the entries that are PyTorch's tensors or their `.numpy()`, unmodified."""

    def is_unchanged(value: ArrayLike) -> bool:
        owner = value.base if isinstance(value, np.ndarray) else value
        is_its = type(owner).__module__.partition(".")[0] == "torch"
        return is_its and np.asarray(value).flags.c_contiguous

    return {name: value for name, value in state.items() if is_unchanged(value)}


def warn_untransposed(model: Tree, state: Mapping[str, ArrayLike], who: str) -> None:
    """Warn if weights of unknown origin fit both in fastdl's order and in PyTorch's.

    A single weight that fits in only one order settles it for all of them.
    """
    undecided = []
    for name, own, axes in moved_weights(model):
        if name in state and np.shape(state[name]) == own:
            if _moved(own, axes) != own:
                return
            if max(own) > 1:
                undecided.append((name, axes))
    if undecided:
        name, axes = undecided[0]
        warnings.warn(
            f"{who}: the shape of '{name}' does not tell whether its axes are in "
            f"fastdl's order or in PyTorch's; if they come from PyTorch, load them by "
            f"fastdl.interop.load_torch_state, or give {_transposed(name, axes)}. "
            f"Files of fastdl's save_weights are known as such",
            stacklevel=3,
        )


def transposed_hint(model: Tree, name: str, shape: Shape) -> str:
    """Return the end of a message about an entry whose shape is not its weight's."""
    for weight, own, axes in moved_weights(model):
        if weight == name and len(shape) == len(own) and _moved(shape, axes) == own:
            return (
                "; from PyTorch? Use fastdl.interop.load_torch_state, or give "
                + _transposed(name, axes)
            )
    return ""


def moved_weights(model: Tree) -> Iterator[tuple[str, Shape, Shape]]:
    """Yield (name, shape, axes) of each weight whose axes PyTorch has in another order.

    For each axis of the weight, `axes` has the axis in PyTorch that it is.
    """
    for prefix, module in model.named_modules():
        axes = module._pytorch_axes
        for name, parameter in module._own_parameters():
            if axes and parameter.ndim == len(axes):
                yield join(prefix, name), parameter.shape, axes


def _moved(shape: Shape, axes: Shape) -> Shape:
    return tuple(shape[axis] for axis in axes)


def _transposed(name: str, axes: Shape) -> str:
    return f"{name.rpartition('.')[2]}.transpose({', '.join(map(str, axes))})"
