"""Exported models compute the same in onnxruntime, for batches of any size."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import interop, models, nn
from fastdl.autograd import as_tensor, no_grad
from fastdl.errors import FastdlError, GraphError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
PICTURE, ROW, SEQUENCE = (8, 6, 4), (12,), (5, 4)


class Call(nn.Module):
    """A function as a model; it may hold parameters."""

    def __init__(self, function, **parameters):
        self.function = function
        self.held = {name: nn.Parameter(x) for name, x in parameters.items()}

    def forward(self, *x):
        return self.function(*map(as_tensor, x), **self.held)


def filled(model, input_shape):
    """Build a model and give it numbers that hide no error; return it."""
    model.build(input_shape)
    arrays = [(name, p.data) for name, p in model.named_parameters()]
    for name, array in [*arrays, *model.named_buffers()]:
        if name.endswith(("running_var", "std")):
            array[...] = RNG.uniform(0.5, 2, array.shape)
        elif array.dtype.kind == "f":
            # Small enough for the deepest networks, whose norms do not fit them.
            terms = array.size / array.shape[-1] if array.ndim > 1 else 16
            array[...] = RNG.standard_normal(array.shape, np.float32)
            array[...] = 0.05 + array / np.sqrt(terms)
    return model.eval()


def close(got, expected, share=1e-5):
    """Assert that all numbers differ by at most a share of the largest."""
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, 0, share * np.abs(expected).max())


def check(model, input_shape, path, share=1e-5, batches=(1, 3)):
    """Compare a model of one input and output with its export; return the graph."""
    interop.export_onnx(filled(model, input_shape), path, input_shape)
    session = onnxruntime.InferenceSession(path)
    for batch in batches:
        x = RNG.standard_normal((batch, *input_shape)).astype(np.float32)
        (got,) = session.run(["output"], {"input": x})
        with no_grad():
            close(got, model(x).numpy(), share)
    return onnx.load(path).graph


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


@pytest.fixture(autouse=True)
def direct_convolution():
    """Without Winograd, which rounds more."""
    before = fastdl.get_conv_algorithm()
    fastdl.set_conv_algorithm("direct")
    yield
    fastdl.set_conv_algorithm(before)


# Layers ------------------------------------------------------------------------------

LAYERS = {
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d((4, 3)), PICTURE),
    "AdaptiveAvgPool2d, unequal": (nn.AdaptiveAvgPool2d((5, 4)), PICTURE),
    "AdaptiveAvgPool2d, one": (nn.AdaptiveAvgPool2d(1), PICTURE),
    "AvgPool2d": (nn.AvgPool2d(2), PICTURE),
    "AvgPool2d, padding": (nn.AvgPool2d(3, 2, 1), PICTURE),
    "AvgPool2d, inside": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), PICTURE),
    "AvgPool2d, ceil": (nn.AvgPool2d(3, 2, ((1, 0), (1, 1)), True), PICTURE),
    "AvgPool2d, ceil, inside": (nn.AvgPool2d(3, 2, 1, True, False), PICTURE),
    "BatchNorm1d": (nn.BatchNorm1d(None), ROW),
    "BatchNorm1d, sequences": (nn.BatchNorm1d(None), SEQUENCE),
    "BatchNorm2d": (nn.BatchNorm2d(None, eps=1e-3), PICTURE),
    "Conv2d": (nn.Conv2d(None, 8, 3), PICTURE),
    "Conv2d, all options": (
        nn.Conv2d(None, 8, (3, 2), (2, 1), ((2, 1), (0, 1)), (1, 2), 2, False),
        PICTURE,
    ),
    "Conv2d, same": (nn.Conv2d(None, 8, 4, stride=3, padding="same"), PICTURE),
    "Conv2d, depthwise": (nn.Conv2d(None, 4, 3, groups=4), PICTURE),
    "Conv2d, flipped": (nn.Conv2d(None, 8, 3, flip=True), PICTURE),
    "ConvTranspose2d": (nn.ConvTranspose2d(None, 6, 2, stride=2), PICTURE),
    "ConvTranspose2d, all options": (
        nn.ConvTranspose2d(
            *(None, 6, (3, 4), (3, 2), ((1, 0), (2, 1)), (2, 1)), groups=2, dilation=2
        ),
        PICTURE,
    ),
    "DropPath": (nn.DropPath(), PICTURE),
    "Dropout": (nn.Dropout(), ROW),
    "Dropout2d": (nn.Dropout2d(), PICTURE),
    "ELU": (nn.ELU(0.7), ROW),
    "Flatten": (nn.Flatten(), PICTURE),
    "GELU": (nn.GELU(), ROW),
    "GlobalAvgPool2d": (nn.GlobalAvgPool2d(), PICTURE),
    "GroupNorm": (nn.GroupNorm(2), PICTURE),
    "GroupNorm, rows": (nn.GroupNorm(3), ROW),
    "GroupNorm, sequences": (nn.GroupNorm(2), SEQUENCE),
    "HardSwish": (nn.HardSwish(), ROW),
    "Identity": (nn.Sequential(nn.Identity(), nn.Tanh()), ROW),
    "LayerNorm": (nn.LayerNorm(), ROW),
    "LayerNorm, pixels": (nn.LayerNorm(), PICTURE),
    "LayerNorm, pictures": (nn.LayerNorm(PICTURE), PICTURE),
    "LeakyReLU": (nn.LeakyReLU(0.3), ROW),
    "Linear": (nn.Linear(None, 5), ROW),
    "Linear, no bias": (nn.Linear(None, 5, bias=False), ROW),
    "Linear, sequences": (nn.Linear(4, 5), SEQUENCE),
    "Linear, pixels": (nn.Linear(4, 5), PICTURE),
    "MaxPool2d": (nn.MaxPool2d(2), PICTURE),
    "MaxPool2d, ceil": (nn.MaxPool2d(3, 2, ((1, 0), (1, 1)), ceil_mode=True), PICTURE),
    "PReLU": (nn.PReLU(4), PICTURE),
    "PReLU, one": (nn.PReLU(), PICTURE),
    "ReLU": (nn.ReLU(), ROW),
    "ReLU6": (nn.ReLU6(), ROW),
    "Sequential": (nn.Sequential(nn.Linear(None, 4), nn.Tanh()), ROW),
    "SiLU": (nn.SiLU(), ROW),
    "Sigmoid": (nn.Sigmoid(), ROW),
    "Softmax": (nn.Softmax(), ROW),
    "LogSoftmax": (nn.LogSoftmax(), ROW),
    "Softplus": (nn.Softplus(2.0), ROW),
    "Softplus, usual": (nn.Softplus(), ROW),
    "Standardize": (nn.Standardize(), PICTURE),
    "Standardize, rows": (nn.Standardize(), ROW),
    "Tanh": (nn.Tanh(), ROW),
    "Upsample": (nn.Upsample(scale_factor=2), PICTURE),
    "Upsample, size": (nn.Upsample((11, 9)), PICTURE),
    "Upsample, scales": (nn.Upsample(scale_factor=(1.3, 2.6)), PICTURE),
    "Upsample, bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), PICTURE),
    "Upsample, bilinear, size": (nn.Upsample((5, 13), mode="bilinear"), PICTURE),
    "Upsample, bilinear, scales": (
        nn.Upsample(scale_factor=(1.3, 0.6), mode="bilinear"),
        PICTURE,
    ),
    "Upsample, corners": (
        nn.Upsample((5, 13), mode="bilinear", align_corners=True),
        PICTURE,
    ),
}
# What a forward of one's own runs, and what is for training.
OTHERS = {
    *("Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList"),
    "MultiTaskLoss",
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, path):
    """Alone, and between convolutions, where pictures are (n, c, h, w)."""
    check(*LAYERS[name], path)


@pytest.mark.parametrize("name", [n for n, (_, s) in LAYERS.items() if s == PICTURE])
def test_layers_between_convolutions(name, path):
    layer, shape = LAYERS[name]
    if filled(layer, shape)(np.zeros((1, *shape), np.float32)).ndim != 4:
        pytest.skip("the result is no picture")
    graph = check(
        nn.Sequential(nn.Conv2d(None, 4, 1), layer, nn.Conv2d(None, 3, 1)), shape, path
    )
    operators = [node.op_type for node in graph.node]
    assert operators.count("Transpose") == 2
    assert (operators[0], operators[-1]) == ("Transpose", "Transpose")


def test_a_norm_of_pictures_is_one_node(path):
    graph = check(nn.Sequential(nn.BatchNorm2d(None)), PICTURE, path)
    assert [node.op_type for node in graph.node] == [
        *("Transpose", "BatchNormalization", "Transpose")
    ]


def test_no_layer_is_left_out():
    layers = {
        name
        for name, cls in vars(nn).items()
        if inspect.isclass(cls) and issubclass(cls, nn.Module) and not cls._is_loss
    }
    assert {name.split(",")[0] for name in LAYERS} == layers - OTHERS


# Networks ----------------------------------------------------------------------------

# The smallest pictures that leave a pixel; those of the catalogue are too slow.
SIDES = {"alexnet": 67, "lenet5": 28, "s41": 39, "signs_dense": 16, "signs_convnet": 16}
SIDES |= {"digits_convnet": 8, "convnet": 8, "deep_convnet": 8, "strided_convnet": 8}


def network(name):
    """Return a network with few classes, and the shape of an example."""
    known = models.CATALOGUE[name]
    slim = {"width_mult": 0.25} if "width_mult" in models.options(name) else {}
    side = SIDES.get(name, 32)
    return getattr(models, name)(3, **slim), (side, side, known.input_shape[-1])


def quick_or_soak(name):
    """Return the parameter of a test; VGG-11 speaks for the deeper ones."""
    deep = re.match(r"vgg1[369]", name)
    return pytest.param(name, marks=[pytest.mark.soak] if deep else [])


@pytest.mark.parametrize("name", list(map(quick_or_soak, models.CATALOGUE)))
def test_networks(name, path):
    """One transposition at each end at most, and none between."""
    model, shape = network(name)
    graph = check(model, shape, path)
    operators = [node.op_type for node in graph.node]
    ends = {operators[0], operators[-1]}
    assert operators.count("Transpose") <= 2
    assert (operators.count("Transpose") > 0) == ("Transpose" in ends)
    assert "Gather" not in operators  # no features are moved either


@pytest.mark.parametrize("name", ["vgg11", "resnet20", "unet"])
def test_networks_with_winograd(name, path):
    """The exported graph is the same, our own result is rounded more."""
    model, shape = network(name)
    fastdl.set_conv_algorithm("winograd")
    check(model, shape, path, share=1e-4)


def test_weights_have_the_names_of_the_parameters(path):
    model, shape = network("resnet18")
    graph = check(model, shape, path)
    stored = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for name, parameter in model.named_parameters():
        assert sorted(stored[name]) == sorted(parameter.shape)


# Operations --------------------------------------------------------------------------


def picture_to_rows(x):
    return x.reshape(len(x), -1)


SCALE = RNG.random(PICTURE, np.float32)
# name: (function, shape of an example); each is run behind a convolution too.
OPERATIONS = {
    "abs": (F.abs, ROW),
    "activation": (lambda x: F.activation(x, "identity") + 1, ROW),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (4, None)), PICTURE),
    "add": (lambda x: x + SCALE, PICTURE),
    "add, channels": (lambda x: 2 - (x + SCALE[0, 0]), PICTURE),
    "add, of other rank": (lambda x: x + x.mean(axis=(0, 1, 2)), PICTURE),
    "astype": (lambda x: x.astype(np.float64).astype(np.float32), ROW),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), PICTURE),
    "batch_norm": (lambda x: F.batch_norm(x, *SCALE[0, :2]), PICTURE),
    "batch_norm, residual": (
        lambda x: F.batch_norm(x, *SCALE[0, :2], activation="silu", residual=2 * x),
        PICTURE,
    ),
    "broadcast_to": (lambda x: F.broadcast_to(x[:, :1], (len(x), 5, 6, 4)), PICTURE),
    "broadcast_to, of the batch": (
        lambda x: F.concatenate(
            [F.broadcast_to(SCALE[0, 0], (len(x), 1, 4)), x], axis=1
        ),
        SEQUENCE,
    ),
    "clamp": (lambda x: F.clamp(x, -0.5, 0.5), ROW),
    "clamp, from below": (lambda x: x.clamp(min=0.1), ROW),
    "concatenate": (lambda x: F.concatenate([x, 2 * x], axis=-1), PICTURE),
    "concatenate, rows": (
        lambda x: F.concatenate([picture_to_rows(x), x.mean(axis=(1, 2))], axis=1),
        PICTURE,
    ),
    "conv2d": (lambda x: F.conv2d(x, SCALE[:2, :3, :, None]), PICTURE),
    "conv_transpose2d": (
        lambda x: F.conv_transpose2d(x, SCALE[:2, :3, None], stride=2),
        PICTURE,
    ),
    "cumsum": (lambda x: F.cumsum(x, -1), PICTURE),
    "divide": (lambda x: 1 / (x * x + 1), ROW),
    "drop_path": (lambda x: F.drop_path(x, training=False), ROW),
    "dropout": (lambda x: F.dropout(x, training=False), ROW),
    "dropout2d": (lambda x: F.dropout2d(x, training=False), PICTURE),
    "einsum": (lambda x: F.einsum("bic,bjc->bij", x, x), SEQUENCE),
    "elu": (F.elu, ROW),
    "exp": (F.exp, ROW),
    "expand_dims": (lambda x: F.expand_dims(x, 1), SEQUENCE),
    "flatten": (lambda x: F.flatten(x, 1), PICTURE),
    "flatten, pixels": (lambda x: F.flatten(x, 1, 2), PICTURE),
    "flip": (lambda x: F.flip(x, (1, 3)), PICTURE),
    "flip, rows": (lambda x: F.flip(picture_to_rows(x), 1), PICTURE),
    "gelu": (F.gelu, ROW),
    "global_avg_pool2d": (F.global_avg_pool2d, PICTURE),
    "group_norm": (lambda x: F.group_norm(x, 4), PICTURE),
    "hard_swish": (F.hard_swish, ROW),
    "index": (lambda x: x[:, 1:-1, ::-2, 3:], PICTURE),
    "index, integers": (lambda x: x[:, 2, :, -1], PICTURE),
    "index, new axis": (lambda x: x[:, 1, None, ..., None], SEQUENCE),
    "index, a list": (lambda x: x[:, [2, 0, -1]], PICTURE),
    "index, a mask": (lambda x: x[..., SCALE[0, 0] > 0.3], PICTURE),
    "index, examples": (lambda x: x[::-1], ROW),
    "layer_norm": (lambda x: F.layer_norm(x, (4,), SCALE[0, 0]), PICTURE),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.2), ROW),
    "linear": (lambda x: F.linear(x, SCALE[0].T, activation="tanh"), PICTURE),
    "log": (lambda x: F.log(x * x + 1), ROW),
    "log_softmax": (F.log_softmax, PICTURE),
    "logsumexp": (lambda x: F.logsumexp(x, (1, 3)), PICTURE),
    "matmul, of stacks": (
        lambda x: x.reshape(-1, 2, 3, 2) @ SCALE.reshape(-1)[:12].reshape(2, 2, 3),
        ROW,
    ),
    "matmul": (lambda x: x @ SCALE.reshape(12, 16), ROW),
    "max": (lambda x: x.max(axis=(1, 2)), PICTURE),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), PICTURE),
    "maximum": (lambda x: F.maximum(x, 0.1), PICTURE),
    "mean": (lambda x: x.mean(axis=-1, keepdims=True), PICTURE),
    "mean, of all": (F.mean, PICTURE),
    "mean, of no axis": (lambda x: x.mean(axis=()), PICTURE),
    "mean, of examples": (lambda x: x - x.mean(axis=0), ROW),
    "min": (lambda x: x.min(axis=3), PICTURE),
    "minimum": (lambda x: F.minimum(SCALE, x), PICTURE),
    "multiply": (lambda x: x * x * 0.5, PICTURE),
    "negative": (lambda x: -x, PICTURE),
    "norm": (lambda x: F.norm(x, axis=1), PICTURE),
    "norm, 1": (lambda x: x.norm(1, axis=(1, 2), keepdims=True), PICTURE),
    "norm, 3": (lambda x: F.norm(x, 3, axis=-1), PICTURE),
    "norm, inf": (lambda x: F.norm(x, np.inf, axis=1), PICTURE),
    "normalize": (lambda x: F.normalize(x, axis=1), PICTURE),
    "pad": (lambda x: F.pad(x, [(0, 0), (1, 0), (0, 2), (1, 1)], 0.5), PICTURE),
    "power": (lambda x: (x * x + 1) ** 1.5, PICTURE),
    "prelu": (lambda x: F.prelu(x, SCALE[0, 0]), PICTURE),
    "prod": (lambda x: F.prod(x, (1, 3)), PICTURE),
    "relu": (F.relu, PICTURE),
    "relu6": (lambda x: F.relu6(9 * x), PICTURE),
    "reshape": (lambda x: x.reshape(len(x), 4, 8, 6), PICTURE),
    "reshape, of the batch": (lambda x: x.reshape(-1, 4), PICTURE),
    "scale": (lambda x: F.scale(x, x[:, 1:2, 2:3]), PICTURE),
    "sigmoid": (F.sigmoid, PICTURE),
    "silu": (F.silu, PICTURE),
    "softmax": (F.softmax, PICTURE),
    "softmax, of pixels": (lambda x: F.softmax(x, axis=1), PICTURE),
    "softplus": (F.softplus, PICTURE),
    "split": (lambda x: F.split(x, 3, axis=-1)[1], PICTURE),
    "sqrt": (lambda x: F.sqrt(F.abs(x)), PICTURE),
    "squeeze": (lambda x: F.squeeze(x[..., :1], -1), PICTURE),
    "stack": (lambda x: F.stack([x, 2 * x], axis=1), SEQUENCE),
    "std": (lambda x: x.std(axis=(1, 2)), PICTURE),
    "subtract": (lambda x: SCALE - x, PICTURE),
    "sum": (lambda x: x.sum(axis=(1, 3), keepdims=True), PICTURE),
    "sum, of an axis of 1": (lambda x: x[:, :1].sum(axis=2), PICTURE),
    "tanh": (F.tanh, PICTURE),
    "transpose": (lambda x: x.transpose(0, 3, 1, 2).reshape(len(x), -1), PICTURE),
    "transpose, matrices": (lambda x: x.T.reshape(4, 5, -1), SEQUENCE),
    "unsqueeze": (lambda x: F.unsqueeze(x, -1), ROW),
    "upsample": (lambda x: F.upsample(x, scale_factor=3), PICTURE),
    "var": (lambda x: x.var(axis=3, correction=0, keepdims=True), PICTURE),
    "var, of examples": (lambda x: x.var(axis=0, correction=0), ROW),
    "where": (lambda x: F.where(SCALE > 0.5, x, 0), PICTURE),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name, path):
    function, shape = OPERATIONS[name]
    check(Call(function), shape, path, batches=(2, 5))


@pytest.mark.parametrize(
    "name", [name for name, (_, shape) in OPERATIONS.items() if shape == PICTURE]
)
def test_operations_behind_a_convolution(name, path):
    function, shape = OPERATIONS[name]
    check(nn.Sequential(nn.Conv2d(None, 4, 1), Call(function)), shape, path)


# What cannot be exported, with a word of the message.
REFUSED = {
    "batch_norm": (
        lambda x: F.batch_norm(x, *np.zeros((2, 12), np.float32), training=True),
        "training=self.training",
    ),
    "binary_cross_entropy_with_logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, np.zeros(x.shape)),
        "for training",
    ),
    "cross_entropy": (
        lambda x: F.cross_entropy(x, np.zeros(len(x), int)),
        "for training",
    ),
    "drop_path": (F.drop_path, "random numbers"),
    "dropout": (F.dropout, "random numbers"),
    "hardmax": (F.hardmax, "from the values of the input"),
    "l2_penalty": (lambda x: F.l2_penalty([x], 1.0), "for training"),
    "mse_loss": (lambda x: F.mse_loss(x, np.zeros(x.shape)), "for training"),
    "take_along_axis": (lambda x: F.take_along_axis(x, [[0]], 1), "one list"),
    "index, an example of each": (lambda x: x[np.arange(len(x))], "depends on"),
    "index, two lists": (
        lambda x: x.reshape(len(x), 3, 4)[:, [0, 1], [1, 1]],
        "one list",
    ),
    "one_hot": (
        lambda x: x + F.one_hot(as_tensor(x).numpy().argmax(1), x.shape[1]),
        "from the values",
    ),
    "std, of examples": (lambda x: x.std(axis=0, correction=0.5), "correction=0"),
    "numbers of the input": (lambda x: x * float(x.numpy().max()), "from the values"),
    "the batch": (lambda x: x / len(x), "the size of the batch"),
    "a choice by the batch": (
        lambda x: x if len(x) == 2 else x + 1,
        "something else for 3 examples",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, path):
    function, word = REFUSED[name]
    with pytest.raises(GraphError, match=word):
        interop.export_onnx(Call(function), path, ROW)
    assert not path.exists()


LOSSES = {name for name in F.__all__ if "loss" in name or "penalty" in name} | {
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
}


def test_no_operation_is_left_out():
    tried = {name.split(",")[0] for name in OPERATIONS | REFUSED}
    assert tried | LOSSES | {"argmax", "argmin"} >= set(F.__all__)


# Graphs ------------------------------------------------------------------------------


def run_all(model, path, x):
    """Compare each output with that of onnxruntime, by name; return the session."""
    session = onnxruntime.InferenceSession(path)
    expected = model(*x) if isinstance(x, tuple) else model(**x)
    with no_grad():
        named = dict(_named(expected, "output"))
    feeds = dict(_named(x, "input"))
    for name, got in zip(named, session.run(list(named), feeds), strict=True):
        close(got, named[name].numpy())
    return session


def _named(structure, name):
    if isinstance(structure, tuple):
        return [
            pair for i, x in enumerate(structure) for pair in _named(x, f"{name}_{i}")
        ]
    if isinstance(structure, dict):
        return list(structure.items())
    return [(name, structure)]


def pictures(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


class TwoTowers(nn.Module):
    """Branches, a layer that is used twice, and rows of pictures that are joined."""

    def __init__(self):
        self.shared = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm1d(None)
        self.features, self.head = nn.Linear(None, 5), nn.Linear(None, 2)

    def forward(self, left, right):
        a, b = F.relu(self.shared(left)), F.max_pool2d(self.shared(right), 2)
        rows = F.concatenate([F.flatten(a, 1), F.flatten(b, 1)], axis=1)
        features = self.features(F.tanh(self.norm(rows)))
        return self.head(features), a + 1, features


def test_branches_and_several_inputs_and_outputs(path):
    model = filled(TwoTowers(), ((4, 6, 3), (8, 4, 3)))
    interop.export_onnx(model, path)
    run_all(model, path, (pictures(3, 4, 6, 3), pictures(3, 8, 4, 3)))
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("Transpose") == 3
    assert "Gather" not in operators


class Named(nn.Module):
    """Inputs and outputs by names, two of which are the same."""

    def __init__(self):
        self.body = nn.Linear(4, 3)

    def forward(self, x, skip):
        y = self.body(x)
        skip = as_tensor(skip)
        return {"y": y, "again": y, "skip": skip, "weight": self.body.weight}


def test_inputs_and_outputs_by_name(path):
    model = filled(Named(), {"x": (4,), "skip": (2, 2, 1)})
    interop.export_onnx(model, path, {"x": (4,), "skip": (2, 2, 1)})
    session = onnxruntime.InferenceSession(path)
    assert [x.name for x in session.get_inputs()] == ["x", "skip"]
    names = [y.name for y in session.get_outputs()]
    assert names == ["y", "again", "skip_output", "weight"]
    x, skip = pictures(2, 4), pictures(2, 2, 2, 1)
    y, again, same, weight = session.run(None, {"x": x, "skip": skip})
    close(y, model.body(x).numpy())
    np.testing.assert_array_equal(y, again)
    np.testing.assert_array_equal(same, skip)
    np.testing.assert_array_equal(weight, model.body.weight.numpy())


class Decoder(nn.Module):
    """Rows that become pictures: the dense layer gives them in ONNX's order."""

    def __init__(self):
        self.grow = nn.Sequential(nn.Linear(5, 60), nn.BatchNorm1d(None), nn.PReLU(60))
        self.paint = nn.ConvTranspose2d(4, 3, 2, stride=2)

    def forward(self, x):
        x = F.tanh(self.grow(x))
        return self.paint(F.reshape(x, (len(x), 5, 3, 4)))


