"""A number for each channel of each image, as in squeeze-and-excitation."""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.functional.elementwise import empty_like
from fastdl.shapes import check_real
from fastdl.typing import TensorLike


def _scale_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _, factors, _ = node.saved
    if x is None:  # the factors are constants
        return np.multiply(dy, factors, empty_like(dy)), None
    if factors is None:  # x is: what they do to dx nobody asks
        factors = np.ones((len(x), *(1 for _ in x.shape[1:-1]), x.shape[-1]), x.dtype)
    return backend.scale_backward(dy, x, factors)


def scale(x: TensorLike, factors: TensorLike) -> Tensor:
    """Multiply each channel of each image by a number of its own.

    ``x * factors`` in one kernel, as the end of a squeeze-and-excitation (Hu et al.
    2018) needs it.

    Parameters
    ----------
    x : Tensor or array_like
        (n, ..., c), such as images (n, h, w, c).
    factors : Tensor or array_like
        (n, 1, ..., 1, c), with as many axes as `x`.

    Returns
    -------
    Tensor
        The shape of `x`.

    Raises
    ------
    ShapeError
        `factors` has another shape.
    DtypeError
        The types differ.
    """
    x, factors = as_tensor(x), as_tensor(factors)
    check_real("scale", x=x.data, factors=factors.data)
    y = backend.scale_forward(x.data, factors.data)
    saved = (
        x.data if factors._node else None,
        x._changed,
        factors.data if x._node else None,
        factors._changed,
    )
    return record(y, _scale_backward, (x._node, factors._node), saved)
