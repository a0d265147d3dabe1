"""Sequential."""

import copy

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn.activation import LAYERS

X = np.random.default_rng(0).standard_normal((6, 5, 5, 3)).astype(np.float32)
Y = np.array([0, 1, 2, 3, 0, 1])


@pytest.mark.parametrize("layer", [nn.Linear, nn.Conv2d])
@pytest.mark.parametrize("activation", LAYERS.values())
def test_fused_equals_one_by_one(layer, activation):
    if layer is nn.Linear:
        first, x = nn.Linear(75, 8), X.reshape(6, 75)
    else:
        first, x = nn.Conv2d(3, 8, 3), X
    model = nn.Sequential(first, activation())
    x = Tensor(x, requires_grad=True)

    def run(forward):
        model.zero_grad()
        x.grad = None
        y = forward(x)
        (y * y).sum().backward()
        return [y.numpy(), x.grad, first.weight.grad, first.bias.grad]

    for fused, plain in zip(run(model), run(lambda x: model[1](first(x))), strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_and_relu_fused_equal_one_by_one(training, monkeypatch):
    norm, relu = nn.BatchNorm2d(3), nn.ReLU()
    model = nn.Sequential(norm, relu).train(training)
    x = Tensor(X, requires_grad=True)
    activations = []
    batch_norm = F.batch_norm

    def spy(*arrays, **options):
        activations.append(options["activation"])
        return batch_norm(*arrays, **options)

    monkeypatch.setattr(F, "batch_norm", spy)

    def run(forward):
        model.zero_grad()
        x.grad = None
        y = forward(x)
        (y * y).sum().backward()
        return [y.numpy(), x.grad, norm.weight.grad, norm.bias.grad]

    for fused, plain in zip(run(model), run(lambda x: relu(norm(x))), strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-5, atol=1e-5)
    nn.Sequential(norm, nn.Tanh())(x)
    norm.register_forward_hook(lambda *call: None)
    model(x)
    assert activations == ["relu", None, None, None]


@pytest.fixture
def fused_kinds(monkeypatch):
    """Record the activation of each call of F.linear."""
    kinds = []
    linear = F.linear

    def spy(*arrays, activation=None):
        kinds.append(activation)
        return linear(*arrays, activation=activation)

    monkeypatch.setattr(F, "linear", spy)
    return kinds


def test_fuses_only_what_gives_the_same_result(fused_kinds):
    class Mine(nn.ReLU):
        def forward(self, x):
            return x * 2

    model = nn.Sequential(
        *(nn.Linear(4, 4), nn.ReLU()),
        *(nn.Linear(4, 4), nn.LeakyReLU(0.3)),
        *(nn.Linear(4, 4), nn.LeakyReLU()),
        *(nn.Linear(4, 4), Mine()),
        *(nn.Linear(4, 4), nn.Tanh(), nn.ReLU()),
        nn.Linear(4, 4),
    )
    model(np.ones((2, 4)).astype(np.float32))
    assert fused_kinds == ["relu", None, "leaky_relu", None, "tanh", None]


@pytest.mark.parametrize("hooked", [0, 1])
def test_a_hook_prevents_fusion(fused_kinds, hooked):
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    handle = model[hooked].register_forward_hook(lambda *call: None)
    x = np.ones((2, 4), np.float32)
    model(x)
    handle.remove()
    model(x)
    assert fused_kinds == [None, "relu"]


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 1, padding=1)])
def test_relu_waits_for_max_pooling_with_the_same_bits(pool, monkeypatch):
    x = np.random.default_rng(0).standard_normal((3, 6, 6, 2)).astype(np.float32)
    x[0, :3] = -1  # ties, below zero and at it
    x[1, :3] = 0
    x[2, 0, 0] = np.nan
    sizes = []
    activation = F.activation

    def spy(x, kind, parameter):
        sizes.append(x.size)
        return activation(x, kind, parameter)

    monkeypatch.setattr(F, "activation", spy)

    def run(model):
        images = Tensor(x, requires_grad=True)
        y = model(images)
        (y * y).sum().backward()
        return y.numpy(), images.grad

    relu = nn.ReLU()
    model = nn.Sequential(relu, pool)
    results = run(model)
    model[0].register_forward_hook(lambda *call: None)
    for hooked, changed in zip(run(model), results, strict=True):
        np.testing.assert_array_equal(hooked, changed)
    assert sizes == [results[0].size, x.size]  # a hook sees the ReLU of everything


