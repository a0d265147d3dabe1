"""Pooling: values by hand, gradients."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ShapeError

CASES = {
    "plain": ((2, 4, 6, 2), (2,), {}),
    "overlapping": ((1, 5, 5, 2), (3,), {"stride": 1}),
    "gaps": ((1, 5, 5, 1), (2,), {"stride": 3}),
    "uneven": (
        (1, 5, 4, 3),
        ((3, 2),),
        {"stride": (2, 1), "padding": ((1, 0), (0, 1))},
    ),
    "same": ((1, 5, 5, 1), (3,), {"stride": 2, "padding": "same"}),
    "rounded up": ((1, 5, 6, 2), (2,), {"stride": 3, "ceil_mode": True}),
    "empty batch": ((0, 4, 4, 1), (2,), {}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_gradients(name, case, rng, check_gradients):
    shape, arguments, options = CASES[case]
    x = rng.permutation(np.prod(shape)).reshape(shape)  # far apart, for the maxima
    check_gradients(lambda x: getattr(F, name)(x, *arguments, **options), x)


def test_global_average(rng, check_gradients):
    x = rng.standard_normal((2, 3, 4, 2))
    y = F.global_avg_pool2d(x)
    np.testing.assert_allclose(y.data, x.mean((1, 2)))
    check_gradients(F.global_avg_pool2d, x)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_gradients_of_the_mean_without_padding(ceil_mode, rng, check_gradients):
    def mean(x):
        return F.avg_pool2d(x, 3, 2, 1, ceil_mode, count_include_pad=False)

    check_gradients(mean, rng.standard_normal((1, 6, 5, 2)))


@pytest.mark.parametrize("output_size", [1, 2, 7, (3, None)], ids=str)
def test_adaptive_average(output_size, rng, check_gradients):
    x = rng.standard_normal((2, 4, 6, 2))
    check_gradients(lambda x: F.adaptive_avg_pool2d(x, output_size), x)


def test_adaptive_average_to_one_pixel_keeps_the_axes(rng):
    x = rng.standard_normal((2, 3, 4, 5))
    y = F.adaptive_avg_pool2d(x, 1)
    assert y.shape == (2, 1, 1, 5)
    np.testing.assert_allclose(y.data[:, 0, 0], F.global_avg_pool2d(x).data)


def test_the_first_of_equal_maxima_gets_the_gradient():
    x = Tensor(np.ones((1, 2, 2, 1)), requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    assert x.grad.reshape(-1).tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_errors_name_the_operation(name):
    with pytest.raises(ShapeError, match=name):
        getattr(F, name)(np.ones((1, 2, 2, 1)), 3)
