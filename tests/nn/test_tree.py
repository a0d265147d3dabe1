"""What modules find in their attributes, and what they refuse."""

from collections import OrderedDict, deque, namedtuple

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn, optim
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
Pair = namedtuple("Pair", "first second")


class Nest(nn.Module):
    """Parameters and layers wherever a user may keep them."""

    def __init__(self, size=None):
        self.heads = {"left": nn.Linear(size, 2), "right": nn.Linear(size, 3)}
        self.grid = [[nn.Linear(size, 2)], (nn.BatchNorm1d(size), {3: nn.ReLU()})]
        self.scales = [nn.Parameter(np.ones(4, np.float32))]
        self.named = OrderedDict(shift=[nn.Parameter(np.zeros(4, np.float32))])
        self.pair = Pair(nn.Dropout(0.5), nn.Linear(size, 1))
        self.table = {"epochs": 3, "names": ["a", "b"], (1, 2): "plain data"}

    def forward(self, x):
        x = x * self.scales[0] + self.named["shift"][0]
        x = self.grid[1][0](self.pair.first(x))
        parts = [self.heads["left"](x), self.grid[1][1][3](self.heads["right"](x))]
        return F.concatenate([*parts, self.grid[0][0](x), self.pair.second(x)], axis=1)


PARAMETERS = [
    "scales.0",
    "named.shift.0",
    "heads.left.weight",
    "heads.left.bias",
    "heads.right.weight",
    "heads.right.bias",
    "grid.0.0.weight",
    "grid.0.0.bias",
    "grid.1.0.weight",
    "grid.1.0.bias",
    "pair.1.weight",
    "pair.1.bias",
]
BUFFERS = [
    "grid.1.0.running_mean",
    "grid.1.0.running_var",
    "grid.1.0.num_batches_tracked",
    "pair.0.random_state",
]


# Found -------------------------------------------------------------------------------


def test_dicts_and_nested_lists_have_names():
    model = Nest(4)
    assert [name for name, _ in model.named_parameters()] == PARAMETERS
    assert [name for name, _ in model.named_buffers()] == BUFFERS
    assert list(model.state_dict()) == PARAMETERS + BUFFERS
    assert [name for name, _ in model.named_modules()] == [
        "",
        "heads.left",
        "heads.right",
        "grid.0.0",
        "grid.1.0",
        "grid.1.1.3",
        "pair.0",
        "pair.1",
    ]


def test_all_of_them_are_built_trained_frozen_and_converted():
    model = Nest()
    assert model.build((4,)) == (8,)
    before = model.state_dict()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    (model(X) ** 2).sum().backward()
    optimizer.step()
    after = model.state_dict()
    assert all((before[name] != after[name]).any() for name in PARAMETERS)

    model.freeze()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.grid[1][0].frozen
    model.unfreeze().eval()
    assert not model.pair.first.training
    model.astype(np.float64)
    assert {p.dtype for p in model.parameters()} == {np.dtype(np.float64)}
    assert model.grid[1][0].running_mean.dtype == np.float64
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_state_dict_weights_and_summary(tmp_path):
    first, second = Nest(4).eval(), Nest(4).eval()
    nn.save_weights(first, tmp_path / "w")
    nn.load_weights(second, tmp_path / "w")
    np.testing.assert_array_equal(first(X).numpy(), second(X).numpy())
    table = first.summary((4,))
    for layer in ("heads.left Linear(4, 2)", "heads.right", "grid.0.0", "pair.1"):
        assert layer in table
    total = sum(parameter.size for parameter in first.parameters())
    assert f"{total:,} parameters" in table


@nn.register
class TwoHeads(nn.Module):
    """Takes a dict, to be saved as a whole."""

    def __init__(self, heads, options):
        self.heads, self.options = heads, options

    def forward(self, x):
        return self.heads["left"](x) + self.heads[1](x)


def test_a_model_with_a_dict_is_saved_as_a_whole(tmp_path):
    heads = {"left": nn.Linear(4, 2), 1: nn.Linear(4, 2)}
    model = TwoHeads(heads, {"class": "user's", "deep": {"size": 3}}).eval()
    nn.save(model, tmp_path / "m")
    again = nn.load(tmp_path / "m")
    assert again.options == model.options
    np.testing.assert_array_equal(again(X).numpy(), model(X).numpy())


def test_lists_and_dicts_may_change_after_construction():
    model = Nest(4)
    model.grid[0].append(nn.Linear(4, 7))
    del model.heads["left"]
    model.heads["middle"] = nn.Linear(4, 5)
    model.scales.append(nn.Parameter(np.ones(2)))
    names = [name for name, _ in model.named_parameters()]
    assert {"grid.0.1.weight", "heads.middle.bias", "scales.1"} <= set(names)
    assert "heads.left.weight" not in names


def test_a_parameter_at_two_places_counts_once():
    model = nn.Module()
    shared = nn.Parameter(np.ones(3))
    model.a, model.b = [shared], {"again": [shared]}
    assert [name for name, _ in model.named_parameters()] == ["a.0"]


def test_containers_that_contain_themselves():
    model = nn.Module()
    items = [nn.Linear(2, 2)]
    items.append(items)
    model.items = items
    model.parts = {"whole": model}
    assert [name for name, _ in model.named_modules()] == ["", "items.0"]


