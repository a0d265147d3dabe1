"""Layer and group normalisation: each example is normalised by itself.

See `fastdl.reference.layernorm` for the equations. Nothing depends on the other
examples, so training and evaluation are the same.
"""

from __future__ import annotations

import math

import numpy as np

from fastdl import backend, shapes
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import sum_to
from fastdl.shapes import check_real, check_shape, is_in
from fastdl.shapes.arguments import sizes
from fastdl.typing import Shape, TensorLike


def _shaped(array: np.ndarray, shape: Shape) -> np.ndarray:
    """Return `array` itself where it has the shape, as a view would hide its owner."""
    return array if array.shape == shape else array.reshape(shape)


def _normalise_backward(node: Node, dy: np.ndarray) -> tuple:
    x, _, gamma, _ = node.saved
    rows, affine_shape, mean, rstd, *_ = node.arguments
    if x is None:  # only the bias learns
        return None, None, sum_to(dy, affine_shape)
    if gamma is None:  # it scales dx alone, which nobody wants
        gamma = np.ones(affine_shape, dy.dtype)
    dx, dgamma, dbeta = backend.layernorm_backward(
        dy.reshape(rows), x.reshape(rows), gamma.reshape(-1), mean, rstd
    )
    shape = dy.shape
    return (
        _shaped(dx, shape),
        _shaped(dgamma, affine_shape),
        _shaped(dbeta, affine_shape),
    )


def _normalise(
    x: Tensor,
    weight: TensorLike | None,
    bias: TensorLike | None,
    affine_shape: Shape,
    rows: Shape,
    groups: int,
    eps: float,
    operation: str,
) -> Tensor:
    """Normalise `x` seen as `rows`, whose last axis has the elements of gamma."""
    dtype = x.data.dtype
    weight = as_tensor(np.ones(affine_shape, dtype) if weight is None else weight)
    bias = as_tensor(np.zeros(affine_shape, dtype) if bias is None else bias)
    gamma, beta = weight.data, bias.data
    check_real(operation, x=x.data, weight=gamma, bias=beta)
    if not is_in(eps, math.inf):
        raise ArgumentError(f"{operation}: eps must be a number >= 0, got {eps!r}")
    check_shape(operation, "weight", gamma.shape, affine_shape)
    check_shape(operation, "bias", beta.shape, affine_shape)
    y, mean, rstd = backend.layernorm_forward(
        x.data.reshape(rows),
        gamma.reshape(-1),
        beta.reshape(-1),
        groups=groups,
        eps=eps,
    )
    return record(
        _shaped(y, x.data.shape),
        _normalise_backward,
        (x._node, weight._node, bias._node),
        (
            x.data if x._node or weight._node else None,
            x._changed,
            gamma if x._node else None,
            weight._changed,
        ),
        (rows, affine_shape, mean, rstd, groups, eps),
    )


def layer_norm(
    x: TensorLike,
    normalized_shape: Shape,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise the last axes of each example, then scale and shift each element.

    Parameters
    ----------
    x : Tensor or array_like
        ``(..., *normalized_shape)``.
    normalized_shape : tuple of int
        The sizes of the axes that share a mean: (c,) for each row or pixel, (h, w, c)
        for each image.
    weight, bias : Tensor, optional
        The shape `normalized_shape`: gamma and beta. By default 1 and 0.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor
        The shape of `x`.

    Raises
    ------
    ShapeError
        `x` does not end in `normalized_shape`, or has nothing to average.
    DtypeError
        The types differ.
    ArgumentError
        `eps` is no number >= 0.
    """
    x = as_tensor(x)
    shape = x.data.shape
    inner = sizes("layer_norm", "weight", normalized_shape)
    if not inner or shape[-len(inner) :] != inner or 0 in inner:
        raise ShapeError(
            f"layer_norm: expected x of shape (..., {', '.join(map(str, inner))}), "
            f"got {shape}"
        )
    rows = (math.prod(shape[: -len(inner)]), math.prod(inner))
    return _normalise(x, weight, bias, inner, rows, 1, eps, "layer_norm")


def group_norm(
    x: TensorLike,
    num_groups: int,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise groups of channels of each example, then scale and shift each channel.

    Parameters
    ----------
    x : Tensor or array_like
        (n, ..., c): (n, h, w, c) or (n, c). A mean runs over all pixels and the c /
        num_groups channels of a group.
    num_groups : int
        Divides c. 1 normalises a whole image, c each channel (instance normalisation).
    weight, bias : Tensor, optional
        (c,): gamma and beta. By default 1 and 0.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor
        The shape of `x`.

    Raises
    ------
    ShapeError
        The groups do not divide the channels, or other sizes do not fit.
    DtypeError
        The types differ.
    ArgumentError
        `eps` is no number >= 0.
    """
    x = as_tensor(x)
    shape = x.data.shape
    *_, groups, _ = shapes.layernorm(shape, num_groups, "group_norm")
    return _normalise(x, weight, bias, shape[-1:], shape, groups, eps, "group_norm")
