"""What holds for every operation of `fastdl.functional`."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor, no_grad
from fastdl.errors import DtypeError

X = np.linspace(0.5, 1.5, 24).reshape(4, 6)
IMAGES = np.linspace(0.5, 1.5, 96).reshape(2, 4, 4, 3)
FILTERS = np.ones((3, 3, 3, 2))
LABELS = np.arange(4)

# name: (function of the tensors, their values)
CALLS = {
    "abs": (F.abs, X),
    "activation": (lambda x: F.activation(x, "gelu"), X),
    "add": (F.add, X, X),
    "astype": (lambda x: F.astype(x, x.dtype) * 1, X),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), IMAGES),
    "batch_norm": (
        lambda x: F.batch_norm(x, *np.ones((2, 6), x.dtype), training=True),
        X,
    ),
    "binary_cross_entropy_with_logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, X > 1),
        X,
    ),
    "broadcast_to": (lambda x: F.broadcast_to(x, (2, 4, 6)), X),
    "concatenate": (lambda x, y: F.concatenate([x, y]), X, X),
    "conv2d": (lambda x, w: F.conv2d(x, w, activation="relu"), IMAGES, FILTERS),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS), X),
    "divide": (F.divide, X, X),
    "dropout": (F.dropout, X),
    "dropout2d": (F.dropout2d, IMAGES),
    "exp": (F.exp, X),
    "gelu": (F.gelu, X),
    "global_avg_pool2d": (F.global_avg_pool2d, IMAGES),
    "group_norm": (lambda x, w, b: F.group_norm(x, 3, w, b), X, X[0], X[1]),
    "hard_swish": (F.hard_swish, X),
    "hardmax": (F.hardmax, X),
    "index": (lambda x: F.index(x, (slice(2), 1)), X),
    "l1_penalty": (lambda *weights: F.l1_penalty(weights, 0.5), X, IMAGES),
    "l2_penalty": (lambda *weights: F.l2_penalty(weights, 0.5), X, IMAGES),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (6,), w, b), X, X[0], X[1]),
    "leaky_relu": (F.leaky_relu, X),
    "linear": (lambda x, w, b: F.linear(x, w, b, "tanh"), X, X.T, X[:, 0]),
    "log": (F.log, X),
    "log_softmax": (F.log_softmax, X),
    "matmul": (F.matmul, X, X.T),
    "max": (F.max, X),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), IMAGES),
    "maximum": (F.maximum, X, 2 - X),
    "mean": (F.mean, X),
    "min": (F.min, X),
    "minimum": (F.minimum, X, 2 - X),
    "mse_loss": (F.mse_loss, X, 2 - X),
    "multiply": (F.multiply, X, X),
    "negative": (F.negative, X),
    "pad": (lambda x: F.pad(x, [(1, 1), (0, 2)]), X),
    "power": (F.power, X, X),
    "relu": (F.relu, X),
    "relu6": (F.relu6, X),
    "reshape": (lambda x: F.reshape(x, 6, 4), X),
    "sigmoid": (F.sigmoid, X),
    "silu": (F.silu, X),
    "softmax": (F.softmax, X),
    "sqrt": (F.sqrt, X),
    "stack": (lambda x, y: F.stack([x, y]), X, X),
    "subtract": (F.subtract, X, X),
    "sum": (F.sum, X),
    "tanh": (F.tanh, X),
    "transpose": (F.transpose, X),
    "where": (lambda x, y: F.where(X > 1, x, y), X, X),
}
NOT_DIFFERENTIABLE = {"hardmax"}


def test_no_operation_is_left_out():
    assert set(CALLS) == set(F.__all__)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CALLS)
def test_results_and_gradients_keep_the_type(name, dtype):
    function, *arrays = CALLS[name]
    tensors = [Tensor(array, requires_grad=True, dtype=dtype) for array in arrays]
    y = function(*tensors)
    assert isinstance(y, Tensor)
    assert isinstance(y.data, np.ndarray)
    assert y.dtype == dtype
    assert y.requires_grad == (name not in NOT_DIFFERENTIABLE)
    if y.requires_grad:
        y.sum().backward()
        for tensor in tensors:
            assert tensor.grad.dtype == dtype
            assert tensor.grad.shape == tensor.shape


@pytest.mark.parametrize("name", CALLS)
def test_plain_arrays_need_no_gradient(name):
    function, *arrays = CALLS[name]
    assert not function(*(Tensor(array) for array in arrays)).requires_grad
    with no_grad():
        tensors = [Tensor(array, requires_grad=True) for array in arrays]
        assert not function(*tensors).requires_grad


@pytest.mark.parametrize("name", CALLS)
def test_operands_are_only_read_and_may_lie_anyhow(name):
    """Read-only and non-contiguous arrays give the result of plain ones."""
    function, *arrays = CALLS[name]
    if name in ("dropout", "dropout2d"):

        def function(x):
            return getattr(F, name)(x, seed=1)

    def run(arrays):
        tensors = [Tensor(array, requires_grad=True) for array in arrays]
        y = function(*tensors)
        if y.requires_grad:
            y.backward(np.ones(y.shape))
        return [y.data, *(tensor.grad for tensor in tensors if y.requires_grad)]

    odd = [np.repeat(array, 2, axis=-1)[..., ::2] for array in arrays]
    for array in odd:
        array.flags.writeable = False
    for got, expected in zip(run(odd), run(arrays), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "name", [name for name, (_, *arrays) in CALLS.items() if len(arrays) > 1]
)
def test_two_real_types_do_not_mix(name):
    function, *arrays = CALLS[name]
    arrays[0] = arrays[0].astype(np.float32)
    with pytest.raises(DtypeError, match=name):
        function(*map(Tensor, arrays))
