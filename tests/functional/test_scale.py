import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import DtypeError, ShapeError


@pytest.mark.parametrize("shape", [(3, 4), (2, 5, 3), (2, 3, 2, 4)], ids=str)
def test_equals_the_product(shape, rng, check_gradients):
    x = rng.standard_normal(shape)
    factors = rng.standard_normal((shape[0], *(1 for _ in shape[1:-1]), shape[-1]))
    np.testing.assert_allclose(F.scale(x, factors).data, x * factors, rtol=1e-15)
    check_gradients(F.scale, x, factors)


def test_only_the_gradients_that_are_needed(rng):
    x, factors = rng.standard_normal((2, 3, 3, 4)), rng.standard_normal((2, 1, 1, 4))
    learns = Tensor(x, requires_grad=True)
    F.scale(learns, factors).sum().backward()
    np.testing.assert_allclose(learns.grad, np.broadcast_to(factors, x.shape))
    learns = Tensor(factors, requires_grad=True)
    F.scale(x, learns).sum().backward()
    np.testing.assert_allclose(learns.grad, x.sum((1, 2), keepdims=True))


def test_wrong_arguments(rng):
    x = rng.standard_normal((2, 3, 3, 4))
    with pytest.raises(ShapeError, match=r"scale: expected scale of shape"):
        F.scale(x, x)
    with pytest.raises(DtypeError, match="scale: factors is float32"):
        F.scale(x, np.ones((2, 1, 1, 4), np.float32))
