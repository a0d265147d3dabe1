import math

import numpy as np
import pytest

from fastdl import shapes
from fastdl.errors import ArgumentError, DtypeError, FastdlError, ShapeError

X, WEIGHT = (8, 28, 20, 3), (5, 3, 3, 16)


def output(x_shape, weight_shape, *args, **options):
    s = shapes.conv2d(x_shape, weight_shape, *args, **options)
    return s.oh, s.ow


# Sizes -------------------------------------------------------------------------------


def test_conv2d_gives_every_size():
    s = shapes.conv2d(X, (5, 3, 1, 6), (2, 1), ((1, 2), (3, 0)), (1, 2), 3)
    assert s == shapes.Conv2dShape(
        n=8, h=28, w=20, c=3, kh=5, kw=3, oc=6, oh=14, ow=19, stride_h=2, stride_w=1,
        top=1, bottom=2, left=3, right=0, dilation_h=1, dilation_w=2, groups=3,
    )  # fmt: skip


@pytest.mark.parametrize("n", [4, 5, 6, 7])
@pytest.mark.parametrize("f", [1, 2, 3])
@pytest.mark.parametrize("p", [0, 1, 4])
@pytest.mark.parametrize("s", [1, 2, 5])
def test_s37_output_size(n, f, p, s):
    """S37: floor((n + 2p - f) / s) + 1."""
    size = (n + 2 * p - f) // s + 1
    assert output((1, n, n, 1), (f, f, 1, 1), s, p) == (size, size)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (7, 3, 1, (7, 1, 1)),
        (7, 4, 1, (7, 1, 2)),  # the odd pixel goes to the bottom and the right
        (7, 3, 2, (4, 1, 1)),
        (8, 3, 2, (4, 0, 1)),
        (8, 1, 3, (3, 0, 0)),  # the last window may start before the end
        (2, 5, 1, (2, 2, 2)),
    ],
)
def test_same_padding(size, kernel, stride, expected):
    s = shapes.conv2d((1, size, size, 1), (kernel, kernel, 1, 1), stride, "same")
    assert (s.oh, s.top, s.bottom) == (s.ow, s.left, s.right) == expected
    if kernel > 1:
        s = shapes.pool2d((1, size, size, 1), kernel, stride, "same")
        assert (s.oh, s.top, s.bottom) == (s.ow, s.left, s.right) == expected


@pytest.mark.parametrize(
    ("padding", "sides"),
    [
        (2, (2, 2, 2, 2)),
        ((1, 2), (1, 1, 2, 2)),
        (((1, 2), (3, 4)), (1, 2, 3, 4)),
        ([[1, 2], [3, 4]], (1, 2, 3, 4)),
        (np.int64(2), (2, 2, 2, 2)),
        ("valid", (0, 0, 0, 0)),
    ],
)
def test_padding_forms(padding, sides):
    s = shapes.conv2d(X, WEIGHT, padding=padding)
    assert (s.top, s.bottom, s.left, s.right) == sides
    assert (s.oh, s.ow) == (24 + sides[0] + sides[1], 18 + sides[2] + sides[3])


def test_s41_chain():
    """S41: 39 x 39 x 3 -> 37 x 37 x 10 -> 17 x 17 x 20 -> 7 x 7 x 40 = 1960."""
    shape = (1, 39, 39, 3)
    for f, stride, filters in [(3, 1, 10), (5, 2, 20), (5, 2, 40)]:
        s = shapes.conv2d(shape, (f, f, shape[3], filters), stride)
        shape = (s.n, s.oh, s.ow, s.oc)
    assert shape == (1, 7, 7, 40)
    assert np.prod(shape) == 1960


def test_s42_pooling_keeps_the_channels():
    """S42: 5 x 5 x 2 with f 3, s 1 -> 3 x 3 x 2; the stride is f unless given."""
    s = shapes.pool2d((1, 5, 5, 2), 3, 1)
    assert (s.oh, s.ow, s.c) == (3, 3, 2)
    s = shapes.pool2d((1, 9, 9, 2), (3, 2))
    assert (s.oh, s.ow, s.stride_h, s.stride_w) == (3, 4, 3, 2)


def test_empty_batch_is_legal():
    assert shapes.conv2d((0, 28, 20, 3), WEIGHT).n == 0
    assert shapes.pool2d((0, 28, 20, 3), 2).n == 0
    assert shapes.matmul((0, 3), (3, 4)) == (0, 3, 4)


