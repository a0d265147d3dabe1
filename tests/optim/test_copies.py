"""Copies of models and optimisers learn as their originals, and alone."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

from fastdl import functional, nn, optim
from fastdl.errors import GraphError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((16, 5)).astype(np.float32)
Y = RNG.integers(0, 3, 16)
RULES = {
    "SGD": lambda params: optim.SGD(params, lr=0.1),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "RMSprop": lambda params: optim.RMSprop(params, momentum=0.9, centered=True),
    "Adagrad": lambda params: optim.Adagrad(params, lr=0.01),
    "AMSGrad": lambda params: optim.Adam(params, lr=0.01, amsgrad=True),
    "AdamW": lambda params: optim.AdamW(params, lr=0.01),
}
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


every_way = pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])


def make_model():
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))


def backward(model):
    functional.cross_entropy(model(X), Y).backward()


def train(model, optimizer, steps=1):
    for _ in range(steps):
        optimizer.zero_grad()
        backward(model)
        optimizer.step()


def assert_equal_states(first, second):
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(array, second.state_dict()[name], err_msg=name)


@every_rule
@every_way
def test_a_copied_pair_learns_bit_for_bit_as_the_original(rule, duplicate):
    model = make_model()
    optimizer = rule(model.parameters())
    for _ in range(3):  # before the first step, with state, and copies of copies
        clone, clone_optimizer = duplicate((model, optimizer))
        twin = make_model()
        twin.load_state_dict(clone.state_dict())
        train(model, optimizer, 3)
        assert_equal_states(clone, twin)  # the original's steps leave it alone
        train(clone, clone_optimizer, 3)
        assert_equal_states(clone, model)
        model, optimizer = clone, clone_optimizer


@every_way
def test_a_copy_between_backward_and_step_keeps_the_gradients(duplicate):
    model = make_model()
    optimizer = optim.Adam(model.parameters())
    backward(model)
    clone, clone_optimizer = duplicate((model, optimizer))
    for pair in ((model, optimizer), (clone, clone_optimizer)):
        backward(pair[0])  # adds to what is there
        pair[1].step()
    assert_equal_states(clone, model)
    assert not np.shares_memory(clone[0].weight.grad, model[0].weight.grad)


@every_way
def test_frozen_parameters_groups_and_types_survive(duplicate):
    model = make_model()
    model[3].astype(np.float64)
    groups = [
        {"params": model[0].parameters(), "lr": 0.3},
        {"params": [*model[1].parameters(), *model[3].parameters()]},
    ]
    optimizer = optim.SGD(groups, lr=0.1, momentum=0.9)

    def step(model, optimizer):
        optimizer.zero_grad()
        model[:3](X).sum().backward()
        (model[3](np.ones((2, 7))) ** 2).sum().backward()
        optimizer.step()

    step(model, optimizer)
    model[1].freeze()
    step(model, optimizer)
    clone, clone_optimizer = duplicate((model, optimizer))
    assert not clone[1].weight.requires_grad
    clone_optimizer.param_groups[1]["lr"] = 0.05
    assert optimizer.param_groups[1]["lr"] == 0.1
    clone_optimizer.param_groups[1]["lr"] = 0.1
    for thawed in (False, True):
        for pair in ((model, optimizer), (clone, clone_optimizer)):
            if thawed:
                pair[0].unfreeze()
            step(*pair)
            step(*pair)
        assert_equal_states(clone, model)
    first, second = optimizer.state_dict(), clone_optimizer.state_dict()
    assert first["steps"] == second["steps"]
    assert first["param_groups"] == second["param_groups"]


@every_way
def test_a_model_copied_alone(duplicate):
    model = make_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer)
    clone = duplicate(model)
    train(model, optimizer)
    train(clone, optim.SGD(clone.parameters(), lr=0.1))
    assert_equal_states(clone, model)


@every_way
def test_an_optimiser_copied_alone_has_parameters_of_its_own(duplicate):
    w = nn.Parameter(np.ones(3))
    optimizer = optim.SGD([w], lr=0.5, momentum=0.5)
    w.grad = np.ones(3)
    optimizer.step()
    clone = duplicate(optimizer)
    [v] = clone.param_groups[0]["params"]
    for one, its_optimizer in ((w, optimizer), (v, clone)):
        one.grad = np.ones(3)
        its_optimizer.step()
    np.testing.assert_array_equal(v.data, w.data)
    assert not np.shares_memory(v.data, w.data)


@every_way
def test_shared_parameters_stay_shared(duplicate):
    first, second = nn.Linear(5, 5), nn.Linear(5, 5)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    clone, optimizer = duplicate((model, optim.SGD(model.parameters(), lr=0.1)))
    assert clone[1].weight is clone[0].weight
    before = clone.state_dict()
    train(clone, optimizer)
    assert (clone[0].weight.data != before["0.weight"]).any()


@every_way
def test_two_optimisers_of_one_model(duplicate):
    model = make_model()
    optimizers = [optim.SGD(model.parameters(), lr=lr) for lr in (0.1, 0.2)]
    for optimizer in optimizers:
        train(model, optimizer)
    clone, clone_optimizers = duplicate((model, optimizers))
    for turn in (0, 1, 0):
        train(model, optimizers[turn])
        train(clone, clone_optimizers[turn])
    assert_equal_states(clone, model)


@every_way
def test_a_scheduler_moves_the_copied_optimiser(duplicate):
    optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=1.0)
    scheduler = optim.Scheduler(optimizer, optim.Staircase(1.0, every=1, factor=0.5))
    clone, clone_scheduler = duplicate((optimizer, scheduler))
    clone_scheduler.step()
    assert clone.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["lr"] == 1.0


def test_hooks_watch_the_copy_and_its_handle_removes_them():
    model = make_model()
    seen = []
    handle = model[0].register_forward_hook(lambda *call: seen.append(call[0]))
    clone, clone_handle = copy.deepcopy((model, handle))
    clone(X)
    assert seen == [clone[0]]
    clone_handle.remove()
    clone(X)
    model(X)
    assert seen == [clone[0], model[0]]


def test_an_optimiser_that_fits_no_more_is_not_copied():
    model = make_model()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    model.astype(np.float64)
    with pytest.raises(GraphError, match="make the optimiser after the last change"):
        copy.deepcopy(optimizer)


def _trained_elsewhere(pair):
    train(*pair, 2)
    return pair


def test_a_pair_crosses_to_another_process_and_back():
    model = make_model()
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        clone, clone_optimizer = pool.apply(_trained_elsewhere, ((model, optimizer),))
    train(model, optimizer, 3)
    train(clone, clone_optimizer)
    assert_equal_states(clone, model)
