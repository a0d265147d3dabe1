"""conv2d: compiled against the reference, forward and both gradients (S37)."""

from __future__ import annotations

import contextlib
import itertools
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import kernels, reference, shapes
from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.kernels.conv2d import choose

# n, (h, w), c, oc, (kh, kw), then what differs from stride 1, no padding
CASES = {
    "one pixel": (1, (1, 1), 1, 1, (1, 1), {}),
    "one pixel padded": (2, (1, 1), 3, 5, (3, 3), {"padding": 1}),
    "one channel": (2, (9, 8), 1, 7, (5, 5), {"padding": 2}),
    "channels 3 to 8": (2, (7, 6), 3, 8, (3, 3), {"padding": 1}),
    "channels 7 to 17": (2, (6, 7), 7, 17, (3, 2), {}),
    "channels 8 to 33": (2, (6, 6), 8, 33, (2, 3), {"padding": "same"}),
    "channels 17 to 64": (1, (5, 6), 17, 64, (3, 3), {"padding": 1}),
    "channels 33 to 3": (1, (5, 5), 33, 3, (3, 3), {}),
    "channels 64 to 65": (1, (6, 5), 64, 65, (3, 3), {"padding": 1}),
    "1x1": (2, (5, 7), 16, 40, (1, 1), {}),
    "whole image": (3, (4, 5), 6, 9, (4, 5), {}),
    "stride": (2, (9, 10), 4, 6, (3, 3), {"stride": 2, "padding": 1}),
    "stride same": (2, (10, 9), 4, 6, (4, 5), {"stride": (2, 3), "padding": "same"}),
    "stride 4, kernel 11": (1, (23, 23), 3, 9, (11, 11), {"stride": 4}),
    "stride > kernel": (2, (9, 8), 3, 4, (2, 1), {"stride": (3, 4), "padding": 1}),
    "padding > kernel": (2, (4, 5), 3, 4, (2, 3), {"padding": (3, 4)}),
    "uneven padding": (2, (6, 5), 3, 4, (3, 3), {"padding": ((0, 2), (3, 1))}),
    "dilation": (2, (11, 12), 3, 4, (3, 3), {"dilation": (2, 3), "padding": 2}),
    "dilation and stride": (
        *(1, (13, 14), 3, 4, (3, 4)),
        {"dilation": (2, 3), "stride": (3, 2), "padding": 3},
    ),
    "groups": (2, (6, 7), 8, 12, (3, 3), {"groups": 4, "padding": 1}),
    "groups, stride": (2, (7, 7), 6, 9, (3, 3), {"groups": 3, "stride": 2}),
    "wide groups": (1, (5, 5), 34, 70, (3, 3), {"groups": 2, "padding": 1}),
    "depthwise": (2, (8, 9), 33, 33, (3, 3), {"groups": 33, "padding": 1}),
    "depthwise stride": (
        *(2, (9, 8), 17, 17, (3, 3)),
        {"groups": 17, "padding": 1, "stride": 2},
    ),
    "depthwise dilated": (
        *(1, (9, 9), 64, 64, (3, 3)),
        {"groups": 64, "dilation": 2, "stride": (1, 2)},
    ),
    "depthwise 5x5": (2, (9, 8), 20, 20, (5, 5), {"groups": 20, "padding": 2}),
    "depthwise, few channels": (
        *(2, (7, 6), 3, 3, (3, 3)),
        {"groups": 3, "padding": 1, "stride": 3},
    ),
    "depthwise, stride > kernel": (
        *(2, (9, 8), 5, 5, (2, 1)),
        {"groups": 5, "padding": 1, "stride": (3, 4)},
    ),
    "depthwise, padding > kernel": (
        *(1, (4, 5), 18, 18, (2, 3)),
        {"groups": 18, "padding": (3, 4), "dilation": (1, 2)},
    ),
    "depthwise, more than a cache": (
        *(1, (48, 51), 80, 80, (3, 3)),
        {"groups": 80, "padding": 1},
    ),
    "depthwise x 2": (2, (6, 6), 7, 14, (3, 3), {"groups": 7, "padding": 1}),
    "empty batch": (0, (5, 5), 3, 4, (3, 3), {"padding": 1}),
    "many small images": (70, (4, 4), 20, 36, (3, 3), {"padding": 1}),
    "several chunks of rows": (2, (40, 21), 5, 6, (3, 3), {"padding": 1, "stride": 1}),
    "slices of channels": (2, (5, 5), 96, 1200, (3, 3), {"padding": 1}),
    "a last slice of few": (1, (3, 3), 113, 20, (3, 3), {"padding": 1}),
    "stretches of tiles": (2, (33, 31), 72, 66, (3, 3), {"padding": 1}),
    "few channels, many outputs": (2, (6, 5), 2, 70, (3, 3), {"padding": 1}),
    "1x1, few channels": (2, (20, 21), 16, 70, (1, 1), {}),
    "1x1, rows of dy in one set": (1, (17, 16), 5, 512, (1, 1), {}),
    "1x1, stride": (2, (9, 8), 20, 33, (1, 1), {"stride": (2, 3)}),
    "1x1, stride and padding": (2, (6, 5), 18, 7, (1, 1), {"stride": 2, "padding": 1}),
}