@pytest.mark.parametrize("a", [(2, 3), (3, 2)])
@pytest.mark.parametrize("b", [(3, 4), (4, 3)])
def test_matmul_sizes(a, b):
    transposed = a == (3, 2), b == (4, 3)
    assert shapes.matmul(a, b, (4,), *transposed) == (2, 3, 4)


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [
        ((5, 3), (3,), (5, 3)),
        ((5, 3), (5, 1), (5, 3)),
        ((), (5, 3), (5, 3)),
        ((1,), (5, 3), (5, 3)),
        ((1, 3), (0, 3), (0, 3)),
        ((4,), (4,), (4,)),
    ],
)
def test_broadcast_of_one_operand(a, b, result):
    assert shapes.broadcast(a, b, "add") == result
    assert shapes.broadcast(b, a, "add") == result
    assert np.broadcast_shapes(a, b) == result


# Mistakes ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stride", "dilation"])
@pytest.mark.parametrize(
    "value", [0, -1, 1.0, True, None, "2", (1, 0), (1, 2.0), (1, True), (1,), (1, 2, 3)]
)
def test_conv2d_refuses_stride_and_dilation(name, value):
    """The value 1 comes first: a cache must not take True and 1.0 for it."""
    shapes.conv2d(X, WEIGHT, **{name: 1})
    shapes.conv2d(X, WEIGHT, **{name: (1, 1)})
    with pytest.raises(ShapeError) as caught:
        shapes.conv2d(X, WEIGHT, **{name: value})
    assert str(caught.value) == (
        f"conv2d: {name} must be an integer >= 1 or a pair of them, got {value!r}"
    )


@pytest.mark.parametrize("shape", [(2.0, 8, 8, 3), (2, 8, 8, np.float64(3))])
def test_sizes_of_arrays_are_integers_also_after_equal_ones(shape):
    shapes.conv2d((2, 8, 8, 3), (3, 3, 3, 4))
    with pytest.raises(ShapeError, match="conv2d: the shape of x must hold integers"):
        shapes.conv2d(shape, (3, 3, 3, 4))
    shapes.pool2d((2, 8, 8, 3), 2)
    with pytest.raises(ShapeError, match="the shape of x must hold integers"):
        shapes.pool2d(shape, 2)


def test_sizes_are_computed_once_for_plain_arguments():
    first = shapes.conv2d(X, WEIGHT, padding=((0, 1), (1, 0)))
    assert shapes.conv2d(X, WEIGHT, padding=((0, 1), (1, 0))) is first
    assert shapes.conv2d(list(X), WEIGHT, padding=[[0, 1], [1, 0]]) == first


@pytest.mark.parametrize("value", [0, -2, 1.0, True, None, (1, 1)])
def test_conv2d_refuses_groups(value):
    shapes.conv2d(X, WEIGHT, groups=1)
    with pytest.raises(ShapeError, match="conv2d: groups must be an integer >= 1, got"):
        shapes.conv2d(X, WEIGHT, groups=value)


@pytest.mark.parametrize(
    "value",
    [-1, 1.0, True, None, (1, -1), (0, True), ((1, 1), (1, 0.5)), ((1, 2, 3), 1)],
)
def test_padding_refuses_numbers(value):
    shapes.conv2d(X, WEIGHT, padding=1)
    with pytest.raises(ShapeError, match="conv2d: padding must be an integer >= 0 or"):
        shapes.conv2d(X, WEIGHT, padding=value)


@pytest.mark.parametrize("value", ["full", "Same", (1, 2, 3), (), [1]])
def test_padding_refuses_forms(value):
    with pytest.raises(
        ShapeError, match=r"conv2d: padding must be .*'same' or 'valid'"
    ):
        shapes.conv2d(X, WEIGHT, padding=value)


