"""What holds for every operation of `fastdl.functional`."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import random
from fastdl.autograd import Tensor, no_grad
from fastdl.errors import DtypeError, GraphError

X = np.linspace(0.5, 1.5, 24).reshape(4, 6)
IMAGES = np.linspace(0.5, 1.5, 96).reshape(2, 4, 4, 3)
FILTERS = np.ones((3, 3, 3, 2))
LABELS = np.arange(4)

# name: (function of the tensors, their values)
CALLS = {
    "abs": (F.abs, X),
    "activation": (lambda x: F.activation(x, "gelu"), X),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 3), IMAGES),
    "add": (F.add, X, X),
    "astype": (lambda x: F.astype(x, x.dtype) * 1, X),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), IMAGES),
    "batch_norm": (
        lambda x: F.batch_norm(x, *np.ones((2, 6), x.dtype), training=True),
        X,
    ),
    "binary_cross_entropy": (lambda x: F.binary_cross_entropy(x / 2, X > 1), X),
    "binary_cross_entropy_with_logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, X > 1),
        X,
    ),
    "broadcast_to": (lambda x: F.broadcast_to(x, (2, 4, 6)), X),
    "clamp": (lambda x: F.clamp(x, 0.6, 1.4), X),
    "concatenate": (lambda x, y: F.concatenate([x, y]), X, X),
    "conv2d": (lambda x, w: F.conv2d(x, w, activation="relu"), IMAGES, FILTERS),
    "conv_transpose2d": (
        lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1, activation="relu"),
        IMAGES,
        FILTERS.transpose(0, 1, 3, 2),
        np.ones(2),
    ),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS), X),
    "cumsum": (lambda x: F.cumsum(x, 0), X),
    "dice_loss": (lambda x: F.dice_loss(x, (IMAGES[..., 0] > 1) * 2), IMAGES),
    "divide": (F.divide, X, X),
    "drop_path": (F.drop_path, X),
    "dropout": (F.dropout, X),
    "dropout2d": (F.dropout2d, IMAGES),
    "einsum": (lambda x, y: F.einsum("ij,kj->ik", x, y), X, X),
    "elu": (F.elu, X - 1),
    "exp": (F.exp, X),
    "expand_dims": (lambda x: F.expand_dims(x, 1), X),
    "flatten": (F.flatten, X),
    "flip": (F.flip, X),
    "focal_loss": (lambda x: F.focal_loss(x, LABELS), X),
    "gelu": (F.gelu, X),
    "global_avg_pool2d": (F.global_avg_pool2d, IMAGES),
    "group_norm": (lambda x, w, b: F.group_norm(x, 3, w, b), X, X[0], X[1]),
    "hard_swish": (F.hard_swish, X),
    "hardmax": (F.hardmax, X),
    "huber_loss": (F.huber_loss, X, 2 - X),
    "index": (lambda x: F.index(x, (slice(2), 1)), X),
    "kl_div": (lambda x: F.kl_div(x, np.full((4, 6), 1 / 6)), X),
    "l1_loss": (F.l1_loss, X, 2 - X),
    "l1_penalty": (lambda *weights: F.l1_penalty(weights, 0.5), X, IMAGES),
    "l2_penalty": (lambda *weights: F.l2_penalty(weights, 0.5), X, IMAGES),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (6,), w, b), X, X[0], X[1]),
    "leaky_relu": (F.leaky_relu, X),
    "linear": (lambda x, w, b: F.linear(x, w, b, "tanh"), X, X.T, X[:, 0]),
    "log": (F.log, X),
    "log_softmax": (F.log_softmax, X),
    "logsumexp": (F.logsumexp, X),
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
    "nll_loss": (lambda x: F.nll_loss(-x, LABELS), X),
    "norm": (F.norm, X),
    "normalize": (F.normalize, X),
    "pad": (lambda x: F.pad(x, [(1, 1), (0, 2)]), X),
    "power": (F.power, X, X),
    "prod": (F.prod, X),
    "relu": (F.relu, X),
    "relu6": (F.relu6, X),
    "prelu": (F.prelu, X - 1, X[0]),
    "reshape": (lambda x: F.reshape(x, 6, 4), X),
    "sigmoid": (F.sigmoid, X),
    "sigmoid_focal_loss": (lambda x: F.sigmoid_focal_loss(x, X > 1), X),
    "scale": (F.scale, IMAGES, IMAGES[:, :1, :1]),
    "silu": (F.silu, X),
    "softmax": (F.softmax, X),
    "softplus": (F.softplus, X),
    "split": (lambda x: F.split(x, 2)[1], X),
    "sqrt": (F.sqrt, X),
    "squeeze": (lambda x: F.squeeze(x[:, :1]), X),
    "stack": (lambda x, y: F.stack([x, y]), X, X),
    "std": (F.std, X),
    "subtract": (F.subtract, X, X),
    "sum": (F.sum, X),
    "take_along_axis": (lambda x: F.take_along_axis(x, [[1, 1, 0, 0, 2, 3]], 0), X),
    "tanh": (F.tanh, X),
    "transpose": (F.transpose, X),
    "triplet_margin_loss": (F.triplet_margin_loss, X, 2 - X, X**2),
    "unsqueeze": (lambda x: F.unsqueeze(x, 1), X),
    "var": (F.var, X),
    "upsample": (lambda x: F.upsample(x, 7, mode="bilinear"), IMAGES),
    "where": (lambda x, y: F.where(X > 1, x, y), X, X),
}
NOT_DIFFERENTIABLE = {"hardmax"}
PLAIN = {"argmax", "argmin", "one_hot"}  # which have to do with integers


def statistics(x):
    """Return running statistics of the channels of x."""
    return np.full(x.shape[-1], 0.5, x.dtype), np.full(x.shape[-1], 2.0, x.dtype)


# Calls that save other arrays than those above. An operand that is detached has no
# gradient; losses take their targets and weights so.
VARIANTS = {
    "batch_norm, training": (
        lambda x, w, b: F.batch_norm(x, *statistics(x), w, b, True),
        X,
        X[0],
        X[1],
    ),
    "batch_norm, training, residual, relu": (
        lambda x, w, b, residual: F.batch_norm(
            x, *statistics(x), w, b, True, activation="relu", residual=residual
        ),
        X,
        X[0],
        -X[1],
        X,
    ),
    "batch_norm, inference": (
        lambda x, w, b: F.batch_norm(x, *statistics(x), w, b),
        X,
        X[0],
        X[1],
    ),
    "batch_norm, inference, residual, relu": (
        lambda x, w, b, residual: F.batch_norm(
            x, *statistics(x), w, b, activation="relu", residual=residual
        ),
        X,
        X[0],
        -X[1],
        X,
    ),
    "batch_norm, gelu": (
        lambda x, w, b: F.batch_norm(x, *statistics(x), w, b, activation="gelu"),
        X,
        X[0],
        X[1],
    ),
    "binary_cross_entropy, of tensors": (
        lambda x, t, w: F.binary_cross_entropy(x, t.detach(), sample_weight=w.detach()),
        X / 2,
        X - 0.5,
        X[:, 0],
    ),
    "binary_cross_entropy_with_logits, tensors": (
        lambda x, t, w, p: F.binary_cross_entropy_with_logits(
            x,
            t.detach(),
            sample_weight=w.detach(),
            pos_weight=p.detach(),
        ),
        X,
        X - 0.5,
        X[:, 0],
        X[0],
    ),
    "binary_cross_entropy_with_logits, targets": (
        lambda x, t: F.binary_cross_entropy_with_logits(x, t.detach()),
        X,
        X - 0.5,
    ),
    "conv2d, bias": (
        lambda x, w, b: F.conv2d(x, w, b, padding=1),
        IMAGES,
        FILTERS,
        np.ones(2),
    ),
    "conv2d, depthwise, silu": (
        lambda x, w: F.conv2d(x, w, groups=3, activation="silu"),
        IMAGES,
        FILTERS[:, :, :1].repeat(3, -1)[..., :3],
    ),
    "conv2d, flipped": (lambda x, w: F.conv2d(x, w, flip=True), IMAGES, FILTERS),
    "conv_transpose2d, no bias": (
        F.conv_transpose2d,
        IMAGES,
        FILTERS.transpose(0, 1, 3, 2),
    ),
    "cross_entropy, rows": (
        lambda x, t: F.cross_entropy(x, t.detach()),
        X,
        np.eye(6)[:4],
    ),
    "cross_entropy, of pixels": (
        lambda x, w: F.cross_entropy(
            x, (IMAGES[..., 0] > 1) * 1, sample_weight=w.detach(), ignore_index=0
        ),
        IMAGES,
        np.ones(2),
    ),
    "nll_loss, weights": (
        lambda x, w, c: F.nll_loss(
            -x, LABELS, sample_weight=w.detach(), class_weight=c.detach()
        ),
        X,
        X[:, 0],
        X[0],
    ),
    "cross_entropy, weights": (
        lambda x, t, w: F.cross_entropy(
            x, t.detach(), "none", sample_weight=w.detach(), label_smoothing=0.1
        ),
        X,
        np.eye(6)[:4],
        X[:, 0],
    ),
    "dice_loss, of tensors": (
        lambda x, t, w: F.dice_loss(x, t.detach(), sample_weight=w.detach()),
        IMAGES,
        IMAGES - 0.5,
        np.ones(2),
    ),
    "focal_loss, weights": (
        lambda x, w, c: F.focal_loss(
            x, LABELS, sample_weight=w.detach(), alpha=c.detach()
        ),
        X,
        X[:, 0],
        X[0],
    ),
    "huber_loss, weights": (
        lambda x, y, w: F.huber_loss(x, y, delta=0.2, sample_weight=w.detach()),
        X,
        2 - X,
        X[:, 0],
    ),
    "kl_div, of tensors": (
        lambda x, q, w: F.kl_div(x, q.detach(), sample_weight=w.detach()),
        X,
        np.full((4, 6), 1 / 6),
        X[:, 0],
    ),
    "sigmoid_focal_loss, of tensors": (
        lambda x, t, w: F.sigmoid_focal_loss(x, t.detach(), sample_weight=w.detach()),
        X,
        (X > 1).astype(float),
        X[:, 0],
    ),
    "triplet_margin_loss, weights": (
        lambda a, b, c, w: F.triplet_margin_loss(a, b, c, sample_weight=w.detach()),
        X,
        2 - X,
        X**2,
        X[:, 0],
    ),
    "einsum, of stacks": (
        lambda x, y: F.einsum("bijc,bjkc->bik", x, y),
        IMAGES,
        IMAGES[:, :, :2],
    ),
    "einsum, of a diagonal": (lambda x: F.einsum("bii...->i...", x), IMAGES),
    "logsumexp, of rows": (lambda x: F.logsumexp(x, 1, keepdims=True), X),
    "norm, of rows": (lambda x: F.norm(x, 3, 1), X),
    "norm, inf": (lambda x: F.norm(x, np.inf, 0), X),
    "divide, stretched": (F.divide, X[0], X),
    "index, one element": (lambda x: x[1, 2] * x[-1, ..., 0], X),
    "index, by an array": (lambda x: x[[0, 0, 1]] ** 2, X),
    "leaky_relu, slope 0": (lambda x: F.leaky_relu(x, 0.0), X - 1),
    "linear": (F.linear, X, X.T, X[:, 0]),
    "linear, gelu": (lambda x, w, b: F.linear(x, w, b, "gelu"), X, X.T, X[:, 0]),
    "linear, of images": (lambda x, w: F.linear(x, w, None, "relu"), IMAGES, X[:3]),
    "linear, of turned images": (
        lambda x, w: F.linear(x.transpose(0, 2, 1, 3), w),
        IMAGES,
        X[:3],
    ),
    "matmul, of stacks": (F.matmul, IMAGES, FILTERS[:1, 0]),
    "matmul, by a vector": (F.matmul, IMAGES, X[0, :3]),
    "max, along an axis": (lambda x: F.max(x, 1, keepdims=True), X),
    "mse_loss, weights": (
        lambda x, y, w: F.mse_loss(x, y, sample_weight=w.detach()),
        X,
        2 - X,
        X[:, 0],
    ),
    "multiply, by itself": (lambda x: x * x, X),
    "multiply, stretched": (F.multiply, X, X[0]),
    "power, of a copy": (lambda x: x.T.reshape(24) ** 2, X),
    "power, of a view": (lambda x: x.reshape(24).T ** 2, X),
    "power, stretched": (F.power, X[0], X),
    "prelu, one slope": (F.prelu, X - 1, X[0, :1]),
    "where, by a tensor": (lambda c, x, y: F.where(c.detach(), x, y), X, X, 2 * X),
}


def test_no_operation_is_left_out():
    assert set(CALLS) | PLAIN == set(F.__all__)


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
    if name in ("drop_path", "dropout", "dropout2d"):

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


def gradients(name, needed, changed=None, told=True):
    """Return the gradients of a call, some with an operand that changed after it.

    Parameters
    ----------
    needed
        The operands that require a gradient, by their place.
    changed
        The operand, or behind them the result, that becomes NaN before backward.
    told
        Whether the tape hears of it.
    """
    function, *arrays = (CALLS | VARIANTS)[name]
    random.seed(0)
    tensors = [Tensor(np.array(x), i in needed) for i, x in enumerate(arrays)]
    y = function(*tensors)
    if changed is not None:
        tensor = [*tensors, y][changed]
        if tensor.data.flags.writeable:
            tensor.data.fill(np.nan)
        if told:
            tensor.mark_changed()
    if y.requires_grad:
        with np.errstate(all="ignore"):
            y.backward(np.linspace(1, 2, y.size).reshape(y.shape))
    return [tensor.grad for tensor in tensors]


def equal(first, second):
    return all(
        a is b is None or np.array_equal(a, b)
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("name", CALLS | VARIANTS)
def test_a_change_is_refused_exactly_where_it_would_falsify_a_gradient(name):
    """For each operand, and the result, whichever operands require a gradient."""
    places = range(len((CALLS | VARIANTS)[name]) - 1)
    for needed in chain.from_iterable(combinations(places, n + 1) for n in places):
        expected = gradients(name, needed)
        for changed in (*places, len(places)):
            try:
                got = gradients(name, needed, changed)
            except GraphError:
                got = gradients(name, needed, changed, told=False)
                assert not equal(got, expected), ("falsely refused", needed, changed)
            else:
                assert equal(got, expected), ("not noticed", needed, changed)
