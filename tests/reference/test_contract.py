"""What holds for every kernel of the reference."""

import numpy as np
import pytest

from fastdl import reference
from fastdl.shapes import ACTIVATIONS, FILLS

IMAGES, FILTERS, ROWS = (2, 4, 4, 2), (3, 3, 2, 3), (4, 3)
CALLS = {
    "matmul": lambda f, a: f(a(4, 5), a(5, 3), a(3), activation="tanh"),
    "stacked_matmul": lambda f, a: f(a(2, 4, 5), a(5, 3)),
    "conv2d_forward": lambda f, a: f(a(*IMAGES), a(*FILTERS), a(3), activation="silu"),
    "conv2d_backward_input": lambda f, a: f(a(2, 2, 2, 3), a(*FILTERS), IMAGES),
    "conv2d_backward_weight": lambda f, a: f(a(2, 2, 2, 3), a(*IMAGES), 3),
    "max_pool2d_forward": lambda f, a: f(a(*IMAGES), 2)[0],
    "max_pool2d_backward": lambda f, a: f(
        a(2, 2, 2, 2), np.zeros((2, 2, 2, 2), np.uint8), IMAGES, 2
    ),
    "avg_pool2d_forward": lambda f, a: f(a(*IMAGES), 2),
    "avg_pool2d_backward": lambda f, a: f(a(2, 2, 2, 2), IMAGES, 2),
    "global_avg_pool2d_forward": lambda f, a: f(a(*IMAGES)),
    "global_avg_pool2d_backward": lambda f, a: f(a(2, 2), IMAGES),
    "adaptive_avg_pool2d_forward": lambda f, a: f(a(*IMAGES), (3, 2)),
    "adaptive_avg_pool2d_backward": lambda f, a: f(a(2, 3, 2, 2), IMAGES, (3, 2)),
    "scale_forward": lambda f, a: f(a(*IMAGES), a(2, 1, 1, 2)),
    "scale_backward": lambda f, a: f(a(*IMAGES), a(*IMAGES), a(2, 1, 1, 2)),
    "batchnorm_forward": lambda f, a: f(
        a(*ROWS), a(3), a(3), residual=a(*ROWS), activation="relu"
    ),
    "batchnorm_inference": lambda f, a: f(a(*ROWS), a(3), a(3), a(3), a(3)),
    "batchnorm_backward": lambda f, a: f(
        a(*ROWS), a(*ROWS), a(3), a(3), a(3), y=a(*ROWS), activation="relu"
    ),
    "layernorm_forward": lambda f, a: f(a(*IMAGES), a(2), a(2), groups=2),
    "layernorm_backward": lambda f, a: f(
        a(*IMAGES), a(*IMAGES), a(2), a(2, 2), a(2, 2)
    ),
    "activation_forward": lambda f, a: [f(a(*ROWS), kind) for kind in ACTIVATIONS],
    "activation_backward": lambda f, a: [
        f(a(*ROWS), a(*ROWS), a(*ROWS), kind) for kind in ACTIVATIONS
    ],
    "prelu_forward": lambda f, a: f(a(*ROWS) - 0.5, a(3)),
    "prelu_backward": lambda f, a: f(a(*ROWS), a(*ROWS) - 0.5, a(3)),
    "upsample_forward": lambda f, a: f(a(*IMAGES), 7, mode="bilinear"),
    "upsample_backward": lambda f, a: f(a(2, 7, 7, 2), IMAGES, 7, mode="bilinear"),
    "softmax_forward": lambda f, a: f(a(*ROWS)),
    "log_softmax_forward": lambda f, a: f(a(*ROWS)),
    "softmax_cross_entropy_forward": lambda f, a: f(a(*ROWS), np.array([0, 1, 2, 0])),
    "softmax_cross_entropy_backward": lambda f, a: f(a(*ROWS), a(*ROWS), a(4)),
    "sigmoid_cross_entropy_forward": lambda f, a: f(a(*ROWS), a(*ROWS)),
    "sigmoid_cross_entropy_backward": lambda f, a: f(a(*ROWS), a(*ROWS), a(*ROWS)),
    "affine_warp": lambda f, a: [
        f(a(*IMAGES), a(2, 2, 3), a(2, 2, 4, 4), fill=fill) for fill in FILLS
    ],
    "add": lambda f, a: f(a(*ROWS), a(*ROWS)),
    "copy": lambda f, a: f(a(*ROWS), np.empty_like(a(*ROWS))),
    "power": lambda f, a: [f(a(*ROWS), p) for p in (2, -1.5, 0, 0.3)],
    "power_backward": lambda f, a: [
        f(a(*ROWS), a(*ROWS), p) for p in (2, -1.5, 0, 0.3)
    ],
    "gather": lambda f, a: f(a(*ROWS), np.array([2, 0, 2])),
    "gather_backward": lambda f, a: f(a(*ROWS), np.array([2, 0, 2, 4]), 6),
    "l1_penalty_forward": lambda f, a: f(a(*ROWS), 0.5),
    "l1_penalty_backward": lambda f, a: f(a(1)[0], a(*ROWS), 0.5),
    "l2_penalty_forward": lambda f, a: f(a(*ROWS), 0.5),
    "l2_penalty_backward": lambda f, a: f(a(1)[0], a(*ROWS), 0.5),
    "dropout_forward": lambda f, a: f(a(*ROWS), 0.7, seed=1, offset=0),
    "dropout_backward": lambda f, a: f(a(*ROWS), 0.7, seed=1, offset=0),
}
UPDATES = {
    "sgd_step": lambda f, p, g, s: f(p, g, s(), lr=0.1, momentum=0.9, weight_decay=0.1),
    "rmsprop_step": lambda f, p, g, s: f(
        p, g, s(), s(), s(), lr=0.1, momentum=0.9, weight_decay=0.1
    ),
    "adagrad_step": lambda f, p, g, s: f(p, g, s(), lr=0.1, weight_decay=0.1),
    "adam_step": lambda f, p, g, s: f(
        p, g, s(), s(), s(), lr=0.1, weight_decay=0.1, decoupled=True, step=3
    ),
    "max_norm_step": lambda f, p, g, s: f(p, limit=0.5),
}
DTYPES = [np.float16, np.float32, np.float64, np.longdouble]