def tensors(n, size, c, oc, kernel, options, dtype, seed=0):
    """Return read-only x, weight, bias and dy."""
    rng = np.random.default_rng(seed)
    weight_shape = (*kernel, c // options.get("groups", 1), oc)
    sizes = {key: value for key, value in options.items() if key != "algorithm"}
    geometry = shapes.conv2d((n, *size, c), weight_shape, **sizes)
    wanted = [
        (n, *size, c),
        weight_shape,
        (oc,),
        (n, geometry.oh, geometry.ow, oc),
    ]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in wanted]
    for array in arrays:
        array.flags.writeable = False
    return arrays


def all_passes(module, x, weight, bias, dy, options):
    """Return y, dx, dweight, dbias."""
    return (
        module.conv2d_forward(x, weight, bias, **options),
        module.conv2d_backward_input(dy, weight, x.shape, **options),
        *module.conv2d_backward_weight(dy, x, weight.shape[:2], **options),
    )


@cache  # the same for each instruction set
def passes_of_reference(case, dtype):
    """Return (y, dx, dweight, dbias) of one of CASES."""
    *sizes, options = CASES[case]
    return all_passes(reference, *tensors(*sizes, options, dtype), options)


WINOGRAD = [case for case, (*_, kernel, options) in CASES.items() if kernel == (3, 3)]
WINOGRAD_ERROR = 14  # times that of a direct sum, at most (Lavin and Gray, 2016)


@pytest.mark.parametrize("case", WINOGRAD)
def test_winograd_equals_reference(
    case, isa, dtype, assert_close, same_bits_for_threads
):
    """Also where it does not fit (stride, groups ...): then the sum is direct."""
    *sizes, options = CASES[case]
    x, weight, bias, dy = tensors(*sizes, options, dtype)
    arrays = x, weight, bias, dy
    options = {**options, "algorithm": "winograd"}
    actual = all_passes(kernels, *arrays, options)
    expected = passes_of_reference(case, dtype)
    terms = max(weight.size, dy[..., 0].size)
    assert_close(actual, expected, WINOGRAD_ERROR**2 * terms)
    same_bits_for_threads(lambda: all_passes(kernels, *arrays, options))


@pytest.mark.parametrize("case", CASES)
def test_equals_reference(case, isa, dtype, assert_close, same_bits_for_threads):
    *sizes, options = CASES[case]
    x, weight, bias, dy = tensors(*sizes, options, dtype)
    options = {**options, "algorithm": "direct"}
    actual = all_passes(kernels, x, weight, bias, dy, options)
    expected = passes_of_reference(case, dtype)
    y_terms = weight[..., 0].size
    dx_terms = weight.size // weight.shape[2]
    pixels = dy[..., 0].size
    for result, wanted, terms in zip(
        actual, expected, (y_terms, dx_terms, pixels, pixels), strict=True
    ):
        assert_close(result, wanted, 4 * terms)
    same_bits_for_threads(lambda: all_passes(kernels, x, weight, bias, dy, options))


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_of_weights_without_a_bias(case):
    *sizes, options = CASES[case]
    x, weight, _, dy = tensors(*sizes, options, np.float32)
    arguments = (dy, x, weight.shape[:2])
    dweight, _ = kernels.conv2d_backward_weight(*arguments, **options)
    for module in (kernels, reference):
        alone, dbias = module.conv2d_backward_weight(
            *arguments, with_bias=False, **options
        )
        assert dbias is None
        if module is kernels:
            np.testing.assert_array_equal(alone, dweight)


FOLDER = Path(__file__).parents[2] / "fastdl/kernels/conv2d"
TABLE = re.findall(
    r"^add\(&(\w+)\.algorithm\)$",
    (FOLDER / "choose.pyx").read_text(encoding="utf-8"),
    re.M,
)


