r"""What regularisation adds to a cost, and the limit of norms.

With the strength s of a penalty and the weights W:

.. math::
    L_1: s \sum_i |w_i|, \quad \text{gradient } s \, \mathrm{sign}(w), \qquad
    L_2: \frac{s}{2} \sum_i w_i^2, \quad \text{gradient } s \, w

Max-norm scales down the weights into each unit (a column, or a filter) whose Euclidean
norm exceeds the limit c:

.. math:: w_j \leftarrow w_j \, c / \max(\|w_j\|, c)

Sources: Goodfellow, Bengio, Courville, "Deep Learning" (2016), section 7.1; Srivastava
et al. 2014, "Dropout", section 5.1 (max-norm).
"""

from __future__ import annotations

import numpy as np

from fastdl.reference._sums import wide


def l1_penalty_forward(w: np.ndarray, strength: float) -> np.ndarray:
    """Return the strength times the sum of magnitudes.

    Parameters
    ----------
    w
        Any shape, any float type.
    strength
        s.

    Returns
    -------
    numpy.ndarray
        (), in the type of `w`.
    """
    return np.array(strength * np.abs(w).sum(dtype=wide(w.dtype)), w.dtype)


def l1_penalty_backward(dy: np.ndarray, w: np.ndarray, strength: float) -> np.ndarray:
    """Return the gradient with respect to the weights; at 0 it is 0.

    Parameters
    ----------
    dy
        (): the gradient with respect to the penalty.
    w, strength
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dw, of the shape and type of `w`.
    """
    return np.sign(w) * w.dtype.type(strength * dy)


def l2_penalty_forward(w: np.ndarray, strength: float) -> np.ndarray:
    """Return half the strength times the sum of squares. See `l1_penalty_forward`."""
    return np.array(strength / 2 * np.square(w).sum(dtype=wide(w.dtype)), w.dtype)


def l2_penalty_backward(dy: np.ndarray, w: np.ndarray, strength: float) -> np.ndarray:
    """Return the gradient with respect to the weights. See `l1_penalty_backward`."""
    return w * w.dtype.type(strength * dy)


def max_norm_step(weight: np.ndarray, *, limit: float) -> None:
    """Limit the norm of the weights into each unit, in place.

    Parameters
    ----------
    weight
        (..., units): dense weights (in, units), or filters (kh, kw, c, units).
    limit
        c > 0.
    """
    squares = np.square(weight, dtype=wide(weight.dtype))
    norms = np.sqrt(squares.sum(tuple(range(weight.ndim - 1))))
    weight *= limit / np.maximum(norms, limit)
