"""Initial weights: variances, fans, seeds (S08)."""

import math
from functools import partial

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn, random
from fastdl.autograd import Tensor, no_grad
from fastdl.errors import ArgumentError, DtypeError, ShapeError
from fastdl.nn import init

DENSE = (400, 300)
FILTERS = (3, 5, 64, 32)  # fan_in 960, fan_out 480


@pytest.mark.parametrize("form", ["normal", "uniform"])
@pytest.mark.parametrize(
    ("name", "shape", "variance"),
    [
        ("he", DENSE, 2 / 400),
        ("he", FILTERS, 2 / 960),
        ("xavier", DENSE, 1 / 400),
        ("xavier", FILTERS, 1 / 960),
        ("lecun", DENSE, 1 / 400),
        ("glorot", DENSE, 2 / 700),
        ("glorot", FILTERS, 2 / 1440),
    ],
)
def test_variance(name, form, shape, variance):
    """S08: 2 / n_in, 1 / n_in and 2 / (n_in + n_out)."""
    draw = getattr(init, f"{name}_{form}")
    weight = draw(shape, rng=np.random.default_rng(1))
    assert weight.shape == shape
    assert weight.dtype == np.float32
    assert np.var(weight, dtype=np.float64) == pytest.approx(variance, rel=0.03)
    assert abs(weight.mean()) < 4 * math.sqrt(variance / weight.size)
    if form == "uniform":
        assert np.abs(weight).max() <= math.sqrt(3 * variance) * 1.0001


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "glorot_normal"])
def test_custom_gain_multiplies_the_weights(name):
    """S08"""
    draw = getattr(init, name)
    one = draw(DENSE, gain=1.0, rng=np.random.default_rng(2))
    five = draw(DENSE, gain=5.0, rng=np.random.default_rng(2))
    np.testing.assert_allclose(five, 5 * one, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(init._METHODS))
def test_double_precision(name):
    """S08: float64 has digits of its own; the same seed gives the same variance."""
    draw, options = getattr(init, name), {}
    if name != "zeros":
        options["rng"] = np.random.default_rng(4)
    weight = draw(DENSE, dtype=np.float64, **options)
    assert weight.dtype == np.float64
    single = draw(DENSE)
    assert single.dtype == np.float32
    assert weight.std() == pytest.approx(single.std(), rel=0.02)
    if name != "zeros":
        assert (weight != weight.astype(np.float32)).any()


@pytest.mark.parametrize("dtype", [np.float16, int, "real", None])
def test_types_that_no_weight_has(dtype):
    with pytest.raises(DtypeError, match=r"^init: .*"):
        init.he_normal(DENSE, dtype=dtype)
    with pytest.raises(DtypeError, match=r"^Linear: .*"):
        nn.Linear(3, 2, dtype=dtype)


LAYERS = {
    "Linear": ((3,), lambda **o: nn.Linear(3, 2, **o)),
    "Linear, open": ((3,), lambda **o: nn.Linear(None, 2, **o)),
    "Conv2d": ((4, 4, 3), lambda **o: nn.Conv2d(3, 2, 3, **o)),
    "Conv2d, open": ((4, 4, 4), lambda **o: nn.Conv2d(None, 4, 3, groups=2, **o)),
    "ConvTranspose2d": ((4, 4, 3), lambda **o: nn.ConvTranspose2d(3, 2, 2, **o)),
    "ConvTranspose2d, open": (
        (4, 4, 4),
        lambda **o: nn.ConvTranspose2d(None, 2, 2, groups=2, **o),
    ),
}
NORMS = {
    "BatchNorm1d": ((3,), lambda **o: nn.BatchNorm1d(3, **o)),
    "BatchNorm2d, open": ((4, 4, 3), lambda **o: nn.BatchNorm2d(None, **o)),
    "LayerNorm": ((4, 3), lambda **o: nn.LayerNorm((4, 3), **o)),
    "LayerNorm, open": ((3,), lambda **o: nn.LayerNorm(**o)),
    "GroupNorm": ((4, 4, 3), lambda **o: nn.GroupNorm(1, 3, **o)),
    "PReLU": ((3,), lambda **o: nn.PReLU(3, **o)),
}


