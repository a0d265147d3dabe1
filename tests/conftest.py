"""Fixtures for the tests of every floor."""

from __future__ import annotations

import gc
import signal

import numpy as np
import pytest

from fastdl import backend, random
from fastdl.autograd import Tensor, no_grad


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Spare Python the search for garbage in twenty thousand tests, now and later."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.fixture(params=["compiled", "reference"])
def each_backend(request):
    """Bind the kernels of one backend for the test; return its name."""
    before = backend.name
    try:
        backend.use(request.param)
    except ImportError as error:
        pytest.skip(f"the compiled kernels are not built: {error}")
    yield request.param
    backend.use(before)


def _check_gradients(function, *arrays, step=1e-6, rtol=1e-5, atol=1e-8):
    tensors = [Tensor(array, requires_grad=True, dtype=np.float64) for array in arrays]
    result = function(*tensors)
    weights = np.random.default_rng(0).standard_normal(result.shape)
    result.backward(weights)

    @no_grad()
    def weighted():
        values = [Tensor(tensor.data) for tensor in tensors]
        return float((function(*values).data * weights).sum())

    for tensor in tensors:
        tensor.data = tensor.data.copy()
        flat = tensor.data.reshape(-1)
        slopes = np.empty_like(flat)
        for i, value in enumerate(flat.copy()):
            flat[i] = value + step
            above = weighted()
            flat[i] = value - step
            below = weighted()
            flat[i] = value
            slopes[i] = (above - below) / (2 * step)
        assert tensor.grad.dtype == np.float64
        np.testing.assert_allclose(
            tensor.grad, slopes.reshape(tensor.shape), rtol=rtol, atol=atol
        )


@pytest.fixture(scope="session")
def check_gradients():
    """Compare the gradients of a function of tensors with central differences.

    ``check_gradients(f, *arrays)`` calls ``f`` with a float64 tensor for each array and
    checks the gradient of a random weighted sum of the result with respect to every
    element of every array. ``f`` must give the same result each time.
    """
    return _check_gradients


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_interrupts():
    """Ctrl-C raises KeyboardInterrupt; a job in the background inherits "ignore"."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def same_weights_in_every_run():
    """Unseeded weights would let a test of learning fail once in a while."""
    random.seed(0)
