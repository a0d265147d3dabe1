"""The triplet loss."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError, ShapeError

A, B, C = np.random.default_rng(1).standard_normal((3, 12, 4))
WEIGHT = np.arange(12.0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weights"])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_triplet_margin_loss(p, weight, reduction, check_gradients):
    near = (np.abs(A - B) ** p).sum(1) ** (1 / p)
    far = (np.abs(A - C) ** p).sum(1) ** (1 / p)
    each = np.maximum(near - far + 0.5, 0)
    assert 0 < (each == 0).sum() < 12
    counts = np.ones(12) if weight is None else weight
    each = each * counts
    expected = {"mean": each.sum() / counts.sum(), "sum": each.sum(), "none": each}

    def loss(*tensors):
        return F.triplet_margin_loss(
            *tensors, reduction, margin=0.5, p=p, sample_weight=weight
        )

    np.testing.assert_allclose(loss(A, B, C).data, expected[reduction], rtol=1e-12)
    check_gradients(loss, A, B, C)


def test_equal_features_have_no_direction():
    tensors = [Tensor(A.astype(np.float32), requires_grad=True) for _ in range(3)]
    loss = F.triplet_margin_loss(*tensors, margin=0.25)
    loss.backward()
    assert loss.item() == 0.25
    assert all((tensor.grad == 0).all() for tensor in tensors)


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_huge_features(size):
    tensors = [Tensor([[x * size, 0.0]], requires_grad=True) for x in (0, 2, 1)]
    loss = F.triplet_margin_loss(*tensors)
    loss.backward()
    assert loss.item() == pytest.approx(size + (size < 1e9), rel=1e-6)
    assert [tensor.grad[0, 0] for tensor in tensors] == [0, 1, -1]
    assert [tensor.grad[0, 1] for tensor in tensors] == [0, 0, 0]


def test_no_triplet():
    assert F.triplet_margin_loss(A[:0], B[:0], C[:0]).item() == 0.0


@pytest.mark.parametrize(
    ("error", "call", "match"),
    [
        (ShapeError, lambda f: f(A, B[:3], C), r"got \(12, 4\), \(3, 4\) and"),
        (ShapeError, lambda f: f(A[0], B[0], C[0]), "of one shape"),
        (DtypeError, lambda f: f(A, B.astype("f4"), C), "positive is float32"),
        (ArgumentError, lambda f: f(A, B, C, margin=-1), "margin must"),
        (ArgumentError, lambda f: f(A, B, C, p=0), "p must"),
        (ArgumentError, lambda f: f(A, B, C, "maen"), "'mean'"),
        (ShapeError, lambda f: f(A, B, C, sample_weight=[1]), "one sample_weight"),
    ],
)
def test_triplets_that_are_refused(error, call, match):
    with pytest.raises(error, match=f"triplet_margin_loss: .*{match}"):
        call(F.triplet_margin_loss)
