import numpy as np
import pytest

from fastdl.errors import ShapeError
from fastdl.reference import prelu_backward, prelu_forward


def test_worked_by_hand():
    x = np.array([[-2.0, -2], [0, 3]])
    weight = np.array([0.5, 0.25])
    np.testing.assert_array_equal(prelu_forward(x, weight), [[-1, -0.5], [0, 3]])
    dx, dweight = prelu_backward(np.array([[1.0, 2], [3, 4]]), x, weight)
    np.testing.assert_array_equal(dx, [[0.5, 0.5], [1.5, 4]])
    np.testing.assert_array_equal(dweight, [-2, -4])


@pytest.mark.parametrize("channels", [1, 3])
def test_backward_by_finite_differences(channels, rng, numeric_gradient):
    x, dy = rng.standard_normal((2, 4, 5, 3)), rng.standard_normal((2, 4, 5, 3))
    weight = rng.standard_normal(channels)
    dx, dweight = prelu_backward(dy, x, weight)
    expected = numeric_gradient(lambda x: prelu_forward(x, weight), x, dy)
    np.testing.assert_allclose(dx, expected, atol=1e-8)
    expected = numeric_gradient(lambda w: prelu_forward(x, w), weight, dy)
    np.testing.assert_allclose(dweight, expected, atol=1e-8)


def test_wrong_number_of_weights():
    with pytest.raises(ShapeError, match=r"\(1,\), or \(3,\) for the channels"):
        prelu_forward(np.ones((2, 3)), np.ones(2))
