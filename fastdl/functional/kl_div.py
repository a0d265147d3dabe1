"""The Kullback-Leibler divergence of two distributions."""

from __future__ import annotations

import numpy as np

from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.errors import DtypeError, ShapeError
from fastdl.functional.elementwise import empty_like
from fastdl.functional.loss import check_targets, reduce_losses
from fastdl.functional.targets import example_weights, plain
from fastdl.shapes import check_probabilities
from fastdl.typing import ArrayLike, TensorLike


def _kl_div_backward(node: Node, dy: np.ndarray) -> tuple:
    (rows,) = node.arguments
    return (np.multiply(rows, -dy[..., np.newaxis], empty_like(rows)),)


def kl_div(
    log_p: TensorLike,
    q: ArrayLike,
    reduction: str = "mean",
    *,
    sample_weight: ArrayLike | None = None,
) -> Tensor:
    r"""Return :math:`KL(q \| p) = \sum_k q_k (\log q_k - \log p_k)` of each row.

    The order of the arguments is PyTorch's: first the logarithms of the model's
    probabilities (`log_softmax` of its logits), then the target, itself no logarithm.
    "mean" is PyTorch's "batchmean", the mean over the rows; "none" gives one number for
    each row, not for each class.

    Parameters
    ----------
    log_p : Tensor
        (m, classes): logarithms of probabilities. -inf is fine where q is 0.
    q : array_like
        (m, classes): the target's rows of probabilities; no gradient flows to them.
    reduction : str
        "mean" over the rows, "sum" or "none".
    sample_weight : array_like, optional
        (m,), >= 0: how much each row counts. The mean becomes the weighted one.

    Returns
    -------
    Tensor
        One number in nats; (m,) for "none". The mean of no row is 0.

    Raises
    ------
    ShapeError, DtypeError
        The shapes differ, or are no rows; `q` are no numbers.
    ArgumentError
        `q` are no probabilities; a weight is out of range; `reduction` is unknown.
    GraphError
        `q` needs a gradient.
    """
    operation = "kl_div"
    log_p = as_tensor(log_p)
    x = log_p.data
    target = plain(q, operation)
    if target.dtype.kind not in "biuf":
        raise DtypeError(f"{operation}: expected probabilities, got {target.dtype}")
    check_targets(operation, target.shape, x.shape)
    if x.ndim != 2:
        raise ShapeError(f"{operation}: expected rows (m, classes), got {x.shape}")
    check_probabilities(target, operation, missing=False)
    rows = target.astype(x.dtype)
    terms = np.zeros_like(rows)  # 0 log 0 = 0
    possible = rows > 0
    np.log(rows, terms, where=possible)
    np.subtract(terms, x, terms, where=possible)
    terms *= rows
    losses = np.add.reduce(terms, -1)
    count = float(len(x))
    if sample_weight is not None:
        weight = example_weights(sample_weight, x.shape[:1], x.dtype, operation)
        losses, count = losses * weight, float(weight.sum())
        rows *= weight[:, np.newaxis]
    loss, factor = reduce_losses(losses, reduction, count, operation)
    rows *= factor
    return record(loss, _kl_div_backward, (log_p._node,), (), (rows,))
