"""Dropout: the same mask in both directions (S21)."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl.random
from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, ShapeError


def test_gradient_passes_the_same_mask(check_gradients):
    """S21."""
    check_gradients(lambda x: F.dropout(x, 0.4, seed=3, offset=5), np.ones((4, 5)))


def test_kept_elements_are_scaled():
    """S21."""
    y = F.dropout(np.ones(10_000), 0.25, seed=1).data
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert abs(y.mean() - 1) < 0.02


@pytest.mark.parametrize("options", [{"training": False}, {"p": 0.0}], ids=str)
def test_off(options):
    x = Tensor(np.ones(3), requires_grad=True)
    assert F.dropout(x, **options) is x


def test_fresh_seeds_come_from_the_library():
    x = np.ones(100)
    fastdl.random.seed(7)
    first, second = F.dropout(x).data, F.dropout(x).data
    fastdl.random.seed(7)
    assert (F.dropout(x).data == first).all()
    assert (first != second).any()


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_probability_out_of_range(p):
    with pytest.raises(ArgumentError, match="dropout"):
        F.dropout(np.ones(3), p)
    with pytest.raises(ArgumentError, match="dropout"):
        F.dropout(np.ones(3), p, training=False)


# Whole parts: channels of images, examples of a batch

IMAGES = np.ones((20, 3, 5, 50))
EXAMPLES = np.ones((1_000, 2, 3, 2))
# function: (x, all elements of a part, numbers of the stream for an example)
PARTS = {
    F.dropout2d: (IMAGES, lambda y: y.transpose(0, 3, 1, 2).reshape(1_000, -1), 50),
    F.drop_path: (EXAMPLES, lambda y: y.reshape(1_000, -1), 1),
}
by_parts = pytest.mark.parametrize("function", PARTS, ids=lambda f: f.__name__)


@by_parts
def test_parts_are_kept_or_dropped_as_a_whole(function):
    """S21, S43: spatial dropout, stochastic depth."""
    x, split, _ = PARTS[function]
    parts = split(function(x, 0.25, seed=1).data)
    assert (parts == parts[:, :1]).all()
    assert set(np.unique(parts)) == {0.0, 1 / 0.75}
    assert abs(parts.mean() - 1) < 0.06


@by_parts
def test_gradient_passes_the_same_parts(function, check_gradients):
    """S21"""
    x = np.random.default_rng(0).standard_normal((4, 2, 3, 4))
    check_gradients(lambda x: function(x, 0.4, seed=3, offset=5), x)


@by_parts
def test_parts_of_one_stream(function):
    """The second half of a batch has the mask that begins at its place."""
    x, _, numbers = PARTS[function]
    half = len(x) // 2
    whole = function(x, seed=4).data
    assert (
        whole[half:] == function(x[half:], seed=4, offset=half * numbers).data
    ).all()


@by_parts
def test_parts_off_and_wrong(function):
    x = Tensor(IMAGES)
    assert function(x, training=False) is x
    assert function(x, 0.0) is x
    with pytest.raises(ArgumentError, match=f"{function.__name__}: expected p"):
        function(x, 1.0)


def test_shapes_without_parts():
    with pytest.raises(ShapeError, match="dropout2d: expected images"):
        F.dropout2d(np.ones((3, 4)))
    with pytest.raises(ShapeError, match=r"drop_path: expected examples \(n, ...\)"):
        F.drop_path(1.0)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 2, 3), (0, 3)], ids=str)
def test_drop_path_takes_examples_of_any_shape(shape):
    y = F.drop_path(np.ones(shape, np.float32), 0.5, seed=2).data
    assert y.shape == shape
    assert y.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [bool, int, float, "tensor"])
def test_a_given_mask(kind, dtype):
    """S21: A * D / keep_prob, and dA * D / keep_prob."""
    kept = np.array([[1, 0, 1], [0, 0, 1]])
    mask = Tensor(kept) if kind == "tensor" else kept.astype(kind)
    x = Tensor(np.arange(1.0, 7).reshape(2, 3), requires_grad=True, dtype=dtype)
    y = F.dropout(x, 0.2, mask=mask)
    y.backward(np.full((2, 3), 2))
    assert y.dtype == x.grad.dtype == dtype
    np.testing.assert_allclose(y.data, x.data * kept / 0.8, rtol=1e-6)
    np.testing.assert_allclose(x.grad, 2 * kept / 0.8, rtol=1e-6)


def test_a_mask_keeps_what_it_says(check_gradients):
    mask = [[1, 0], [0, 1]]
    assert F.dropout(np.ones((2, 2)), 0, mask=mask).data.tolist() == mask
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    assert F.dropout(x, 0.5, training=False, mask=mask) is x
    check_gradients(lambda x: F.dropout(x, 0.3, mask=mask), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("mask", "error"),
    [([1, 0], ShapeError), ([[1, 0.5, 0]], ArgumentError), ([[1], []], ShapeError)],
)
def test_wrong_masks(mask, error):
    with pytest.raises(error, match=r"dropout: .*mask"):
        F.dropout(np.ones((1, 3)), 0.5, mask=mask)
