"""The Kullback-Leibler divergence."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, GraphError, ShapeError

RNG = np.random.default_rng(2)
LOG_P = np.log(RNG.dirichlet([1, 1, 1], 4))
Q = RNG.dirichlet([1, 1, 1], 4)
Q[0] = 0, 1, 0
WEIGHT = np.array([1, 0, 2, 0.5])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
def test_kl_div(weight, reduction, check_gradients):
    logs = np.log(np.where(Q > 0, Q, 1))
    each = (Q * (logs - LOG_P)).sum(1)
    counts = np.ones(4) if weight is None else weight
    each = each * counts
    expected = {"mean": each.sum() / counts.sum(), "sum": each.sum(), "none": each}

    def loss(log_p):
        return F.kl_div(log_p, Q, reduction, sample_weight=weight)

    np.testing.assert_allclose(loss(LOG_P).data, expected[reduction], rtol=1e-12)
    check_gradients(loss, LOG_P)


def test_equal_distributions():
    assert F.kl_div(np.log(Q[1:]), Q[1:]).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("size", [1e4, np.inf])
def test_what_is_impossible_in_both_costs_nothing(size):
    log_p = Tensor([[0.0, -size]], requires_grad=True)
    loss = F.kl_div(log_p, [[1, 0]])
    loss.backward()
    assert loss.item() == 0.0
    assert log_p.grad.tolist() == [[-1.0, 0.0]]


def test_extreme_logits():
    x = Tensor(np.array([[1e4, -1e4]], np.float32), requires_grad=True)
    loss = F.kl_div(F.log_softmax(x), [[0.25, 0.75]])
    loss.backward()
    assert loss.item() == pytest.approx(0.75 * 2e4, rel=1e-4)
    np.testing.assert_allclose(x.grad, [[0.75, -0.75]])


@pytest.mark.parametrize(
    ("error", "call", "match"),
    [
        (ShapeError, lambda: F.kl_div(LOG_P, Q[:2]), "expected targets"),
        (ShapeError, lambda: F.kl_div(LOG_P[0], Q[0]), r"rows \(m, classes\)"),
        (ArgumentError, lambda: F.kl_div(LOG_P, Q - 1), "probabilities"),
        (ArgumentError, lambda: F.kl_div(LOG_P, Q * np.nan), "probabilities"),
        (DtypeError, lambda: F.kl_div(LOG_P, Q.astype(str)), "probabilities"),
        (GraphError, lambda: F.kl_div(LOG_P, Tensor(Q, True)), "detach"),
        (ArgumentError, lambda: F.kl_div(LOG_P, Q, "batchmean"), "unknown reduction"),
        (ArgumentError, lambda: F.kl_div(LOG_P, Q, sample_weight=[-1] * 4), "sample_w"),
    ],
)
def test_kl_div_refuses(error, call, match):
    with pytest.raises(error, match=f"kl_div: .*{match}"):
        call()
