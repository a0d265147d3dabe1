r"""The product behind dense layers, with bias and activation.

.. math:: Y = g(A B + b), \qquad y_{ij} = g\Bigl(\sum_k a_{ik} b_{kj} + b_j\Bigr)

Shapes: a (m, k), b (k, n), bias (n,), y (m, n); a is stored as (k, m) when
``transpose_a``, b as (n, k) when ``transpose_b``.

The gradients are products too. With dz the gradient at the argument of g:

.. math:: dA = dZ\,B^T, \qquad dB = A^T dZ, \qquad db_j = \sum_i dz_{ij}

Source: Goodfellow, Bengio, Courville, "Deep Learning" (2016), section 6.5.
"""

from __future__ import annotations

import numpy as np

from fastdl import shapes
from fastdl.reference.activation import bias_activation, put


def matmul(
    a: np.ndarray,
    b: np.ndarray,
    bias: np.ndarray | None = None,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    activation: str | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return ``activation(a @ b + bias)``.

    Parameters
    ----------
    a, b
        (m, k) and (k, n), of the same float type; see transpose_a and transpose_b.
    bias
        (n,) or None.
    transpose_a, transpose_b
        Whether the operand is stored transposed.
    activation
        One of ``shapes.ACTIVATIONS`` or None.
    out
        (m, n): where to put the result.

    Returns
    -------
    numpy.ndarray
        (m, n), in the type of `a`.

    Raises
    ------
    ShapeError
        When the shapes do not fit.
    """
    bias_shape = None if bias is None else bias.shape
    shapes.matmul(a.shape, b.shape, bias_shape, transpose_a, transpose_b)
    a = a.T if transpose_a else a
    b = b.T if transpose_b else b
    y = bias_activation(np.matmul(a, b), bias, activation, "matmul")
    return put(y, out, "matmul")


def stacked_matmul(
    a: np.ndarray,
    b: np.ndarray,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> np.ndarray:
    """Return the products ``a[i] @ b[i]`` of two stacks of matrices.

    Parameters
    ----------
    a, b
        (s, m, k) and (s, k, n), of the same float type; without the first axis the
        same matrix is used for all.
    transpose_a, transpose_b
        Whether the matrices of the operand are stored transposed.

    Returns
    -------
    numpy.ndarray
        (s, m, n), in the type of `a`.

    Raises
    ------
    ShapeError
        When the shapes do not fit, or neither operand is a stack.
    """
    shapes.stacked_matmul(a.shape, b.shape, transpose_a, transpose_b)
    a = np.swapaxes(a, -2, -1) if transpose_a else a
    b = np.swapaxes(b, -2, -1) if transpose_b else b
    return np.matmul(a, b)
