"""Sizes, strides, paddings and dilations of any number: refused, or computed rightly.

Model files and users choose them, so no number may crash the process, hang it or give
garbage, whichever backend computes.
"""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import backend, shapes
from fastdl.errors import FastdlError, ShapeError

HUGE = [2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**60, 2**62, 2**63 - 1, 2**64]
HUGE += [10**30]
REFUSED = (FastdlError, MemoryError)


@pytest.fixture(params=["compiled", "reference"], scope="module")
def each_backend(request):
    before = backend.name
    try:
        backend.use(request.param)
    except ImportError as error:
        pytest.skip(f"the compiled kernels are not built: {error}")
    yield backend
    backend.use(before)


@pytest.fixture
def limited_memory(limit_memory):
    """So that a large array is refused and not begun."""
    if sys.platform != "linux":
        pytest.skip("memory cannot be limited here")
    limit_memory(2**28)


def zeros(*shape):
    return np.zeros(shape, np.float32)


def ones(*shape):
    return np.ones(shape, np.float32)


# The equation, in integers of any size -----------------------------------------------


def seen(size, kernel, stride, padding, dilation):
    """Return the (tap, pixel) of each window that lie inside; None for many windows."""
    window = dilation * (kernel - 1) + 1
    count = (size + sum(padding) - window) // stride + 1
    if count > 100:
        return None
    result = []
    for i in range(count):
        first = i * stride - padding[0]  # pixel p is tap (p - first) / dilation
        taps = [(*divmod(p - first, dilation), p) for p in range(size)]
        result.append([(t, p) for t, rest, p in taps if not rest and 0 <= t < kernel])
    return result


def conv2d(x, weight, stride, padding, dilation, groups):
    """Return y, or None where it is large."""
    (n, h, w, _), (kh, kw, group_c, oc) = x.shape, weight.shape
    rows = seen(h, kh, stride[0], padding[0], dilation[0])
    cols = seen(w, kw, stride[1], padding[1], dilation[1])
    if rows is None or cols is None:
        return None
    y = np.zeros((n, len(rows), len(cols), oc))
    for (i, row), (j, col) in itertools.product(enumerate(rows), enumerate(cols)):
        for (p, r), (q, s) in itertools.product(row, col):
            for o in range(oc):
                first = o // (oc // groups) * group_c
                y[:, i, j, o] += (
                    x[:, r, s, first : first + group_c] @ weight[p, q, :, o]
                )
    return y


# Numbers -----------------------------------------------------------------------------


def number(least):
    return st.one_of(st.integers(least, 4), st.sampled_from(HUGE))


pairs = st.tuples(number(1), number(1))
sides = st.tuples(st.tuples(number(0), number(0)), st.tuples(number(0), number(0)))


@st.composite
def paddings(draw, kernel, dilation):
    """Draw any paddings, or such that the window just fits."""
    if draw(st.booleans()):
        return draw(sides)
    result = []
    for k, d in zip(kernel, dilation, strict=True):
        total = d * (k - 1) + draw(st.integers(0, 2))
        before = draw(st.integers(0, total))
        result.append((before, total - before))
    return tuple(result)


