import numpy as np

from fastdl.reference import scale_backward, scale_forward


def test_each_channel_of_each_image_has_its_factor():
    x = np.arange(8.0).reshape(2, 2, 1, 2)
    factors = np.array([[1.0, 10.0], [100.0, 0.0]]).reshape(2, 1, 1, 2)
    y = scale_forward(x, factors)
    np.testing.assert_array_equal(
        y.reshape(4, 2), [[0, 10], [2, 30], [400, 0], [600, 0]]
    )


def test_gradients_by_finite_differences(rng, numeric_gradient):
    x, dy = rng.standard_normal((2, 2, 3, 2, 4))
    factors = rng.standard_normal((2, 1, 1, 4))
    dx, dfactors = scale_backward(dy, x, factors)
    check = np.testing.assert_allclose
    check(dx, numeric_gradient(lambda a: scale_forward(a, factors), x, dy), atol=1e-7)
    numeric = numeric_gradient(lambda a: scale_forward(x, a), factors, dy)
    check(dfactors, numeric, atol=1e-7)
