"""Layer and group normalisation: statistics, gradients, shapes."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import DtypeError, ShapeError

IMAGES = (2, 3, 2, 4)


def normalised(x, axes, eps=1e-5):
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + eps)


@pytest.mark.parametrize(
    ("shape", "inner"),
    [((5, 4), (4,)), (IMAGES, (4,)), (IMAGES, (2, 4)), (IMAGES, (3, 2, 4))],
    ids=str,
)
def test_layer_norm(shape, inner, rng, check_gradients):
    """S17: each example for itself, over the last axes."""
    x = rng.normal(3, 2, shape)
    gamma, beta = rng.standard_normal((2, *inner))
    axes = tuple(range(-len(inner), 0))
    y = F.layer_norm(x, inner, gamma, beta, eps=1e-3)
    np.testing.assert_allclose(y.data, normalised(x, axes, 1e-3) * gamma + beta)
    np.testing.assert_allclose(F.layer_norm(x, inner).data, normalised(x, axes))
    check_gradients(lambda *tensors: F.layer_norm(tensors[0], inner, *tensors[1:]), x)
    check_gradients(
        lambda x, gamma, beta: F.layer_norm(x, inner, gamma, beta), x, gamma, beta
    )


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("shape", [(5, 4), IMAGES], ids=str)
def test_group_norm(shape, groups, rng, check_gradients):
    """S17: each group of channels of each example for itself."""
    x = rng.normal(3, 2, shape)
    gamma, beta = rng.standard_normal((2, 4))
    parts = [
        normalised(part, tuple(range(1, x.ndim)))
        for part in np.split(x, groups, axis=-1)
    ]
    y = F.group_norm(x, groups, gamma, beta)
    expected = np.concatenate(parts, -1) * gamma + beta
    np.testing.assert_allclose(y.data, expected, atol=1e-12)
    if groups < 4 or x.ndim > 2:  # one element alone has no gradient to speak of
        check_gradients(
            lambda *tensors: F.group_norm(tensors[0], groups, *tensors[1:]),
            x,
            gamma,
            beta,
            atol=1e-7,
        )


def test_one_group_is_layer_norm_of_the_image(rng):
    x = rng.standard_normal(IMAGES)
    np.testing.assert_allclose(
        F.group_norm(x, 1).data, F.layer_norm(x, IMAGES[1:]).data, rtol=1e-12
    )


@pytest.mark.parametrize("needed", ["x", "weight", "bias"])
def test_only_the_gradients_that_are_needed(needed, rng):
    values = {
        "x": rng.standard_normal((3, 4)),
        "weight": rng.standard_normal(4),
        "bias": rng.standard_normal(4),
    }
    tensors = {
        name: Tensor(value, requires_grad=name == needed)
        for name, value in values.items()
    }
    F.layer_norm(normalized_shape=(4,), **tensors).sum().backward()
    assert {name for name, t in tensors.items() if t.grad is not None} == {needed}


def test_empty_batch():
    assert F.layer_norm(np.ones((0, 3)), (3,)).shape == (0, 3)
    assert F.group_norm(np.ones((0, 2, 2, 4)), 2).shape == (0, 2, 2, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: F.layer_norm(x, (3,)),
            r"layer_norm: expected x of .* 3\)",
        ),
        (lambda x: F.layer_norm(x, ()), "layer_norm: expected x"),
        (lambda x: F.layer_norm(x, (4,), np.ones(3)), "layer_norm: expected weight"),
        (lambda x: F.group_norm(x, 3), "divisible by the 3 groups"),
        (lambda x: F.group_norm(x, 0), "group_norm: num_groups must be"),
        (lambda x: F.group_norm(x, 2, None, np.ones(2)), "group_norm: expected bias"),
        (lambda x: F.group_norm(x[0, 0, 0], 2), "group_norm: expected x of shape"),
    ],
)
def test_shapes_that_do_not_fit(call, message):
    with pytest.raises(ShapeError, match=message):
        call(np.ones(IMAGES))


def test_types_do_not_mix():
    with pytest.raises(DtypeError, match="layer_norm"):
        F.layer_norm(np.ones((2, 3)), (3,), np.ones(3, np.float32))
