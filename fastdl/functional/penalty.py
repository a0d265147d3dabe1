"""What L1 and L2 regularisation add to a cost.

One operation for all weights of a model: a step has one more node, not hundreds. The
equations stand in `fastdl.reference.penalty`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from fastdl import backend
from fastdl.autograd import Backward, Node, Tensor, as_tensor, record
from fastdl.errors import ArgumentError
from fastdl.shapes import check_real
from fastdl.shapes.numbers import is_number
from fastdl.typing import TensorLike


def _penalty(
    weights: Sequence[TensorLike],
    strength: float,
    forward: Callable[[np.ndarray, float], np.ndarray],
    backward: Backward,
    operation: str,
) -> Tensor:
    """Return the sum of the penalties of all weights."""
    tensors = [as_tensor(weight) for weight in weights]
    if not tensors:
        raise ArgumentError(f"{operation}: there are no weights")
    if not is_number(strength):
        raise ArgumentError(f"{operation}: strength must be a number, got {strength!r}")
    check_real(
        operation, **{f"weights[{i}]": tensor.data for i, tensor in enumerate(tensors)}
    )
    total = sum(forward(tensor.data, strength).item() for tensor in tensors)
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
        None if w is None else backend.l2_penalty_backward(dy, w, strength)
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
    forward = backend.l2_penalty_forward
    return _penalty(weights, strength, forward, _l2_penalty_backward, "l2_penalty")


def _l1_penalty_backward(node: Node, dy: np.ndarray) -> tuple:
    (strength,) = node.arguments
    return tuple(
        None if w is None else backend.l1_penalty_backward(dy, w, strength)
        for w in node.saved[::2]
    )


def l1_penalty(weights: Sequence[TensorLike], strength: float) -> Tensor:
    """Return strength times the sum of all magnitudes; the gradient at 0 is 0.

    See `l2_penalty`.
    """
    forward = backend.l1_penalty_forward
    return _penalty(weights, strength, forward, _l1_penalty_backward, "l1_penalty")
