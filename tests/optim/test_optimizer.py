"""Flat arrays, groups, saved state, errors."""

import json

import numpy as np
import pytest

from fastdl import backend, functional, nn, optim
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, FastdlError, GraphError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((16, 5)).astype(np.float32)
Y = RNG.integers(0, 3, 16)
RULES = {
    "SGD": lambda params: optim.SGD(params, lr=0.1),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "RMSprop": lambda params: optim.RMSprop(params, lr=0.01),
    "RMSprop, all": lambda params: optim.RMSprop(params, momentum=0.9, centered=True),
    "Adagrad": lambda params: optim.Adagrad(params, lr=0.01),
    "Adam": lambda params: optim.Adam(params, lr=0.01),
    "AMSGrad": lambda params: optim.Adam(params, lr=0.01, amsgrad=True),
    "AdamW": lambda params: optim.AdamW(params, lr=0.01),
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def make_model(seed=1):
    rng = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))
    for parameter in model.parameters():
        parameter.data[...] = rng.standard_normal(parameter.shape) * 0.5
    return model


def train(model, optimizer, steps=1):
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(model(X), Y).backward()
        optimizer.step()


def assert_equal_states(first, second):
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, second.state_dict()[name], err_msg=name)


def two_groups(lr):
    first, second = (nn.Parameter(np.ones(3, np.float32)) for _ in range(2))
    return optim.SGD([{"params": [first], "lr": 1.0}, {"params": [second]}], lr=lr)


def test_the_rate_is_that_of_all_groups():
    optimizer = two_groups(lr=1.0)
    assert optimizer.lr == 1.0
    optimizer.lr = 0.25
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
    for parameter in optimizer._parameters():
        parameter.grad = np.ones(3, np.float32)
    optimizer.step()
    for parameter in optimizer._parameters():
        np.testing.assert_array_equal(parameter.data, np.full(3, 0.75, np.float32))


def test_several_rates_are_not_one():
    with pytest.raises(AttributeError, match=r"rates \[0.5, 1.0\]; .*param_groups"):
        two_groups(lr=0.5).lr  # noqa: B018


@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan"), "0.1"])
def test_a_rate_that_is_none_changes_nothing(lr):
    optimizer = two_groups(lr=0.5)
    with pytest.raises(ArgumentError, match="SGD: lr must be a positive number"):
        optimizer.lr = lr
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.5]


@pytest.fixture
def adam_calls(monkeypatch):
    """Record (number of elements, step) of each kernel call."""
    calls = []
    adam_step = backend.adam_step

    def spy(param, *arrays, step, **options):
        calls.append((param.size, step))
        adam_step(param, *arrays, step=step, **options)

    monkeypatch.setattr(backend, "adam_step", spy)
    return calls


# Flat arrays


def test_one_kernel_call_updates_all(adam_calls):
    model = make_model()
    train(model, optim.Adam(model.parameters()), steps=2)
    # Each parameter fills whole cache lines of 16 float32.
    assert adam_calls == [(48 + 16 + 32 + 16, 1), (48 + 16 + 32 + 16, 2)]


def test_values_survive_the_move_and_lie_aligned():
    model = make_model()
    before = model.state_dict()
    optim.Adam(model.parameters())
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.data, before[name])
    starts = [parameter.data.ctypes.data for parameter in model.parameters()]
    assert {(start - starts[0]) % 64 for start in starts} == {0}
    assert list(np.diff(starts)) == [4 * 48, 4 * 16, 4 * 32]


def test_backward_writes_into_the_flat_gradient():
    model = make_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    functional.cross_entropy(model(X), Y).backward()
    grads = [parameter.grad for parameter in model.parameters()]
    assert all(grad.base is grads[0].base for grad in grads)
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_accumulate():
    model = make_model()
    optim.SGD(model.parameters(), lr=0.1)
    functional.cross_entropy(model(X), Y).backward()
    once = model[0].weight.grad.copy()
    functional.cross_entropy(model(X), Y).backward()
    np.testing.assert_allclose(model[0].weight.grad, 2 * once, rtol=1e-6)


