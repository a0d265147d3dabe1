"""Operations that move elements."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import DtypeError, ShapeError

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.reshape(4, 6), X.reshape(4, 6)),
        (lambda x: x.reshape((6, -1)), X.reshape(6, 4)),
        (lambda x: F.reshape(x, -1), X.reshape(-1)),
        (lambda x: x[0, 0, 0].reshape(()), X[0, 0, 0]),
        (lambda x: x.T, X.T),
        (lambda x: x.transpose(2, 0, 1), X.transpose(2, 0, 1)),
        (lambda x: F.transpose(x, (0, -1, 1)), X.transpose(0, 2, 1)),
        (lambda x: F.broadcast_to(x, (5, 2, 3, 4)), np.broadcast_to(X, (5, 2, 3, 4))),
        (lambda x: F.broadcast_to(x[:, :1], (2, 3, 4)), X[:, [0, 0, 0]]),
        (lambda x: x[1], X[1]),
        (lambda x: x[..., -1], X[..., -1]),
        (lambda x: x[:, ::-2, None], X[:, ::-2, None]),
        (lambda x: x[[0, 1, 0, 0]], X[[0, 1, 0, 0]]),
        (lambda x: x[np.array([0, 1]), :, np.array([3, 3])], X[[0, 1], :, [3, 3]]),
        (lambda x: x[X > 7], X[X > 7]),
        (lambda x: F.concatenate([x, 2 * x, x[:1]]), np.r_[X, 2 * X, X[:1]]),
        (lambda x: F.concatenate([x, x[..., :2]], -1), np.c_[X, X[..., :2]]),
        (lambda x: F.stack([x, x * x]), np.stack([X, X * X])),
        (lambda x: F.stack([x, -x], -1), np.stack([X, -X], -1)),
        (lambda x: F.stack([x, -x], 1), np.stack([X, -X], 1)),
        (
            lambda x: F.pad(x, [(1, 0), (0, 0), (2, 3)], 7),
            np.pad(X, [(1, 0), (0, 0), (2, 3)], constant_values=7),
        ),
    ],
    ids=[
        "reshape",
        "reshape to a tuple with -1",
        "flatten",
        "reshape to no axes",
        "T",
        "transpose",
        "transpose by a tuple",
        "broadcast_to a new axis",
        "broadcast_to a longer axis",
        "index",
        "index with an ellipsis",
        "slice with None",
        "index by a list with repetitions",
        "index by two arrays",
        "index by a mask",
        "concatenate",
        "concatenate along the last axis",
        "stack",
        "stack along the last axis",
        "stack along a middle axis",
        "pad",
    ],
)
def test_values_and_gradients(function, expected, check_gradients):
    y = function(Tensor(X))
    assert y.shape == expected.shape
    np.testing.assert_array_equal(y.data, expected)
    check_gradients(function, X)


def test_indexing_gives_an_array_without_axes():
    y = Tensor(X)[0, 0, 1]
    assert isinstance(y.data, np.ndarray)
    assert y.item() == 1.0


def test_indexing_outside_is_an_index_error():
    with pytest.raises(IndexError):
        Tensor(X)[2]


def test_views_share_memory():
    x = Tensor(X)
    for y in (x.reshape(24), x.T, x[1:], F.broadcast_to(x, (2, 2, 3, 4))):
        assert np.shares_memory(x.data, y.data)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Tensor(X).reshape(5, 5), "reshape.*24"),
        (lambda: Tensor(X).reshape(2.5, 3), "reshape"),
        (lambda: Tensor(X).transpose(0, 1), "transpose"),
        (lambda: Tensor(X).transpose(0, 1, 1), "transpose"),
        (lambda: F.broadcast_to(X, (2, 3, 5)), r"broadcast_to.*\(2, 3, 5\)"),
        (lambda: F.concatenate([X, X[:, :1]]), r"concatenate.*\(2, 1, 4\)"),
        (lambda: F.concatenate([X, X[0]]), "concatenate"),
        (lambda: F.concatenate([X, X], 3), "axis 3"),
        (lambda: F.concatenate([]), "nothing"),
        (lambda: F.stack([X, X[:1]]), "stack.*equal shape"),
        (lambda: F.stack([]), "stack"),
        (lambda: F.pad(X, [(1, 1)]), "pad.*each of the 3 axes"),
        (lambda: F.pad(X, [(1, 1), (0, 0), (-1, 0)]), "pad.*-1"),
    ],
    ids=[
        "reshape: size",
        "reshape: float",
        "transpose: missing axis",
        "transpose: repeated axis",
        "broadcast_to",
        "concatenate: size",
        "concatenate: rank",
        "concatenate: axis",
        "concatenate: empty",
        "stack: size",
        "stack: empty",
        "pad: missing axis",
        "pad: negative",
    ],
)
def test_shapes_that_do_not_fit(call, match):
    with pytest.raises(ShapeError, match=match):
        call()


def test_types_that_do_not_fit():
    with pytest.raises(DtypeError, match="concatenate"):
        F.concatenate([X, X.astype(np.float32)])