@pytest.mark.parametrize(
    ("x", "weight", "options", "message"),
    [
        ((28, 20, 3), WEIGHT, {}, r"of shape \(n, h, w, c\), got \(28, 20, 3\); add"),
        ((28, 20), WEIGHT, {}, r"of shape \(n, h, w, c\), got \(28, 20\)$"),
        ((8, 0, 20, 3), WEIGHT, {}, "at least 1 x 1 pixel and 1 channel, got x of"),
        ((8, 28.0, 20, 3), WEIGHT, {}, "the shape of x must hold integers, got"),
        (X, (5, 3, 3), {}, r"of shape \(kh, kw, c / groups, oc\), got \(5, 3, 3\)"),
        (X, (5, 0, 3, 16), {}, "every size of weight to be at least 1"),
        (X, (5, 3, 4, 16), {}, "has 3 channels, but weight .* groups=1 takes 4$"),
        ((8, 3, 28, 20), WEIGHT, {}, r"has 20 channels.* x.transpose\(0, 2, 3, 1\)"),
        (X, (16, 3, 5, 5), {}, r"use weight.transpose\(2, 3, 1, 0\)"),
        (X, WEIGHT, {"groups": 2}, "divide the 3 input channels and the 16 output"),
        (X, (5, 3, 1, 16), {"groups": 3}, "the 16 output channels, got groups=3"),
        ((8, 4, 20, 3), WEIGHT, {}, r"height 5 is larger .* height 4 \(0 \+ 4 \+ 0\)"),
        (
            X,
            WEIGHT,
            {"dilation": (1, 12)},
            r"width 3 \(with dilation 12: 25\) is larger",
        ),
        (
            X,
            WEIGHT,
            {"padding": (0, 1), "dilation": 7},
            r"dilation 7: 29\) .* height 28",
        ),
    ],
)
def test_conv2d_mistakes(x, weight, options, message):
    with pytest.raises(ShapeError, match="^conv2d: .*" + message):
        shapes.conv2d(x, weight, **options)


@pytest.mark.parametrize(
    ("x", "args", "message"),
    [
        ((28, 20, 3), (2,), r"expected x of shape \(n, h, w, c\)"),
        (X, (0,), "kernel_size must be an integer >= 1 or a pair of them, got 0"),
        (X, (2.0,), r"kernel_size must be an integer .* got 2.0"),
        (X, (2, 0), "stride must be an integer >= 1"),
        (X, (2, 1, -1), "padding must be an integer >= 0"),
        (
            X,
            (29,),
            "the kernel's height 29 is larger than the padded input's height 28",
        ),
        (
            X,
            (2, 1, 2),
            r"padding must be smaller than the window of 2 x 2, got \(\(2, 2",
        ),
        (X, ((3, 2), 1, ((0, 0), (0, 2))), "smaller than the window of 3 x 2"),
    ],
)
def test_pool2d_mistakes(x, args, message):
    with pytest.raises(ShapeError, match="^avg_pool2d: .*" + message):
        shapes.pool2d(x, *args, operation="avg_pool2d")


@pytest.mark.parametrize(
    ("a", "b", "bias", "message"),
    [
        ((3,), (3, 4), None, r"expected a with 2 axes, got shape \(3,\)$"),
        (
            (2, 3, 5),
            (3, 4),
            None,
            r"got shape \(2, 3, 5\); use x.reshape\(len\(x\), -1",
        ),
        ((2, 3), (3,), None, r"expected b with 2 axes"),
        (
            (2, 3),
            (5, 4),
            None,
            r"\(2, 3\) has 3 columns, but b of shape \(5, 4\) has 5",
        ),
        ((2, 3), (4, 3), None, r"dense weights are stored \(in, out\): transpose b"),
        ((2, 3), (3, 4), (3,), r"expected bias of shape \(4,\), got \(3,\)$"),
        ((2, 3), (3, 4), (1, 4), r"got \(1, 4\); use bias.reshape\(-1\)"),
    ],
)
def test_matmul_mistakes(a, b, bias, message):
    with pytest.raises(ShapeError, match="^linear: .*" + message):
        shapes.matmul(a, b, bias, operation="linear")


def test_matmul_message_names_the_transpose():
    with pytest.raises(
        ShapeError, match=r"a of shape \(2, 3\) transposed has 2 columns"
    ):
        shapes.matmul((2, 3), (3, 4), transpose_a=True)


@pytest.mark.parametrize(
    "pair", [((3,), (3, 1)), ((1, 4), (3, 1)), ((1, 1, 3), (2, 3))]
)
def test_broadcast_never_hides_a_mistake(pair):
    """(n,) against (n, 1) would give (n, n)."""
    with pytest.raises(
        ShapeError, match=r"add: .* would both be stretched to .*reshape"
    ):
        shapes.broadcast(*pair, "add")


@pytest.mark.parametrize("pair", [((2,), (3,)), ((2, 3), (2,)), ((0,), (3,))])
def test_broadcast_that_does_not_fit(pair):
    for a, b in (pair, pair[::-1]):
        with pytest.raises(ShapeError, match=r"add: shapes .* do not fit"):
            shapes.broadcast(a, b, "add")


def test_check_shape():
    shapes.check_shape("relu", "dy", (2, 3), [2, 3])
    with pytest.raises(
        ShapeError, match=r"relu: expected dy of shape \(2, 3\), got \(2,"
    ):
        shapes.check_shape("relu", "dy", (2,), (2, 3))