def test_rows_that_become_pictures(path):
    graph = check(Decoder(), (5,), path)
    operators = [node.op_type for node in graph.node]
    assert operators.count("Transpose") == 1  # at the end
    assert "Gather" not in operators


class Attention(nn.Module):
    """Axes that are moved about, and products of what was computed."""

    def __init__(self):
        self.qkv = nn.Linear(8, 24)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = F.split(self.qkv(x).reshape(n, length, 3, width), 1, axis=2)
        q, k, v = (F.squeeze(each, 2) for each in (q, k, v))
        scores = F.softmax(F.einsum("nqc,nkc->nqk", q, k) / width**0.5)
        return F.einsum("nqk,nkc->nqc", scores, v) + x


def test_attention(path):
    check(Attention(), (5, 8), path)


class Plain(nn.Module):
    """Constants of all kinds."""

    def __init__(self):
        self.frozen = nn.Linear(4, 3)
        self.frozen.weight.requires_grad = self.frozen.bias.requires_grad = False
        self.offset = fastdl.tensor([1.0, 2.0, 3.0])
        self.register_buffer("scale", np.array([3.0, 2.0, 1.0], np.float32))

    def forward(self, x):
        with no_grad():
            y = F.linear(as_tensor(x).detach(), self.frozen.weight, self.offset)
            y += self.frozen.bias
        return (y + self.offset) * self.scale


