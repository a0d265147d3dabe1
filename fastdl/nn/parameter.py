"""Parameter: a tensor that is trained."""

from __future__ import annotations

from fastdl.autograd import Tensor
from fastdl.typing import TensorLike


class Parameter(Tensor):
    """A tensor that a module owns and an optimiser trains.

    Parameters
    ----------
    data : array_like
        The initial values; float32 and float64 arrays keep their type.
    requires_grad : bool
        Whether gradients are computed for it.
    """

    def __init__(self, data: TensorLike, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad=requires_grad)
