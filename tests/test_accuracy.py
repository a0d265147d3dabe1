"""Every operation in float32 against float64, at sizes where long sums lose digits.

The numbers are positive, so that sums grow and nothing cancels: each addition of a long
chain then rounds at the size of the whole sum. Numbers that differ round up and down at
random; equal ones, as in the background of a picture, may all round the same way. The
bounds are relative to the largest element of a result. One rounding of float32 is 6e-8.
"""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import reference
from fastdl.autograd import Tensor
from fastdl.shapes import ACTIVATIONS

try:
    from fastdl import kernels
except ImportError:
    kernels = None

ROWS = 1_000_000  # of a batch
SIDE = 1024  # of a picture
CLASSES = 300_000
SHARE = 1 / CLASSES
PLACES = 2**18
LABELS = np.array([3, CLASSES - 1])
IMAGE, DEEP = (1, SIDE, SIDE, 2), (1, 16, 16, 600)
LARGE = (1, 512, 512, 3)
TURN = [[[0.8, 0.6, 3.0], [-0.6, 0.8, 100.0]]]

# For each function: the bound for numbers that differ, that for equal ones (None where
# the result would be nothing but rounding), and calls; a(*shape) makes an array.
CASES = {
    "matmul": (
        (2e-6, 2e-5),
        lambda f, a: f(a(5, PLACES), a(PLACES, 7), a(7)),
        lambda f, a: f(a(PLACES, 5), a(PLACES, 7), transpose_a=True),
        lambda f, a: f(a(5, PLACES), a(7, PLACES), transpose_b=True),
    ),
    "stacked_matmul": (
        (2e-6, 2e-5),
        lambda f, a: f(a(2, 5, PLACES), a(2, PLACES, 7)),
    ),
    "conv2d_forward": (
        (4e-6, 2e-5),
        lambda f, a: f(a(*DEEP), a(3, 3, 600, 9), a(9), algorithm="direct"),
        lambda f, a: f(a(*DEEP), a(3, 3, 600, 9), a(9), algorithm="winograd"),
        lambda f, a: f(a(*DEEP), a(3, 3, 600, 9), a(9), stride=2),
        lambda f, a: f(a(*IMAGE), a(31, 31, 1, 2), stride=31, groups=2),
    ),
    "conv2d_backward_input": (
        (4e-6, 2e-5),
        lambda f, a: f(a(*DEEP), a(3, 3, 9, 600), (1, 18, 18, 9)),
        lambda f, a: f(a(*DEEP), a(3, 3, 9, 600), (1, 33, 33, 9), stride=2),
        lambda f, a: f(a(*DEEP), a(3, 3, 3, 600), (1, 18, 18, 3)),
        lambda f, a: f(a(1, 98, 98, 2), a(31, 31, 1, 2), (1, 128, 128, 2), groups=2),
    ),
    "conv2d_backward_weight": (
        (4e-6, 5e-5),
        lambda f, a: f(a(*LARGE), a(*LARGE), 3, padding=1, algorithm="direct"),
        lambda f, a: f(a(*LARGE), a(*LARGE), 3, padding=1, algorithm="winograd"),
        lambda f, a: f(a(*LARGE), a(*LARGE), 1),
        lambda f, a: f(a(*LARGE), a(*LARGE), 3, padding=1, groups=3),
        lambda f, a: f(a(1, 256, 256, 3), a(1, 512, 512, 3), 2, stride=2, groups=3),
    ),
    "max_pool2d_forward": ((0.0, 0.0), lambda f, a: f(a(*IMAGE), 3, stride=2)[0]),
    "max_pool2d_backward": (
        (4e-7, 4e-7),
        lambda f, a: f(
            a(1, 254, 254, 2),
            np.zeros((1, 254, 254, 2), np.uint8),
            (1, 256, 256, 2),
            3,
            stride=1,
        ),
    ),
    "avg_pool2d_forward": (
        (4e-7, 1e-6),
        lambda f, a: f(a(*IMAGE), 2),
        lambda f, a: f(a(*IMAGE), 128),
        lambda f, a: f(a(1, 5_000, 4, 40), (5_000, 3), stride=1),
    ),
    "avg_pool2d_backward": (
        (4e-7, 1e-6),
        lambda f, a: f(a(1, 512, 512, 2), IMAGE, 2),
        lambda f, a: f(a(1, 193, 193, 2), (1, 256, 256, 2), 64, stride=1),
    ),
    "global_avg_pool2d_forward": (
        (4e-7, 1e-6),
        lambda f, a: f(a(1, 224, 224, 3)),
        lambda f, a: f(a(*IMAGE)),
        lambda f, a: f(a(1, 300, 300, 70)),
    ),
    "global_avg_pool2d_backward": (
        (2e-7, 2e-7),
        lambda f, a: f(a(1, 3), (1, 224, 224, 3)),
    ),
    "adaptive_avg_pool2d_forward": (
        (2e-6, 2e-5),
        lambda f, a: f(a(*IMAGE), 7),
        lambda f, a: f(a(1, 5_000, 4, 40), 3),
    ),
    "adaptive_avg_pool2d_backward": (
        (4e-7, 1e-6),
        lambda f, a: f(a(1, 7, 7, 3), (1, 224, 225, 3), 7),
        lambda f, a: f(a(1, 300, 300, 2), (1, 7, 11, 2), 300),
    ),
    "batchnorm_forward": (
        (2e-6, 2e-6),
        lambda f, a: f(a(ROWS, 2), a(2), a(2)),
        lambda f, a: f(a(*IMAGE), a(2), a(2), activation="relu"),
    ),
    "scale_forward": (
        (2e-7, 2e-7),
        lambda f, a: f(a(2, 224, 224, 3), a(2, 1, 1, 3)),
    ),
    "scale_backward": (
        (2e-6, 2e-5),
        lambda f, a: f(a(2, 224, 224, 3), a(2, 224, 224, 3), a(2, 1, 1, 3)),
    ),
    "batchnorm_inference": (
        (4e-6, 4e-6),
        lambda f, a: f(a(ROWS, 2), a(2), a(2), a(2), a(2)),
    ),
    "batchnorm_backward": (
        (2e-6, None),
        lambda f, a: f(a(ROWS, 2), a(ROWS, 2), a(2), a(2), 20 * a(2)),
    ),
    "layernorm_forward": (
        (2e-6, 2e-6),
        lambda f, a: f(a(200_000, 8), a(8), a(8)),
        lambda f, a: f(a(2, PLACES), a(PLACES), a(PLACES)),
        lambda f, a: f(a(1, 512, 512, 6), a(6), a(6), groups=3),
    ),
    "layernorm_backward": (
        (4e-6, None),
        lambda f, a: f(a(ROWS, 2), a(ROWS, 2), a(2), a(ROWS, 1), 20 * a(ROWS, 1)),
        lambda f, a: f(
            a(2, PLACES), a(2, PLACES), a(PLACES), a(2, 1) * 0 + 1.5, 3 * a(2, 1)
        ),
        lambda f, a: f(
            a(1, 512, 512, 6), a(1, 512, 512, 6), a(6), a(1, 3), 20 * a(1, 3)
        ),
    ),
    "activation_forward": (
        (4e-7, None),
        *(lambda f, a, kind=kind: f(a(10_000) - 1.5, kind) for kind in ACTIVATIONS),
    ),
    "activation_backward": (
        (1e-6, None),
        *(
            lambda f, a, kind=kind: f(a(10_000), a(10_000), a(10_000) - 1, kind)
            for kind in ACTIVATIONS
        ),
    ),
    "prelu_forward": ((2e-7, 2e-7), lambda f, a: f(a(10_000, 3) - 1.5, a(3))),
    "prelu_backward": (
        (2e-6, 4e-5),
        lambda f, a: f(a(ROWS, 2), -a(ROWS, 2), a(2)),
        lambda f, a: f(a(ROWS), -a(ROWS), a(1)),
        lambda f, a: f(a(10_000, 200), -a(10_000, 200), a(200)),
    ),
    "upsample_forward": (
        (4e-7, 4e-7),
        lambda f, a: f(a(1, 100, 90, 3), scale_factor=2, mode="bilinear"),
        lambda f, a: f(a(1, 100, 90, 3), 211, mode="bilinear", align_corners=True),
    ),
    "upsample_backward": (
        (1e-6, 4e-6),
        lambda f, a: f(a(1, 512, 512, 3), LARGE, scale_factor=1),
        lambda f, a: f(a(1, 600, 600, 3), (1, 7, 7, 3), 600, mode="bilinear"),
    ),
    "softmax_forward": ((2e-6, 2e-6), lambda f, a: f(a(2, CLASSES))),
    "log_softmax_forward": ((4e-7, 4e-7), lambda f, a: f(a(2, CLASSES))),
    "softmax_cross_entropy_forward": (
        (2e-6, 2e-5),
        lambda f, a: f(a(2, CLASSES), LABELS),
        lambda f, a: f(a(2, CLASSES), a(2, CLASSES) / CLASSES)[0],
        lambda f, a: f(a(ROWS, 2), np.arange(ROWS) % 2, scale=1 / ROWS)[0],
    ),
    "softmax_cross_entropy_backward": (
        (2e-6, 2e-5),
        lambda f, a: f(a(2, CLASSES), LABELS, a(2)),
        lambda f, a: f(a(2, CLASSES) * SHARE, a(2, CLASSES) * SHARE, a(2)),
    ),
    "sigmoid_cross_entropy_forward": (
        (4e-7, 4e-7),
        lambda f, a: f(a(10_000), a(10_000) - 1),
    ),
    "sigmoid_cross_entropy_backward": (
        (4e-7, 4e-7),
        lambda f, a: f(a(10_000), a(10_000) - 1, a(10_000)),
    ),
    "dropout_forward": ((2e-7, 2e-7), lambda f, a: f(a(10_000), 0.7, seed=1, offset=0)),
    "dropout_backward": (
        (2e-7, 2e-7),
        lambda f, a: f(a(10_000), 0.7, seed=1, offset=0),
    ),
    "l1_penalty_forward": ((1e-6, 1e-6), lambda f, a: f(a(ROWS), 0.1)),
    "l1_penalty_backward": (
        (2e-7, 2e-7),
        lambda f, a: f(a(1)[0], a(10_000) - 1.5, 0.1),
    ),
    "l2_penalty_forward": ((1e-6, 1e-6), lambda f, a: f(a(ROWS), 0.1)),
    "l2_penalty_backward": (
        (2e-7, 2e-7),
        lambda f, a: f(a(1)[0], a(10_000), 0.1),
    ),
    "max_norm_step": (
        (2e-7, 2e-7),
        lambda f, a: in_place(f, a(ROWS, 2), limit=3.0),
        lambda f, a: in_place(f, a(PLACES), limit=0.01),
    ),
    "affine_warp": (
        (2e-5, 2e-5),
        lambda f, a: f(a(1, 256, 256, 2), np.array(TURN, a(1).dtype), fill="reflect"),
    ),
    "add": ((2e-7, 2e-7), lambda f, a: f(a(10_000), a(10_000))),
    "copy": ((0.0, 0.0), lambda f, a: f(a(100, 7), np.empty((100, 7), a(1).dtype))),
    "power": (
        (4e-7, 4e-7),
        *(lambda f, a, p=p: f(a(10_000), p) for p in (3, 0.5, -1.5, 5, 0.3)),
    ),
    "power_backward": (
        (6e-7, 6e-7),
        *(lambda f, a, p=p: f(a(10_000), a(10_000), p) for p in (3, 0.5, -1.5, 6, 0.3)),
    ),
    "gather_backward": (
        (2e-5, 1e-4),
        lambda f, a: f(a(1000, 7), np.arange(1000) % 3, 5),
    ),
    "gather": ((0.0, 0.0), lambda f, a: f(a(100, 7), np.arange(100)[::-1])),
    "sgd_step": (
        (2e-7, 2e-7),
        lambda f, a: in_place(f, a(10_000), a(10_000), a(10_000), lr=0.1, momentum=0.9),
    ),
    "rmsprop_step": (
        (1e-6, 1e-6),
        lambda f, a: in_place(f, a(10_000), a(10_000), a(10_000), lr=0.1),
    ),
    "adagrad_step": (
        (4e-7, 4e-7),
        lambda f, a: in_place(f, a(10_000), a(10_000), a(10_000), lr=0.1),
    ),
    "adam_step": (
        (1e-6, 1e-6),
        lambda f, a: in_place(
            f, a(10_000), a(10_000), a(10_000), a(10_000), lr=0.1, step=9
        ),
    ),
}


