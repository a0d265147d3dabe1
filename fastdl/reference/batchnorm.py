r"""Batch normalisation: each channel to mean 0 and variance 1, then scaled and shifted.

.. math::
    \mu = \frac{1}{m} \sum_i x_i, \qquad
    r = \Bigl(\frac{1}{m} \sum_i (x_i - \mu)^2 + \epsilon\Bigr)^{-1/2}, \qquad
    \hat x_i = (x_i - \mu) r, \qquad y_i = \gamma \hat x_i + \beta

The sums run over every axis but the last: m = n examples in a dense layer, n h w pixels
in a convolutional one. The variance is the biased one. Backward, with the mean and the
variance depending on x:

.. math::
    d\beta = \sum_i dy_i, \qquad d\gamma = \sum_i dy_i \hat x_i, \qquad
    dx_i = \gamma r \Bigl(dy_i - \frac{d\beta + \hat x_i \, d\gamma}{m}\Bigr)

A residual network adds another branch, and most apply an activation:
:math:`y_i = g(z_i)`, where :math:`z_i = \gamma \hat x_i + \beta + \text{residual}_i`.
Then :math:`dz_i = dy_i g'(z_i)`, also the gradient of the residual, takes the place
of dy.

Shapes: x, y and residual (..., c); gamma, beta, mean, var, rstd (c,).

Source: Ioffe and Szegedy, "Batch normalization", 2015, section 3; He et al., "Deep
residual learning for image recognition", 2015, section 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastdl.reference._sums import sum_over
from fastdl.reference.activation import activation_backward, activation_forward
from fastdl.shapes import check_apart, derived_activation, fused_activation


def _axes_and_count(x: np.ndarray) -> tuple[tuple[int, ...], int]:
    """Return the axes of the sums and m; 1 for an empty batch, whose sums are 0."""
    return tuple(range(x.ndim - 1)), max(x.size // x.shape[-1], 1)


def batchnorm_forward(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    *,
    momentum: float = 0.1,
    eps: float = 1e-5,
    residual: np.ndarray | None = None,
    activation: str | None = None,
    combine: Callable[..., tuple[np.ndarray, np.ndarray, int]] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normalise by the statistics of the batch, and update the running ones (training).

    Parameters
    ----------
    x
        (..., c), any float type.
    gamma, beta
        (c,): the scale and the shift.
    running_mean, running_var
        (c,), both or neither: become ``(1 - momentum) * running + momentum * batch``,
        with the unbiased variance m / (m - 1) var. An empty batch changes nothing. They
        share no memory with other arrays.
    momentum
        The weight of the new statistics, in [0, 1].
    eps
        Added to the variance.
    residual
        Of the shape of `x`; added to the result.
    activation
        None, or one that is fusable with "batch_norm" in ``shapes.ACTIVATIONS``;
        applied last.
    combine
        ``combine(mean, rstd, m) -> (mean, rstd, m)``: turns the statistics of `x`, of m
        values a channel, into those of a batch of which `x` is a part.

    Returns
    -------
    y : numpy.ndarray
        The shape and type of `x`.
    mean, rstd : numpy.ndarray
        (c,): the mean and 1 / sqrt(variance + eps) of the batch.

    Raises
    ------
    ArgumentError
        For another activation, or running statistics that share memory.
    """
    kind = fused_activation(activation, "batch_norm")
    check_apart(
        "batch_norm",
        {"running_mean": running_mean, "running_var": running_var},
        {"x": x, "gamma": gamma, "beta": beta, "residual": residual},
    )
    axes, m = _axes_and_count(x)
    mean = sum_over(x, axes, m)
    centred = x - mean
    var = sum_over(centred * centred, axes, m)
    rstd = 1 / np.sqrt(var + eps)
    if combine is not None:
        mean, rstd, m = combine(mean, rstd, x.size // x.shape[-1])
        centred, var = x - mean, 1 / rstd**2 - eps
    if running_mean is not None and running_var is not None and (x.size or combine):
        unbiased = m / max(m - 1, 1) * var
        running_mean[...] = (1 - momentum) * running_mean + momentum * mean
        running_var[...] = (1 - momentum) * running_var + momentum * unbiased
    return _finish(gamma * (centred * rstd) + beta, residual, kind), mean, rstd


def _finish(z: np.ndarray, residual: np.ndarray | None, kind: str) -> np.ndarray:
    return activation_forward(z if residual is None else z + residual, kind)


def batchnorm_inference(
    x: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    *,
    eps: float = 1e-5,
    residual: np.ndarray | None = None,
    activation: str | None = None,
) -> np.ndarray:
    """Normalise by given statistics, usually the running ones (inference).

    Parameters
    ----------
    x
        (..., c), any float type.
    gamma, beta
        (c,): the scale and the shift.
    mean, var
        (c,): the statistics.
    eps
        Added to the variance.
    residual, activation
        See `batchnorm_forward`.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.

    Raises
    ------
    ArgumentError
        For another activation.
    """
    kind = fused_activation(activation, "batch_norm")
    z = gamma * ((x - mean) / np.sqrt(var + eps)) + beta
    return _finish(z, residual, kind)


def batchnorm_backward(
    dy: np.ndarray,
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    rstd: np.ndarray,
    *,
    beta: np.ndarray | None = None,
    y: np.ndarray | None = None,
    activation: str | None = None,
    combine: Callable[..., tuple[np.ndarray, np.ndarray]] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of `batchnorm_forward`.

    Parameters
    ----------
    dy
        The gradient with respect to y.
    x, gamma
        As in the forward pass.
    mean, rstd
        (c,), from the forward pass.
    activation
        As in the forward pass.
    beta
        As in the forward pass, for an activation without a residual: z is found again.
    y
        The result of the forward pass instead, for "relu" and "relu6" after a residual.
    combine
        ``combine(dgamma, dbeta) -> (dgamma, dbeta)``: where `x` is a part of a batch,
        what dx depends on; times m of `x` over m of the whole, since dx divides by m.

    Returns
    -------
    dx : numpy.ndarray
        The shape and type of `x`.
    dgamma, dbeta : numpy.ndarray
        (c,).
    """
    axes, m = _axes_and_count(x)
    x_hat = (x - mean) * rstd
    kind = derived_activation(activation, y, beta, "batchnorm_backward")
    z = None if beta is None else gamma * x_hat + beta
    if y is None and z is not None:
        y = activation_forward(z, kind)
    dy = activation_backward(dy, z, y, kind)
    dbeta = sum_over(dy, axes)
    dgamma = sum_over(dy * x_hat, axes)
    products, sums = (dgamma, dbeta) if combine is None else combine(dgamma, dbeta)
    # In NumPy 1 a large integer m would turn float32 into float64.
    dx = gamma * rstd * (dy - (sums + x_hat * products) / float(m))
    return dx, dgamma, dbeta
