import numpy as np
import pytest

from fastdl.errors import ShapeError
from fastdl.reference import activation_forward, matmul, stacked_matmul


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_product_of_stored_transposes(rng, transpose_a, transpose_b):
    a, b = rng.standard_normal((3, 4)), rng.standard_normal((4, 5))
    y = matmul(
        a.T if transpose_a else a,
        b.T if transpose_b else b,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
    )
    expected = [
        [sum(a[i, k] * b[k, j] for k in range(4)) for j in range(5)] for i in range(3)
    ]
    np.testing.assert_allclose(y, expected, rtol=1e-14)


def test_bias_then_activation(rng):
    a, b, bias = (rng.standard_normal(s) for s in [(3, 4), (4, 5), (5,)])
    y = matmul(a, b, bias, activation="tanh")
    np.testing.assert_allclose(y, np.tanh(a @ b + bias))


def test_out_is_filled_and_returned(rng):
    a, b, bias = (rng.standard_normal(s) for s in [(3, 4), (4, 5), (5,)])
    out = np.full((3, 5), np.nan)
    assert matmul(a, b, bias, activation="relu", out=out) is out
    np.testing.assert_array_equal(out, activation_forward(a @ b + bias, "relu"))


@pytest.mark.parametrize(("m", "k", "n"), [(0, 4, 5), (3, 0, 5), (3, 4, 0)])
def test_empty_sizes(m, k, n):
    y = matmul(np.ones((m, k)), np.ones((k, n)), np.ones(n))
    np.testing.assert_array_equal(y, np.ones((m, n)) * (k + 1))


def test_shapes_are_checked():
    """A bias (m, 1) would broadcast in silence."""
    with pytest.raises(ShapeError, match=r"bias of shape \(5,\), got \(3, 1\)"):
        matmul(np.ones((3, 4)), np.ones((4, 5)), np.ones((3, 1)))


def test_gradients_are_products(rng, numeric_gradient):
    a, b, dy = (rng.standard_normal(s) for s in [(3, 4), (4, 5), (3, 5)])
    da = matmul(dy, b, transpose_b=True)
    db = matmul(a, dy, transpose_a=True)
    np.testing.assert_allclose(
        da, numeric_gradient(lambda a: matmul(a, b), a, dy), rtol=1e-8
    )
    np.testing.assert_allclose(
        db, numeric_gradient(lambda b: matmul(a, b), b, dy), rtol=1e-8
    )


def test_stacked_matmul(rng):
    a, b = rng.random((2, 3, 4)), rng.random((2, 5, 4))
    y = stacked_matmul(a, b, transpose_b=True)
    np.testing.assert_array_equal(y, np.stack([a[0] @ b[0].T, a[1] @ b[1].T]))
    y = stacked_matmul(a[0], b, transpose_b=True)
    np.testing.assert_array_equal(y[1], a[0] @ b[1].T)
