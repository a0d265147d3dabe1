"""Losses of numbers, and what all losses share: their reduction to one number.

The loss of a prediction is a function of its difference d from the target:

    mse_loss    d^2
    l1_loss     |d|
    huber_loss  d^2 / 2 up to |d| = delta, and on along the tangent
"""

from __future__ import annotations

import math

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError, DtypeError, ShapeError, suggest
from fastdl.functional.elementwise import empty_like
from fastdl.functional.targets import example_weights, plain
from fastdl.shapes import (
    check_probabilities,
    check_real,
    holds_pictures,
    is_positive,
)
from fastdl.typing import ArrayLike, Shape, TensorLike


def check_targets(operation: str, targets: Shape, outputs: Shape) -> None:
    """Raise ShapeError unless targets have exactly the shape of a model's outputs."""
    if targets != outputs:
        hint = ""
        if math.prod(targets) == math.prod(outputs):
            hint = f"; if they belong together use targets.reshape{(-1, *outputs[1:])}"
        raise ShapeError(
            f"{operation}: expected targets of the shape of the outputs, {outputs}, "
            f"got {targets}{hint}"
        )


def answers(targets: ArrayLike, outputs: np.ndarray, operation: str) -> np.ndarray:
    """Return targets of yes-or-no questions: in [0, 1], NaN where one is missing.

    They have the type of the outputs, and must have their shape.
    """
    given = plain(targets, operation)
    if given.dtype.kind not in "biuf":
        raise DtypeError(f"{operation}: expected targets in [0, 1], got {given.dtype}")
    given = given.astype(outputs.dtype, copy=False)
    check_targets(operation, given.shape, outputs.shape)
    check_probabilities(given, operation, missing=True)
    return given


def reduction_factor(reduction: str, count: float, operation: str) -> float | None:
    """Return what multiplies the sum of the losses, or None for "none".

    See `reduce_losses`.
    """
    kind = reduction if isinstance(reduction, str) else ""  # not an array of weights
    if kind == "mean":
        return 1 / float(count) if count else 0.0
    if kind == "sum":
        return 1.0
    if kind == "none":
        return None
    hint = suggest(kind, ("mean", "sum", "none"))
    raise ArgumentError(f"{operation}: unknown reduction {reduction!r:.60}{hint}")


def reduce_losses(
    losses: np.ndarray, reduction: str, count: float, operation: str
) -> tuple[np.ndarray, float]:
    """Reduce losses as the argument `reduction` of a loss function says.

    Parameters
    ----------
    losses
        Any shape.
    reduction
        "mean", "sum" or "none".
    count
        What a mean divides the sum by: the number of losses, or the sum of their
        weights. A mean of none is 0, with gradient 0.
    operation
        The name for the message.

    Returns
    -------
    result : numpy.ndarray
        One number, or `losses`.
    factor : float
        The derivative of the result with respect to each of the losses.

    Raises
    ------
    ArgumentError
        For another `reduction`.
    """
    factor = reduction_factor(reduction, count, operation)
    if factor is None:
        return losses, 1.0
    result = backend.empty((), losses.dtype)
    np.add.reduce(losses, None, out=result)
    result *= factor
    return result, factor


def spread_loss(dy: np.ndarray, factor: float, shape: Shape) -> np.ndarray:
    """Return the gradient of `reduce_losses`: dy * factor for each of the losses."""
    return np.multiply(dy, factor, backend.empty(shape, dy.dtype))


# Losses of numbers -------------------------------------------------------------------


def _difference_loss_backward(node: Node, dy: np.ndarray) -> tuple:
    slope, weight, factor = node.arguments
    prediction, target = node.inputs
    dx = np.multiply(slope, factor * dy, empty_like(slope))
    if weight is not None:
        dx *= weight
    return (
        dx if prediction else None,
        np.negative(dx, empty_like(dx)) if target else None,
    )