def test_every_algorithm_is_in_the_table():
    files = {
        path.stem
        for path in FOLDER.glob("*.pyx")
        if re.search(r"^algorithm = Algorithm\(", path.read_text("utf-8"), re.M)
    }
    assert files == set(TABLE)
    assert len(files) == len(TABLE)


def test_the_folder_says_what_each_algorithm_is_for():
    text = (FOLDER / "__init__.py").read_text(encoding="utf-8")
    assert not [name for name in TABLE if f"`{name}`" not in text]


PASSES = "conv2d_forward", "conv2d_backward_input", "conv2d_backward_weight"


def passes_where_it_fits(module, x, weight, bias, dy, options):
    """Return {name: results} of each pass that an algorithm fits."""
    calls = (x, weight, bias), (dy, weight, x.shape), (dy, x, weight.shape[:2])
    results = {}
    for name, arguments in zip(PASSES, calls, strict=True):
        with contextlib.suppress(ArgumentError):
            result = getattr(module, name)(*arguments, **options)
            results[name] = result if isinstance(result, tuple) else (result,)
    return results


@pytest.mark.parametrize("row", range(len(TABLE)), ids=TABLE)
def test_an_algorithm_is_right_wherever_it_fits(
    row, isa, dtype, use_row, assert_close, same_bits_for_threads
):
    """Also where another is cheaper, so that no choice is ever wrong."""
    use_row(row)
    used = 0
    for case, (*sizes, options) in CASES.items():
        arrays = tensors(*sizes, options, dtype)
        terms = max(arrays[1].size, arrays[3][..., 0].size)
        actual = passes_where_it_fits(kernels, *arrays, options)
        if not actual:
            continue
        y, dx, *of_weights = passes_of_reference(case, dtype)
        expected = dict(zip(PASSES, ((y,), (dx,), tuple(of_weights)), strict=True))
        for name, results in actual.items():
            assert_close(results, expected[name], WINOGRAD_ERROR**2 * terms)
            used += 1
        if dtype == np.float32:
            same_bits_for_threads(
                lambda arrays=arrays, options=options: sum(
                    passes_where_it_fits(kernels, *arrays, options).values(), ()
                )
            )
    assert used


def rounding_of(name):
    """Return DIRECT or WINOGRAD, as the row of an algorithm says."""
    text = (FOLDER / f"{name}.pyx").read_text(encoding="utf-8")
    return re.search(r"^algorithm = Algorithm\((\w+),", text, re.M)[1]


@cache
def small_integers(case):
    """Return arrays and the exact results of a case."""
    *sizes, options = CASES[case]
    arrays = [np.round(2 * array) for array in tensors(*sizes, options, np.float32)]
    return arrays, passes_where_it_fits(reference, *arrays, options)


@pytest.mark.parametrize("row", range(len(TABLE)), ids=TABLE)
def test_an_algorithm_rounds_as_it_says(row, use_row):
    """Sums of products of small integers are exact; Winograd's thirds are not."""
    use_row(row)
    used, is_exact = 0, True
    for case, (*_, options) in CASES.items():
        arrays, expected = small_integers(case)
        for name, results in passes_where_it_fits(kernels, *arrays, options).items():
            used += 1
            is_exact &= all(map(np.array_equal, results, expected[name]))
    assert used
    assert is_exact == (rounding_of(TABLE[row]) == "DIRECT")


@pytest.mark.parametrize(
    ("case", "algorithm", "rounding"),
    [
        ("channels 17 to 64", "direct", "DIRECT"),
        ("channels 17 to 64", "winograd", "WINOGRAD"),  # its sums fit into a cache
        ("slices of channels", "winograd", "WINOGRAD"),  # and here they do not
        ("stride", "winograd", "DIRECT"),  # it is not for strides
        ("stretches of tiles", "auto", "WINOGRAD"),  # it is faster
        ("one channel", "auto", "DIRECT"),
    ],
)
def test_each_pass_is_computed_by_the_algorithm_that_was_asked_for(
    case, algorithm, rounding, isa, dtype, use_row
):
    """The bits tell which one it was."""
    *sizes, options = CASES[case]
    arrays = tensors(*sizes, options, dtype)
    asked = passes_where_it_fits(kernels, *arrays, {**options, "algorithm": algorithm})
    assert len(asked) == 3
    same = {name: set() for name in asked}
    for row, name in enumerate(TABLE):
        use_row(row)
        for each, results in passes_where_it_fits(kernels, *arrays, options).items():
            if all(map(np.array_equal, results, asked[each])):
                same[each].add(rounding_of(name))
    assert same == {name: {rounding} for name in asked}


