r"""A number for each channel of each image, times its pixels.

.. math::
    y_{n,p,c} = x_{n,p,c} \, s_{n,c}, \qquad
    dx_{n,p,c} = dy_{n,p,c} \, s_{n,c}, \qquad
    ds_{n,c} = \sum_p dy_{n,p,c} \, x_{n,p,c}

Shapes: x and y (n, ..., c), the pixels p being all axes between; s (n, 1, ..., 1, c).

Source: Hu et al., "Squeeze-and-excitation networks", 2018, section 3.2.
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes
from fastdl.reference._sums import sum_over


def scale_forward(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return x times the scale of its image and channel.

    Parameters
    ----------
    x
        (n, ..., c), any float type.
    scale
        (n, 1, ..., 1, c), with as many axes.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.

    Raises
    ------
    ShapeError
        For another shape of `scale`.
    """
    shapes.scale(x.shape, scale.shape, "scale")
    return x * scale


def scale_backward(
    dy: np.ndarray, x: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of `scale_forward`.

    Parameters
    ----------
    dy
        The gradient with respect to y.
    x, scale
        As in the forward pass.

    Returns
    -------
    dx : numpy.ndarray
        The shape and type of `x`.
    dscale : numpy.ndarray
        The shape of `scale`.
    """
    shapes.scale(x.shape, scale.shape, "scale_backward")
    shapes.check_shape("scale_backward", "dy", dy.shape, x.shape)
    pixels = tuple(range(1, x.ndim - 1))
    return dy * scale, sum_over(dy * x, pixels).reshape(scale.shape)