# Labels ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_integer_labels(dtype):
    result = shapes.labels(np.array([0, 2], dtype), 2, 3, "loss")
    assert result.dtype == np.int64
    assert result.tolist() == [0, 2]


def test_label_rows_come_back_as_they_are():
    rows = np.eye(3, dtype=np.float32)
    assert shapes.labels(rows, 3, 3, "loss") is rows


def test_booleans_are_labels():
    labels = shapes.labels([True, False], 2, 2, "loss")
    assert (labels.dtype, labels.tolist()) == (np.int64, [1, 0])


def test_no_labels():
    assert shapes.labels(np.empty(0, int), 0, 3, "loss").shape == (0,)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 3], ArgumentError, "expected labels from 0 to 2, got 3$"),
        ([1, 3], ArgumentError, "got 3; do the labels start at 1"),
        (
            [-1, 3],
            ArgumentError,
            r"got -1; CrossEntropyLoss\(ignore_index=-1\) leaves them out$",
        ),
        (
            [0.0, 1.0],
            DtypeError,
            r"expected integer labels, got type float64; .*astype",
        ),
        (["a", "b"], DtypeError, "got type <U1"),
        (
            [0],
            ShapeError,
            r"expected labels of shape \(2,\) .* or \(2, 3\) .* got \(1,\)",
        ),
        ([[0], [1]], ShapeError, r"got \(2, 1\); use labels.reshape\(-1\)"),
        (np.full((2, 3), "a"), DtypeError, "expected rows of probabilities"),
    ],
)
def test_label_mistakes(labels, error, message):
    with pytest.raises(error, match="^loss: .*" + message):
        shapes.labels(labels, 2, 3, "loss")


# Types -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_real_arrays_of_one_type(dtype):
    shapes.check_real(
        "conv2d", x=np.zeros(2, dtype), bias=None, weight=np.ones(3, dtype)
    )


def test_two_types():
    with pytest.raises(DtypeError) as caught:
        shapes.check_real(
            "conv2d", x=np.zeros(2, np.float32), bias=None, weight=np.zeros(2)
        )
    assert str(caught.value) == (
        "conv2d: weight is float64 but x is float32; convert one: "
        "x.astype(np.float64) or model.astype(np.float32)"
    )


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16, np.complex64, ">f4"])
def test_other_types(dtype):
    with pytest.raises(
        DtypeError,
        match=r"relu: x is .*, expected float32 or .* x.astype\(np.float32\)",
    ):
        shapes.check_real("relu", x=np.zeros(2, dtype))


def test_not_an_array():
    with pytest.raises(
        DtypeError, match="relu: x must be a NumPy array, got list; conv"
    ):
        shapes.check_real("relu", x=[1.0])


def test_activation_index():
    indices = [shapes.activation_index(kind) for kind in shapes.ACTIVATIONS]
    assert indices == list(range(len(shapes.ACTIVATIONS)))
    with pytest.raises(ArgumentError, match="'Relu'; did you mean 'relu'"):
        shapes.activation_index("Relu")
    with pytest.raises(
        ArgumentError, match="matmul: unknown activation None; choose fr"
    ):
        shapes.activation_index(None, "matmul")
    with pytest.raises(ArgumentError, match=r"unknown activation \['relu'\]"):
        shapes.activation_index(["relu"])


def test_activation_parameter():
    assert shapes.activation_parameter("relu", None, "f") is None
    assert shapes.activation_parameter("leaky_relu", None, "f") == 0.01
    assert shapes.activation_parameter("leaky_relu", -2.0, "f") == -2.0
    with pytest.raises(ArgumentError, match="f: relu has no parameter"):
        shapes.activation_parameter("relu", 0.01, "f")
    with pytest.raises(
        ArgumentError, match="f: slope of leaky_relu must be a finite number, got nan"
    ):
        shapes.activation_parameter("leaky_relu", math.nan, "f")
    for value in (0.0, -1.0, math.inf):
        with pytest.raises(
            ArgumentError, match="alpha of elu must be a finite positive number"
        ):
            shapes.activation_parameter("elu", value, "f")


def test_errors_are_the_builtin_ones_too():
    """A NumPy user may catch ValueError or TypeError."""
    assert issubclass(ShapeError, ValueError)
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(DtypeError, TypeError)
    assert all(
        issubclass(e, FastdlError) for e in (ShapeError, ArgumentError, DtypeError)
    )