@pytest.mark.parametrize("name", LAYERS | NORMS)
@pytest.mark.parametrize("dtype", ["float64", np.float64, np.float32])
def test_the_type_of_a_layer(name, dtype, tmp_path):
    shape, make = (LAYERS | NORMS)[name]
    model = nn.Sequential(make(dtype=dtype))
    layer = model[0]
    assert layer.dtype == dtype
    model.build(shape)
    arrays = [a for a in model.state_dict().values() if a.dtype.kind == "f"]
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}
    x = np.random.default_rng(0).standard_normal((5, *shape)).astype(dtype)
    y = model.eval()(x)
    assert y.dtype == dtype
    nn.save(model, tmp_path / "model")
    again = nn.load(tmp_path / "model")
    np.testing.assert_array_equal(again(x).data, y.data)
    assert nn.from_config(nn.to_config(model))[0].dtype == dtype
    assert ("dtype" in layer.config()) == (layer.dtype == np.float64)
    assert model.astype(np.float32)[0].dtype == np.float32


def test_a_small_network_in_double_precision(check_gradients):
    model = nn.Sequential(
        nn.Conv2d(None, 2, 3, dtype="float64"),
        nn.BatchNorm2d(None, dtype="float64"),
        nn.Flatten(),
        nn.Linear(None, 2, dtype="float64"),
    )
    x = np.random.default_rng(0).standard_normal((3, 4, 4, 1))
    model.build((4, 4, 1))
    check_gradients(lambda x: model(x), x)


@pytest.mark.parametrize("kind", ["function", "partial", "array", "list", "tensor"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_weights_of_ones_own(name, dtype, kind, tmp_path):
    shape, make = LAYERS[name]
    plain = make()
    plain.build(shape)
    wanted = np.random.default_rng(5).standard_normal(plain.weight.shape)
    asked = []

    def function(shape):
        asked.append(shape)
        return wanted

    given = {
        "function": function,
        "partial": partial(init.normal, std=3, rng=np.random.default_rng(5)),
        "array": wanted,
        "list": wanted.tolist(),
        "tensor": Tensor(wanted),
    }[kind]
    layer = make(weight_init=given, dtype=dtype)
    layer.build(shape)
    assert layer.weight.dtype == dtype
    assert not np.shares_memory(layer.weight.data, wanted)
    if kind == "partial":
        expected = init.normal(wanted.shape, 3, rng=np.random.default_rng(5))
        np.testing.assert_array_equal(layer.weight.data, expected.astype(dtype))
    else:
        np.testing.assert_array_equal(layer.weight.data, wanted.astype(dtype))
    assert asked == [wanted.shape] * (kind == "function")
    nn.save(nn.Sequential(layer), tmp_path / "model")
    again = nn.load(tmp_path / "model")[0]
    np.testing.assert_array_equal(again.weight.data, layer.weight.data)
    assert again.weight_init == "he_normal"


def test_a_function_of_this_module_is_its_name():
    assert nn.Linear(3, 2, weight_init=init.orthogonal).weight_init == "orthogonal"
    assert nn.Linear(3, 2, dtype="float64", weight_init=init.he_normal).dtype == "f8"


def test_a_new_head_asks_the_function_again():
    model = nn.Sequential(nn.Linear(3, 2, weight_init=np.ones))
    model.build((3,))
    model.replace_head(4)
    assert model[0].weight.data.tolist() == np.ones((3, 4)).tolist()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (np.ones((2, 3)), ShapeError, r"shape \(3, 2\), got \(2, 3\); .*\(\.T\)"),
        (np.random.randn, ArgumentError, r"lambda shape: f\(\*shape\)"),
        (lambda shape: 0.0, ShapeError, r"weight_init of shape \(3, 2\), got \(\)"),
        (lambda shape: np.full(shape, "a"), DtypeError, "numbers, got <U1"),
        ([[1, 2], [3]], ShapeError, "same length"),
        ("he_noraml", ArgumentError, "no method 'he_noraml'; did you mean"),
        (3, ArgumentError, "or give a function of the shape or an array"),
    ],
)
def test_wrong_weights(given, error, message):
    with pytest.raises(error, match=f"^Linear: .*{message}"):
        nn.Linear(3, 2, weight_init=given)


def test_normal_and_uniform():
    weight = init.normal((200, 200), std=3.0, mean=10.0)
    assert weight.mean() == pytest.approx(10, abs=0.1)
    assert weight.std() == pytest.approx(3, rel=0.03)
    weight = init.uniform((200, 200), -1.0, 5.0)
    assert weight.min() >= -1
    assert weight.max() <= 5
    assert weight.mean() == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (3, 3, 4, 10), (1, 1, 4, 9)])