def test_attributes_beside_the_layers_of_a_sequential():
    class Net(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Linear(4, 3))
            self.head = nn.Linear(3, 2)

    names = [name for name, _ in Net().named_parameters()]
    assert names == ["0.weight", "0.bias", "head.weight", "head.bias"]


def test_two_of_one_name_are_not_saved_as_one():
    model = nn.Module()
    model.heads = {0: nn.Linear(1, 1), "0": nn.Linear(1, 1)}
    with pytest.raises(ArgumentError, match=r"two .* are called 'heads\.0\.weight'"):
        model.state_dict()


def test_an_error_names_a_layer_in_a_dict():
    model = Nest(4)
    model.heads["left"] = nn.Linear(9, 2)
    with pytest.raises(ValueError, match=r"^layer 'heads\.left' \(Linear\): "):
        model(X)


# Refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.zeros(10), 0.0, [0.0] * 10, Tensor(np.zeros(10))])
@pytest.mark.parametrize("has_bias", [True, False])
def test_a_parameter_is_not_replaced_by_another_thing(value, has_bias):
    layer = nn.Linear(3, 10, bias=has_bias)
    before = layer.bias
    with pytest.raises(
        ArgumentError,
        match=r"Linear: 'bias' is a parameter; write \.bias\.data\[\.\.\.\] = values",
    ):
        layer.bias = value
    assert layer.bias is before


def test_a_parameter_is_exchanged_or_taken_away():
    layer = nn.Linear(3, 2)
    layer.bias = nn.Parameter(np.ones(2, np.float32))
    assert layer(np.zeros((1, 3), np.float32)).numpy().tolist() == [[1, 1]]
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]
    own = nn.Module()
    own.scale = nn.Parameter(np.ones(2))
    with pytest.raises(ArgumentError, match="'scale' is a parameter"):
        own.scale = np.ones(2)


@pytest.mark.parametrize(
    "value",
    [
        Tensor(np.ones(2), requires_grad=True),
        [Tensor(np.ones(2), requires_grad=True)],
        {"w": [Tensor(np.ones(2), requires_grad=True)]},
    ],
)
def test_a_tensor_that_needs_a_gradient_is_no_parameter(value):
    with pytest.raises(ArgumentError, match=r"'w.*' is a Tensor .* nn\.Parameter\("):
        nn.Module().w = value


def test_one_that_comes_in_later_is_found_out_by_the_next_look():
    model = nn.Module()
    model.constants = [Tensor(np.ones(2))]
    assert not model.state_dict()
    model.constants[0].requires_grad = True
    with pytest.raises(ArgumentError, match=r"'constants\.0' is a Tensor"):
        model.state_dict()


def test_results_and_plain_data_are_no_business_of_a_module():
    class Keeps(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(4, 2)
            self.data = {3.5: "a", None: [1, 2], "x.y": X, "set": {1, 2}}

        def forward(self, x):
            self.last = self.linear(x)
            return self.last

    model = Keeps()
    model(X).sum().backward()
    model(X)
    assert len(list(model.parameters())) == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({nn.ReLU()}, "in a set, where they have no names; use a list"),
        (deque([nn.Parameter(np.ones(1))]), "in a deque"),
        ({"a": nn.ReLU()}.values(), "in a dict_values"),
        ([[{nn.ReLU()}]], r"'parts\.0\.0' holds"),
        (np.array([nn.ReLU(), None], object), "in a ndarray"),
        ((nn.ReLU() for _ in range(2)), r"generator .* only once; write list\("),
        (map(nn.Linear, [1], [2]), "map object"),
        ({"a.b": nn.ReLU()}, r"key 'a\.b' of 'parts' .* without dots"),
        ({"": nn.ReLU()}, "key '' of"),
        ({(1, 2): [nn.ReLU()]}, r"key \(1, 2\) of"),
    ],
)
def test_what_cannot_have_a_name_is_refused(value, message):
    model = nn.Module()
    with pytest.raises(ArgumentError, match=message):
        model.parts = value
    assert not hasattr(model, "parts")


@pytest.mark.parametrize("value", [F.relu, np.zeros(3), 0, Tensor(np.zeros(3))])
@pytest.mark.parametrize("before", [nn.Linear(2, 2), [nn.Linear(2, 2)]])
def test_a_layer_is_not_replaced_by_another_thing(before, value):
    model = nn.Module()
    model.head = before
    with pytest.raises(ArgumentError, match=r"'head.*' is trained, or a layer, and"):
        model.head = value
    model.head = nn.Identity()
    model.head = None
    assert not list(model.children())


def test_buffers_stay_arrays():
    model = nn.Module()
    model.register_buffer("steps", np.array(0))
    model.steps = model.steps + 1  # a number for NumPy, no array
    model.load_state_dict({"steps": np.array(5)})
    assert model.steps == 5
    for value in ([1], None, Tensor([1.0])):
        with pytest.raises(ArgumentError, match=r"'steps' is a buffer, .* NumPy array"):
            model.steps = value
        with pytest.raises(ArgumentError, match="'mean' is a buffer"):
            model.register_buffer("mean", value)
    model.register_buffer("steps", np.array(7))
    assert list(model.state_dict()) == ["steps"]
    layer = nn.Linear(2, 2)
    with pytest.raises(ArgumentError, match="'weight' is a parameter"):
        layer.register_buffer("weight", np.zeros((2, 2)))
    assert list(layer.state_dict()) == ["weight", "bias"]
