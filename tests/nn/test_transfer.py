"""Transfer: a new head, and which layers learn (S32)."""

import copy

import numpy as np
import pytest

from fastdl import nn, optim, random
from fastdl.errors import ArgumentError, GraphError


def network():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()),
        nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU()),
        nn.GlobalAvgPool2d(),
        nn.Dropout(0.5),
        nn.Linear(6, 3, weight_init="glorot_normal"),
    )


def pictures(count=8):
    return np.random.default_rng(0).random((count, 8, 8, 1), np.float32)


def learning(model):
    return [name for name, p in model.named_parameters() if p.requires_grad]


def train(model, optimizer=None):
    optimizer = (
        optim.SGD(model.parameters(), lr=0.1) if optimizer is None else optimizer
    )
    optimizer.zero_grad()
    nn.CrossEntropyLoss()(model(pictures()), np.arange(8) % 3).backward()
    optimizer.step()


class Residual(nn.Module):
    def __init__(self):
        self.scale = nn.Parameter(np.ones(4, np.float32))
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        return x + self.bn(self.conv(x)) * self.scale


class Net(nn.Module):
    def __init__(self):
        self.stem = nn.Conv2d(1, 4, 3)
        self.blocks = [Residual(), Residual()]
        self.pool = nn.GlobalAvgPool2d()
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.fc(self.pool(x))


# A new head


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_head_keeps_name_type_and_arguments(dtype):
    """S32"""
    model = network().astype(dtype)
    model.build((8, 8, 1))
    before = model.state_dict()
    assert model.replace_head(7) is model
    head = model[4]
    assert (head.in_features, head.out_features) == (6, 7)
    assert head.weight_init == "glorot_normal"
    assert head.weight.dtype == head.bias.dtype == dtype
    assert not head.bias.numpy().any()
    after = model.state_dict()
    assert after.keys() == before.keys()
    for name in before:
        if not name.startswith("4."):
            np.testing.assert_array_equal(after[name], before[name])
    assert model(pictures().astype(dtype)).shape == (8, 7)


def test_its_weights_are_those_of_a_new_layer():
    model = network()
    random.seed(3)
    model.replace_head(7)
    random.seed(3)
    new = nn.Linear(6, 7, weight_init="glorot_normal")
    np.testing.assert_array_equal(model[4].weight.numpy(), new.weight.numpy())


def test_before_the_sizes_are_known():
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(None, 5), nn.ReLU(), nn.Linear(None, 3)
    )
    model.replace_head(7)
    assert model.build((8, 8, 1)) == (7,)
    assert model[1].out_features == 5


def test_a_convolution_of_1x1_is_a_head():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 3, 1), nn.GlobalAvgPool2d())
    model.build((8, 8, 1))
    model.replace_head(7)
    assert model(pictures()).shape == (8, 7)
    assert model[1].weight.shape == (1, 1, 4, 7)


@pytest.mark.parametrize(
    ("last", "name"),
    [
        (nn.Conv2d(4, 3, 3), r"layer '1' \(Conv2d\)"),
        (nn.Conv2d(4, 4, 1, groups=2), r"layer '1' \(Conv2d\)"),
        (nn.BatchNorm2d(4), r"layer '1' \(BatchNorm2d\)"),
    ],
)
def test_without_a_head(last, name):
    model = nn.Sequential(nn.Conv2d(1, 4, 1), last, nn.GlobalAvgPool2d())
    with pytest.raises(ArgumentError, match=f"last layer with parameters is {name}"):
        model.replace_head(7)
    with pytest.raises(ArgumentError, match="no layer with parameters"):
        nn.Sequential(nn.Flatten()).replace_head(7)


def test_a_head_replaced_twice():
    """S32: a line that was run twice would throw away the head, and say nothing."""
    model = network().replace_head(5)
    with pytest.raises(ArgumentError, match=r"'4' \(Linear\) was replaced before"):
        model.replace_head(7)
    assert model[4].out_features == 5
    assert model.replace_head(7, again=True)[4].out_features == 7
    train(model)
    assert model.replace_head(2)[4].out_features == 2


def test_twice_before_the_sizes_are_known():
    model = nn.Sequential(nn.Flatten(), nn.Linear(None, 3)).replace_head(4)
    with pytest.raises(ArgumentError, match="was replaced before"):
        model.replace_head(4)
    model.build((8, 8, 1))
    with pytest.raises(ArgumentError, match="was replaced before"):
        model.replace_head(4)
    train(model)
    model.replace_head(4)


def test_a_head_with_loaded_weights_is_not_fresh():
    model = network().replace_head(5)
    model.load_state_dict(network().replace_head(5).state_dict())
    assert model.replace_head(7)[4].out_features == 7


def test_a_layer_that_is_listed_last_but_does_not_run_last():
    class Crossed(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(4, 3)
            self.stem = nn.Linear(2, 4)

        def forward(self, x):
            return self.fc(self.stem(x))

    model = Crossed()
    model.build((2,))
    before = model.state_dict()
    with pytest.raises(ArgumentError, match=r"'stem' \(Linear\) cannot have 7 outputs"):
        model.replace_head(7)
    with pytest.raises(ArgumentError, match=r"does not make the output .* is \(3,\)"):
        model.replace_head(4)
    after = model.state_dict()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)
    assert model.stem.out_features == 4
    model.fc.replace_head(7)
    assert model(np.ones((1, 2), np.float32)).shape == (1, 7)


def test_a_new_head_learns_though_the_old_one_was_frozen():
    model = network().freeze().replace_head(7)
    assert learning(model) == ["4.weight", "4.bias"]
    assert not model[4].frozen


