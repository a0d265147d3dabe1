"""Penalties on weights and the max-norm constraint."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn, optim
from fastdl.errors import ArgumentError

RNG = np.random.default_rng(0)


def model():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.LayerNorm((4, 4, 4)),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 3),
    )
    for parameter in net.parameters():
        parameter.data[...] = RNG.standard_normal(parameter.shape)
    return net.astype(np.float64)


def line(slope):
    """Return a model of a line through 0."""
    net = nn.Linear(1, 1, bias=False).astype(np.float64)
    net.weight.data[...] = slope
    return net


@pytest.mark.parametrize(
    ("slope", "error", "cost"), [(1.3, 0.0, 1.69), (0.8, 0.1, 0.74)]
)
def test_toy_check(slope, error, cost):
    """S20: with lambda 1 and the penalty slope^2, the flatter line is cheaper."""
    assert error + nn.L2(2.0)(line(slope)).item() == pytest.approx(cost, abs=1e-12)


def test_l1_of_a_line():
    """S20"""
    assert nn.L1(0.5)(line(-1.3)).item() == pytest.approx(0.65)


def test_the_courses_form():
    """S19: lambda / (2m) times the sum of ||W||_F^2, W of each layer alone."""
    net, lambd, m = model(), 0.7, 50
    squares = sum(
        (net[i].weight.data ** 2).sum()
        for i in (0, 5)  # not gamma, beta, b
    )
    assert nn.L2(lambd / m)(net).item() == pytest.approx(lambd / (2 * m) * squares)


def test_weights_alone():
    """S19: not b, gamma, beta; not even the gamma of a layer norm with 3 axes."""
    net = model()
    assert [name for name, _ in nn.named_weights(net)] == ["0.weight", "5.weight"]
    (nn.L2(1.0)(net) + nn.L1(1.0)(net)).backward()
    got = {name for name, p in net.named_parameters() if p.grad is not None}
    assert got == {"0.weight", "5.weight"}
    np.testing.assert_allclose(
        net[0].weight.grad, net[0].weight.data + np.sign(net[0].weight.data)
    )


@pytest.mark.parametrize(
    ("names", "weights_only", "expected"),
    [
        ("5", True, ["5.weight"]),
        ("5", False, ["5.weight", "5.bias"]),
        ("5.weight", False, ["5.weight"]),
        (["0", "5.w*"], True, ["0.weight", "5.weight"]),
        ("*.bias", False, ["0.bias", "1.bias", "2.bias", "5.bias"]),
        ("1", False, ["1.weight", "1.bias"]),
    ],
    ids=str,
)
def test_by_layer_and_pattern(names, weights_only, expected):
    """S19: for single layers, or by a pattern of names."""
    net = model()
    nn.L2(1.0, names, weights_only)(net).backward()
    got = [name for name, p in net.named_parameters() if p.grad is not None]
    assert got == expected


def test_l2_is_weight_decay_under_gradient_descent():
    """S19: each step multiplies W by 1 - alpha lambda / m, besides the gradient."""
    x, y = RNG.standard_normal((10, 4)), RNG.standard_normal((10, 2))
    alpha, lambd, m = 0.1, 0.5, 10
    start = RNG.standard_normal((4, 2))
    results = []
    for penalty, decay in [(nn.L2(lambd / m), 0.0), (None, lambd / m)]:
        net = nn.Linear(4, 2, bias=False).astype(np.float64)
        net.weight.data[...] = start
        optimizer = optim.SGD(net.parameters(), lr=alpha, weight_decay=decay)
        cost = F.mse_loss(net(x), y)
        if penalty:
            cost = cost + penalty(net)
        cost.backward()
        optimizer.step()
        results.append(net.weight.data.copy())
    net = nn.Linear(4, 2, bias=False).astype(np.float64)
    net.weight.data[...] = start
    F.mse_loss(net(x), y).backward()
    by_hand = (1 - alpha * lambd / m) * start - alpha * net.weight.grad
    np.testing.assert_allclose(results[0], by_hand, rtol=1e-12)
    np.testing.assert_allclose(results[1], by_hand, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.L2(-1), "L2: strength must be a finite number >= 0, got -1"),
        (lambda: nn.L1(np.inf), "L1: strength must be a finite number >= 0"),
        (lambda: nn.L2(np.nan), "L2: strength must be a finite number >= 0"),
        (lambda: nn.MaxNorm(0), "MaxNorm: limit must be a finite number > 0, got 0"),
        (
            lambda: nn.L2(1.0, "5.wieght")(model()),
            "L2: no weight .* called '5.wieght'; did you mean '5.weight'",
        ),
        (lambda: nn.L1(1.0, ["0", "*.bias"])(model()), "L1: .*weights_only=False"),
        (lambda: nn.L2(1.0)(nn.ReLU()), "L2: the model has no weights"),
    ],
)
def test_wrong_use(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_max_norm():
    """S19: the norm of the weights that enter each unit is at most the limit."""
    net = model()
    before = {name: p.data.copy() for name, p in net.named_parameters()}
    nn.MaxNorm(3.0)(net)
    for name, parameter in net.named_parameters():
        if name not in ("0.weight", "5.weight"):
            np.testing.assert_array_equal(parameter.data, before[name])
            continue
        units = before[name].reshape(-1, parameter.shape[-1])
        norms = np.linalg.norm(units, axis=0)
        after = parameter.data.reshape(units.shape)
        np.testing.assert_allclose(
            np.linalg.norm(after, axis=0), np.minimum(norms, 3.0), rtol=1e-12
        )
        np.testing.assert_allclose(after / np.minimum(norms, 3.0), units / norms)
        assert (norms > 3).any()
    assert (np.linalg.norm(before["0.weight"].reshape(9, 4), axis=0) < 3).any()


def test_max_norm_of_zero_weights_and_by_name():
    net = model()
    net[0].weight.data[...] = 0
    nn.MaxNorm(0.1, "0")(net)
    assert not net[0].weight.data.any()
    assert np.linalg.norm(net[5].weight.data, axis=0).min() > 0.1
