"""Batch normalisation (Ioffe and Szegedy 2015), in training and in inference."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ShapeError
from fastdl.functional.activation import activation as activate
from fastdl.functional.activation import split
from fastdl.functional.elementwise import add, empty_like, sum_to
from fastdl.shapes import check_real, check_shape


def _batch_norm_backward(node: Node, dy: np.ndarray) -> tuple:
    residual_node = node.inputs[-1]
    x, gamma, mean, rstd, y = node.saved
    if residual_node and y is not None:  # its gradient is needed as an array
        dy = backend.activation_backward(dy, None, y, "relu")
        y = None
    return (*backend.batchnorm_backward(dy, x, gamma, mean, rstd, y=y), dy)


def _batch_norm_inference_backward(node: Node, dy: np.ndarray) -> tuple:
    """Mean and variance are constants here: y is linear in x, gamma and beta."""
    x_node, weight_node, bias_node = node.inputs
    x, gamma, mean, var, eps = node.saved
    rstd = 1 / np.sqrt(var + eps)
    dx = dweight = dbias = None
    if x_node:
        dx = np.multiply(dy, gamma * rstd, empty_like(dy))
    if weight_node:
        normalised = np.subtract(x, mean, empty_like(dy))
        normalised *= rstd
        normalised *= dy
        dweight = sum_to(normalised, mean.shape)
    if bias_node:
        dbias = sum_to(dy, mean.shape)
    return dx, dweight, dbias


def batch_norm(
    x: Any,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: str | None = None,
    residual: Any = None,
) -> Tensor:
    """Normalise each channel, then scale it by `weight` and shift it by `bias`.

    ``activation(normalised * weight + bias + residual)``, the end of a residual block
    (He et al. 2015). In training it is one kernel call with "relu" or without
    activation; the arrays between are never stored.

    In training the mean and the (biased) variance are those of the batch, and the
    running ones follow: running = (1 - momentum) * running + momentum * batch, with the
    unbiased variance, as in PyTorch. Otherwise the running ones are used.

    Parameters
    ----------
    x : Tensor or array_like
        (..., c): (n, c) or (n, h, w, c). Each sum runs over all axes but the last.
    running_mean, running_var : numpy.ndarray
        (c,); changed in place in training.
    weight, bias : Tensor, optional
        (c,): gamma and beta. By default 1 and 0.
    training : bool
        Whether to use and to remember the statistics of the batch.
    momentum : float
        The weight of the new value in the running statistics, in [0, 1].
    eps : float
        Added to the variance.
    activation : str, optional
        One of ``fastdl.shapes.ACTIVATIONS``; applied last.
    residual : Tensor or array_like, optional
        The shape of `x`; added before the activation.

    Returns
    -------
    Tensor
        The shape of `x`.

    Raises
    ------
    ShapeError
        The sizes do not fit.
    DtypeError
        The types differ.
    ArgumentError
        For an unknown activation.
    """
    fused, after = split(activation, "batch_norm", fused=("relu",))
    x = as_tensor(x)
    shape = x.data.shape
    if len(shape) < 2:
        raise ShapeError(f"batch_norm: expected x of shape (..., c), got {shape}")
    check_shape("batch_norm", "running_mean", running_mean.shape, shape[-1:])
    check_shape("batch_norm", "running_var", running_var.shape, shape[-1:])
    weight = as_tensor(np.ones_like(running_mean) if weight is None else weight)
    bias = as_tensor(np.zeros_like(running_mean) if bias is None else bias)
    if not x.data.dtype is weight.data.dtype is running_mean.dtype:
        check_real("batch_norm", x=x.data, weight=weight.data, mean=running_mean)
    added = residual_node = None
    if residual is not None:
        residual = as_tensor(residual)
        added, residual_node = residual.data, residual._node
        check_shape("batch_norm", "residual", added.shape, shape)
        if added.dtype is not x.data.dtype:
            check_real("batch_norm", x=x.data, residual=added)
    inputs = (x._node, weight._node, bias._node)
    watched = (x._changed, weight._changed)
    gamma, beta = weight.data, bias.data

    if training:
        y, mean, rstd = backend.batchnorm_forward(
            x.data, gamma, beta, eps=eps, residual=added, activation=fused
        )
        m = x.data.size // max(mean.size, 1)
        if m:
            var = np.maximum(1 / (rstd * rstd) - eps, 0) * (m / max(m - 1, 1))
            _follow(running_mean, mean, momentum)
            _follow(running_var, var, momentum)
        saved: tuple = (x.data, gamma, mean, rstd, y if fused else None)
        result = record(
            y,
            _batch_norm_backward,
            (*inputs, residual_node),
            saved,
            watched,
            keeps_output=fused is not None,
        )
        return activate(result, after)

    y = backend.batchnorm_inference(
        x.data, gamma, beta, running_mean, running_var, eps=eps
    )
    # Copies: a later batch in training may change the running statistics.
    saved = (x.data, gamma, running_mean.copy(), running_var.copy(), eps)
    result = record(y, _batch_norm_inference_backward, inputs, saved, watched)
    if residual is not None:
        result = add(result, residual)
    return activate(result, activation)


def _follow(running: np.ndarray, batch: np.ndarray, momentum: float) -> None:
    running *= 1 - momentum
    running += momentum * batch