def test_gradient_assigned_by_the_user_counts():
    w = nn.Parameter(np.ones(3))
    optimizer = optim.SGD([w], lr=0.5)
    w.grad = np.array([1.0, 2.0, 3.0])
    optimizer.step()
    np.testing.assert_array_equal(w.data, [0.5, 0, -0.5])


def test_real_types_are_kept_apart():
    narrow, wide = nn.Parameter(np.ones(3, np.float32)), nn.Parameter(np.ones(3))
    optimizer = optim.Adam([narrow, wide], lr=0.1)
    (narrow * 2).sum().backward()
    (wide * 2).sum().backward()
    optimizer.step()
    assert narrow.dtype == np.float32
    assert wide.dtype == np.float64
    np.testing.assert_allclose(narrow.data, wide.data, rtol=1e-6)
    state = optimizer.state_dict()["state"]
    assert [state[f"{i}.m"].dtype for i in (0, 1)] == [np.float32, np.float64]


# Parameters left alone


@every_rule
def test_without_gradient_nothing_moves(rule):
    model = make_model()
    before = model.state_dict()
    optimizer = rule(model.parameters())
    optimizer.step()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert optimizer.state_dict()["steps"] == [0, 0, 0, 0]


@every_rule
def test_frozen_layers_stay_and_the_rest_trains_as_alone(rule):
    """S32"""
    model, twin = make_model(), make_model()
    optimizer = rule(model.parameters())
    alone = rule(twin[2].parameters())
    train(model, optimizer, 2)  # momentum and old gradients are there
    twin.load_state_dict(model.state_dict())
    alone.load_state_dict(
        {
            "state": {
                f"{int(key[0]) - 2}{key[1:]}": value
                for key, value in optimizer.state_dict()["state"].items()
                if key[0] in "23"
            },
            "steps": [2, 2],
            "param_groups": alone.state_dict()["param_groups"],
        }
    )
    model[0].freeze()
    before = model[0].state_dict()
    train(model, optimizer, 3)
    train(twin, alone, 3)
    for name, array in model[0].state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    assert_equal_states(model, twin)
    assert optimizer.state_dict()["steps"] == [2, 2, 5, 5]


def test_each_parameter_counts_its_own_steps(adam_calls):
    """S14: a layer that is thawed late gets its own bias correction."""
    model = make_model()
    optimizer = optim.Adam(model.parameters())
    model[0].freeze()
    train(model, optimizer)
    model[0].unfreeze()
    train(model, optimizer)
    assert adam_calls == [(48, 1), (64, 1), (48, 2)]


@every_rule
def test_together_as_each_alone_whatever_happens_between_the_steps(rule):
    """Gradients written in place, assigned or missing; data exchanged; freezing."""
    rng = np.random.default_rng(4)
    values = [rng.standard_normal(n) for n in (3, 20, 1, 7)]
    together, alone = ([nn.Parameter(v.copy()) for v in values] for _ in range(2))
    optimizers = [rule(together), *(rule([param]) for param in alone)]
    events = ["missing", "assigned", "exchanged", "frozen", "loaded"]
    for event in rng.permutation(["usual"] * 20 + events * 4):
        chosen = rng.integers(len(values))
        dy = [rng.standard_normal(v.shape) for v in values]
        for params in (together, alone):
            one = params[chosen]
            one.requires_grad = event != "frozen"
            for param, gradient in zip(params, dy, strict=True):
                if param is not one or event in ("usual", "exchanged", "loaded"):
                    param.grad = None
                    (param * gradient).sum().backward()
            if event == "missing":
                one.grad = None
            elif event == "assigned":
                one.grad = dy[chosen].copy()
            elif event == "exchanged":
                one.data = one.data + 1
        for optimizer in optimizers:
            if event == "loaded":
                optimizer.load_state_dict(optimizer.state_dict())
            optimizer.step()
        for param, twin in zip(together, alone, strict=True):
            np.testing.assert_array_equal(param.data, twin.data)
            param.requires_grad = twin.requires_grad = True