@st.composite
def geometries(draw):
    """Any convolution that has an output."""
    if draw(st.integers(0, 3)) == 0:  # depthwise
        groups = c = oc = draw(st.integers(2, 40))
    else:
        groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
        c = groups * draw(st.integers(1, 20))
        oc = groups * draw(st.integers(1, 40))
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(
        tuple(draw(st.integers(0, 4)) for side in range(2)) for axis in range(2)
    )
    window = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = tuple(
        max(1, w - sum(p)) + draw(st.integers(0, 12))
        for w, p in zip(window, padding, strict=True)
    )
    options = {
        "stride": draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        "padding": padding,
        "dilation": dilation,
        "groups": groups,
    }
    return draw(st.integers(0, 3)), size, c, oc, kernel, options


@settings(max_examples=150, deadline=None)
@given(
    geometry=geometries(),
    real=st.sampled_from(["float32", "float64"]),
    algorithm=st.sampled_from(["auto", "direct", "winograd"]),
)
def test_random_shapes(geometry, real, algorithm):
    *sizes, options = geometry
    x, weight, bias, dy = tensors(*sizes, options, real)
    options["algorithm"] = algorithm
    actual = all_passes(kernels, x, weight, bias, dy, options)
    expected = all_passes(reference, x, weight, bias, dy, options)
    tolerance = 1000 * np.finfo(real).eps
    for result, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=tolerance, atol=10 * tolerance)


@settings(max_examples=100, deadline=None)
@given(geometry=geometries(), real=st.sampled_from(["float32", "float64"]))
def test_random_shapes_of_each_algorithm(geometry, real):
    *sizes, options = geometry
    arrays = tensors(*sizes, options, real)
    expected = passes_where_it_fits(reference, *arrays, options)
    tolerance = 1000 * np.finfo(real).eps
    try:
        for row in range(len(TABLE)):
            choose.use_row(row)
            actual = passes_where_it_fits(kernels, *arrays, options)
            for name, results in actual.items():
                for result, wanted in zip(results, expected[name], strict=True):
                    np.testing.assert_allclose(
                        *(result, wanted, tolerance, 10 * tolerance),
                        err_msg=f"{name} by {TABLE[row]}",
                    )
    finally:
        choose.use_row(-1)


