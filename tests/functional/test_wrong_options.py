"""Options of a wrong type or value: an error of ours that names the operation."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

X = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
IMAGES = Tensor(np.ones((1, 4, 4, 2), np.float32))
MEAN, VAR = np.zeros(3, np.float32), np.ones(3, np.float32)
LABELS = np.array([0, 1])
RAGGED = [[1], [1, 2]]

CASES = {
    "dropout": (ArgumentError, [lambda p: F.dropout(X, p)], ["2", None, [1]]),
    "drop_path": (ArgumentError, [lambda p: F.drop_path(X, p)], ["2", None]),
    "dropout2d": (ArgumentError, [lambda p: F.dropout2d(IMAGES, p)], ["2", None]),
    "Dropout": (ArgumentError, [nn.Dropout, lambda k: nn.Dropout(keep_prob=k)], ["2"]),
    "batch_norm: eps": (
        ArgumentError,
        [
            lambda eps: F.batch_norm(X, MEAN, VAR, eps=eps),
            lambda eps: F.batch_norm(X, MEAN, VAR, eps=eps, training=True),
        ],
        [None, "a", -1.0, np.nan],
    ),
    "batch_norm: momentum": (
        ArgumentError,
        [lambda m: F.batch_norm(X, MEAN, VAR, momentum=m, training=True)],
        [None, "a", 1.5],
    ),
    "BatchNorm1d": (
        ArgumentError,
        [lambda v: nn.BatchNorm1d(3, eps=v), lambda v: nn.BatchNorm1d(3, momentum=v)],
        [None, "a"],
    ),
    "layer_norm: eps": (
        ArgumentError,
        [lambda eps: F.layer_norm(X, (3,), eps=eps)],
        [None, "a", -1],
    ),
    "layer_norm: the shape": (ShapeError, [lambda s: F.layer_norm(X, s)], [3, "a"]),
    "LayerNorm": (ArgumentError, [lambda eps: nn.LayerNorm(3, eps=eps)], [None, "a"]),
    "group_norm: eps": (
        ArgumentError,
        [lambda eps: F.group_norm(IMAGES, 1, eps=eps)],
        [None, "a"],
    ),
    "cross_entropy: label_smoothing": (
        ArgumentError,
        [lambda e: F.cross_entropy(X, LABELS, label_smoothing=e)],
        ["a", 2, [0.1]],
    ),
    "cross_entropy: each class_weight": (
        ArgumentError,
        [lambda w: F.cross_entropy(X, LABELS, class_weight=w)],
        ["a", RAGGED],
    ),
    "cross_entropy: targets": (
        ShapeError,
        [lambda labels: F.cross_entropy(X, labels)],
        [RAGGED],
    ),
    "binary_cross_entropy_with_logits": (
        DtypeError,
        [lambda targets: F.binary_cross_entropy_with_logits(X, targets)],
        ["a", None],
    ),
    "l2_penalty": (ArgumentError, [lambda s: F.l2_penalty([X], s)], ["a", None]),
    "l1_penalty": (ArgumentError, [lambda s: F.l1_penalty([X], s)], ["a", None]),
    "pad: value": (ArgumentError, [lambda v: F.pad(X, [1, 1], v)], ["a", None]),
    "clamp: expected": (ArgumentError, [lambda v: F.clamp(X, v)], ["a", [1], True]),
    "norm: p": (ArgumentError, [lambda p: F.norm(X, p)], ["a", None, 0]),
    "var: correction": (ArgumentError, [lambda c: F.var(X, correction=c)], ["a", None]),
    "std: correction": (ArgumentError, [lambda c: F.std(X, correction=c)], ["a", None]),
    "concatenate": (ShapeError, [lambda axis: F.concatenate([X, X], axis)], ["a", 5]),
    "stack": (ShapeError, [lambda axis: F.stack([X, X], axis)], ["a", 5]),
    "sum: expected axes": (
        ShapeError,
        [lambda axis: F.sum(X, axis)],
        ["a", 1.0, [[0], 1], 2],
    ),
    "broadcast_to": (ShapeError, [lambda shape: F.broadcast_to(X, shape)], [4, "a"]),
    "where: condition": (ShapeError, [lambda c: F.where(c, X, X)], [RAGGED]),
    "tensor: data": (ShapeError, [Tensor, lambda data: X + data], [RAGGED]),
    "tensor: ": (
        DtypeError,
        [lambda dtype: Tensor([1], dtype=dtype), lambda dtype: F.astype(X, dtype)],
        ["foo", 3, "int32"],
    ),
}


@pytest.mark.parametrize(
    ("start", "error", "call", "value"),
    [
        pytest.param(start, error, call, value, id=f"{start}-{i}-{value}")
        for start, (error, calls, values) in CASES.items()
        for i, call in enumerate(calls)
        for value in values
    ],
)
def test_error_names_the_operation(start, error, call, value):
    with pytest.raises(error) as caught:
        call(value)
    assert str(caught.value).startswith(start)


def test_axis_is_refused_also_after_an_equal_one():
    F.sum(X, 1)
    with pytest.raises(ShapeError, match="sum: expected axes"):
        F.sum(X, 1.0)
