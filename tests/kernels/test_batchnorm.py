"""Batch normalisation: compiled against the reference (S17)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference
from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.shapes import ACTIVATIONS

# One channel to many, side by side in long rows or not, with and without a rest;
# several tiles of rows and of columns.
SHAPES = [
    (0, 3),
    (1, 1),
    (1, 7),
    (200, 1),
    (70, 3),
    (5, 7),
    (2, 9, 11, 8),
    (4, 5, 5, 17),
    (130, 33),
    (3, 8, 8, 64),
    (50, 130),
    (9, 515),
    (1200, 64),
]


def operands(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    c = shape[-1]
    x = (2 * rng.standard_normal(shape) + 3 * rng.standard_normal(c)).astype(dtype)
    dy = rng.standard_normal(shape).astype(dtype)
    gamma, beta = rng.standard_normal((2, c)).astype(dtype)
    for array in (x, dy, gamma, beta):
        array.flags.writeable = False
    return x, dy, gamma, beta


def all_results(module, x, dy, gamma, beta):
    running = np.ones((2, *gamma.shape), x.dtype)
    y, mean, rstd = module.batchnorm_forward(
        x, gamma, beta, *running, momentum=0.3, eps=1e-3
    )
    inferred = module.batchnorm_inference(x, gamma, beta, mean, rstd, eps=1e-3)
    gradients = module.batchnorm_backward(dy, x, gamma, mean, rstd)
    return (y, mean, rstd, *running, inferred, *gradients)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_reference(shape, isa, dtype, assert_close):
    arrays = operands(shape, dtype)
    expected = all_results(reference, *arrays)
    assert_close(all_results(kernels, *arrays), expected, max(shape[:-1]) * 4)


def residual_of(x, seed=9):
    residual = np.random.default_rng(seed).standard_normal(x.shape).astype(x.dtype)
    residual.flags.writeable = False
    return residual


FUSED = [kind for kind, row in ACTIVATIONS.items() if "batch_norm" in row.fusable]


def sources(kind, y, beta):
    """What the gradient of an activation may be computed from."""
    from_y = [{"y": y}] if ACTIVATIONS[kind].derivative == "y" else []
    return [{"beta": beta}, *from_y]


def fused_results(module, x, dy, gamma, beta):
    """Every form with a residual or an activation, and its gradients."""
    residual = residual_of(x)
    added, mean, rstd = module.batchnorm_forward(x, gamma, beta, residual=residual)
    rstd = np.minimum(rstd, 1)  # 300 for a single example: it would enlarge roundings
    results = [added]
    for kind in FUSED:
        alone, *_ = module.batchnorm_forward(x, gamma, beta, activation=kind)
        both, *_ = module.batchnorm_forward(
            x, gamma, beta, residual=residual, activation=kind
        )
        inferred = module.batchnorm_inference(
            x, gamma, beta, mean, rstd, residual=residual, activation=kind
        )
        results += alone, both, inferred
        # The same y for both modules: near 0 their roundings decide what is positive.
        for source in sources(kind, residual, beta):
            results += module.batchnorm_backward(
                dy, x, gamma, mean, rstd, activation=kind, **source
            )
    return tuple(results)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fused_forms_equal_the_reference(shape, isa, dtype, assert_close):
    arrays = operands(shape, dtype)
    expected = fused_results(reference, *arrays)
    assert_close(fused_results(kernels, *arrays), expected, max(shape[:-1]) * 4)


@pytest.mark.parametrize("shape", [(0, 3), (5, 7), (2, 9, 11, 8), (50, 130)], ids=str)
def test_part_of_a_batch_equals_the_reference(shape, isa, dtype, assert_close):
    """Statistics and sums of the whole batch take the place of its own."""
    x, dy, gamma, beta = operands(shape, dtype)
    rng = np.random.default_rng(1)
    mean, rstd, products, sums = rng.random((4, shape[-1])).astype(dtype)

    def results(module):
        asked = []

        def statistics(*own):
            asked.extend(np.array(each, dtype) for each in own)
            return mean, rstd, 1000

        def totals(*own):
            asked.extend(np.array(each, dtype) for each in own)
            return products, sums

        running = np.ones((2, shape[-1]), dtype)
        forward = module.batchnorm_forward(
            x, gamma, beta, *running, momentum=0.3, combine=statistics
        )
        backward = module.batchnorm_backward(dy, x, gamma, mean, rstd, combine=totals)
        return (*forward, *running, *backward, *asked)

    found, expected = results(kernels), results(reference)
    assert found[-3] == np.prod(shape[:-1])
    assert_close(found, expected, max(shape[:-1]) * 4)


@pytest.mark.parametrize("kind", FUSED)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_fused_forms_equal_separate_operations(shape, kind, isa, dtype, assert_close):
    x, dy, gamma, beta = operands(shape, dtype)
    residual = residual_of(x)
    plain, mean, rstd = kernels.batchnorm_forward(x, gamma, beta)
    y, *statistics = kernels.batchnorm_forward(
        x, gamma, beta, residual=residual, activation=kind
    )
    separate = kernels.activation_forward(plain + residual, kind)
    assert_close((y, *statistics), (separate, mean, rstd))
    y, *_ = kernels.batchnorm_forward(x, gamma, beta, activation=kind)
    dz = kernels.activation_backward(dy, plain, y, kind)
    if len(x) == 1:
        return  # without a variance, which enlarges roundings
    expected = kernels.batchnorm_backward(dz, x, gamma, mean, rstd)
    for source in sources(kind, y, beta):
        gradients = kernels.batchnorm_backward(
            dy, x, gamma, mean, rstd, activation=kind, **source
        )
        assert_close(gradients, expected, max(shape[:-1]))


@pytest.mark.parametrize("results", [all_results, fused_results])
@pytest.mark.parametrize("shape", [(30_001, 3), (1999, 64), (60, 2050)], ids=str)
def test_same_bits_for_threads(results, shape, dtype, same_bits_for_threads):
    arrays = operands(shape, dtype)
    same_bits_for_threads(lambda: results(kernels, *arrays))


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(2, 200), st.integers(1, 160)),
    real=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_random_shapes(shape, real, seed):
    arrays = operands(shape, real, seed)
    tolerance = 1000 * np.finfo(real).eps
    for results in (all_results, fused_results):
        actual, expected = results(kernels, *arrays), results(reference, *arrays)
        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, e, tolerance, 4 * tolerance)


@pytest.mark.parametrize("c", [3, 64])
def test_large_mean_and_small_deviation(c, isa, dtype):
    """The variance is right although the squares of x would have no digit of it."""
    x = np.random.default_rng(0).standard_normal((4000, c)).astype(dtype)
    far = 1 / np.finfo(dtype).eps / 100
    x = x + dtype.type(far)
    exact = x.astype(np.longdouble)
    ones = np.ones(c, dtype)
    y, mean, rstd = kernels.batchnorm_forward(x, ones, 0 * ones, eps=0.0)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=2 * np.finfo(dtype).eps)
    np.testing.assert_allclose(rstd, 1 / exact.std(0), rtol=1e-3)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-3)


def test_a_constant_channel_becomes_beta(isa, dtype):
    x = np.full((50, 5), 7.3, dtype)
    gamma, beta = np.ones(5, dtype), np.arange(5, dtype=dtype)
    y, _, rstd = kernels.batchnorm_forward(x, gamma, beta)
    np.testing.assert_allclose(y, np.tile(beta, (50, 1)), atol=1e-3)
    np.testing.assert_allclose(rstd, 1e-5**-0.5, rtol=1e-3)


def test_gamma_and_beta_can_undo_it(isa, dtype):
    """S17: gamma = sqrt(var + eps), beta = mean is the identity."""
    x, _, gamma, beta = operands((60, 9), dtype)
    _, mean, rstd = kernels.batchnorm_forward(x, gamma, beta)
    y, _, _ = kernels.batchnorm_forward(x, 1 / rstd, mean)
    np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("m", [0, 1, 2])
def test_running_statistics_of_a_small_batch(m, isa, dtype):
    """None of an empty batch; a single example has no unbiased variance."""
    mean, var = np.full((2, 3), 4, dtype)
    x = np.arange(6, dtype=dtype).reshape(2, 3)[:m]
    one = np.ones(3, dtype)
    kernels.batchnorm_forward(x, one, one, mean, var, momentum=1.0)
    np.testing.assert_array_equal(mean, x.mean(0) if m else 4 * one)
    expected = 4 * one if m == 0 else x.var(0, ddof=m - 1)
    np.testing.assert_allclose(var, expected, rtol=1e-5, atol=1e-9)


def test_nothing_is_remembered_of_a_call_that_fails():
    x, one = np.ones((4, 3), np.float32), np.ones(3, np.float32)
    mean, var = np.zeros((2, 3), np.float32)
    with pytest.raises(ShapeError, match="residual"):
        kernels.batchnorm_forward(x, one, one, mean, var, residual=x[:2])
    assert not mean.any()


@pytest.mark.parametrize("which", [0, 1])
def test_running_statistics_that_cannot_be_changed(which):
    x, one = np.ones((4, 3), np.float32), np.ones(3, np.float32)
    read_only = np.ones(3, np.float32)
    read_only.flags.writeable = False
    for wrong, error in (
        (read_only, ArgumentError),
        (np.ones(6, np.float32)[::2], ArgumentError),
        (np.ones(4, np.float32), ShapeError),
        (np.ones(3), DtypeError),
        (None, DtypeError),
    ):
        running = [one.copy(), one.copy()]
        running[which] = wrong
        with pytest.raises(error, match="running"):
            kernels.batchnorm_forward(x, one, one, *running)


def test_empty_batch(isa, dtype):
    x, dy, gamma, beta = operands((0, 4, 4, 6), dtype)
    y, mean, rstd = kernels.batchnorm_forward(x, gamma, beta)
    assert y.shape == x.shape
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_allclose(rstd, 1e-5**-0.5, rtol=1e-6)
    dx, dgamma, dbeta = kernels.batchnorm_backward(dy, x, gamma, mean, rstd)
    assert dx.shape == x.shape
    np.testing.assert_array_equal([dgamma, dbeta], 0)


@pytest.mark.parametrize("shape", [(7, 3), (2, 3, 2, 17)], ids=str)
def test_gradients_are_finite_differences(shape, isa, numeric_gradient):
    x, dy, gamma, beta = (a.copy() for a in operands(shape, np.float64))

    def forward():
        return kernels.batchnorm_forward(x, gamma, beta)[0]

    _, mean, rstd = kernels.batchnorm_forward(x, gamma, beta)
    dx, dgamma, dbeta = kernels.batchnorm_backward(dy, x, gamma, mean, rstd)
    for array, gradient in ((x, dx), (gamma, dgamma), (beta, dbeta)):
        numeric = numeric_gradient(forward, array, dy)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", FUSED)
@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 2, 17)], ids=str)
def test_gradients_of_the_fused_form_are_finite_differences(
    shape, kind, isa, numeric_gradient
):
    x, dy, gamma, beta = (a.copy() for a in operands(shape, np.float64))
    fused = {"activation": kind}
    if ACTIVATIONS[kind].derivative == "y":
        fused["residual"] = residual_of(x).copy()

    def forward():
        return kernels.batchnorm_forward(x, gamma, beta, **fused)[0]

    y, mean, rstd = kernels.batchnorm_forward(x, gamma, beta, **fused)
    assert 0 < (y > 0).mean() < 1
    source = {"y": y} if "residual" in fused else {"beta": beta}
    gradients = kernels.batchnorm_backward(
        dy, x, gamma, mean, rstd, activation=kind, **source
    )
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        numeric = numeric_gradient(forward, array, dy)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("c", [3, 17, 64])
def test_nan_passes(c, isa, dtype):
    """Of x through a whole channel, of the residual through its element."""
    x, _, gamma, beta = (a.copy() for a in operands((40, c), dtype))
    residual = residual_of(x).copy()
    x[5, 1] = residual[7, 2] = np.nan
    y, *_ = kernels.batchnorm_forward(
        x, gamma, beta, residual=residual, activation="relu"
    )
    expected = np.zeros(x.shape, bool)
    expected[:, 1] = expected[7, 2] = True
    np.testing.assert_array_equal(np.isnan(y), expected)


def test_views_give_the_result_of_their_copies(dtype):
    x, dy, gamma, beta = operands((40, 3, 26), dtype)
    views = [a[..., ::2] for a in (x[::3], dy[::3], gamma, beta)]
    copies = [a.copy() for a in views]
    for a, e in zip(
        all_results(kernels, *views), all_results(kernels, *copies), strict=True
    ):
        np.testing.assert_array_equal(a, e)
    residual = residual_of(dy)[::3, :, ::2]
    view, copy = (
        kernels.batchnorm_forward(*views[:1], *views[2:], residual=array)[0]
        for array in (residual, residual.copy())
    )
    np.testing.assert_array_equal(view, copy)


def test_wrong_arguments():
    x = np.zeros((4, 3), np.float32)
    c = np.ones(3, np.float32)
    with pytest.raises(DtypeError, match="gamma is float64"):
        kernels.batchnorm_forward(x, np.ones(3), c)
    with pytest.raises(ShapeError, match=r"expected beta of shape \(3,\), got \(4,\)"):
        kernels.batchnorm_forward(x, c, np.ones(4, np.float32))
    with pytest.raises(ShapeError, match="at least one channel"):
        kernels.batchnorm_forward(x[:, :0], c[:0], c[:0])
    with pytest.raises(ShapeError, match="expected var of shape"):
        kernels.batchnorm_inference(x, c, c, c, c[:1])
    with pytest.raises(ShapeError, match="expected dy of shape"):
        kernels.batchnorm_backward(x[:3], x, c, c, c)
    for wrong in (x[:3], x[:1], c):
        with pytest.raises(ShapeError, match=r"expected residual of shape \(4, 3\)"):
            kernels.batchnorm_forward(x, c, c, residual=wrong)
        with pytest.raises(ShapeError, match=r"expected y of shape \(4, 3\)"):
            kernels.batchnorm_backward(x, x, c, c, c, y=wrong, activation="relu")
    with pytest.raises(DtypeError, match="residual is float64"):
        kernels.batchnorm_forward(x, c, c, residual=np.zeros((4, 3)))
    with pytest.raises(ArgumentError, match="one of relu, silu, relu6; got 'tanh'"):
        kernels.batchnorm_forward(x, c, c, activation="tanh")
    with pytest.raises(ShapeError, match=r"expected beta of shape \(3,\)"):
        kernels.batchnorm_backward(x, x, c, c, c, beta=c[:1], activation="silu")
    with pytest.raises(DtypeError, match="x is int64"):
        kernels.batchnorm_forward(np.zeros((4, 3), int), c, c)
