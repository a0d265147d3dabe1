"""Each optimiser against the textbook, in a loop of a few lines of NumPy."""

import numpy as np
import pytest

from fastdl import nn, optim
from fastdl.autograd import Tensor

RNG = np.random.default_rng(0)
A = RNG.standard_normal((20, 6))
B = RNG.standard_normal((20, 3))
START = RNG.standard_normal((6, 3))


def train(optimizer, steps=100):
    """Minimise the mean squared error of A w - B by the library."""
    w = nn.Parameter(START.copy())
    rule = optimizer([w])
    for _ in range(steps):
        rule.zero_grad()
        nn.MSELoss()(Tensor(A) @ w, B).backward()
        rule.step()
    return w.data


def gradient(w):
    return 2 * A.T @ (A @ w - B) / B.size


def sgd(lr, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    w, v = START.copy(), np.zeros_like(START)
    for _ in range(100):
        g = gradient(w) + weight_decay * w
        v = momentum * v + (1 - dampening) * g
        w = w - lr * (g + momentum * v if nesterov else v)
    return w


def rmsprop(lr, beta=0.9, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
    w, s, m, v = START.copy(), 0.0, 0.0, 0.0
    for _ in range(100):
        g = gradient(w) + weight_decay * w
        s = beta * s + (1 - beta) * g**2
        m = beta * m + (1 - beta) * g
        v = momentum * v + g / (np.sqrt(s - m**2 if centered else s) + eps)
        w = w - lr * v
    return w


def adagrad(lr, eps=1e-10, weight_decay=0.0):
    w, s = START.copy(), 0.0
    for _ in range(100):
        g = gradient(w) + weight_decay * w
        s = s + g**2
        w = w - lr * g / (np.sqrt(s) + eps)
    return w


def adam(
    lr,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.0,
    decoupled=False,
    amsgrad=False,
):
    w, m, v = START.copy(), np.zeros_like(START), np.zeros_like(START)
    largest = 0.0
    for t in range(1, 101):
        g = gradient(w)
        if decoupled:
            w = w * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        largest = np.maximum(largest, v) if amsgrad else v
        mhat, vhat = m / (1 - betas[0] ** t), largest / (1 - betas[1] ** t)
        w = w - lr * mhat / (np.sqrt(vhat) + eps)
    return w


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"weight_decay": 0.1},
        {"momentum": 0.5, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_sgd(options):
    """S12: momentum in PyTorch's form and, by dampening, in the course's."""
    result = train(lambda params: optim.SGD(params, lr=0.05, **options))
    np.testing.assert_allclose(result, sgd(0.05, **options), rtol=1e-6, atol=1e-9)


def test_plain_weight_decay_is_a_factor():
    """S19: w (1 - lr lambda) - lr grad."""
    w = nn.Parameter(START.copy())
    w.grad = np.ones_like(START)
    optim.SGD([w], lr=0.1, weight_decay=0.5).step()
    np.testing.assert_allclose(w.data, START * (1 - 0.1 * 0.5) - 0.1, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beta": 0.5, "weight_decay": 0.1},
        {"momentum": 0.9},
        {"centered": True, "eps": 1e-3},
        {"centered": True, "eps": 1e-3, "momentum": 0.5, "weight_decay": 0.1},
    ],
    ids=str,
)
def test_rmsprop(options):
    """S13"""
    result = train(lambda params: optim.RMSprop(params, lr=0.002, **options))
    np.testing.assert_allclose(result, rmsprop(0.002, **options), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"eps": 0.1}], ids=str)
def test_adagrad(options):
    """S13: its forerunner."""
    result = train(lambda params: optim.Adagrad(params, lr=0.1, **options))
    np.testing.assert_allclose(result, adagrad(0.1, **options), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"betas": (0.5, 0.8)},
        {"weight_decay": 0.1},
        {"eps": 0.1},
        {"amsgrad": True},
        {"amsgrad": True, "betas": (0.5, 0.5)},
    ],
    ids=str,
)
def test_adam(options):
    """S14"""
    result = train(lambda params: optim.Adam(params, lr=0.01, **options))
    np.testing.assert_allclose(result, adam(0.01, **options), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("weight_decay", [0.01, 0.5])
def test_adamw(weight_decay, amsgrad):
    """S14"""
    options = {"weight_decay": weight_decay, "amsgrad": amsgrad}
    result = train(lambda p: optim.AdamW(p, lr=0.01, betas=(0.9, 0.9), **options))
    expected = adam(0.01, betas=(0.9, 0.9), decoupled=True, **options)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-9)


def test_amsgrad_is_another_path():
    """S14: with a short memory of squares."""
    assert (adam(0.01, (0.5, 0.5)) != adam(0.01, (0.5, 0.5), amsgrad=True)).any()


def test_float32_follows_float64():
    """S14: the same path within single precision."""
    w = nn.Parameter(START.astype(np.float32))
    rule = optim.Adam([w], lr=0.01)
    for _ in range(100):
        w.grad = gradient(w.data).astype(np.float32)
        rule.step()
    np.testing.assert_allclose(w.data, adam(0.01), atol=1e-5)


def test_quadratic_of_the_course():
    """S05: w^2 - 10 w + 25 from 0 with 0.01: 0.1 after a step, then 4.99999999."""
    w = Tensor(0.0, requires_grad=True, dtype=np.float64)
    coefficients = np.array([1.0, -10.0, 25.0])
    rule = optim.SGD([w], lr=0.01)

    def step():
        rule.zero_grad()
        (coefficients[0] * w**2 + coefficients[1] * w + coefficients[2]).backward()
        rule.step()

    step()
    assert w.item() == pytest.approx(0.1, rel=1e-12)
    for _ in range(1000):
        step()
    assert f"{w.item():.8f}" == "4.99999999"
