r"""PReLU: a leaky ReLU whose slope is learned, for each channel or for all of them.

.. math::
    y = \max(x, 0) + w \min(x, 0)

Backward, with sums over all elements that share a weight:

.. math::
    dx = dy \, [x > 0] + w \, dy \, [x \le 0], \qquad dw = \sum dy \, \min(x, 0)

Shapes: x and y (..., c); w (c,) or (1,).

Source: He, Zhang, Ren, Sun 2015, "Delving deep into rectifiers".
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes
from fastdl.reference._sums import sum_over


def prelu_forward(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return x where x > 0, else weight * x.

    Parameters
    ----------
    x
        (..., c), any float type.
    weight
        (c,), or (1,) for all channels.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.

    Raises
    ------
    ShapeError
        The weights are not as many as the channels.
    """
    shapes.prelu(x.shape, weight.shape, "prelu")
    return np.where(x > 0, x, weight * x).reshape(x.shape)


def prelu_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of `prelu_forward`.

    Parameters
    ----------
    dy
        The gradient with respect to y.
    x, weight
        As in the forward pass.

    Returns
    -------
    dx : numpy.ndarray
        The shape and type of `x`.
    dweight : numpy.ndarray
        The shape of `weight`.
    """
    shapes.prelu(x.shape, weight.shape, "prelu_backward")
    dx = np.where(x > 0, dy, weight * dy).reshape(x.shape)
    terms = np.where(x > 0, np.zeros_like(x), dy * x).reshape(-1, weight.size)
    return dx, sum_over(terms, (0,))