# Exchanged and converted parameters


def test_exchanged_data_are_moved_in_again():
    w = nn.Parameter(np.ones(3))
    optimizer = optim.SGD([w], lr=0.5)
    w.data = np.full(3, 10.0)
    w.sum().backward()
    optimizer.step()
    np.testing.assert_array_equal(w.data, 9.5)


def test_two_optimisers_take_turns():
    model, twin = make_model(), make_model()
    first, second = (optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    for optimizer in (first, second, first):
        train(model, optimizer)
    train(twin, optim.SGD(twin.parameters(), lr=0.1), 3)
    assert_equal_states(model, twin)


def test_loading_weights_keeps_the_flat_array():
    model, twin = make_model(), make_model(seed=2)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model.load_state_dict(twin.state_dict())
    train(model, optimizer)
    train(twin, optim.SGD(twin.parameters(), lr=0.1))
    assert_equal_states(model, twin)


def test_converted_parameters_are_refused():
    model = make_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model.astype(np.float64)
    functional.cross_entropy(model(X.astype(np.float64)), Y).backward()
    with pytest.raises(
        GraphError, match=r"float64 .* float32 .* make the optimiser after"
    ):
        optimizer.step()


def test_step_between_forward_and_backward_is_noticed():
    model = make_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer)
    loss = functional.cross_entropy(model(X), Y)
    optimizer.step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


# Groups


def test_groups_have_their_own_options():
    """S32: different learning rates per group."""
    a, b = nn.Parameter(np.ones(2)), nn.Parameter(np.ones(2))
    optimizer = optim.SGD(
        [{"params": a, "lr": 0.5}, {"params": [b], "weight_decay": 1.0}], lr=0.1
    )
    (a + b).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(a.data, 0.5)
    np.testing.assert_allclose(b.data, 0.8)


def test_options_change_between_steps():
    """S15: the learning rate is read at each step."""
    w = nn.Parameter(np.zeros(1))
    optimizer = optim.SGD([w], lr=1.0)
    for lr in (1.0, 0.5):
        optimizer.param_groups[0]["lr"] = lr
        w.grad = np.ones(1)
        optimizer.step()
    assert w.item() == -1.5


# Saved state


def through_files(state):
    """Write and read a state as a checkpoint does: JSON and arrays."""
    plain = {key: value for key, value in state.items() if key != "state"}
    return json.loads(json.dumps(plain)) | {"state": state["state"]}


@every_rule
def test_resume_equals_uninterrupted(rule):
    model, twin = make_model(), make_model(seed=3)
    optimizer = rule(model.parameters())
    train(model, optimizer, 3)
    weights, state = model.state_dict(), through_files(optimizer.state_dict())
    train(model, optimizer, 4)

    resumed = rule(twin.parameters())
    twin.load_state_dict(weights)
    resumed.load_state_dict(state)
    train(twin, resumed, 4)
    assert_equal_states(model, twin)


def test_state_dict_is_a_snapshot_and_holds_options():
    model = make_model()
    optimizer = optim.Adam(model.parameters(), lr=0.5)
    train(model, optimizer)
    state = optimizer.state_dict()
    before = state["state"]["0.m"].copy()
    train(model, optimizer)
    np.testing.assert_array_equal(state["state"]["0.m"], before)
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["params"][0] is model[0].weight


def test_fresh_state_resets():
    model = make_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    fresh = optimizer.state_dict()
    train(model, optimizer)
    optimizer.load_state_dict(fresh)
    assert optimizer.state_dict()["state"] == {}


