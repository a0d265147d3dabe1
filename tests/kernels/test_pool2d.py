"""Pooling: compiled against the reference (S42)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference, shapes
from fastdl.errors import DtypeError, ShapeError

CEIL, INSIDE = {"ceil_mode": True}, {"count_include_pad": False}
# x, kernel_size, stride, padding, and perhaps options
CASES = {
    "the common one": ((2, 8, 8, 64), 2, None, 0),
    "1 pixel": ((2, 1, 1, 5), 1, None, 0),
    "1 channel": ((2, 9, 8, 1), 2, None, 0),
    "3 channels": ((2, 9, 11, 3), 3, 2, 1),
    "7 channels": ((1, 8, 8, 7), 2, 2, 0),
    "8 channels": ((1, 7, 9, 8), 3, 1, "same"),
    "17 channels": ((3, 6, 7, 17), 2, 1, 0),
    "33 channels": ((1, 9, 9, 33), (3, 2), (1, 2), ((1, 2), (1, 0))),
    "stride above kernel": ((2, 11, 10, 6), 2, 3, 0),
    "gaps between padded windows": ((2, 12, 13, 20), 2, 3, 1),
    "padding without overlap": ((2, 9, 11, 5), 2, 2, 1),
    "windows side by side": ((2, 10, 27, 4), 3, 2, 0),
    "windows of whole vectors side by side": ((1, 9, 26, 32), (2, 3), (2, 3), 0),
    "overlapping": ((1, 10, 10, 20), 5, 2, 2),
    "empty batch": ((0, 6, 6, 3), 2, None, 0),
    "whole image": ((3, 5, 4, 9), (5, 4), 1, 0),
    "large window": ((1, 20, 20, 3), 17, 1, 0),  # argmax is int32
    "many channels of a large window": ((2, 6, 7, 530), (5, 6), 1, 1),
    "rounded up": ((2, 9, 11, 3), 2, 2, 0, CEIL),
    "rounded up, many channels": ((1, 8, 9, 40), 3, 2, 0, CEIL),
    "rounded up, padded": ((2, 7, 8, 17), 3, 2, 1, CEIL),
    "rounded up, gaps": ((1, 8, 10, 6), 2, 3, 0, CEIL),
    "rounded up, window above the image": ((2, 1, 5, 4), 2, 3, 0, CEIL),
    "padding does not count": ((2, 9, 11, 3), 3, 1, 1, INSIDE),
    "padding does not count, many channels": ((2, 8, 9, 130), 3, 1, 1, INSIDE),
    "padding does not count, rounded up": (
        *((2, 8, 9, 20), (3, 4), 3, ((1, 2), (3, 0)), CEIL | INSIDE),
    ),
    # Tasks end within windows, in which few channels are scattered.
    "several tasks": ((2, 70, 67, 9), 3, 2, 1),
    "several tasks of large windows": ((1, 40, 300, 3), 17, 5, 8),
}


def operands(case, dtype, seed=0):
    x_shape, kernel_size, stride, padding, *options = case
    options = options[0] if options else {}
    rounding = "ceil" if options.get("ceil_mode") else "floor"
    s = shapes.pool2d(x_shape, kernel_size, stride, padding, rounding=rounding)
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 10, x_shape).astype(dtype)  # with ties
    dy = rng.standard_normal((s.n, s.oh, s.ow, s.c)).astype(dtype)
    x.flags.writeable = dy.flags.writeable = False
    return x, dy, kernel_size, {"stride": stride, "padding": padding, **options}


def all_results(module, x, dy, kernel_size, options):
    of_maxima = {k: v for k, v in options.items() if k != "count_include_pad"}
    y, argmax = module.max_pool2d_forward(x, kernel_size, **of_maxima)
    return (
        y,
        argmax,
        module.max_pool2d_backward(dy, argmax, x.shape, kernel_size, **of_maxima),
        module.avg_pool2d_forward(x, kernel_size, **options),
        module.avg_pool2d_backward(dy, x.shape, kernel_size, **options),
    )


def assert_equal_results(actual, expected, dtype):
    tolerance = 100 * np.finfo(dtype).eps
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == e.dtype
        assert a.flags.c_contiguous
        np.testing.assert_allclose(a, e, tolerance, 10 * tolerance)


@pytest.mark.parametrize("case", CASES)
def test_equals_reference(case, isa, dtype, same_bits_for_threads):
    arguments = operands(CASES[case], dtype)
    expected = all_results(reference, *arguments)
    assert_equal_results(all_results(kernels, *arguments), expected, dtype)


@pytest.mark.parametrize("c", [3, 64])
def test_same_bits_for_threads(c, dtype, same_bits_for_threads):
    arguments = operands(((4, 60, 40, c), 3, 2, 1), dtype)
    same_bits_for_threads(lambda: all_results(kernels, *arguments))


@st.composite
def geometries(draw):
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    size = [draw(st.integers(k, 9)) for k in kernel]
    padding = tuple(
        (draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in kernel
    )
    stride = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    n, c = draw(st.integers(0, 3)), draw(st.integers(1, 40))
    padding = draw(st.sampled_from([padding, "same"]))
    return (
        (n, *size, c),
        kernel,
        stride,
        padding,
        draw(st.sampled_from([{}, CEIL, INSIDE, CEIL | INSIDE])),
    )


@settings(max_examples=60, deadline=None)
@given(case=geometries(), real=st.sampled_from(["float32", "float64"]))
def test_random_shapes(case, real):
    arguments = operands(case, real)
    expected = all_results(reference, *arguments)
    assert_equal_results(all_results(kernels, *arguments), expected, real)


@pytest.mark.parametrize("shape", [(0, 3, 3, 2), (2, 1, 1, 1), (3, 7, 7, 130)], ids=str)
def test_global_average(shape, isa, dtype, assert_close):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    dy = rng.standard_normal((shape[0], shape[3])).astype(dtype)
    for name, arguments in (
        ("global_avg_pool2d_forward", (x,)),
        ("global_avg_pool2d_backward", (dy, shape)),
    ):
        expected = getattr(reference, name)(*arguments)
        assert_close(getattr(kernels, name)(*arguments), expected, 49)


ADAPTIVE = {  # x, output_size
    "1 channel": ((2, 9, 11, 1), (4, 3)),
    "3 channels": ((2, 13, 9, 3), 7),
    "17 channels": ((1, 8, 10, 17), 7),
    "130 channels": ((2, 8, 9, 130), (3, 7)),
    "to one row": ((1, 30, 7, 5), (1, 3)),
    "dividing": ((2, 14, 8, 9), (7, 2)),
    "one pixel": ((3, 5, 6, 20), 1),
    "one side kept": ((1, 7, 9, 12), (None, 4)),
    "larger": ((2, 3, 4, 6), (8, 5)),
    "large windows": ((1, 150, 91, 2), (4, 3)),
    "empty batch": ((0, 6, 6, 3), 5),
    "several tasks": ((3, 70, 67, 9), (31, 40)),
}


@pytest.mark.parametrize("case", ADAPTIVE)
def test_adaptive_average(case, isa, dtype, assert_close, same_bits_for_threads):
    shape, output_size = ADAPTIVE[case]
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    y_shape = (shape[0], *shapes.adaptive_pool2d(shape, output_size), shape[3])
    dy = rng.standard_normal(y_shape).astype(dtype)
    x.flags.writeable = dy.flags.writeable = False
    for name, arguments in (
        ("adaptive_avg_pool2d_forward", (x, output_size)),
        ("adaptive_avg_pool2d_backward", (dy, shape, output_size)),
    ):
        expected = getattr(reference, name)(*arguments)
        compiled = partial(getattr(kernels, name), *arguments)
        assert_close(compiled(), expected, 64)
        same_bits_for_threads(compiled)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*(st.integers(i, 20) for i in (0, 1, 1, 1))),
    output_size=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    real=st.sampled_from(["float32", "float64"]),
)
def test_random_adaptive_averages(shape, output_size, real):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(real)
    dy = rng.standard_normal((shape[0], *output_size, shape[3])).astype(real)
    actual, expected = (
        (
            module.adaptive_avg_pool2d_forward(x, output_size),
            module.adaptive_avg_pool2d_backward(dy, shape, output_size),
        )
        for module in (kernels, reference)
    )
    assert_equal_results(actual, expected, real)


def test_the_first_of_equal_maxima_wins(isa, dtype):
    y, argmax = kernels.max_pool2d_forward(np.ones((1, 4, 4, 20), dtype), 2)
    np.testing.assert_array_equal(y, 1)
    np.testing.assert_array_equal(argmax, 0)


def test_nan_is_not_hidden(isa, dtype):
    """A window with a NaN gives NaN, and its gradient goes to the first NaN."""
    x = np.zeros((1, 2, 4, 18), dtype)
    x[0, 0, 1] = x[0, 1, 0] = np.nan
    x[0, 0, 3] = np.inf
    y, argmax = kernels.max_pool2d_forward(x, 2)
    assert np.isnan(y[0, 0, 0]).all()
    assert (argmax[0, 0, 0] == 1).all()
    np.testing.assert_array_equal(y[0, 0, 1], np.inf)


def test_padding_is_never_the_maximum(isa, dtype):
    x = np.full((1, 3, 3, 5), -np.inf, dtype)
    y, argmax = kernels.max_pool2d_forward(x, 3, stride=2, padding=1)
    np.testing.assert_array_equal(y, -np.inf)
    np.testing.assert_array_equal(argmax[0, :, :, 0], [[4, 3], [1, 0]])


@pytest.mark.parametrize(
    "case",
    [
        *("17 channels", "3 channels", "stride above kernel", "rounded up, padded"),
        "padding does not count",
    ],
)
def test_gradients_are_finite_differences(case, isa, numeric_gradient):
    x, dy, kernel_size, options = operands(CASES[case], np.float64)
    x = x[:1] + 0.01 * np.random.default_rng(1).standard_normal(x[:1].shape)  # no ties
    dy = dy[:1]
    of_maxima = {k: v for k, v in options.items() if k != "count_include_pad"}
    _, argmax = kernels.max_pool2d_forward(x, kernel_size, **of_maxima)
    for gradient, forward in (
        (
            kernels.max_pool2d_backward(dy, argmax, x.shape, kernel_size, **of_maxima),
            lambda: kernels.max_pool2d_forward(x, kernel_size, **of_maxima)[0],
        ),
        (
            kernels.avg_pool2d_backward(dy, x.shape, kernel_size, **options),
            lambda: kernels.avg_pool2d_forward(x, kernel_size, **options),
        ),
    ):
        numeric = numeric_gradient(forward, x, dy)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("output_size", [(3, 4), (9, 2)], ids=str)
def test_gradient_of_the_adaptive_average(output_size, isa, numeric_gradient):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 5, 6, 3)), rng.standard_normal((2, *output_size, 3))
    gradient = kernels.adaptive_avg_pool2d_backward(dy, x.shape, output_size)
    numeric = numeric_gradient(
        lambda: kernels.adaptive_avg_pool2d_forward(x, output_size), x, dy
    )
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_views_give_the_result_of_their_copies(dtype):
    x, dy, _, options = operands(((4, 8, 9, 12), (2, 3), (1, 1), 1), dtype)
    x, dy = x[::2, :, :, ::3], dy[::2, :, :, ::3]
    views = all_results(kernels, x, dy, (2, 3), options)
    copies = all_results(kernels, x.copy(), dy.copy(), (2, 3), options)
    for a, e in zip(views, copies, strict=True):
        np.testing.assert_array_equal(a, e)


def test_wrong_arguments():
    x = np.zeros((2, 6, 6, 3), np.float32)
    y, argmax = kernels.max_pool2d_forward(x, 2)
    with pytest.raises(ShapeError, match=r"expected x of shape \(n, h, w, c\)"):
        kernels.max_pool2d_forward(x[0], 2)
    with pytest.raises(ShapeError, match="global_avg_pool2d: expected x of shape"):
        kernels.global_avg_pool2d_forward(x[0])
    with pytest.raises(ShapeError, match="larger than the padded input"):
        kernels.avg_pool2d_forward(x, 7)
    with pytest.raises(ShapeError, match="padding must be smaller than the window"):
        kernels.max_pool2d_forward(x, 2, padding=2)
    with pytest.raises(DtypeError, match="x is uint8"):
        kernels.max_pool2d_forward(x.astype(np.uint8), 2)
    with pytest.raises(ShapeError, match="expected dy of shape"):
        kernels.max_pool2d_backward(y[:1], argmax, x.shape, 2)
    with pytest.raises(ShapeError, match="expected argmax of shape"):
        kernels.max_pool2d_backward(y, argmax[:1], x.shape, 2)
    with pytest.raises(DtypeError, match="expected argmax of type uint8"):
        kernels.max_pool2d_backward(y, argmax.astype(np.int32), x.shape, 2)
    with pytest.raises(ShapeError, match="expected dy of shape"):
        kernels.avg_pool2d_backward(y, x.shape, 3)
    with pytest.raises(ShapeError, match=r"expected dy of shape \(2, 3\)"):
        kernels.global_avg_pool2d_backward(y, x.shape)
    with pytest.raises(ShapeError, match="adaptive_avg_pool2d: output_size must be"):
        kernels.adaptive_avg_pool2d_forward(x, (3, 0))
    with pytest.raises(ShapeError, match="a pair of them, got \\(1, 2, 3\\)"):
        kernels.adaptive_avg_pool2d_forward(x, (1, 2, 3))
    with pytest.raises(ShapeError, match=r"expected dy of shape \(2, 4, 5, 3\)"):
        kernels.adaptive_avg_pool2d_backward(y, x.shape, (4, 5))