def _operands(
    prediction: TensorLike, target: TensorLike, operation: str
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return both as tensors, and their difference."""
    prediction = as_tensor(prediction)
    x = prediction.data
    if holds_pictures(target):
        raise DtypeError(
            f"{operation}: target is uint8 of shape {target.shape}; give "
            f"fastdl.data.as_float(target) for pictures in [0, 1], as the model sees "
            f"them, or target.astype(np.float32) for the numbers as they are"
        )
    if not isinstance(target, Tensor):
        target = Tensor(target, dtype=x.dtype)
    check_real(operation, prediction=x, target=target.data)
    check_targets(operation, target.data.shape, x.shape)
    return prediction, target, np.subtract(x, target.data, empty_like(x))


def _reduced(
    prediction: Tensor,
    target: Tensor,
    losses: np.ndarray,
    slope: np.ndarray,
    multiple: float,
    reduction: str,
    sample_weight: ArrayLike | None,
    operation: str,
) -> Tensor:
    """Weigh and reduce losses, whose derivative by d is multiple * slope."""
    weight, count = None, float(losses.size)
    if sample_weight is not None:
        weight = example_weights(sample_weight, losses.shape, losses.dtype, operation)
        count = weight.sum()
        losses *= weight
    loss, factor = reduce_losses(losses, reduction, count, operation)
    inputs = (prediction._node, target._node)
    arguments = (slope, weight, multiple * factor)
    return record(loss, _difference_loss_backward, inputs, (), arguments)


def mse_loss(
    prediction: TensorLike,
    target: TensorLike,
    reduction: str = "mean",
    *,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    """Return the squared error w (prediction - target)^2.

    Parameters
    ----------
    prediction : Tensor
        Any shape.
    target : Tensor or array_like
        Exactly the shape of `prediction`; arrays are converted to its type.
    reduction : str
        "mean" over all elements, "sum" or "none". A weighted mean divides by the sum of
        the weights.
    sample_weight : array_like, optional
        w, numbers >= 0, of the shape of `prediction` or of its first axis.

    Returns
    -------
    Tensor
        One number; for "none", the shape of `prediction`.

    Raises
    ------
    ShapeError
        The shapes differ, even if they could be broadcast; the weights do not fit.
    DtypeError
        The target is uint8 and may be pictures, to be scaled, as well as numbers.
    ArgumentError
        For another `reduction`, or a weight that is negative or not finite.
    """
    x, y, d = _operands(prediction, target, "mse_loss")
    losses = np.square(d, empty_like(d))
    return _reduced(x, y, losses, d, 2, reduction, sample_weight, "mse_loss")


def l1_loss(
    prediction: TensorLike,
    target: TensorLike,
    reduction: str = "mean",
    *,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    """Return the absolute error ``w |prediction - target|``; its gradient at 0 is 0.

    The best constant prediction is the median, which outliers move less than the mean.
    See `mse_loss`.
    """
    x, y, d = _operands(prediction, target, "l1_loss")
    losses, slope = np.absolute(d, empty_like(d)), np.sign(d, d)
    return _reduced(x, y, losses, slope, 1, reduction, sample_weight, "l1_loss")


def check_delta(delta: float, operation: str) -> None:
    """Raise ArgumentError unless delta is a finite number > 0."""
    if not is_positive(delta):
        raise ArgumentError(
            f"{operation}: delta must be a finite number > 0, got {delta!r}"
        )


def huber_loss(
    prediction: TensorLike,
    target: TensorLike,
    reduction: str = "mean",
    *,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    r"""Return Huber's loss: squares for small errors d, magnitudes for large ones.

    .. math::
        \tfrac12 d^2 \text{ for } |d| \le \delta, \qquad
        \delta (|d| - \tfrac12 \delta) \text{ beyond}

    Its gradient is d, limited to [-delta, delta] (Huber 1964, "Robust estimation of a
    location parameter"). PyTorch's SmoothL1 with beta = delta is this divided by delta.

    Parameters
    ----------
    prediction, target, reduction, sample_weight
        As in `mse_loss`, like everything else.
    delta : float
        > 0, in the unit of the targets.

    Raises
    ------
    ArgumentError
        `delta` is no finite number above 0.
    """
    check_delta(delta, "huber_loss")
    x, y, d = _operands(prediction, target, "huber_loss")
    slope = np.clip(d, -delta, delta, out=empty_like(d))
    # slope * (d - slope / 2) is both cases in one.
    losses = np.multiply(slope, -0.5, empty_like(d))
    losses += d
    losses *= slope
    return _reduced(x, y, losses, slope, 1, reduction, sample_weight, "huber_loss")