def test_orthogonal(shape):
    """S08: a rotation keeps lengths; the gain multiplies them."""
    weight = init.orthogonal(shape, gain=2.0, rng=np.random.default_rng(3))
    assert weight.shape == shape
    assert weight.dtype == np.float32
    matrix = weight.reshape(-1, shape[-1]) / 2
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-6)


def test_orthogonal_keeps_the_length_through_50_linear_layers():
    """S08"""
    x = start = np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)
    with no_grad():
        for _ in range(50):
            x = nn.Linear(64, 64, bias=False, weight_init="orthogonal")(x).numpy()
    lengths = np.linalg.norm(x, axis=1) / np.linalg.norm(start, axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-4)


@pytest.mark.parametrize(
    ("activation", "method", "gain"),
    [
        ("relu", "he_normal", math.sqrt(2)),
        ("gelu", "he_normal", math.sqrt(2)),
        ("elu", "he_normal", math.sqrt(2)),
        ("softplus", "glorot_normal", 1),
        ("leaky_relu", "he_normal", math.sqrt(2 / 1.0001)),
        ("tanh", "xavier_normal", 1),
        ("sigmoid", "glorot_normal", 1),
        (None, "glorot_normal", 1),
    ],
)
def test_by_the_activation_that_follows(activation, method, gain):
    """S08: 2 / n_in before ReLU, 1 / n_in before tanh."""
    assert init.for_activation(activation) == method
    assert init.gain(activation) == pytest.approx(gain)


def test_gain_of_a_slope():
    assert init.gain("leaky_relu", 1.0) == pytest.approx(1)


def test_layers_take_the_name_of_a_method():
    """S08"""
    layer = nn.Linear(400, 300, weight_init="glorot_normal")
    assert layer.weight.data.var() == pytest.approx(2 / 700, rel=0.05)
    layer = nn.Conv2d(None, 64, 5, weight_init="lecun_normal")
    layer.build((8, 8, 32))
    assert layer.weight.data.var() == pytest.approx(1 / 800, rel=0.05)
    assert not nn.Linear(3, 3, weight_init="zeros").weight.data.any()


def test_names_that_do_not_exist():
    with pytest.raises(ArgumentError, match="no method 'he_noraml'; did you mean"):
        nn.Linear(3, 3, weight_init="he_noraml")
    with pytest.raises(ArgumentError, match="gain: unknown activation 'rleu'"):
        init.gain("rleu")


def test_zeros_and_constant():
    assert not init.zeros((3,)).any()
    assert (init.constant((2, 3), 0.25) == 0.25).all()


def test_the_librarys_seed_fixes_the_weights():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    random.seed(5)
    first, second = init.he_normal(DENSE), init.he_normal(DENSE)
    random.seed(5)
    assert np.array_equal(init.he_normal(DENSE), first)
    assert not np.array_equal(first, second)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_vector_has_no_fans():
    with pytest.raises(
        ShapeError, match=r"init: a weight has 2 axes .* got shape \(5,\)"
    ):
        init.he_normal((5,))


@pytest.mark.parametrize("scale", [1.5, 0.5])
def test_linear_net_explodes_or_vanishes(scale):
    """S08: W = 1.5 I multiplies a signal by 1.5^(L-1), 0.5 I by 0.5^(L-1)."""
    layers = []
    for _ in range(50 - 1):
        layer = nn.Linear(3, 3, bias=False)
        layer.weight.data[...] = scale * np.eye(3)
        layers.append(layer)
    model = nn.Sequential(*layers).astype(np.float64)
    y = model(np.ones((1, 3)))
    np.testing.assert_allclose(y.numpy(), scale ** (50 - 1), rtol=1e-12)


def test_he_keeps_relu_variance_flat():
    """S08: over 50 layers of ReLU the activations keep their size.

    The draws of all layers together let it drift by some percent a layer at random; 1 /
    fan_in instead loses half the variance in each.
    """
    for method, low, high in [
        ("he_normal", 0.3, 3),
        ("he_uniform", 0.3, 3),
        ("xavier_normal", 2**-51, 2**-46),
    ]:
        random.seed(0)
        x = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
        sizes = []
        with no_grad():
            for _ in range(50):
                layer = nn.Linear(256, 256, weight_init=method)
                x = F.relu(layer(x)).numpy()
                sizes.append(float((x.astype(np.float64) ** 2).mean()))
        assert low < sizes[-1] / sizes[0] < high, method
