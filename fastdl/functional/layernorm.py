r"""Layer and group normalisation: each example is normalised by itself.

With the mean and the (biased) variance of one example, or of a group of its channels:

.. math::
    \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad
    y = \gamma \hat x + \beta, \qquad
    dx = \frac{g - \overline g - \hat x \, \overline{g \hat x}}
              {\sqrt{\sigma^2 + \epsilon}}, \quad g = \gamma \, dy

where a bar is the mean over the elements that share a mean. Nothing depends on the
other examples, so training and evaluation are the same.

Sources: Ba, Kiros, Hinton 2016, "Layer normalization"; Wu, He 2018, "Group
normalization".
"""

from __future__ import annotations

import math

import numpy as np

from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import empty_like, mean_over, sum_to
from fastdl.shapes import check_real, check_shape, integer, is_in
from fastdl.shapes.arguments import sizes
from fastdl.typing import Shape, TensorLike


def _normalise_backward(node: Node, dy: np.ndarray) -> tuple:
    x_node, weight_node, bias_node = node.inputs
    (gamma, _), (normalised, rstd, affine_shape, view, axes) = (
        node.saved,
        node.arguments,
    )
    dx = dweight = dbias = None
    if weight_node:
        product = np.multiply(dy, normalised, empty_like(dy))
        dweight = sum_to(product, affine_shape)
    if bias_node:
        dbias = sum_to(dy, affine_shape)
    if x_node:
        dx = np.multiply(dy, gamma, empty_like(dy))
        g, xhat = dx.reshape(view), normalised.reshape(view)
        projection = mean_over(g * xhat, axes)
        g -= mean_over(g, axes)
        g -= xhat * projection
        g *= rstd
    return dx, dweight, dbias


def _normalise(
    x: Tensor,
    weight: TensorLike | None,
    bias: TensorLike | None,
    affine_shape: Shape,
    view: Shape,
    axes: Shape,
    eps: float,
    operation: str,
) -> Tensor:
    """Normalise over `axes` of `x` seen as `view`, then scale and shift `x` itself."""
    dtype = x.data.dtype
    weight = as_tensor(np.ones(affine_shape, dtype) if weight is None else weight)
    bias = as_tensor(np.zeros(affine_shape, dtype) if bias is None else bias)
    gamma, beta = weight.data, bias.data
    check_real(operation, x=x.data, weight=gamma, bias=beta)
    if not is_in(eps, math.inf):
        raise ArgumentError(f"{operation}: eps must be a number >= 0, got {eps!r}")
    check_shape(operation, "weight", gamma.shape, affine_shape)
    check_shape(operation, "bias", beta.shape, affine_shape)
    y = empty_like(x.data)
    normalised = empty_like(x.data)
    grouped, centred = x.data.reshape(view), normalised.reshape(view)
    np.subtract(grouped, mean_over(grouped, axes), centred)
    square = np.square(centred, y.reshape(view))  # y is free until the end
    rstd = 1 / np.sqrt(mean_over(square, axes) + eps)
    centred *= rstd
    np.multiply(normalised, gamma, y)
    y += beta
    inputs = (x._node, weight._node, bias._node)
    saved = (gamma if x._node else None, weight._changed)
    arguments = (normalised, rstd, affine_shape, view, axes)
    return record(y, _normalise_backward, inputs, saved, arguments)


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
        (..., *normalized_shape).
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
    view = (*shape[: -len(inner)], math.prod(inner))
    last = (len(view) - 1,)
    return _normalise(x, weight, bias, inner, view, last, eps, "layer_norm")


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
    groups = integer(num_groups, "group_norm: num_groups")
    if len(shape) < 2 or 0 in shape[1:] or shape[-1] % groups:
        raise ShapeError(
            f"group_norm: expected x of shape (n, ..., c) with c divisible by the "
            f"{groups} groups, got {shape}"
        )
    n, *pixels, c = shape
    view = (n, math.prod(pixels), groups, c // groups)
    return _normalise(x, weight, bias, (c,), view, (1, 3), eps, "group_norm")
