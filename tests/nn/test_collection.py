"""ModuleList, ModuleDict, ParameterList, ParameterDict."""

import copy

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, FastdlError

X = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


@nn.register
class Heads(nn.Module):
    """Uses all of them."""

    def __init__(self, blocks, heads):
        self.blocks, self.heads = blocks, heads
        self.scales = nn.ParameterList([np.ones(4, np.float32)])
        self.shifts = nn.ParameterDict({"x": np.zeros(4, np.float32)})

    def forward(self, x):
        x = x * self.scales[0] + self.shifts["x"]
        for block in self.blocks:
            x = F.relu(block(x))
        return self.heads["left"](x) + self.heads["right"](x)


def make():
    return Heads(
        nn.ModuleList(nn.Linear(4, 4) for _ in range(2)),
        nn.ModuleDict({"left": nn.Linear(4, 2), "right": nn.Linear(None, 2)}),
    )


def test_names_are_those_of_pytorch():
    model = make()
    model.build((4,))
    assert list(model.state_dict()) == [
        "blocks.0.weight",
        "blocks.0.bias",
        "blocks.1.weight",
        "blocks.1.bias",
        "heads.left.weight",
        "heads.left.bias",
        "heads.right.weight",
        "heads.right.bias",
        "scales.0",
        "shifts.x",
    ]
    model(X).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_saved_as_a_whole_and_copied(tmp_path):
    model = make()
    model(X)
    nn.save(model, tmp_path / "m")
    again = nn.load(tmp_path / "m")
    assert isinstance(again.blocks, nn.ModuleList)
    assert list(again.heads) == ["left", "right"]
    for twin in (again, copy.deepcopy(model)):
        np.testing.assert_array_equal(twin.eval()(X).numpy(), model.eval()(X).numpy())


def test_parameters_are_no_description(tmp_path):
    with pytest.raises(FastdlError, match=r"Parameter; only .* save the weights alone"):
        nn.save(nn.ParameterList([np.ones(2)]), tmp_path / "m")


def test_a_module_list_is_a_list():
    a, b, c, d = (nn.Linear(1, size) for size in (1, 2, 3, 4))
    modules = nn.ModuleList([a]).append(b).extend([c])
    modules.insert(0, d)
    assert list(modules) == [d, a, b, c]
    assert modules.pop() is c
    del modules[0]
    modules[1:] = [c, d]
    modules += [b]
    assert list(modules) == [a, c, d, b]
    assert b in modules
    assert nn.Linear(1, 1) not in modules
    assert isinstance(modules[1:3], nn.ModuleList)
    assert list(modules[1:3]) == [c, d]
    assert len(modules) == 4
    assert not nn.ModuleList()


def test_a_module_dict_is_a_dict():
    a, b = nn.Linear(1, 1), nn.Linear(1, 2)
    modules = nn.ModuleDict([("a", a)])
    modules["b"] = b
    modules.update({"c": a, 4: b})
    assert list(modules) == ["a", "b", "c", 4]
    assert list(modules.values()) == [a, b, a, b]
    assert modules.pop("c") is a
    assert "c" not in modules
    assert modules.get("c") is None
    assert modules == modules
    assert modules != nn.ModuleDict(modules)
    assert len({modules, nn.ModuleDict()}) == 2
    assert nn.ModuleDict({"items": a, "training": b}).training is True


def test_parameters_are_made_of_arrays():
    values = np.ones(3)
    given = nn.Parameter(values)
    parameters = nn.ParameterList([values, Tensor(values), given])
    assert all(type(parameter) is nn.Parameter for parameter in parameters)
    assert parameters[2] is given
    assert given in parameters
    assert nn.Parameter(values) not in parameters
    assert [name for name, _ in parameters.named_parameters()] == ["0", "1", "2"]


def test_repr():
    assert repr(nn.ModuleList([nn.ReLU()])) == "ModuleList(\n  (0): ReLU()\n)"
    assert repr(nn.ModuleDict()) == "ModuleDict()"
    parameters = nn.ParameterDict({"w": np.ones((2, 3))})
    assert repr(parameters) == "ParameterDict(w: (2, 3))"
    assert repr(nn.Sequential()) == "Sequential()"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.ModuleList([nn.ReLU]),
            r"ModuleList: layer 0 .* write it with \(\)",
        ),
        (lambda: nn.ModuleList(nn.ReLU()), "ModuleList: expected a list, got ReLU"),
        (
            lambda: nn.ModuleDict({"a": F.relu}),
            "ModuleDict: layer 'a' must be a Module",
        ),
        (lambda: nn.ModuleDict({"a.b": nn.ReLU()}), r"key 'a\.b' of 'ModuleDict'"),
        (lambda: nn.ModuleDict(3), "ModuleDict: expected a dict or pairs, got 3"),
        (lambda: nn.ModuleDict([nn.ReLU()]), "ModuleDict: expected a dict or pairs"),
        (lambda: nn.ParameterList([3]), "parameter 0 must be a Parameter, got 3"),
        (lambda: nn.ParameterDict({"w": nn.ReLU()}), "parameter 'w' must be"),
        (lambda: nn.ModuleList().extend(3), "expected a list, got 3"),
    ],
)
def test_what_does_not_belong_there(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_changing_one_checks_too():
    modules, named = nn.ModuleList([nn.ReLU()]), nn.ModuleDict({"a": nn.ReLU()})
    with pytest.raises(ArgumentError, match="layer 0 must be a Module"):
        modules[0] = F.relu
    with pytest.raises(ArgumentError, match="layer 0 must be a Module"):
        modules[:] = [F.relu]
    with pytest.raises(ArgumentError, match="layer 'a' must be a Module"):
        named["a"] = None
    assert [type(layer) for layer in (*modules, *named.values())] == [nn.ReLU] * 2


def test_a_list_runs_nothing_itself():
    with pytest.raises(NotImplementedError, match="ModuleList has no forward method"):
        nn.ModuleList([nn.ReLU()])(X)
