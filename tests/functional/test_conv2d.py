"""Convolution: gradients, and that none is computed in vain."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import backend
from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import GraphError, ShapeError
from fastdl.shapes import ACTIVATIONS

CASES = {
    "plain": ((2, 4, 5, 2), (3, 2, 2, 3), {}),
    "stride": ((1, 5, 4, 2), (2, 2, 2, 1), {"stride": (2, 1)}),
    "same": ((1, 4, 3, 1), (3, 2, 1, 2), {"padding": "same", "stride": 2}),
    "valid": ((1, 4, 3, 1), (3, 2, 1, 2), {"padding": "valid"}),
    "uneven padding": ((1, 3, 3, 2), (2, 3, 2, 2), {"padding": ((2, 0), (0, 3))}),
    "dilation": ((1, 5, 6, 2), (2, 3, 2, 1), {"dilation": (3, 2)}),
    "groups": ((2, 3, 3, 4), (2, 2, 2, 6), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 4, 3, 3), (3, 3, 1, 6), {"groups": 3, "padding": 1}),
    "empty batch": ((0, 3, 3, 1), (2, 2, 1, 2), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients(case, rng, check_gradients):
    x_shape, weight_shape, options = CASES[case]
    arrays = [
        rng.standard_normal(shape)
        for shape in (x_shape, weight_shape, weight_shape[-1:])
    ]
    check_gradients(lambda *t: F.conv2d(*t, **options), *arrays)
    check_gradients(lambda *t: F.conv2d(*t, **options), *arrays[:2])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation(activation, rng, check_gradients):
    arrays = [
        rng.standard_normal(shape) for shape in ((1, 3, 3, 2), (2, 2, 2, 2), (2,))
    ]
    plain = F.activation(F.conv2d(*arrays), activation)
    y = F.conv2d(*arrays, activation=activation)
    np.testing.assert_allclose(y.data, plain.data, rtol=1e-12, atol=1e-14)
    check_gradients(lambda *t: F.conv2d(*t, activation=activation), *arrays)


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        ("x", {"conv2d_backward_input"}),
        ("weight", {"conv2d_backward_weight"}),
        ("bias", set()),
    ],
)
def test_only_the_gradients_that_are_needed(needed, expected, rng, monkeypatch):
    calls = set()

    def spied(name):
        kernel = getattr(backend, name)

        def spy(*arguments, **options):
            calls.add(name)
            return kernel(*arguments, **options)

        monkeypatch.setattr(backend, name, spy)

    spied("conv2d_backward_input")
    spied("conv2d_backward_weight")
    tensors = [
        Tensor(rng.standard_normal(shape), requires_grad=name == needed)
        for name, shape in [("x", (1, 3, 3, 2)), ("weight", (2, 2, 2, 3)), ("bias", 3)]
    ]
    y = F.conv2d(*tensors)
    kept = [any(value is t.data for value in y._node.saved) for t in tensors[:2]]
    assert kept == [needed == "weight", needed == "x"]
    y.sum().backward()
    assert calls == expected
    given = [tensor.grad is not None for tensor in tensors]
    assert given == [name == needed for name in ("x", "weight", "bias")]


def test_a_changed_weight_is_noticed():
    x = Tensor(np.ones((1, 3, 3, 1)), requires_grad=True)
    weight = Tensor(np.ones((2, 2, 1, 1)))
    y = F.conv2d(x, weight)
    weight.mark_changed()
    with pytest.raises(GraphError, match="conv2d"):
        y.sum().backward()


def test_errors_name_the_operation():
    with pytest.raises(ShapeError, match=r"conv2d.*3 channels"):
        F.conv2d(np.ones((1, 5, 5, 3)), np.ones((3, 3, 1, 8)))


def test_s37_flipped_filter_by_hand():
    """S37: the convolution of mathematics turns the filter by half a turn."""
    x = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])[None, :, :, None]
    weight = np.array([[1.0, 2], [3, 4]])[:, :, None, None]
    y = F.conv2d(x, weight, flip=True).data[0, :, :, 0]
    np.testing.assert_array_equal(y, [[23, 33], [53, 63]])  # 4*1 + 3*2 + 2*4 + 1*5
    y = F.conv2d(x, weight).data[0, :, :, 0]
    np.testing.assert_array_equal(y, [[37, 47], [67, 77]])  # 1*1 + 2*2 + 3*4 + 4*5
    full = F.conv2d(x, weight, padding=1, flip=True).data[0, :, :, 0]
    expected = [[1, 4, 7, 6], [7, 23, 33, 24], [19, 53, 63, 42], [21, 52, 59, 36]]
    np.testing.assert_array_equal(full, expected)


def test_s37_flipped_by_definition(rng):
    """S37: (x * w)[i, j] = the sum over p, q of x[i - p, j - q] w[p, q]."""
    x, weight = rng.standard_normal((6, 5)), rng.standard_normal((3, 4))
    expected = np.zeros((8, 8))
    for i, j in np.ndindex(expected.shape):
        for p, q in np.ndindex(weight.shape):
            if 0 <= i - p < 6 and 0 <= j - q < 5:
                expected[i, j] += x[i - p, j - q] * weight[p, q]
    y = F.conv2d(
        x[None, :, :, None], weight[:, :, None, None], padding=(2, 3), flip=True
    )
    np.testing.assert_allclose(y.data[0, :, :, 0], expected, atol=1e-12)
    signal, filter_ = rng.standard_normal(9), rng.standard_normal(4)
    y = F.conv2d(
        signal[None, None, :, None],
        filter_[None, :, None, None],
        padding=(0, 3),
        flip=True,
    )
    np.testing.assert_allclose(y.data.reshape(-1), np.convolve(signal, filter_))


def test_s37_is_associative(rng):
    """S37: as the lecture says, which the cross-correlation is not."""
    a, b, c = (rng.standard_normal((1, n, n, 1)) for n in (5, 3, 2))

    def convolve(x, w, flip=True):
        sides = w.shape[1] - 1, w.shape[2] - 1
        filters = w.reshape(*w.shape[1:3], 1, 1)
        return F.conv2d(x, filters, padding=sides, flip=flip).data

    np.testing.assert_allclose(
        convolve(convolve(a, b), c), convolve(a, convolve(b, c)), atol=1e-12
    )
    left, right = (
        convolve(convolve(a, b, False), c, False),
        convolve(a, convolve(b, c, False), False),
    )
    assert np.abs(left - right).max() > 0.1


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_of_flipped_filters(groups, rng, check_gradients):
    x, weight = (
        rng.standard_normal((2, 4, 5, 2)),
        rng.standard_normal((2, 3, 2 // groups, 4)),
    )

    def function(x, weight, bias):
        return F.conv2d(x, weight, bias, stride=2, groups=groups, flip=True)

    check_gradients(function, x, weight, rng.standard_normal(4))