@pytest.mark.parametrize("classes", [0, -1, 2.5, None])
def test_no_such_number_of_classes(classes):
    with pytest.raises(ValueError, match="replace_head: classes"):
        network().replace_head(classes)


def test_an_optimiser_from_before_does_not_train_the_old_head():
    """S32: it says so, instead of training nothing."""
    model = network()
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer)
    model.replace_head(4)
    with pytest.raises(GraphError, match=r"make the optimiser after .*replace_head"):
        train(model, optimizer)
    train(model)


def test_with_as_many_classes_an_optimiser_from_before_trains_the_new_head():
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer)
    model.replace_head(3)
    before = model[4].weight.numpy().copy()
    train(model, optimizer)
    assert (model[4].weight.numpy() != before).any()


def test_a_copy_of_a_model_has_a_head_of_its_own():
    model = network()
    other = copy.deepcopy(model).replace_head(7)
    assert model[4].weight.shape == (6, 3)
    assert other[4].weight.shape == (6, 7)


def test_is_saved_with_its_new_size(tmp_path):
    model = network()
    model.build((8, 8, 1))
    nn.save(model.replace_head(7), tmp_path / "m.safetensors")
    loaded = nn.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(
        loaded(pictures()).numpy(), model.eval()(pictures()).numpy()
    )


# Which layers learn


def test_freeze_until():
    """S32: what comes before the layer is frozen, and the rest is left as it is."""
    model = network()
    assert model.freeze(until="4") is model
    assert learning(model) == ["4.weight", "4.bias"]
    model.unfreeze(since="1")
    assert learning(model)[0] == "1.0.weight"
    assert model[0].frozen
    assert model[0][1].frozen
    assert not model[1].frozen
    model.unfreeze().freeze(until="1.1")  # within a layer
    assert learning(model)[:2] == ["1.1.weight", "1.1.bias"]
    assert not model[1].frozen
    model.unfreeze(since="0.1")
    assert learning(model)[0] == "0.1.weight"
    model.freeze(until="0")
    model.unfreeze(since="0")
    assert len(learning(model)) == 10


def test_own_modules_by_the_order_of_their_attributes():
    model = Net().freeze(until="blocks.1.bn")
    assert learning(model) == [
        "blocks.1.bn.weight",
        "blocks.1.bn.bias",
        "fc.weight",
        "fc.bias",
    ]
    model.unfreeze(since="blocks.1")
    assert learning(model)[0] == "blocks.1.scale"


@pytest.mark.parametrize("method", ["freeze", "unfreeze"])
def test_a_layer_that_does_not_exist(method):
    """S32"""
    model = Net()
    option = {"freeze": "until", "unfreeze": "since"}[method]
    with pytest.raises(
        ArgumentError,
        match=rf"{method}: {option}: there is no layer 'block.1'; did you mean "
        r"'blocks.1'\? The layers at the top are stem, blocks.0, blocks.1, pool, fc",
    ):
        getattr(model, method)(**{option: "block.1"})
    with pytest.raises(ArgumentError, match="choose from 'stem'"):
        getattr(model, method)(**{option: ""})
    assert len(learning(model)) == 14


def test_frozen_layers_behave_as_in_evaluation():
    """S32: running values stay, and nothing is dropped."""
    model = network().freeze(until="4").train()
    before = model.state_dict()
    trunk, x = model[:4], pictures()
    evaluated = copy.deepcopy(trunk).eval()(x)
    np.testing.assert_array_equal(trunk(x).numpy(), evaluated.numpy())
    train(model)
    after = model.state_dict()
    changed = [name for name in before if (after[name] != before[name]).any()]
    assert changed == ["4.weight", "4.bias"]


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.5)])
def test_frozen_dropout_is_inactive(layer):
    x = pictures()
    assert (layer.train()(x).numpy() != x).any()
    state = layer.random_state.copy()
    np.testing.assert_array_equal(layer.freeze()(x).numpy(), x)
    np.testing.assert_array_equal(layer.random_state, state)
    assert (layer.unfreeze()(x).numpy() != x).any()


def test_the_summary_counts_what_learns():
    model = network().freeze(until="4")
    assert "(21 trainable)" in model.summary((8, 8, 1))


def test_freezing_before_build_names_the_layer_from_the_model_on():
    """And freezes nothing by half."""
    model = nn.Sequential(
        {
            "stem": nn.Linear(2, 4),
            "body": nn.Sequential(nn.Sequential(nn.Linear(None, 4))),
            "head": nn.Linear(4, 3),
        }
    )
    with pytest.raises(GraphError, match=r"layer 'body\.0\.0' \(Linear\) has no param"):
        model.freeze(until="head")
    assert model.stem.weight.requires_grad
    assert not model.stem.frozen
    model.build((2,))
    model.head = nn.Linear(None, 5)  # what is not frozen may still be open
    model.freeze(until="head")
    assert not model.body[0][0].weight.requires_grad


def test_names_of_the_classes_go_with_the_old_head():
    class Backward(nn.Module):
        def __init__(self):
            self.head, self.body = nn.Linear(4, 3), nn.Linear(2, 4)

        def forward(self, x):
            return self.head(self.body(x))

    model = Backward()
    model.build((2,))
    model.class_names = ["a", "b", "c"]
    with pytest.raises(ArgumentError, match=r"'body' .* cannot have 7 outputs"):
        model.replace_head(7)
    assert model.class_names == ("a", "b", "c")
    model = network()
    model.build((8, 8, 1))
    model.class_names = ["a", "b", "c"]
    assert model.replace_head(7).class_names is None
