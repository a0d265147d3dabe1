r"""What L1 and L2 regularisation add to a cost.

.. math::
    L_2: \frac{s}{2} \sum_i w_i^2, \quad \text{gradient } s \, w, \qquad
    L_1: s \sum_i |w_i|, \quad \text{gradient } s \, \mathrm{sign}(w)

One operation for all weights of a model: a step has one more node, not hundreds.

Source: Goodfellow, Bengio, Courville, "Deep Learning" (2016), section 7.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from fastdl.autograd import Backward, Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError
from fastdl.functional.elementwise import empty_like
from fastdl.shapes import check_real
from fastdl.shapes.numbers import is_number
from fastdl.typing import TensorLike


def _weights(
    weights: Sequence[TensorLike], strength: float, operation: str
) -> list[Tensor]:
    tensors = [as_tensor(weight) for weight in weights]
    if not tensors:
        raise ArgumentError(f"{operation}: there are no weights")
    if not is_number(strength):
        raise ArgumentError(f"{operation}: strength must be a number, got {strength!r}")
    check_real(
        operation, **{f"weights[{i}]": tensor.data for i, tensor in enumerate(tensors)}
    )
    return tensors


def _record(
    tensors: list[Tensor], total: float, strength: float, backward: Backward
) -> Tensor:
    pairs = ((w.data if w._node else None, w._changed) for w in tensors)
    return record(
        np.array(total, tensors[0].data.dtype),
        backward,
        tuple(tensor._node for tensor in tensors),
        tuple(chain.from_iterable(pairs)),
        (strength,),
    )


def _l2_penalty_backward(node: Node, dy: np.ndarray) -> tuple:
    (strength,) = node.arguments
    return tuple(
        None if w is None else np.multiply(w, strength * dy, empty_like(w))
        for w in node.saved[::2]
    )


def l2_penalty(weights: Sequence[TensorLike], strength: float) -> Tensor:
    """Return strength / 2 times the sum of all squares.

    Parameters
    ----------
    weights : sequence of Tensor or array_like
        At least one, of any shapes, all of one type.
    strength : float
        Its gradient is ``strength * weight``, that of an optimiser's ``weight_decay``.

    Returns
    -------
    Tensor
        One number.

    Raises
    ------
    ArgumentError
        There are no weights.
    DtypeError
        Some are float32, others float64.
    """
    tensors = _weights(weights, strength, "l2_penalty")
    total = sum(
        float(np.add.reduce(np.square(tensor.data, empty_like(tensor.data)), None))
        for tensor in tensors
    )
    return _record(tensors, strength / 2 * total, strength, _l2_penalty_backward)


def _l1_penalty_backward(node: Node, dy: np.ndarray) -> tuple:
    (strength,) = node.arguments
    signs = [None if w is None else np.sign(w, empty_like(w)) for w in node.saved[::2]]
    return tuple(s if s is None else np.multiply(s, strength * dy, s) for s in signs)


def l1_penalty(weights: Sequence[TensorLike], strength: float) -> Tensor:
    """Return strength times the sum of all magnitudes; the gradient at 0 is 0.

    See `l2_penalty`.
    """
    tensors = _weights(weights, strength, "l1_penalty")
    total = sum(
        float(np.add.reduce(np.absolute(tensor.data, empty_like(tensor.data)), None))
        for tensor in tensors
    )
    return _record(tensors, strength * total, strength, _l1_penalty_backward)