@st.composite
def convolutions(draw):
    groups = draw(st.integers(1, 3))
    shape = (draw(st.integers(0, 2)), *(draw(st.integers(1, 4)) for _ in range(2)))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    channels = draw(st.integers(1, 3)), draw(st.integers(1, 3)) * groups
    dilation = draw(pairs)
    options = {
        "stride": draw(pairs),
        "padding": draw(paddings(kernel, dilation)),
        "dilation": dilation,
        "groups": groups,
    }
    return (*shape, channels[0] * groups), (*kernel, *channels), options


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problem=convolutions())
def check_convolution(problem):
    x_shape, weight_shape, options = problem
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal(x_shape), rng.standard_normal(weight_shape)
    try:
        y = backend.conv2d_forward(x, weight, **options)
    except REFUSED:
        return
    wanted = conv2d(x, weight, **options)
    if wanted is None:
        return
    np.testing.assert_allclose(y, wanted, rtol=1e-9, atol=1e-9)
    # Both gradients are adjoint to the forward pass, so these products are equal.
    dy = rng.standard_normal(y.shape)
    dx = backend.conv2d_backward_input(dy, weight, x_shape, **options)
    dweight, dbias = backend.conv2d_backward_weight(dy, x, weight_shape[:2], **options)
    np.testing.assert_allclose((dx * x).sum(), (dy * y).sum(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(
        (dweight * weight).sum(), (dy * y).sum(), rtol=1e-8, atol=1e-8
    )
    np.testing.assert_allclose(dbias, dy.sum((0, 1, 2)), rtol=1e-8, atol=1e-8)


def test_convolutions_of_any_numbers(each_backend, limited_memory):
    check_convolution()


@st.composite
def poolings(draw):
    shape = draw(st.tuples(st.integers(0, 2), *(st.integers(1, 4) for _ in range(3))))
    kernel = draw(pairs)
    padding = draw(paddings(kernel, (1, 1)))
    return shape, kernel, {"stride": draw(pairs), "padding": padding}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problem=poolings())
def check_pooling(problem):
    shape, kernel, options = problem
    x = np.random.default_rng(0).standard_normal(shape)
    if backend.name == "reference" and max(kernel) > 2**15:
        return  # it walks through all pixels of a window, padding too
    try:
        y = backend.avg_pool2d_forward(x, kernel, **options)
    except REFUSED:
        return
    sides = zip(shape[1:3], kernel, options["stride"], options["padding"], strict=True)
    rows, cols = (seen(*side, 1) for side in sides)
    if rows is None or cols is None:
        return
    first = None
    for (i, row), (j, col) in itertools.product(enumerate(rows), enumerate(cols)):
        window = x[:, row[0][1] : row[-1][1] + 1, col[0][1] : col[-1][1] + 1]
        mean = window.sum((1, 2)) / kernel[0] / kernel[1]
        np.testing.assert_allclose(y[:, i, j], mean, rtol=1e-9, atol=1e-30)
        if first is None:
            first = window.max((1, 2))
    dy = np.ones(y.shape)
    dx = backend.avg_pool2d_backward(dy, shape, kernel, **options)
    np.testing.assert_allclose((dx * x).sum(), y.sum(), rtol=1e-8, atol=1e-12)
    try:
        y, argmax = backend.max_pool2d_forward(x, kernel, **options)
    except ShapeError:
        assert kernel[0] * kernel[1] > 2**31
        return
    np.testing.assert_array_equal(y[:, 0, 0], first)
    dx = backend.max_pool2d_backward(np.ones(y.shape), argmax, shape, kernel, **options)
    np.testing.assert_allclose(dx.sum(), y.size)


def test_poolings_of_any_numbers(each_backend, limited_memory):
    check_pooling()


# The cases that were seen ------------------------------------------------------------


@pytest.mark.parametrize("stride", [2**31, 2**60, 2**62, 2**63 - 1])
@pytest.mark.parametrize(("groups", "terms"), [(1, 4), (4, 1)])
def test_a_stride_beyond_the_image_leaves_one_window(
    each_backend, stride, groups, terms
):
    weight, options = ones(1, 1, terms, 4), {"stride": stride, "groups": groups}
    y = backend.conv2d_forward(ones(1, 3, 3, 4), weight, **options)
    assert y.tolist() == [[[[terms] * 4]]]
    dx = backend.conv2d_backward_input(y, weight, (1, 3, 3, 4), **options)
    assert dx[0, 0, 0].tolist() == [terms * terms] * 4
    assert dx.sum() == dx[0, 0, 0].sum()


def test_padding_and_dilation_of_a_damaged_file(each_backend):
    x, weight = zeros(1, 5, 5, 2), zeros(2, 2, 2, 1)
    options = {"dilation": 2**32 - 1, "padding": [[2**31, 2**31 - 1]] * 2}
    with pytest.raises(ShapeError, match=r"conv2d: the padded x of shape .* elements"):
        backend.conv2d_forward(x, weight, **options)
    with pytest.raises(ShapeError, match="the padded x of shape"):
        backend.conv2d_backward_weight(x[..., :1], x, 2, **options)
    with pytest.raises(ShapeError, match="the padded x of shape"):
        backend.conv2d_backward_input(x[..., :1], weight, x.shape, **options)


def test_same_padding_of_a_large_dilation_is_bounded(each_backend):
    with pytest.raises(ShapeError, match="the padded x of shape"):
        backend.conv2d_forward(
            zeros(1, 4, 4, 1), zeros(2, 2, 1, 1), padding="same", dilation=2**62
        )


def test_the_mean_of_a_window_of_more_than_32_bits(each_backend):
    if backend.name == "reference":
        return  # it walks through the padding
    padding = ((2**31, 2**31 - 1), (0, 0))
    y = backend.avg_pool2d_forward(ones(1, 1, 1, 1), (2**32, 1), padding=padding)
    assert y.tolist() == [[[[2.0**-32]]]]
    y = backend.avg_pool2d_forward(ones(1, 1, 1, 1), 2**16, padding=2**16 - 1)
    assert y.tolist() == [[[[2.0**-32]]]]


def test_a_window_whose_pixels_wrap(each_backend):
    with pytest.raises(ShapeError, match="avg_pool2d: the padded x of shape"):
        backend.avg_pool2d_forward(ones(1, 1, 1, 1), 2**32, padding=2**31)


def test_a_maximum_has_a_place_of_31_bits(each_backend):
    options = {"padding": 2**16 - 1, "stride": 2**16}
    with pytest.raises(
        ShapeError, match=r"max_pool2d: the place of the maximum has 31"
    ):
        backend.max_pool2d_forward(ones(1, 1, 1, 1), 2**16, **options)
    place = np.zeros((1, 1, 1, 1), np.int32)
    with pytest.raises(ShapeError, match="the place of the maximum has 31 bits"):
        backend.max_pool2d_backward(
            ones(1, 1, 1, 1), place, (1, 1, 1, 1), 2**16, **options
        )


def test_a_product_without_terms_is_bounded(each_backend):
    with pytest.raises(ShapeError, match=r"\(1073741824, 1073741824\) would have"):
        backend.matmul(zeros(2**30, 0), zeros(0, 2**30))


@pytest.mark.parametrize("n", [-1, 2**62, 2**63])
def test_input_shapes_are_checked(each_backend, n):
    """They are numbers of the caller; no array has them."""
    dy = zeros(1, 1, 1, 1)
    shape = (n, 1, 1, 1)
    with pytest.raises(ShapeError):
        backend.conv2d_backward_input(dy, dy, shape)
    with pytest.raises(ShapeError):
        backend.avg_pool2d_backward(dy, shape, 1)
    with pytest.raises(ShapeError):
        backend.max_pool2d_backward(dy, dy.astype(np.uint8), shape, 1)
    with pytest.raises(ShapeError):
        backend.global_avg_pool2d_backward(dy[0, 0], shape)


def test_a_number_too_long_to_print():
    for value in (10**5000, (1, 10**5000)):
        with pytest.raises(ShapeError, match=r"below 2\*\*128, got a number of"):
            shapes.conv2d((1, 4, 4, 1), (1, 1, 1, 1), stride=value)


def test_empty_axes_count_as_one():
    """The strides are products of the other axes."""
    with pytest.raises(ShapeError, match=r"x of shape .* more than any memory holds"):
        shapes.conv2d((0, 2**20, 2**20, 2**3), (1, 1, 2**3, 1))
    assert shapes.conv2d((0, 2**10, 2**10, 8), (1, 1, 8, 1)).n == 0


def test_a_picture_with_a_long_side_is_not_warped():
    with pytest.raises(ShapeError, match="counted with 31 bits along a side"):
        shapes.affine_warp((1, 2**31, 1, 1), (1, 2, 3), None, "edge")


@pytest.mark.parametrize("size", [2**45, 2**60, 2**61, 2**62, 2**63, 2**64, 10**30])
def test_memory_that_no_machine_has(size):
    with pytest.raises((MemoryError, ValueError)):
        backend.empty(size)
    with pytest.raises((MemoryError, ValueError)):
        backend.zeros((1, size), np.uint8)