def in_place(function, *arrays, **options):
    function(*arrays, **options)
    return (arrays[0], *arrays[2:])


def differentiated(function):
    """Return a call that gives the result of a function of tensors, and gradients."""

    def call(f, a, *shapes):
        tensors = [Tensor(a(*shape), requires_grad=True) for shape in shapes]
        y = f(*tensors)
        y.backward(a(*y.shape))
        return (y.data, *(tensor.grad for tensor in tensors))

    return lambda *shapes: lambda a: call(function, a, *shapes)


def squared(y):
    """Return y * y, whose gradient is not orthogonal to y as a random one would be."""
    return y * y


# The same of what is differentiated: a tuple of bounds, a call.
FUNCTIONS = {
    "sum of rows": ((1e-6, 1e-6), differentiated(lambda x: F.sum(x, 0))((ROWS, 2))),
    "mean of rows": ((1e-6, 1e-6), differentiated(lambda x: F.mean(x, 0))((ROWS, 2))),
    "mean of a picture": (
        (1e-6, 1e-6),
        differentiated(lambda x: F.mean(x, (1, 2)))((1, SIDE, SIDE, 2)),
    ),
    "mean of columns": (
        (1e-6, 1e-6),
        differentiated(lambda x: F.mean(F.transpose(x), 1))((ROWS, 2)),
    ),
    "mean of all": ((1e-6, 1e-6), differentiated(F.mean)((ROWS, 2))),
    "a bias": ((2e-6, 4e-5), differentiated(lambda x, b: x + b)((ROWS, 2), (2,))),
    "a column": ((2e-6, 2e-6), differentiated(lambda x, b: x * b)((2, ROWS), (2, 1))),
    "a row": ((2e-6, 2e-6), differentiated(lambda x, b: x * b)((ROWS, 3), (1, 3))),
    "a number": ((2e-6, 2e-6), differentiated(lambda x, b: x * b)((ROWS, 2), ())),
    "linear": ((2e-6, 4e-5), differentiated(F.linear)((ROWS, 2), (2, 3), (3,))),
    "l1_penalty": (
        (1e-6, 1e-6),
        differentiated(lambda w: F.l1_penalty([w], 0.1))((ROWS,)),
    ),
    "l2_penalty": (
        (1e-6, 1e-6),
        differentiated(lambda w: F.l2_penalty([w], 0.1))((ROWS,)),
    ),
    "mse_loss": (
        (1e-6, 1e-6),
        differentiated(lambda x: F.mse_loss(x, np.zeros(x.shape)))((ROWS, 2)),
    ),
    "layer_norm": (
        (1e-5, None),
        differentiated(lambda *a: squared(F.layer_norm(a[0], (8,), *a[1:])))(
            (200_000, 8), (8,), (8,)
        ),
    ),
    "group_norm": (
        (1e-5, None),
        differentiated(lambda *a: squared(F.group_norm(a[0], 3, *a[1:])))(
            (1, 512, 512, 6), (6,), (6,)
        ),
    ),
}


