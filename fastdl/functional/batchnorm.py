"""Batch normalisation (Ioffe and Szegedy 2015), in training and in inference."""

from __future__ import annotations

import math

import numpy as np

from fastdl import backend, shards
from fastdl.autograd import Node, Tensor, as_tensor, is_recording, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional import across
from fastdl.functional.activation import activation as activate
from fastdl.functional.activation import split
from fastdl.functional.elementwise import empty_like, sum_to
from fastdl.shapes import (
    ACTIVATIONS,
    channels_first_hint,
    check_real,
    check_shape,
    is_in,
    is_share,
)
from fastdl.typing import TensorLike


def _batch_norm_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _, gamma, _, beta, _ = node.saved
    y, (mean, rstd, activation, combine) = node.result, node.arguments
    if y is not None and (x is None or node.inputs[-1]):
        dy = backend.activation_backward(dy, None, y, activation)
        y = activation = None
    if x is None:  # only the bias and the residual learn
        return None, None, sum_to(dy, mean.shape), dy
    if gamma is None:  # it scales dx alone, which nobody wants
        gamma = rstd
    gradients = backend.batchnorm_backward(
        dy, x, gamma, mean, rstd, beta=beta, y=y, activation=activation, combine=combine
    )
    return (*gradients, dy)


def _batch_norm_inference_backward(node: Node, dy: np.ndarray) -> tuple:
    """Mean and variance are constants here: y is linear in x, gamma and beta."""
    x_node, weight_node, bias_node, _ = node.inputs
    x, _, gamma, *_ = node.saved
    mean, var, eps, activation = node.arguments
    if node.result is not None:
        dy = backend.activation_backward(dy, None, node.result, activation)
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
    return dx, dweight, dbias, dy


def _check(
    x: np.ndarray,
    gamma: np.ndarray,
    mean: np.ndarray,
    var: np.ndarray,
    residual: np.ndarray | None,
    eps: float,
) -> None:
    """Raise an error unless the arrays fit together, and eps is usable."""
    shape = x.shape
    if len(shape) < 2:
        raise ShapeError(f"batch_norm: expected x of shape (..., c), got {shape}")
    if not mean.shape == var.shape == shape[-1:]:
        if mean.shape != shape[-1:]:
            raise ShapeError(
                f"batch_norm: x of shape {shape} has {shape[-1]} channels, but "
                f"running_mean has shape {mean.shape}"
                f"{channels_first_hint(shape, mean.size)}"
            )
        check_shape("batch_norm", "running_var", var.shape, shape[-1:])
    if not x.dtype is gamma.dtype is mean.dtype is var.dtype:
        check_real("batch_norm", x=x, weight=gamma, mean=mean, var=var)
    if not is_in(eps, math.inf):  # 0 where no variance can be 0, as in Standardize
        raise ArgumentError(f"batch_norm: eps must be a number >= 0, got {eps!r}")
    if residual is not None:
        check_shape("batch_norm", "residual", residual.shape, shape)
        if residual.dtype is not x.dtype:
            check_real("batch_norm", x=x, residual=residual)


def batch_norm(
    x: TensorLike,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    activation: str | None = None,
    residual: TensorLike | None = None,
) -> Tensor:
    """Normalise each channel, then scale it by `weight` and shift it by `bias`.

    ``activation(normalised * weight + bias + residual)``, the end of a residual block
    (He et al. 2015). Without activation, or with one that is fusable with "batch_norm"
    in ``fastdl.shapes.ACTIVATIONS``, it is one kernel call; the arrays between are
    never stored.

    In training the mean and the (biased) variance are those of the batch, and the
    running ones follow: running = (1 - momentum) * running + momentum * batch, with the
    unbiased variance, as in PyTorch. Otherwise the running ones are used. Where several
    processes share a batch, they are those of the whole batch, see `fastdl.parallel`.

    Parameters
    ----------
    x : Tensor or array_like
        (..., c): (n, c) or (n, h, w, c). Each sum runs over all axes but the last.
    running_mean, running_var : numpy.ndarray
        (c,); changed in place in training, so C-contiguous.
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
        For an unknown activation; for `eps` or `momentum` out of range; for running
        statistics that cannot be changed.
    """
    x = as_tensor(x)
    weight = as_tensor(np.ones_like(running_mean) if weight is None else weight)
    bias = as_tensor(np.zeros_like(running_mean) if bias is None else bias)
    added = residual_node = None
    if residual is not None:
        residual = as_tensor(residual)
        added, residual_node = residual.data, residual._node
    gamma, beta = weight.data, bias.data
    _check(x.data, gamma, running_mean, running_var, added, eps)
    x_reader = x._node or weight._node if training else weight._node
    fused, after = split(activation, "batch_norm")
    # The derivative of the activation: found from x once more, or from y.
    from_x = fused is not None and training and residual is None and bool(x_reader)
    if fused and not from_x and is_recording() and ACTIVATIONS[fused].derivative == "x":
        fused, after = None, fused
    if training:
        if not is_share(momentum):
            raise ArgumentError(
                f"batch_norm: momentum must be a number in [0, 1], got {momentum!r}"
            )
        parts = across.Parts.of(shards.current(), eps)
        y, mean, rstd = backend.batchnorm_forward(
            x.data,
            gamma,
            beta,
            running_mean,
            running_var,
            momentum=momentum,
            eps=eps,
            residual=added,
            activation=fused,
            combine=None if parts is None else parts.statistics,
        )
        backward = _batch_norm_backward
        arguments: tuple = (mean, rstd, fused, None if parts is None else parts.sums)
    else:
        y = backend.batchnorm_inference(
            x.data,
            gamma,
            beta,
            running_mean,
            running_var,
            eps=eps,
            residual=added,
            activation=fused,
        )
        backward = _batch_norm_inference_backward
        arguments = ()
        if is_recording():
            # Copies: a later batch in training may change the running statistics.
            arguments = (running_mean.copy(), running_var.copy(), eps, fused)
    result = record(
        y,
        backward,
        (x._node, weight._node, bias._node, residual_node),
        (
            x.data if x_reader else None,
            x._changed,
            gamma if x._node or from_x else None,
            weight._changed,
            beta if from_x else None,
            bias._changed,
        ),
        arguments,
        saves_result=fused is not None and not from_x,
    )
    return result if after is None else activate(result, after)