def test_container_protocol():
    first, second, third = nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)
    model = nn.Sequential(first, second).append(third)
    assert len(model) == 3
    assert list(model) == [first, second, third]
    assert model[-1] is third
    head = model[:-1]
    assert isinstance(head, nn.Sequential)
    assert head[0] is first
    model[-1] = nn.Linear(None, 7)
    assert model.build((4,)) == (7,)


def test_empty_is_the_identity():
    x = Tensor(X)
    assert nn.Sequential()(x) is x


def named():
    return nn.Sequential(
        {
            "conv1": nn.Conv2d(3, 4, 3),
            "relu": nn.ReLU(),
            "flat": nn.Flatten(),
            "fc": nn.Linear(36, 2),
        }
    )


def test_layers_have_the_names_that_they_are_given():
    model = named()
    names = ["conv1.weight", "conv1.bias", "fc.weight", "fc.bias"]
    assert list(model.state_dict()) == names
    assert repr(model).splitlines()[1:5:3] == [
        "  (conv1): Conv2d(3, 4, 3)",
        "  (fc): Linear(36, 2)",
    ]
    assert "\nconv1 Conv2d(3, 4, 3) + ReLU " in model.summary((5, 5, 3))
    with pytest.raises(ShapeError, match=r"^layer 'fc' \(Linear\): "):
        model(X[:, :4, :4])
    outer = nn.Sequential({"trunk": model[:-1], "head": nn.Identity()})
    assert list(outer.state_dict()) == ["trunk.conv1.weight", "trunk.conv1.bias"]


def test_names_make_no_other_difference():
    model = named()
    np.testing.assert_array_equal(model(X).data, nn.Sequential(*model)(X).data)


def test_a_named_layer_is_an_item_and_an_attribute():
    model = named()
    assert model.fc is model["fc"] is model[3] is model[-1]
    assert {"conv1", "fc"} < set(dir(model))
    assert not hasattr(model, "conv2")
    for number, assign in enumerate(
        [
            lambda layer: setattr(model, "fc", layer),
            lambda layer: model.__setitem__("fc", layer),
            lambda layer: model.__setitem__(-1, layer),
        ]
    ):
        layer = nn.Linear(36, 3 + number)
        assign(layer)
        assert model[3] is layer
        assert len(model) == 4
        assert list(model.state_dict())[2:] == ["fc.weight", "fc.bias"]
        assert model(X).shape == (6, 3 + number)
    model.scale = 3  # any other attribute is one
    assert (model.scale, len(model)) == (3, 4)
    with pytest.raises(ArgumentError, match="layer 3 must be a Module, got None"):
        model.fc = None


def test_parts_keep_the_names():
    model = named()
    part = model[1:]
    assert part.fc is model.fc
    assert [name for name, _ in part.named_children()] == ["relu", "flat", "fc"]
    assert [name for name, _ in model[:0].named_children()] == []


def test_a_named_chain_grows_and_shrinks():
    model = named()
    assert model.append(nn.Softmax(), "softmax") is model
    model.insert(1, nn.BatchNorm2d(4), name="bn1")
    model.extend({"last": nn.Identity()})
    model[3:4] = {"drop": nn.Dropout(0.5), "flat": nn.Flatten()}
    del model["softmax"]
    del model.relu
    names = ["conv1", "bn1", "drop", "flat", "fc", "last"]
    assert [name for name, _ in model.named_children()] == names
    assert isinstance(model.pop(), nn.Identity)
    assert model(X).shape == (6, 2)


def test_numbered_layers_have_names_too():
    model = nn.Sequential(nn.ReLU(), nn.Flatten())
    assert model["1"] is model[1]
    model["1"] = nn.Identity()
    assert isinstance(model[1], nn.Identity)


def test_a_named_chain_is_saved_and_copied(tmp_path):
    model = nn.Sequential({"features": named()[:-1], "classifier": nn.Linear(36, 2)})
    nn.save(model, tmp_path / "model.safetensors")
    for twin in (nn.load(tmp_path / "model.safetensors"), copy.deepcopy(model)):
        assert repr(twin) == repr(model)
        assert twin.features.conv1.in_channels == 3
        np.testing.assert_array_equal(twin(X).data, model(X).data)
    assert repr(nn.from_config(nn.to_config(nn.Sequential({})))) == "Sequential()"


