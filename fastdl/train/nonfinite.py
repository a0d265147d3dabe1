"""What broke a loss that is NaN or infinite, and the buffers to go back to."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from fastdl.autograd import Tensor, no_grad
from fastdl.nn import Module
from fastdl.nn.module import run
from fastdl.structure import Structure, leaves, named_leaves
from fastdl.train.losses import LossLike

UNKNOWN = "the model's output is finite"  # begins a message that names no layer


class Buffers:
    """A copy of the buffers of a model (batch statistics, dropout counters).

    Parameters
    ----------
    model : Module
        All its sizes are known.
    """

    def __init__(self, model: Module) -> None:
        self._arrays = list(model.buffers())
        self._saved = [array.copy() for array in self._arrays]

    def save(self) -> None:
        """Copy the present values."""
        for array, saved in zip(self._arrays, self._saved, strict=True):
            saved[...] = array

    def restore(self) -> None:
        """Put the copied values back."""
        for array, saved in zip(self._arrays, self._saved, strict=True):
            array[...] = saved


def first_bad(model: Module, loss: LossLike, x: Structure) -> str:
    """Say what is the first to be NaN or infinite on the way to the loss.

    The forward pass runs again, in the model's present mode, watched by hooks. It
    changes the buffers of the model.

    Returns
    -------
    str
        To end an error message with.
    """
    for place, array in named_leaves(x, "x"):
        if not np.isfinite(array).all():
            return (
                f"the batch {place} itself is not finite; look at the data and the "
                f"transform"
            )
    for name, parameter in model.named_parameters():
        if not np.isfinite(parameter.data).all():
            return (
                f"parameter '{name}' is not finite: an earlier update broke it; start "
                f"again with a lower learning rate"
            )
    found: list[Module] = []

    def look(module: Module, inputs: tuple, output: object) -> None:
        tensors = [each for each in leaves(output) if isinstance(each, Tensor)]
        if not all(np.isfinite(each.data).all() for each in tensors):
            found.append(module)

    with ExitStack() as stack, no_grad():
        for module in model.modules():
            stack.callback(module.register_forward_hook(look).remove)
        run(model, x)
    if found:
        names = {id(module): name for name, module in model.named_modules()}
        name, kind = names[id(found[0])], type(found[0]).__name__
        layer = f"layer '{name}' ({kind})" if name else f"the model ({kind})"
        return (
            f"{layer} is the first whose output is not finite; lower the learning "
            f"rate, or normalise the inputs"
        )
    kind = type(loss).__name__ if isinstance(loss, Module) else "a function"
    return (
        f"{UNKNOWN} but the loss of it ({kind}) is not; look at the "
        f"targets, or lower the learning rate"
    )
