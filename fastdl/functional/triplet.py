"""The triplet loss, which learns distances."""

from __future__ import annotations

import numpy as np

from fastdl.autograd import Tensor, as_tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.functional.elementwise import multiply, subtract
from fastdl.functional.loss import reduction_factor
from fastdl.functional.norm import norm
from fastdl.functional.reduction import sum as add_up
from fastdl.functional.targets import example_weights
from fastdl.functional.unary import clamp
from fastdl.shapes import check_real, is_in
from fastdl.shapes.numbers import is_number
from fastdl.typing import ArrayLike, TensorLike


def check_distance(margin: float, p: float, operation: str) -> None:
    """Raise ArgumentError unless margin is a finite number >= 0, and p one > 0."""
    if not is_in(margin, np.inf):
        raise ArgumentError(
            f"{operation}: margin must be a finite number >= 0, got {margin!r}"
        )
    if not (is_number(p) and p > 0):
        raise ArgumentError(f"{operation}: p must be a number > 0, got {p!r}")


def triplet_margin_loss(
    anchor: TensorLike,
    positive: TensorLike,
    negative: TensorLike,
    reduction: str = "mean",
    *,
    margin: float = 1.0,
    p: float = 2.0,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    r"""Return how much nearer an anchor should be to a positive than to a negative.

    .. math::
        L_i = \max(\|a_i - p_i\|_p - \|a_i - n_i\|_p + \text{margin}, 0)

    (Schroff, Kalenichenko, Philbin, "FaceNet", 2015, with distances in place of their
    squares.) The gradient of a distance of 0 is 0; PyTorch adds 1e-6 to each difference
    instead.

    Parameters
    ----------
    anchor, positive, negative : Tensor or array_like
        (m, features), all of one type: what a network makes of an example, of another
        one of its class, and of one of another class.
    reduction : str
        "mean" over the triplets, "sum" or "none".
    margin : float
        >= 0.
    p : float
        Of the norm, > 0; 2 is the Euclidean distance.
    sample_weight : array_like, optional
        (m,), >= 0: how much each triplet counts. The mean becomes the weighted one.

    Returns
    -------
    Tensor
        One number; (m,) for "none". The mean of no triplet is 0.

    Raises
    ------
    ShapeError, DtypeError
        The three differ in shape or type, or the weights do not fit.
    ArgumentError
        `margin`, `p` or a weight is out of range; `reduction` is unknown.
    """
    operation = "triplet_margin_loss"
    check_distance(margin, p, operation)
    a, b, c = (as_tensor(x) for x in (anchor, positive, negative))
    check_real(operation, anchor=a.data, positive=b.data, negative=c.data)
    if a.ndim != 2 or not a.shape == b.shape == c.shape:
        raise ShapeError(
            f"{operation}: expected anchor, positive and negative of one shape (m, "
            f"features), got {a.shape}, {b.shape} and {c.shape}"
        )
    near, far = (norm(subtract(a, x), p, axis=1) for x in (b, c))
    losses = clamp(subtract(near, far) + margin, min=0)
    count = float(len(a.data))
    if sample_weight is not None:
        weight = example_weights(sample_weight, a.shape[:1], a.dtype, operation)
        losses, count = multiply(losses, weight), float(weight.sum())
    factor = reduction_factor(reduction, count, operation)
    return losses if factor is None else multiply(add_up(losses), factor)