def test_named_batch_norm_and_relu_are_fused(monkeypatch):
    activations = []
    batch_norm = F.batch_norm

    def spy(*arrays, **options):
        activations.append(options["activation"])
        return batch_norm(*arrays, **options)

    monkeypatch.setattr(F, "batch_norm", spy)
    nn.Sequential({"bn": nn.BatchNorm2d(3), "relu": nn.ReLU()})(X)
    assert activations == ["relu"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["fcc"], "there is no layer 'fcc'; did you mean 'fc'"),
        (lambda m: m.append(nn.ReLU()), r"have names; write append\(layer, name\)"),
        (lambda m: m.extend([nn.ReLU()]), "give a dict of names to layers"),
        (lambda m: m.append(nn.ReLU(), "fc"), "there are two layers 'fc'"),
        (lambda m: m.append(nn.ReLU(), "train"), r"'train' would hide the attribute"),
        (lambda m: m.append(nn.ReLU(), "_items"), "'_items' would hide the attribute"),
        (lambda m: m.append(nn.ReLU(), "a.b"), r"key 'a\.b' of 'Sequential'"),
        (lambda m: m.append(nn.ReLU(), ""), "key '' of 'Sequential'"),
        (lambda m: m.extend({3: nn.ReLU()}), "must be a string, got 3"),
        (
            lambda m: m.append(nn.ReLU, "act"),
            r"must be a Module, .*; write it",
        ),
        (lambda m: nn.Sequential(*m).append(nn.ReLU(), "act"), "'act' would be lost"),
        (lambda m: nn.Sequential({"a": nn.ReLU()}, nn.ReLU()), "layer 0 must be"),
    ],
)
def test_names_that_cannot_be(change, message):
    model = named()
    with pytest.raises(ArgumentError, match=message):
        change(model)
    assert repr(model) == repr(named())


def test_an_attribute_that_does_not_exist():
    with pytest.raises(AttributeError, match="layer 'fcc'; did you mean 'fc'"):
        named().fcc  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute or layer 'fc'$"):
        nn.Sequential().fc  # noqa: B018


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.ReLU, r"layer 1 must be a Module, got .*; write it with \(\)"),
        (F.relu, "layer 1 must be a Module"),
        ([nn.ReLU()], "layer 1 must be a Module"),
    ],
)
def test_refuses_what_is_no_module(layer, message):
    with pytest.raises(ArgumentError, match=message):
        nn.Sequential(nn.ReLU(), layer)


def test_gradients_through_all_layers(check_gradients):
    """S09: every kind of layer in one model, against finite differences."""
    model = nn.Sequential(
        nn.Conv2d(None, 4, 3, padding="same"),
        nn.BatchNorm2d(None),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(None, 4, 2, groups=2),
        nn.SiLU(),
        nn.MaxPool2d(1),
        nn.Flatten(),
        nn.Linear(None, 6),
        nn.BatchNorm1d(None),
        nn.GELU(),
        nn.Linear(None, 4),
    )
    model.build(X.shape[1:])
    model.astype(np.float64)
    x = X.astype(np.float64)
    criterion = nn.CrossEntropyLoss()
    places = [
        (module, name)
        for module in model.modules()
        for name, value in vars(module).items()
        if isinstance(value, nn.Parameter)
    ]

    def loss(*tensors):
        for (module, name), tensor in zip(places, tensors, strict=True):
            vars(module)[name] = tensor  # no assignment: it asks for a Parameter
        return criterion(model(x), Y)

    check_gradients(loss, *(getattr(module, name).data for module, name in places))


def test_a_misspelt_name_makes_no_layer():
    model = nn.Sequential({"body": nn.Linear(2, 3), "fc": nn.Linear(3, 2)})
    with pytest.raises(ArgumentError, match="no layer 'fcc'; did you mean 'fc'"):
        model.fcc = nn.Linear(3, 5)
    assert set(model.state_dict()) == {
        *("body.weight", "body.bias"),
        *("fc.weight", "fc.bias"),
    }
