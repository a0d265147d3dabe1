import numpy as np
import pytest

from fastdl.errors import ShapeError
from fastdl.reference import add


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
