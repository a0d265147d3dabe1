"""Gradient descent on functions."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import optim
from fastdl.errors import ArgumentError, FastdlError, GraphError, NonFiniteError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 2))
Y = X @ [2.0, -1.0] + 0.1 * RNG.standard_normal(60)


def line(w, x, y):
    return F.mse_loss((x @ w.reshape(2, 1)).reshape(-1), y)


def parabola(w):
    return w**2 - 10 * w + 25


def test_one_step():
    """S02, S05: w^2 - 10 w + 25 from 0 with learning rate 0.01."""
    result = optim.gradient_descent(parabola, 0, lr=0.01, max_iter=1)
    assert result.x == pytest.approx(0.1, rel=1e-12)
    assert result.steps == 1
    assert not result.converged
    assert result.value == pytest.approx(4.9**2)
    assert result.gradient_norm == pytest.approx(9.8)


def test_until_the_gradient_is_small():
    """S02: the first point whose gradient, 2 w - 10, is shorter than tol."""
    result = optim.gradient_descent(parabola, 0, lr=0.1, tol=1e-3)
    assert result.converged
    assert 1e-3 > result.gradient_norm > 0.8e-3  # a step shortens it to 0.8 of it
    assert result.steps == np.ceil(np.log(1e-3 / 10) / np.log(0.8))
    assert result.x.dtype == np.float64


def test_until_max_iter():
    """S02"""
    result = optim.gradient_descent(parabola, 0, lr=0.01, max_iter=1001, tol=0)
    assert f"{result.x:.8f}" == "4.99999999"
    assert result.steps == 1001
    assert not result.converged


def test_a_rate_that_is_not_given_is_a_tenth():
    assert optim.gradient_descent(parabola, 0, max_iter=1).x == pytest.approx(1.0)


def test_starting_at_the_minimum_makes_no_step():
    result = optim.gradient_descent(parabola, np.array([5.0], np.float32))
    assert result == (result.x, 0, 0, 0, True)
    assert result.x.dtype == np.float32


@pytest.mark.parametrize(
    ("batch_size", "tol"), [(None, 1e-8), (60, 1e-8), (16, 0.1), (1, 0.3)]
)
def test_batch_mini_batch_stochastic(batch_size, tol):
    """S02: batches of all examples, of some, of one."""
    best = np.linalg.lstsq(X, Y, rcond=None)[0]
    result = optim.gradient_descent(
        line, np.zeros(2), lr=0.05, tol=tol, data=(X, Y), batch_size=batch_size
    )
    assert result.converged
    np.testing.assert_allclose(result.x, best, atol=max(tol, 1e-7))
    if batch_size:
        assert result.steps % -(-60 // batch_size) == 0  # whole passes


def test_every_pass_has_all_examples_in_a_new_order():
    """S02"""
    seen = []

    def look(w, x):
        seen.append(x)
        return ((w - x) ** 2).mean()

    optim.gradient_descent(
        look, 0, max_iter=6, tol=0, data=(np.arange(10.0),), batch_size=4
    )
    passes = [np.concatenate(seen[1:4]), np.concatenate(seen[5:8])]
    assert [len(batch) for batch in seen] == [10, 4, 4, 2, 10, 4, 4, 2, 10]
    for examples in passes:
        assert sorted(examples) == list(range(10))
    assert list(passes[0]) != list(passes[1])


def test_the_start_is_not_changed():
    start = np.zeros(2)
    optim.gradient_descent(line, start, data=(X, Y))
    assert not start.any()


def test_too_large_steps():
    with (
        pytest.raises(NonFiniteError, match=r"gradient_descent: .* steps; lower lr"),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        optim.gradient_descent(lambda w: w**4, 10.0, lr=10.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0}, "lr must be a number > 0"),
        ({"tol": -1}, "tol must be a number >= 0"),
        ({"max_iter": 0}, "max_iter must be an integer"),
        ({"batch_size": 4}, "batch_size is about data"),
        ({"data": (X, Y[1:])}, "as many examples each"),
        ({"data": ()}, "as many examples each"),
        ({"data": (X, Y), "batch_size": 0}, "batch_size must be an integer"),
    ],
    ids=str,
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(FastdlError, match=f"gradient_descent: .*{message}"):
        optim.gradient_descent(parabola, 0, **options)
    assert issubclass(ArgumentError, FastdlError)


def test_functions_without_a_gradient():
    with pytest.raises(GraphError, match="f must return a tensor"):
        optim.gradient_descent(lambda w: 3.0, 0)
    with pytest.raises(GraphError, match="backward"):
        optim.gradient_descent(lambda w: w.detach(), 0)