def test_foreign_states_are_refused():
    model = make_model()
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer)
    good = optimizer.state_dict()
    other = make_model()
    for foreign in (
        optim.SGD(other.parameters(), lr=0.1),
        optim.Adam(other[2].parameters()),
        optim.Adam([{"params": layer.parameters()} for layer in (other[0], other[2])]),
    ):
        with pytest.raises(FastdlError, match="Adam: this state is not of such"):
            optimizer.load_state_dict(foreign.state_dict())
    with pytest.raises(FastdlError, match="Adam: this state is not of such"):
        optimizer.load_state_dict({})
    for arrays in ({"1.m": np.zeros(8)}, {"1.m": None}):
        bad = good | {"state": good["state"] | arrays}
        with pytest.raises(ShapeError, match=r"expected '1.m' of shape \(7,\)"):
            optimizer.load_state_dict(bad)
    bad = good | {"param_groups": [good["param_groups"][0] | {"lr": -1}]}
    with pytest.raises(ArgumentError, match="Adam: lr must be"):
        optimizer.load_state_dict(bad)
    assert_same = optimizer.state_dict()
    np.testing.assert_array_equal(assert_same["state"]["1.m"], good["state"]["1.m"])


# Errors


@pytest.mark.parametrize("bad", [0, -0.1, float("nan"), float("inf"), "0.1"])
@pytest.mark.parametrize("rule", [optim.SGD, optim.RMSprop, optim.Adam, optim.AdamW])
def test_bad_learning_rate(rule, bad):
    with pytest.raises(ArgumentError, match=f"{rule.__name__}: lr must be a positive"):
        rule([nn.Parameter(np.ones(2))], lr=bad)


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (optim.SGD, {"momentum": -0.1}, "momentum must be in"),
        (optim.SGD, {"momentum": 1}, "momentum must be in"),
        (optim.SGD, {"dampening": 1}, "dampening must be in"),
        (optim.SGD, {"weight_decay": -1}, "weight_decay must be a number >= 0"),
        (optim.SGD, {"nesterov": True}, "nesterov must be False without momentum"),
        (
            optim.SGD,
            {"nesterov": True, "momentum": 0.9, "dampening": 0.5},
            "nesterov must be False",
        ),
        (optim.RMSprop, {"beta": 1}, "beta must be in"),
        (optim.RMSprop, {"eps": 0}, "eps must be a positive number"),
        (optim.Adam, {"betas": (1.0, 0.999)}, "betas must be two numbers in"),
        (optim.Adam, {"betas": (0.9, float("nan"))}, "betas must be two numbers in"),
        (optim.Adam, {"betas": 0.9}, "betas must be two numbers in"),
        (optim.Adam, {"eps": 0}, "eps must be a positive number"),
        (optim.AdamW, {"eps": -1e-8}, "eps must be a positive number"),
        (optim.AdamW, {"weight_decay": float("nan")}, "weight_decay must be a number"),
    ],
)
def test_bad_options(rule, options, message):
    params = [nn.Parameter(np.ones(2))]
    with pytest.raises(ArgumentError, match=f"^{rule.__name__}: {message}"):
        rule(params, **options)
    group = {"params": params} | options
    with pytest.raises(ArgumentError, match=f"^{rule.__name__}: {message}"):
        rule([group])


def test_unbuilt_model():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(None, 2))
    with pytest.raises(GraphError, match=r"layer '1' .*model\.build\(input_shape\)"):
        optim.Adam(model.parameters())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ([], "no parameters to train"),
        ([{"params": []}], "no parameters to train"),
        (nn.Linear(2, 2), r"params must be model\.parameters\(\).*, got Linear"),
        ([np.ones(3)], "expected parameters, .* got ndarray"),
        (nn.Linear(2, 2).named_parameters(), "expected parameters, .* got tuple"),
        (nn.Sequential(nn.ReLU()), r"expected .* model\.parameters\(\) .* got ReLU"),
        (2 * list(nn.Linear(2, 2).parameters()), "a parameter is given twice"),
        (
            [{"params": Tensor([1.0]), "learning_rate": 1}],
            "unknown option 'learning_rate'",
        ),
        ([{"params": Tensor([1.0]), "beta": 1}], "unknown option 'beta'.*'betas'"),
    ],
)
def test_bad_params(params, message):
    with pytest.raises(ArgumentError, match=f"^Adam: {message}"):
        optim.Adam(params)