def arrays_of(dtype, equal):
    """Return the function that makes the same arrays for each type."""
    rng = np.random.default_rng(0)

    def make(*shape):
        values = np.full(shape, 0.1) if equal else rng.uniform(1, 2, shape)
        return values.astype(np.float32).astype(dtype)

    return make


def error(call, exact, equal):
    """Return the largest error of `call` in float32, relative to `exact` in float64."""
    wanted, given = (
        exact(arrays_of(np.float64, equal)),
        call(arrays_of(np.float32, equal)),
    )
    if not isinstance(wanted, tuple):
        wanted, given = (wanted,), (given,)
    worst = 0.0
    for w, g in zip(wanted, given, strict=True):
        assert (g.dtype, w.dtype, g.shape) == (np.float32, np.float64, w.shape)
        worst = max(worst, np.abs(g - w).max() / np.abs(w).max())
    return worst


def test_every_kernel_has_a_bound():
    assert sorted(CASES) == reference.__all__


@pytest.mark.parametrize("equal", [False, True], ids=["different", "equal"])
@pytest.mark.parametrize(
    ("name", "number"),
    [(name, i) for name, (_, *calls) in CASES.items() for i in range(len(calls))],
)
def test_kernels_keep_their_digits(name, number, equal):
    bounds, *calls = CASES[name]
    bound = bounds[equal]
    if bound is None:
        return
    exact = getattr(reference, name)
    for backend in (reference, kernels):
        if backend is not None:
            function = getattr(backend, name)
            found = error(
                lambda a, f=function: calls[number](f, a),
                lambda a: calls[number](exact, a),
                equal,
            )
            assert found <= bound, backend.__name__


@pytest.mark.parametrize("equal", [False, True], ids=["different", "equal"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_keep_their_digits(name, equal):
    bounds, call = FUNCTIONS[name]
    if bounds[equal] is not None:
        assert error(call, call, equal) <= bounds[equal]