def test_constants_and_frozen_layers(path):
    model = Plain()
    check(model, (4,), path)
    assert not model.frozen.weight.requires_grad
    assert not model.offset.requires_grad


def test_a_tensor_from_outside_is_refused(path):
    outside = fastdl.tensor(2.0)
    with pytest.raises(GraphError, match=r"nn\.Parameter"):
        interop.export_onnx(Call(lambda x: x * outside), path, ROW)
    bias, weight = fastdl.tensor([1.0, 2, 3]), np.ones((12, 3), np.float32)
    with pytest.raises(GraphError, match="the tape does not see"):
        interop.export_onnx(Call(lambda x: F.linear(x, weight, bias)), path, ROW)


# Files -------------------------------------------------------------------------------


def test_the_file_says_what_it_is(path):
    model = nn.Sequential(nn.Conv2d(None, 2, 3), nn.Flatten(), nn.Linear(None, 2))
    model.class_names = ("cat", "dog")
    interop.export_onnx(model, path, (8, 8, 1))
    written = onnx.load(path)
    onnx.checker.check_model(written, full_check=True)
    assert [(each.domain, each.version) for each in written.opset_import] == [("", 20)]
    assert written.producer_name == "fastdl"
    (x,), (y,) = written.graph.input, written.graph.output
    sizes = [
        [size.dim_param or size.dim_value for size in each.type.tensor_type.shape.dim]
        for each in (x, y)
    ]
    assert sizes == [["batch", 8, 8, 1], ["batch", 2]]
    assert {p.key: p.value for p in written.metadata_props} == {
        "class_names": '["cat", "dog"]'
    }


def test_double_precision(path):
    model = nn.Sequential(nn.Linear(None, 4), nn.ReLU())
    model.build((3,))
    model.astype(np.float64)
    interop.export_onnx(model, path, (3,))
    x = RNG.standard_normal((5, 3))
    (y,) = onnxruntime.InferenceSession(path).run(None, {"input": x})
    close(y, model(x).numpy(), 1e-12)


def test_export_changes_nothing(path):
    model = nn.Sequential(nn.Linear(None, 3), nn.Dropout(), nn.BatchNorm1d(3))
    model.build((4,))
    before = model.state_dict()
    interop.export_onnx(model, path)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    model(pictures(3, 4)).sum().backward()  # it can be trained as before


def test_a_shape_is_needed(path):
    with pytest.raises(GraphError, match="input_shape"):
        interop.export_onnx(nn.Tanh(), path)


def test_without_the_package(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(FastdlError, match=r"fastdl-cpu\[onnx\]"):
        interop.export_onnx(nn.Tanh(), path, ROW)
