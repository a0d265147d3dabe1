"""Arguments that share memory: computed as if they did not, or refused."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from fastdl import backend, shapes
from fastdl.errors import ArgumentError, ShapeError

pytestmark = pytest.mark.usefixtures("each_backend")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def check(function, arrays, name, out):
    """Call with an operand that lies in `out`: computed rightly, or refused."""
    wanted = function(**{name: array.copy() for name, array in arrays.items()})
    try:
        y = function(**arrays, out=out)
    except ArgumentError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert f"must not share memory with {name}" in message
        return
    assert y is out
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)


CONVOLUTIONS = {
    "direct": ((2, 9, 9, 4), (3, 3, 4, 8), {"algorithm": "direct"}),
    "winograd": ((2, 9, 9, 4), (3, 3, 4, 8), {"algorithm": "winograd"}),
    "strided": ((2, 9, 9, 4), (3, 3, 4, 8), {"stride": 2}),
    "depthwise": ((2, 9, 9, 8), (3, 3, 1, 8), {"groups": 8}),
    "grouped": ((2, 9, 9, 4), (3, 3, 2, 8), {"groups": 2}),
}


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("place", [0, 100, -8])
def test_bias_in_the_result_of_conv2d(rng, case, activation, place):
    x_shape, weight_shape, options = CONVOLUTIONS[case]
    arrays = {
        "x": rng.standard_normal(x_shape, np.float32),
        "weight": rng.standard_normal(weight_shape, np.float32),
    }

    def conv2d(**arguments):
        return backend.conv2d_forward(**arguments, **options, activation=activation)

    out = rng.standard_normal(conv2d(**arrays).shape, np.float32)
    flat = out.reshape(-1)
    arrays["bias"] = flat[place : place + 8 or None]
    wanted = conv2d(**{name: array.copy() for name, array in arrays.items()})
    y = conv2d(**arrays, out=out)
    assert y is out
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("name", ["x", "weight"])
def test_operands_in_the_result_of_conv2d(rng, case, name):
    x_shape, weight_shape, options = CONVOLUTIONS[case]
    arrays = {
        "x": rng.standard_normal(x_shape, np.float32),
        "weight": rng.standard_normal(weight_shape, np.float32),
    }

    def conv2d(**arguments):
        return backend.conv2d_forward(**arguments, **options)

    shape = conv2d(**arrays).shape
    memory = rng.standard_normal(5000, np.float32)
    out = memory[: np.prod(shape)].reshape(shape)
    for start in (0, 7, out.size - 1):
        memory[:] = rng.standard_normal(5000, np.float32)
        array = arrays[name]
        lies = memory[start : start + array.size].reshape(array.shape)
        check(conv2d, arrays | {name: lies}, name, out)


@pytest.mark.parametrize("name", ["a", "b", "bias"])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("start", [0, 3, 8])
def test_operands_in_the_result_of_matmul(rng, name, transpose, start):
    memory = rng.standard_normal(500, np.float32)
    shapes_ = {"a": (9, 9), "b": (9, 9), "bias": (9,)}
    arrays = {n: rng.standard_normal(s, np.float32) for n, s in shapes_.items()}
    size = arrays[name].size
    arrays[name] = memory[start : start + size].reshape(shapes_[name])
    out = memory[:81].reshape(9, 9)

    def matmul(**arguments):
        return backend.matmul(
            **arguments, transpose_a=transpose, transpose_b=transpose, activation="relu"
        )

    check(matmul, arrays, name, out)


def test_a_column_of_the_result_is_a_bias(rng):
    out = rng.standard_normal((9, 9), np.float32)
    a, b = rng.standard_normal((2, 9, 9), np.float32)
    wanted = backend.matmul(a, b, out[:, 2].copy())
    np.testing.assert_allclose(
        backend.matmul(a, b, out[:, 2], out=out), wanted, rtol=1e-5, atol=1e-6
    )


def test_a_result_of_another_shape_is_refused(rng):
    a, b = rng.standard_normal((2, 9, 9), np.float32)
    with pytest.raises(ShapeError, match="expected out of shape"):
        backend.matmul(a, b, out=np.empty((2, 9, 9), np.float32))
    with pytest.raises(ShapeError, match="expected out of shape"):
        backend.conv2d_forward(
            a.reshape(1, 9, 9, 1), b[:1, :1].reshape(1, 1, 1, 1),
            out=np.empty((3, 9, 9, 1), np.float32),
        )  # fmt: skip


STEPS = {
    "sgd_step": (["param", "velocity"], {"momentum": 0.9}),
    "rmsprop_step": (["param", "square", "mean", "velocity"], {"momentum": 0.9}),
    "adagrad_step": (["param", "square"], {}),
    "adam_step": (["param", "m", "v", "largest"], {"step": 1}),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_arrays_of_an_optimiser_are_apart(rng, step):
    written, options = STEPS[step]
    names = [*written, "grad"]
    memory = rng.uniform(1, 2, 100 * len(names))
    apart = {name: memory[100 * i :][:100] for i, name in enumerate(names)}
    getattr(backend, step)(**apart, lr=0.1, **options)
    for i, second in itertools.combinations(range(len(names)), 2):
        for start in (0, 1, 99):
            lies = {names[second]: memory[100 * i + start :][:100]}
            with pytest.raises(ArgumentError, match="must not share memory with"):
                getattr(backend, step)(**(apart | lies), lr=0.1, **options)


def test_a_velocity_without_momentum_is_not_read(rng):
    param, grad = rng.standard_normal((2, 10))
    backend.sgd_step(param, grad, param, lr=0.1)


def test_running_statistics_are_apart(rng):
    x, gamma, beta, mean, var = (rng.standard_normal(s) for s in ((5, 3), 3, 3, 3, 3))
    for lies in ({"running_mean": gamma}, {"running_var": beta},
                 {"running_mean": x[1]}, {"running_mean": var}):  # fmt: skip
        statistics = {"running_mean": mean, "running_var": var} | lies
        with pytest.raises(ArgumentError, match=r"running_.* must not share memory"):
            backend.batchnorm_forward(x, gamma, beta, **statistics)
    residual = rng.standard_normal((5, 3))
    with pytest.raises(ArgumentError, match="share memory with residual"):
        backend.batchnorm_forward(x, gamma, beta, residual[0], var, residual=residual)
    backend.batchnorm_forward(x, gamma, beta, mean, var, residual=x)


# Indices -----------------------------------------------------------------------------


def test_checked_indices_are_copies():
    """Another thread may write into the array of the caller after the check."""
    for dtype in (np.int64, np.uint8, np.int32):
        indices = np.array([0, 2, 1], dtype)
        assert not np.shares_memory(shapes.labels(indices, 3, 3, "loss"), indices)
        assert not np.shares_memory(shapes.rows(indices, 3, "gather"), indices)


def misaligned(array):
    """Return the same numbers, one byte off."""
    memory = np.empty(array.nbytes + 1, np.uint8)
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


def test_misaligned_labels_and_targets(rng):
    logits = rng.standard_normal((4, 3), np.float32)
    labels = np.array([0, 2, 1, 0])
    targets = np.eye(3, dtype=np.float32)[labels]
    wanted = backend.softmax_cross_entropy_forward(logits, labels)
    for given in (labels, targets, targets.astype(np.float64), labels.astype(np.int16)):
        loss, p = backend.softmax_cross_entropy_forward(logits, misaligned(given))
        np.testing.assert_allclose(loss, wanted[0], rtol=1e-6)
        backend.softmax_cross_entropy_backward(p, misaligned(given), np.ones_like(loss))
    x = rng.standard_normal((5, 3))
    np.testing.assert_array_equal(backend.gather(x, misaligned(labels)), x[labels])


def test_labels_that_another_thread_changes(rng):
    """Each call takes the good ones, or refuses the bad ones."""
    n, classes = 200_000, 4
    logits = rng.standard_normal((n, classes), np.float32)
    labels, stop = np.zeros(n, np.int64), threading.Event()

    def change():
        while not stop.is_set():
            labels[:] = 2**40
            labels[:] = 1

    x, dloss = np.zeros((classes, 4), np.float32), np.ones(n, np.float32)
    calls = [
        lambda: backend.softmax_cross_entropy_forward(logits, labels),
        lambda: backend.softmax_cross_entropy_backward(logits, labels, dloss),
        lambda: backend.gather(x, labels),
    ]
    thread = threading.Thread(target=change)
    thread.start()
    try:
        for call in calls * 10:
            try:
                call()
            except (ArgumentError, IndexError):
                continue
    finally:
        stop.set()
        thread.join()
