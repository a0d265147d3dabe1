r"""Softmax and the two cross-entropies, stable for logits z of any finite size.

.. math::
    p_k = \frac{e^{z_k - \max z}}{\sum_j e^{z_j - \max z}}, \qquad
    \log p_k = z_k - \max z - \log \sum_j e^{z_j - \max z}

Softmax cross-entropy with labels y (one-hot, or any weights of the classes):

.. math::
    L = -\sum_k y_k \log p_k, \qquad
    \frac{\partial L}{\partial z_k} = p_k \sum_j y_j - y_k

which is p - y when y sums to 1. Sigmoid cross-entropy of a logit z with a target t
in [0, 1]:

.. math::
    L = -t \log s(z) - (1 - t) \log (1 - s(z)) = \max(z, 0) - z t + \log(1 + e^{-|z|}),
    \qquad \frac{\partial L}{\partial z} = s(z) - t

Shapes: logits and probabilities (n, classes), labels (n,) or (n, classes), loss (n,);
the sigmoid forms take any shape and work element by element.

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes
from fastdl.reference.activation import activation_forward


def _shifted(x: np.ndarray) -> np.ndarray:
    """Return x minus the maximum of its row: at most 0, so exp never overflows."""
    with np.errstate(over="ignore"):  # a distance beyond the type's range is -inf
        return x - x.max(axis=-1, keepdims=True)


def softmax_forward(x: np.ndarray) -> np.ndarray:
    """Return the softmax over the last axis.

    Parameters
    ----------
    x
        (..., classes), any float type.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`; in [0, 1], the last axis sums to 1.
    """
    e = np.exp(_shifted(x))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax_forward(x: np.ndarray) -> np.ndarray:
    """Return the logarithm of the softmax over the last axis.

    Parameters
    ----------
    x
        (..., classes), any float type.

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`; at most 0.
    """
    shifted = _shifted(x)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax_cross_entropy_forward(
    logits: np.ndarray, labels: np.ndarray, *, scale: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cross-entropy of each example, and the probabilities.

    Parameters
    ----------
    logits
        (n, classes), any float type.
    labels
        Integers (n,) in [0, classes), or rows of probabilities (n, classes).
    scale
        If given, the loss is one number: the sum over the examples times `scale`, 1/n
        for a mean.

    Returns
    -------
    loss : numpy.ndarray
        (n,), or (), in nats.
    probabilities : numpy.ndarray
        (n, classes), for `softmax_cross_entropy_backward`.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        For labels of a wrong shape or type, or out of range.
    """
    n, classes = logits.shape
    labels = shapes.labels(labels, n, classes, "cross_entropy")
    log_p = log_softmax_forward(logits)
    if labels.ndim == 1:
        loss = -log_p[np.arange(n), labels]
    else:
        terms = np.zeros_like(log_p)  # 0 log 0 = 0
        np.multiply(labels, log_p, out=terms, where=labels != 0, casting="same_kind")
        loss = -terms.sum(axis=-1)
    if scale is not None:
        loss = np.array(loss.sum() * scale, log_p.dtype)
    return loss, np.exp(log_p)


def softmax_cross_entropy_backward(
    probabilities: np.ndarray, labels: np.ndarray, dloss: np.ndarray
) -> np.ndarray:
    """Return the gradient with respect to the logits.

    Parameters
    ----------
    probabilities
        (n, classes), from the forward pass.
    labels
        As in the forward pass.
    dloss
        (n,): the gradient with respect to each example's loss, 1/n for a mean; or ():
        the same for all.

    Returns
    -------
    numpy.ndarray
        dlogits (n, classes).

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        As in the forward pass.
    """
    n, classes = probabilities.shape
    labels = shapes.labels(labels, n, classes, "softmax_cross_entropy_backward")
    if labels.ndim == 1:
        dlogits = probabilities.copy()
        dlogits[np.arange(len(labels)), labels] -= 1
    else:
        labels = labels.astype(probabilities.dtype)
        dlogits = probabilities * labels.sum(axis=-1, keepdims=True) - labels
    return dlogits * dloss[..., np.newaxis]


def sigmoid_cross_entropy_forward(
    logits: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """Return the binary cross-entropy of each element.

    Parameters
    ----------
    logits
        Any shape, any float type.
    targets
        The shape of `logits`, in [0, 1]; NaN marks a missing target.

    Returns
    -------
    numpy.ndarray
        The shape and type of `logits`; 0 where the target is missing.

    Raises
    ------
    ShapeError
        When the shapes differ.
    """
    operation = "binary_cross_entropy_with_logits"
    shapes.check_shape(operation, "targets", targets.shape, logits.shape)
    loss = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    return np.where(np.isnan(targets), 0, loss)


def sigmoid_cross_entropy_backward(
    logits: np.ndarray, targets: np.ndarray, dloss: np.ndarray
) -> np.ndarray:
    """Return the gradient with respect to the logits.

    Parameters
    ----------
    logits, targets
        As in the forward pass.
    dloss
        The gradient with respect to each element's loss.

    Returns
    -------
    numpy.ndarray
        dlogits, of the shape and type of `logits`; 0 where the target is missing.
    """
    dlogits = (activation_forward(logits, "sigmoid") - targets) * dloss
    return np.where(np.isnan(targets), 0, dlogits)
