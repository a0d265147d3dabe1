import numpy as np
import pytest

from fastdl.errors import ShapeError
from fastdl.reference import add, copy, power, power_backward


@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 3)])
def test_add(shape, rng):
    a, b = rng.standard_normal((2, *shape))
    y = add(np.asarray(a), np.asarray(b))
    assert isinstance(y, np.ndarray)
    np.testing.assert_array_equal(y, a + b)


def test_add_in_place(rng):
    a, b = rng.standard_normal((2, 5))
    expected = a + b
    assert add(a, b, out=b) is b
    np.testing.assert_array_equal(b, expected)


def test_nothing_is_stretched():
    with pytest.raises(
        ShapeError, match=r"add: expected b of shape \(3,\), got \(1,\)"
    ):
        add(np.ones(3), np.ones(1))


def test_power(rng):
    x = rng.uniform(0.5, 2, 5)
    np.testing.assert_array_equal(power(x, 3), x**3)
    np.testing.assert_allclose(power_backward(np.full(5, 2.0), x, 3), 6 * x**2)


def test_the_power_0_is_constant():
    x = np.array([0.0, np.inf, 2.0])
    np.testing.assert_array_equal(power(x, 0), 1)
    np.testing.assert_array_equal(power_backward(np.ones(3), x, 0), 0)


def test_copy_into_a_view():
    y = np.zeros((3, 4))
    assert copy(np.ones((2, 2)), room := y[1:, ::2]) is room
    np.testing.assert_array_equal(y[1:, ::2], 1)
    assert y.sum() == 4
