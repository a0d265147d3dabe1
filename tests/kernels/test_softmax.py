"""Softmax and the cross-entropies: compiled against the reference (S01, S06, S07)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError

# Rows shorter and longer than every vector; groups of 16 rows and their rest.
SHAPES = [(0, 3), (1, 1), (5, 2), (16, 3), (17, 7), (40, 10), (3, 16), (33, 17)]


def operands(n, classes, dtype, seed=0):
    """Return logits, integer labels, rows of probabilities and dloss."""
    rng = np.random.default_rng(seed)
    logits = (4 * rng.standard_normal((n, classes))).astype(dtype)
    labels = rng.integers(0, classes, n)
    rows = rng.dirichlet(np.ones(classes), n).astype(dtype)
    dloss = rng.standard_normal(n).astype(dtype)
    for array in (logits, labels, rows, dloss):
        array.flags.writeable = False
    return logits, labels, rows, dloss


def all_results(module, logits, labels, rows, dloss):
    results = [module.softmax_forward(logits), module.log_softmax_forward(logits)]
    for target in (labels, rows):
        loss, p = module.softmax_cross_entropy_forward(logits, target)
        dlogits = module.softmax_cross_entropy_backward(p, target, dloss)
        mean, _ = module.softmax_cross_entropy_forward(
            logits, target, scale=1 / max(len(logits), 1)
        )
        dloss_of_all = np.array(0.3, logits.dtype)
        alike = module.softmax_cross_entropy_backward(p, target, dloss_of_all)
        results += [loss, p, dlogits, mean, alike]
    return tuple(results)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(shape, isa, dtype, assert_close):
    arrays = operands(*shape, dtype)
    assert_close(all_results(kernels, *arrays), all_results(reference, *arrays), 16)


@pytest.mark.parametrize("shape", [(9001, 10), (70, 1500)], ids=str)
def test_same_bits_for_threads(shape, dtype, same_bits_for_threads):
    arrays = operands(*shape, dtype)
    same_bits_for_threads(lambda: all_results(kernels, *arrays))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 40),
    classes=st.integers(1, 40),
    real=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_random_shapes(n, classes, real, seed):
    arrays = operands(n, classes, real, seed)
    tolerance = 100 * np.finfo(real).eps
    actual, expected = all_results(kernels, *arrays), all_results(reference, *arrays)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, tolerance, tolerance)


def test_worked_example(isa, dtype):
    """S06: [5, 2, -1, 3] -> [0.842, 0.042, 0.002, 0.114]."""
    p = kernels.softmax_forward(np.array([5, 2, -1, 3], dtype))
    np.testing.assert_allclose(p, [0.842, 0.042, 0.002, 0.114], atol=5e-4)


def test_loss_is_minus_log_probability(isa, dtype):
    """S07: probabilities [0.3, 0.2, 0.1, 0.4] and class 1 -> -log 0.2."""
    logits = np.log(np.array([[0.3, 0.2, 0.1, 0.4]], dtype))
    loss, p = kernels.softmax_cross_entropy_forward(logits, np.array([1]))
    dloss = np.ones(1, dtype)
    dlogits = kernels.softmax_cross_entropy_backward(p, np.array([1]), dloss)
    np.testing.assert_allclose(loss, [-np.log(0.2)], rtol=1e-6)
    np.testing.assert_allclose(dlogits, [[0.3, -0.8, 0.1, 0.4]], rtol=1e-5)


def test_stable_for_logits_of_any_finite_size(isa, dtype):
    big = np.finfo(dtype).max
    x = np.array([[big, -big, 0], [-big, -big, -big], [1e4, 1e4 - 1, -1e4]], dtype)
    p = kernels.softmax_forward(x)
    e = np.exp(-1)
    expected = [[1, 0, 0], [1 / 3] * 3, [1 / (1 + e), e / (1 + e), 0]]
    np.testing.assert_allclose(p, expected, rtol=1e-6)
    loss, _ = kernels.softmax_cross_entropy_forward(x[:2], np.array([1, 2]))
    np.testing.assert_allclose(loss, [np.inf, np.log(3)], rtol=1e-6)


def test_a_class_of_no_weight_may_be_impossible(isa, dtype):
    """0 log 0 = 0: a logit of minus infinity is a class that was ruled out."""
    logits = np.array([[0, 0, -np.inf]], dtype)
    target = np.array([[0.5, 0.5, 0]], dtype)
    loss, _ = kernels.softmax_cross_entropy_forward(logits, target)
    np.testing.assert_allclose(loss, [np.log(2)], rtol=1e-6)


def test_nan_spoils_its_row_only(isa, dtype):
    logits = np.zeros((3, 10), dtype)
    logits[1, 7] = np.nan
    for result in all_results(kernels, logits, *operands(3, 10, dtype)[1:])[:3]:
        assert np.isnan(result[1]).all()
        assert np.isfinite(result[[0, 2]]).all()


def test_integers_of_any_size_and_leading_axes(dtype):
    logits, labels, _, _ = operands(24, 5, dtype)
    expected = kernels.softmax_cross_entropy_forward(logits, labels)
    for kind in ("int8", "uint8", "int32", "uint64"):
        actual = kernels.softmax_cross_entropy_forward(logits, labels.astype(kind))
        np.testing.assert_array_equal(actual[0], expected[0])
    one_hot = np.eye(5, dtype=bool)[labels]
    loss, _ = kernels.softmax_cross_entropy_forward(logits, one_hot)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-5, atol=1e-6)
    cube = kernels.softmax_forward(logits.reshape(2, 3, 4, 5))
    np.testing.assert_array_equal(cube.reshape(24, 5), expected[1])


def test_views_give_the_result_of_their_copies(dtype):
    arrays = operands(60, 24, dtype)
    views = [a[::3, ::2] if a.ndim == 2 else a[::3] for a in arrays]
    views[1] = views[1] // 2  # labels of the classes that are left
    copies = [np.array(a) for a in views]
    for a, e in zip(
        all_results(kernels, *views), all_results(kernels, *copies), strict=True
    ):
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("integers", [True, False], ids=["labels", "rows"])
def test_gradient_is_finite_difference(integers, isa, numeric_gradient):
    logits, labels, rows, dloss = (a.copy() for a in operands(5, 11, np.float64))
    target = labels if integers else 3 * rows  # weights need not sum to 1

    def loss():
        return kernels.softmax_cross_entropy_forward(logits, target)[0]

    p = kernels.softmax_forward(logits)
    dlogits = kernels.softmax_cross_entropy_backward(p, target, dloss)
    numeric = numeric_gradient(loss, logits, dloss)
    np.testing.assert_allclose(dlogits, numeric, rtol=1e-6, atol=1e-8)


# Sigmoid cross-entropy ---------------------------------------------------------------


def binary_operands(n, dtype):
    rng = np.random.default_rng(0)
    logits, dloss = (3 * rng.standard_normal((2, n))).astype(dtype)
    targets = rng.uniform(size=n).astype(dtype)
    targets[::5] = np.nan
    for array in (logits, targets, dloss):
        array.flags.writeable = False
    return logits, targets, dloss


def binary_results(module, logits, targets, dloss):
    return (
        module.sigmoid_cross_entropy_forward(logits, targets),
        module.sigmoid_cross_entropy_backward(logits, targets, dloss),
    )


@pytest.mark.parametrize("n", [0, 1, 7, 8, 17, 33])
def test_sigmoid_equals_reference(n, isa, dtype, assert_close):
    arrays = binary_operands(n, dtype)
    actual = binary_results(kernels, *arrays)
    assert_close(actual, binary_results(reference, *arrays))
    for result in actual:  # S33: a missing target counts for nothing
        assert (result[::5] == 0).all()


def test_sigmoid_same_bits_for_threads(dtype, same_bits_for_threads):
    arrays = binary_operands(50_001, dtype)
    same_bits_for_threads(lambda: binary_results(kernels, *arrays))


def test_sigmoid_of_large_logits(isa, dtype):
    """S01: no overflow at |z| = 1e4; small losses keep all their digits."""
    z = np.array([1e4, -1e4, 1e4, -1e4, -30, 0], dtype)
    t = np.array([1, 0, 0, 1, 0, 0.5], dtype)
    loss = kernels.sigmoid_cross_entropy_forward(z, t)
    expected = [0, 0, 1e4, 1e4, np.log1p(np.exp(-30.0)), np.log(2)]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


def test_sigmoid_gradient_is_finite_difference(isa, numeric_gradient):
    logits, targets, dloss = (a.copy() for a in binary_operands(23, np.float64))
    _, dlogits = binary_results(kernels, logits, targets, dloss)
    numeric = numeric_gradient(
        lambda: kernels.sigmoid_cross_entropy_forward(logits, targets), logits, dloss
    )
    np.testing.assert_allclose(dlogits, numeric, rtol=1e-6, atol=1e-8)


def test_wrong_arguments():
    logits = np.zeros((4, 3), np.float32)
    labels = np.zeros(4, int)
    loss = kernels.softmax_cross_entropy_forward
    with pytest.raises(ArgumentError, match="expected labels from 0 to 2, got 3"):
        loss(logits, np.array([0, 1, 2, 3]))
    with pytest.raises(ArgumentError, match="got -1"):
        loss(logits, np.array([0, -1, 2, 1]))
    with pytest.raises(DtypeError, match="expected integer labels, got type float64"):
        loss(logits, np.zeros(4))
    with pytest.raises(ShapeError, match=r"got \(5,\)"):
        loss(logits, np.zeros(5, int))
    with pytest.raises(ShapeError, match=r"logits of shape \(n, classes\)"):
        loss(logits[0], labels)
    with pytest.raises(ShapeError, match="at least one class"):
        kernels.softmax_forward(np.zeros((4, 0)))
    with pytest.raises(DtypeError, match="x is int64"):
        kernels.softmax_forward(np.zeros((4, 3), int))
    with pytest.raises(DtypeError, match="dloss is float64"):
        kernels.softmax_cross_entropy_backward(logits, labels, np.ones(4))
    with pytest.raises(ShapeError, match=r"dloss of shape \(4,\)"):
        kernels.softmax_cross_entropy_backward(logits, labels, np.ones(1, np.float32))
    with pytest.raises(ShapeError, match="targets"):
        kernels.sigmoid_cross_entropy_forward(logits, logits[:, :1])
    with pytest.raises(ShapeError, match="dloss"):
        kernels.sigmoid_cross_entropy_backward(logits, logits, logits[0])
    with pytest.raises(DtypeError, match="dloss"):
        kernels.sigmoid_cross_entropy_backward(logits, logits, None)
