"""PReLU: a leaky ReLU with learned slopes."""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.shapes import check_real
from fastdl.typing import TensorLike


def _prelu_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _, weight, _ = node.saved
    if weight is None:  # it scales dx alone, which nobody wants
        weight = np.ones(node.arguments, dy.dtype)
    return backend.prelu_backward(dy, x, weight)


def prelu(x: TensorLike, weight: TensorLike) -> Tensor:
    """Return x where x > 0, else weight * x (He et al. 2015).

    Parameters
    ----------
    x : Tensor or array_like
        (..., c).
    weight : Tensor or array_like
        (c,): the slope of each channel, or (1,): that of all of them.

    Returns
    -------
    Tensor
        The shape of `x`.

    Raises
    ------
    ShapeError
        The weights are not as many as the channels.
    DtypeError
        The types differ.
    """
    x, weight = as_tensor(x), as_tensor(weight)
    if x.data.dtype is not weight.data.dtype:
        check_real("prelu", x=x.data, weight=weight.data)
    y = backend.prelu_forward(x.data, weight.data)
    return record(
        y,
        _prelu_backward,
        (x._node, weight._node),
        (x.data, x._changed, weight.data if x._node else None, weight._changed),
        weight.data.shape,
    )
