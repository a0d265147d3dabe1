"""Operations that move elements."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

X = np.arange(24.0).reshape(2, 3, 4)
PLACES = np.random.default_rng(0).integers(-3, 3, (2, 5, 4))


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
        (lambda x: x.flatten(), X.reshape(24)),
        (lambda x: F.flatten(x, 1), X.reshape(2, 12)),
        (lambda x: x.flatten(-3, 1), X.reshape(6, 4)),
        (lambda x: F.flatten(x[0, 0, 0]), X[0, 0, :1]),
        (lambda x: x[:, :1, None].squeeze(), X[:, 0]),
        (lambda x: F.squeeze(x[:, :1, None], 2), X[:, :1]),
        (lambda x: F.squeeze(x[:, :1, None], (1, -2)), X[:, 0]),
        (lambda x: x[0, 0, :1].squeeze(), X[0, 0, 0]),
        (lambda x: x.expand_dims(1), X[:, None]),
        (lambda x: x.unsqueeze(-1), X[..., None]),
        (lambda x: F.unsqueeze(x, (-1, 0, 2)), X[None, :, None, ..., None]),
        (lambda x: x.flip(), X[::-1, ::-1, ::-1]),
        (lambda x: F.flip(x, 1), X[:, ::-1]),
        (lambda x: F.flip(x[0, 0, 0]), X[0, 0, 0]),
        (lambda x: x.flip((0, -1)) * x, X[::-1, :, ::-1] * X),
        (lambda x: x.split(2, 1)[1], X[:, 2:]),
        (lambda x: F.split(x, [1, 0, 3], -1)[2], X[..., 1:]),
        (lambda x: F.concatenate([3 * y for y in x.split(3, 2)], 2), 3 * X),
        (lambda x: x.take_along_axis(PLACES, 1), np.take_along_axis(X, PLACES, 1)),
        (lambda x: F.take_along_axis(x, [[[0, 0, -1]]], 2), X[:, :, [0, 0, -1]]),
        (
            lambda x: F.pad(x, [(1, 0), (0, 0), (2, 3)], 7),
            np.pad(X, [(1, 0), (0, 0), (2, 3)], constant_values=7),
        ),
    ],
    ids=[
        "reshape",
        "reshape to a tuple with -1",
        "reshape to one axis",
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
        "flatten",
        "flatten all but the first",
        "flatten the first",
        "flatten a number",
        "squeeze",
        "squeeze one axis",
        "squeeze two axes",
        "squeeze to a number",
        "expand_dims",
        "unsqueeze",
        "unsqueeze: three axes",
        "flip",
        "flip one axis",
        "flip a number",
        "flip two axes",
        "split in equal parts",
        "split by sizes",
        "split and join",
        "take_along_axis",
        "take_along_axis, stretched",
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
    views = (x.reshape(24), x.T, x[1:], F.broadcast_to(x, (2, 2, 3, 4)), x.flatten())
    for y in (*views, x.flip(1), x.unsqueeze(0), x[:, None].squeeze(), *x.split(1)):
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
        (lambda: F.concatenate([X, X], 3), "axis=3"),
        (lambda: F.concatenate([]), "nothing"),
        (lambda: F.stack([X, X[:1]]), "stack.*equal shape"),
        (lambda: F.stack([]), "stack"),
        (lambda: F.stack([X, X], 4), "stack: expected one axis from -4 to 3"),
        (lambda: F.flatten(X, 2, 1), "flatten: .*start=2 and end=1"),
        (lambda: F.flatten(X, 3), "flatten: expected one axis"),
        (lambda: F.squeeze(X, 1), "squeeze: expected axes of size 1, got axis=1"),
        (lambda: F.squeeze(X, 3), "squeeze: expected axes from -3 to 2"),
        (lambda: F.expand_dims(X, 4), "expand_dims: expected axes from -4 to 3"),
        (lambda: F.expand_dims(X, (0, 0)), "expand_dims: expected axes from -5 to 4"),
        (lambda: F.flip(X, 3), "flip: expected axes"),
        (lambda: F.split(X, 0), "split: the size of a part .* >= 1, got 0"),
        (lambda: F.split(X, 1.5), "split: the size of a part"),
        (lambda: F.split(X, [1, 2], 2), r"split: .* add up to 4.*got \[1, 2\]"),
        (lambda: F.split(X, [5, -1], 2), "split: a size .* >= 0, got -1"),
        (lambda: F.split(X, 1, 3), "split: expected one axis"),
        (lambda: F.take_along_axis(X, [0], 1), r"of the shape of x.* got \(1,\)"),
        (lambda: F.take_along_axis(X, PLACES[:, :, :3], 1), r"got \(2, 5, 3\)"),
        (lambda: F.take_along_axis(X, PLACES, 3), "take_along_axis: expected one"),
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
        "stack: axis",
        "flatten: order",
        "flatten: axis",
        "squeeze: size",
        "squeeze: axis",
        "expand_dims: axis",
        "expand_dims: repeated axis",
        "flip: axis",
        "split: size 0",
        "split: float",
        "split: sum",
        "split: negative",
        "split: axis",
        "take_along_axis: axes",
        "take_along_axis: shape",
        "take_along_axis: axis",
        "pad: missing axis",
        "pad: negative",
    ],
)
def test_shapes_that_do_not_fit(call, match):
    with pytest.raises(ShapeError, match=match):
        call()


def test_a_shape_that_does_not_fit_is_told_as_it_was_given():
    with pytest.raises(ShapeError, match=r"\(3, 4\) has 12 elements.*into \(5, -1\)"):
        F.reshape(np.zeros((3, 4)), 5, -1)
    with pytest.raises(ShapeError, match=r"each axis of shape \(3, 4\) once, got \(1,"):
        F.transpose(np.zeros((3, 4)), 1, 1)


def test_types_that_do_not_fit():
    with pytest.raises(DtypeError, match="concatenate"):
        F.concatenate([X, X.astype(np.float32)])
    with pytest.raises(DtypeError, match="take_along_axis: expected integers"):
        F.take_along_axis(X, X, 0)


@pytest.mark.parametrize("places", [[[[2]]], [[[-3]]]], ids=str)
def test_places_that_do_not_exist(places):
    with pytest.raises(ArgumentError, match="indices from -2 to 1 along axis 0"):
        F.take_along_axis(X, places, 0)


def test_all_parts():
    """The last part takes what is left; nothing has one part."""
    assert [y.shape for y in F.split(X, 3, 2)] == [(2, 3, 3), (2, 3, 1)]
    assert [y.shape for y in F.split(X[:0], 3)] == [(0, 3, 4)]


def test_an_element_taken_often_receives_the_sum():
    x = Tensor(np.zeros(3, np.float32), requires_grad=True)
    x.take_along_axis(np.ones(1000, int), 0).sum().backward()
    assert x.grad.tolist() == [0, 1000, 0]