@pytest.mark.parametrize(
    ("case", "algorithm"),
    [
        ("stride same", "direct"),
        ("dilation", "direct"),
        ("groups", "direct"),
        ("depthwise", "direct"),
        ("uneven padding", "winograd"),
    ],
)
def test_gradients_are_finite_differences(case, algorithm, isa):
    """Backward against (f(x + e) - f(x - e)) / 2e of the compiled forward pass."""
    *sizes, options = CASES[case]
    options = {**options, "algorithm": algorithm}
    x, weight, bias, dy = (
        np.array(a) for a in tensors(*sizes, options, np.float64, seed=1)
    )
    _, dx, dweight, dbias = all_passes(kernels, x, weight, bias, dy, options)
    rng = np.random.default_rng(2)
    eps = 1e-5
    for array, gradient in ((x, dx), (weight, dweight), (bias, dbias)):
        for place in rng.choice(array.size, min(20, array.size), replace=False):
            values = []
            for sign in (1, -1):
                array.flat[place] += sign * eps
                y = kernels.conv2d_forward(x, weight, bias, **options)
                values.append((y * dy).sum())
                array.flat[place] -= sign * eps
            numeric = (values[0] - values[1]) / (2 * eps)
            assert gradient.flat[place] == pytest.approx(numeric, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("kind", shapes.ACTIVATIONS)
@pytest.mark.parametrize("case", ["groups", "depthwise", "channels 64 to 65"])
def test_fused_activation_is_the_activation_of_the_sum(case, kind, isa, dtype):
    *sizes, options = CASES[case]
    x, weight, bias, _ = tensors(*sizes, options, dtype)
    fused = kernels.conv2d_forward(x, weight, bias, activation=kind, **options)
    apart = kernels.conv2d_forward(x, weight, bias, **options)
    apart = kernels.activation_forward(apart, kind)
    assert fused.tobytes() == apart.tobytes()


def test_out_is_filled_and_returned(isa, dtype):
    x, weight, bias, dy = tensors(2, (5, 6), 3, 9, (3, 3), {"padding": 1}, dtype)
    out = np.full_like(dy, np.nan)
    assert kernels.conv2d_forward(x, weight, bias, padding=1, out=out) is out
    y = kernels.conv2d_forward(x, weight, bias, padding=1)
    assert out.tobytes() == y.tobytes()


def test_views_give_the_result_of_their_copies(dtype):
    """Images stored channels first, and every other image, are read rightly."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3, 7, 8)).astype(dtype).transpose(0, 2, 3, 1)[::2]
    weight = rng.standard_normal((5, 3, 2, 2)).astype(dtype).transpose(2, 3, 1, 0)
    dy = rng.standard_normal((2, 5, 6, 7)).astype(dtype).transpose(0, 2, 3, 1)
    views = all_passes(kernels, x, weight, None, dy, {})
    copies = all_passes(kernels, x.copy(), weight.copy(), None, dy.copy(), {})
    for view, copy in zip(views, copies, strict=True):
        assert view.tobytes() == copy.tobytes()


def test_nothing_is_read_beyond_the_end(isa, dtype, use_row):
    """NaN around the arrays in memory must not reach the result."""

    def surrounded(array):
        memory = np.full(array.size + 128, np.nan, array.dtype)
        inner = memory[64:-64].reshape(array.shape)
        inner[:] = array
        return inner

    cases = (
        "channels 7 to 17",
        "uneven padding",
        "depthwise",
        "one channel",
        "depthwise, few channels",
    )
    for case, row in itertools.product(cases, range(len(TABLE))):
        *sizes, options = CASES[case]
        use_row(row)
        arrays = tensors(*sizes, options, dtype)
        around = map(surrounded, arrays)
        expected = passes_where_it_fits(kernels, *arrays, options)
        actual = passes_where_it_fits(kernels, *around, options)
        assert actual.keys() == expected.keys()
        for name, results in actual.items():
            for result, wanted in zip(results, expected[name], strict=True):
                assert result.tobytes() == wanted.tobytes()


def test_wrong_arguments():
    x, weight = np.zeros((2, 8, 8, 3)), np.zeros((3, 3, 3, 4))
    with pytest.raises(ShapeError, match=r"conv2d: expected x of shape \(n, h, w, c\)"):
        kernels.conv2d_forward(x[0], weight)
    with pytest.raises(ShapeError, match="channels"):
        kernels.conv2d_forward(x[..., :2], weight)
    with pytest.raises(ShapeError, match="larger than the padded"):
        kernels.conv2d_forward(x[:, :2], weight)
    with pytest.raises(ShapeError, match="stride"):
        kernels.conv2d_forward(x, weight, stride=0)
    with pytest.raises(ShapeError, match="bias"):
        kernels.conv2d_forward(x, weight, np.zeros(3))
    with pytest.raises(DtypeError, match="weight is float32 but x is float64"):
        kernels.conv2d_forward(x, weight.astype(np.float32))
    with pytest.raises(DtypeError, match="uint8"):
        kernels.conv2d_forward(x.astype(np.uint8), weight)
    with pytest.raises(ArgumentError, match="unknown activation"):
        kernels.conv2d_forward(x, weight, activation="rule")
    with pytest.raises(ArgumentError, match="did you mean 'winograd'"):
        kernels.conv2d_forward(x, weight, algorithm="winogrod")
    with pytest.raises(ShapeError, match="expected dy"):
        kernels.conv2d_backward_input(np.zeros((2, 5, 6, 4)), weight, x.shape)
    with pytest.raises(ShapeError, match="expected dy"):
        kernels.conv2d_backward_weight(np.zeros((2, 5, 6, 4)), x, 3)


def test_the_algorithm_can_be_set_for_all():
    *sizes, options = CASES["channels 64 to 65"]
    x, weight, _, _ = tensors(*sizes, options, np.float32)
    before = kernels.get_conv_algorithm()
    try:
        for algorithm in ("direct", "winograd"):
            kernels.set_conv_algorithm(algorithm)
            assert kernels.get_conv_algorithm() == algorithm
            chosen = kernels.conv2d_forward(x, weight, padding=1)
            asked = kernels.conv2d_forward(x, weight, padding=1, algorithm=algorithm)
            assert chosen.tobytes() == asked.tobytes()
    finally:
        kernels.set_conv_algorithm(before)