def test_every_kernel_is_called_here():
    assert sorted(CALLS | UPDATES) == reference.__all__


def arrays_of(result):
    return result if isinstance(result, (tuple, list)) else [result]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CALLS)
def test_results_have_the_type_of_the_input(name, dtype):
    """Inputs are read-only: they are never written."""
    rng = np.random.default_rng(0)

    def positive(*shape):
        array = (rng.random(shape) + 0.1).astype(dtype)
        array.flags.writeable = False
        return array

    for array in arrays_of(CALLS[name](getattr(reference, name), positive)):
        assert array.dtype == dtype
        assert array.flags.writeable
        assert np.all(np.isfinite(array))


@pytest.mark.parametrize("name", CALLS)
def test_integers_are_real_numbers(name):
    """0.5 does not become 0, whatever type its input has."""

    def results(dtype):
        rng = np.random.default_rng(0)
        call = CALLS[name]
        # From 1, as variances; small, as rows of a sum.
        return arrays_of(
            call(
                getattr(reference, name), lambda *s: rng.integers(1, 4, s).astype(dtype)
            )
        )

    for whole, real in zip(results(np.int64), results(np.float64), strict=True):
        np.testing.assert_allclose(whole, real, rtol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_non_contiguous_input(name):
    def results(make):
        rng = np.random.default_rng(0)
        call = CALLS[name]
        return arrays_of(
            call(getattr(reference, name), lambda *s: make(rng.random(s) + 0.1))
        )

    def spread(array):
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan)
        wide[..., ::2] = array
        return wide[..., ::2]

    plain = results(lambda array: array)
    for array, expected in zip(results(spread), plain, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UPDATES)
def test_updates_happen_in_place(name, dtype):
    param, state = np.ones(5, dtype), []
    grad = np.full(5, 2, dtype)
    grad.flags.writeable = False

    def new_state():
        state.append(np.zeros(5, dtype))
        return state[-1]

    assert UPDATES[name](getattr(reference, name), param, grad, new_state) is None
    assert param.dtype == dtype
    assert np.all(param < 1)
    assert all(np.all(array > 0) for array in state)
