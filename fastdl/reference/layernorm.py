r"""Layer and group normalisation: each example is normalised by itself.

The channels are cut into groups. With the mean and the (biased) variance over a group,
at all pixels of one example:

.. math::
    \hat x = (x - \mu) r, \quad r = (\sigma^2 + \epsilon)^{-1/2}, \qquad
    y = \gamma \hat x + \beta

Layer normalisation of rows is one group and no pixels. Nothing depends on the other
examples, so training and evaluation are the same. Backward, where a bar is the mean
over a group at all pixels of one example, and sums run over examples and pixels:

.. math::
    d\beta = \sum dy, \qquad d\gamma = \sum dy \, \hat x, \qquad
    dx = r \bigl(g - \overline g - \hat x \, \overline{g \hat x}\bigr), \quad
    g = \gamma \, dy

Shapes: x and y (n, ..., c); gamma and beta (c,); mean and rstd (n, groups).

Sources: Ba, Kiros, Hinton 2016, "Layer normalization"; Wu, He 2018, "Group
normalization".
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes
from fastdl.reference._sums import sum_over


def layernorm_forward(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    *,
    groups: int = 1,
    eps: float = 1e-5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise each group of each example, then scale and shift each channel.

    Parameters
    ----------
    x
        (n, ..., c), any float type.
    gamma, beta
        (c,): the scale and the shift.
    groups
        Divides c.
    eps
        Added to the variance.

    Returns
    -------
    y : numpy.ndarray
        The shape and type of `x`.
    mean, rstd : numpy.ndarray
        (n, groups): the mean and 1 / sqrt(variance + eps).

    Raises
    ------
    ShapeError
        The groups do not divide the channels, or have nothing to average.
    """
    view = shapes.layernorm(x.shape, groups, "layernorm_forward")
    _, pixels, _, size = view
    grouped = x.reshape(view)
    mean = sum_over(grouped, (1, 3), pixels * size)
    centred = grouped - mean[:, None, :, None]
    var = sum_over(centred * centred, (1, 3), pixels * size)
    rstd = 1 / np.sqrt(var + eps)
    x_hat = (centred * rstd[:, None, :, None]).reshape(x.shape)
    return gamma * x_hat + beta, mean, rstd


def layernorm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of `layernorm_forward`.

    Parameters
    ----------
    dy
        The gradient with respect to y.
    x, gamma
        As in the forward pass.
    mean, rstd
        (n, groups), from the forward pass.

    Returns
    -------
    dx : numpy.ndarray
        The shape and type of `x`.
    dgamma, dbeta : numpy.ndarray
        (c,).

    Raises
    ------
    ShapeError
        As in the forward pass.
    """
    view = shapes.layernorm(x.shape, mean.shape[-1], "layernorm_backward")
    _, pixels, _, size = view
    spread_rstd = rstd[:, None, :, None]
    x_hat = (x.reshape(view) - mean[:, None, :, None]) * spread_rstd
    g = (gamma * dy).reshape(view)
    g_mean = sum_over(g, (1, 3), pixels * size)[:, None, :, None]
    projection = sum_over(g * x_hat, (1, 3), pixels * size)[:, None, :, None]
    dx = spread_rstd * (g - g_mean - x_hat * projection)
    axes = tuple(range(x.ndim - 1))
    dgamma = sum_over(dy * x_hat.reshape(x.shape), axes)
    return dx.reshape(x.shape), dgamma, sum_over(dy, axes)
