"""S23: a damaged checkpoint is a DataError that names it, and changes nothing."""

import copy
import json
import random
import re
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import nn, optim, train
from fastdl.data import DataLoader
from fastdl.errors import DataError, FastdlError
from fastdl.files import previous, read_tensors, write_tensors
from fastdl.train import Callback, Trainer

X = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
Y = np.arange(16) % 2
KEY = "fastdl.checkpoint"
MUTANTS = 60


def training(path, callbacks=None):
    """Return a trainer in the middle of its work, and what goes on with it."""
    fastdl.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.3), nn.Linear(3, 2)
    )
    trainer = Trainer(model, optimizer=partial(optim.Adam, lr=0.02))
    loader = DataLoader((X, Y), 4, shuffle=True)
    if callbacks is None:
        callbacks = [
            train.Schedule(optim.InverseDecay(0.05)),
            train.EarlyStopping("loss", patience=9),
            train.ReduceOnPlateau("loss"),
            train.WeightAverage(0.9),
            train.ManualRate(path.with_name("control.json")),
            train.ModelCheckpoint(path.with_name("models"), "loss"),
        ]

    def fit(epochs, **options):
        options |= {"callbacks": callbacks, "checkpoint": path, "progress": False}
        trainer.fit(loader, epochs=epochs, **options)

    return trainer, loader, callbacks, fit


def everything(trainer, loader, callbacks, begun=None):
    """Return all that a restore changes."""
    return copy.deepcopy(
        {
            "model": trainer.model.state_dict(),
            "modes": [module.training for module in trainer.model.modules()],
            "optimizer": trainer.optimizer.state_dict(),
            "history": trainer.history.rows,
            "epoch": loader.epoch,
            "callbacks": [sorted(vars(callback)) for callback in callbacks],
            "states": [callback.state_dict() for callback in callbacks[:begun]],
            "stopping": trainer._stopping,
        }
    )


@pytest.fixture
def saved(tmp_path):
    """The arrays and the state of a good checkpoint."""
    path = tmp_path / "checkpoint.safetensors"
    *_, fit = training(path)
    fit(2)
    arrays, metadata = read_tensors(path)
    return path, arrays, json.loads(metadata[KEY])


def put(path, arrays, state):
    previous(path).unlink(missing_ok=True)
    write_tensors(arrays, path, {KEY: json.dumps(state)})


def refused(path, match=None):
    """Resume, which must fail and leave everything as it was."""
    trainer, loader, callbacks, fit = training(path)
    for begun in (0, None):  # the callbacks are new; then they have been used
        before = everything(trainer, loader, callbacks, begun)
        with pytest.raises(DataError, match=match) as caught:
            fit(3, resume=True)
        assert str(path) in str(caught.value)
        np.testing.assert_equal(everything(trainer, loader, callbacks, begun), before)
        trainer.fit(loader, epochs=1, callbacks=callbacks, progress=False)


def test_the_good_one_is_taken(saved):
    path, arrays, state = saved
    put(path, arrays, state)
    trainer, *_, fit = training(path)
    fit(3, resume=True)
    assert len(trainer.history) == 3


def change(state, place, value):
    *parents, last = place
    for name in parents:
        state = state[name]
    if value is KeyError:
        del state[last]
    else:
        state[last] = value


HUGE = 10**400
GROUP = ("optimizer", "param_groups", 0)
CASES = {
    "no object": ((), "object"),
    "no epochs": (("epochs", KeyError), "'epochs' is missing"),
    "epochs a text": (("epochs", "2"), "'epochs' must be an integer from 0, got '2'"),
    "epochs true": (("epochs", True), "'epochs' must be an integer"),
    "epochs negative": (("epochs", -1), "'epochs' must be an integer"),
    "epochs huge": (("epochs", HUGE), "'epochs' must be an integer"),
    "stopped a number": (("stopped", 0), "'stopped' must be true or false"),
    "loader null": (("loader", None), "'loader' must be an integer"),
    "history a number": (("history", 3), "'history' must be a list"),
    "history of lists": (("history", [[1]]), "'history' must have rows"),
    "history of texts": (("history", 0, "loss", "low"), "'loss' must be a number"),
    "history huge": (("history", 0, "loss", HUGE), "'loss' is too large"),
    "callbacks null": (("callbacks", None), "'callbacks' must be a list"),
    "states missing": (("states", KeyError), "'states' is missing"),
    "fewer states": (("states", []), "'states' must be those of"),
    "run a list": (("run", []), "'run' must be a description"),
    "run missing": (("run", KeyError), "'run' is missing"),
    "format a text": (("format", "2"), "'format' must be an integer"),
    "arrays missing": (("arrays", []), "arrays are not those that were written"),
    "optimizer a list": (("optimizer", []), "'optimizer' must be the state"),
    "no groups": (("optimizer", "param_groups", []), "'param_groups' must hold groups"),
    "a group a number": (("optimizer", "param_groups", [1]), "'param_groups' must"),
    "steps null": (("optimizer", "steps", None), "'steps' must be a list"),
    "steps negative": (("optimizer", "steps", 0, -4), "'steps' must be an integer"),
    "fewer steps": (("optimizer", "steps", [8]), "not of such an optimiser"),
    "lr null": ((*GROUP, "lr", None), "lr' must be a number"),
    "lr huge": ((*GROUP, "lr", HUGE), "lr' is too large"),
    "lr negative": ((*GROUP, "lr", -1.0), "lr must be a positive number"),
    "amsgrad a number": ((*GROUP, "amsgrad", 3), "amsgrad' must be true or false"),
    "betas a number": ((*GROUP, "betas", 0.9), "betas' must be a list of 2"),
    "params": ((*GROUP, "params", 1), "params' must be a list"),
    "t null": (("states", 0, "t", None), "callback 0 (Schedule): 't' must be"),
    "t zero": (("states", 0, "t", 0), "'t' must be an integer from 1"),
    "no rates": (("states", 0, "rates", KeyError), "'rates' is missing"),
    "rates of two": (("states", 0, "rates", [0.1, 0.1]), "list of 1 finite"),
    "rates infinite": (("states", 0, "rates", [float("inf")]), "list of 1 finite"),
    "ended null": (("states", 0, "ended", None), "'ended' must be true or false"),
    "best a text": (("states", 1, "best", "low"), "(EarlyStopping): 'best' must be"),
    "waited -1": (("states", 1, "waited", -1), "'waited' must be an integer from 0"),
    "best epoch": (("states", 1, "best_epoch", 1.5), "'best_epoch' must be"),
    "plateau": (("states", 2, "waited", [2]), "(ReduceOnPlateau): 'waited' must"),
    "steps": (("states", 3, "steps", KeyError), "(WeightAverage): 'steps' is missing"),
    "seen": (("states", 4, "seen", 3), "(ManualRate): 'seen' must be a text"),
    "best": (("states", 5, "best", []), "(ModelCheckpoint): 'best' must be a number"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_damaged_state(saved, case):
    path, arrays, state = saved
    place, message = CASES[case]
    if place:
        *names, value = place
        change(state, names, value)
    put(path, arrays, state if place else [])
    refused(path, re.escape(message))


ARRAYS = {
    "shape of a weight": ("model.0.weight", lambda a: a[:1], "the model: '0.weight'"),
    "type of a weight": ("model.0.weight", lambda a: a.astype(np.int32), "must be"),
    "type of a counter": (
        "model.2.random_state",
        lambda a: a.astype(np.float32),
        "must be uint64",
    ),
    "shape of a moment": ("optimizer.0.m", lambda a: a[:1], "optimiser: .*'0.m'"),
    "type of a moment": ("optimizer.0.m", lambda a: a.astype(bool), "a real type"),
    "best weights": (
        "callback1.model.0.weight",
        lambda a: a[:1],
        r"callback 1 \(EarlyStopping\): '0.weight'",
    ),
    "averages": ("callback3.0", lambda a: a[:1], r"callback 3 \(WeightAverage\): '0'"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_do_not_fit(saved, case):
    path, arrays, state = saved
    name, function, message = ARRAYS[case]
    arrays[name] = function(arrays[name])
    put(path, arrays, state)
    refused(path, message)


def test_a_description_without_a_format(saved):
    path, arrays, state = saved
    del state["format"]
    put(path, arrays, state | {"run": 3})
    refused(path, "'run' must be a description")


def test_a_description_that_nests_deeply(saved):
    path, arrays, state = saved
    text = json.dumps(state | {"run": {"seed": "DEEP"}})
    text = text.replace('"DEEP"', "[" * 900 + "]" * 900)
    write_tensors(arrays, path, {KEY: text})
    trainer, loader, callbacks, fit = training(path)
    before = everything(trainer, loader, callbacks, 0)
    with pytest.raises(FastdlError, match=re.escape(str(path))):
        fit(3, resume=True)
    np.testing.assert_equal(everything(trainer, loader, callbacks, 0), before)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "1" * 5000, '{"a": NaM}'])
def test_no_json(saved, text):
    path, arrays, _ = saved
    write_tensors(arrays, path, {KEY: text})
    refused(path, "its state is damaged")


class Own(Callback):
    """A callback of a user, who does not check."""

    def __init__(self):
        self.seen = {"epochs": 0}

    def on_epoch_end(self, trainer, row):
        self.seen["epochs"] += 1

    def state_dict(self):
        return dict(self.seen)

    def load_state_dict(self, state):
        self.seen = {}
        self.seen["epochs"] = state["epochs"]


def test_a_callback_of_a_user_fails(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    *_, fit = training(path, [train.EarlyStopping("loss"), Own()])
    fit(2)
    arrays, metadata = read_tensors(path)
    state = json.loads(metadata[KEY])
    del state["states"][1]["epochs"]
    put(path, arrays, state)
    trainer, loader, callbacks, fit = training(
        path, [train.EarlyStopping("loss"), Own()]
    )
    before = everything(trainer, loader, callbacks, 0)
    with pytest.raises(DataError, match=r"callback 1 \(Own\): KeyError: 'epochs'"):
        fit(3, resume=True)
    np.testing.assert_equal(everything(trainer, loader, callbacks, 0), before)
    assert callbacks[1].seen == {"epochs": 0}


# Mutants


def places(value, place=()):
    """Yield where each value of a JSON text stands."""
    yield place
    inside = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inside = enumerate(value)
    for name, each in inside:
        yield from places(each, (*place, name))


VALUES = [
    *(None, True, False, 0, -1, 1.5, 2**63, HUGE, float("nan"), float("inf")),
    *("", "text", [], {}, [[]], {"": {}}, [None], KeyError),
]


def mutated_state(arrays, state, chance):
    state, arrays = copy.deepcopy(state), dict(arrays)
    kind = chance.random()
    if kind < 0.7:
        place = chance.choice([each for each in places(state) if each])
        change(state, place, copy.deepcopy(chance.choice(VALUES)))
    elif kind < 0.8:  # one text moved elsewhere
        one, other = (chance.choice([p for p in places(state) if p]) for _ in "ab")
        value = copy.deepcopy(at(state, one))
        change(state, other, value)
    else:
        name = chance.choice(sorted(arrays))
        array = arrays.pop(name)
        new = [
            None,
            array.reshape(-1)[:0],
            array.astype(np.float64),
            array.astype(np.uint8),
        ]
        new = chance.choice([*new, array[np.newaxis], np.zeros(1, bool)])
        if new is not None:
            arrays[chance.choice([name, name + "x"])] = new
        if chance.random() < 0.5:
            state["arrays"] = sorted(arrays)
    return arrays, state


def at(state, place):
    for name in place:
        state = state[name]
    return state


def mutated_bytes(content, chance):
    content = bytearray(content)
    if chance.random() < 0.2:
        return bytes(content[: chance.randrange(len(content))])
    for _ in range(chance.choice([1, 1, 1, 4, 64])):
        header = 8 + int.from_bytes(content[:8], "little") % len(content)
        end = chance.choice([8, min(header, len(content)), len(content)])
        content[chance.randrange(end)] ^= 1 << chance.randrange(8)
    return bytes(content)


def survive(saved, count, seed, write):
    """Resume from mutants: FastdlError and nothing changed, or a training goes on."""
    path, *good = saved
    chance = random.Random(seed)
    trainer, loader, callbacks, fit = training(path)
    trainer.fit(loader, epochs=1, callbacks=callbacks, progress=False)
    failed = 0
    for number in range(count):
        write(path, *good, chance)
        before = everything(trainer, loader, callbacks)
        try:
            fit(3, resume=True, allow_changes=["lr"])
        except FastdlError as error:
            failed += 1
            if str(path) not in str(error):
                raise
            after = everything(trainer, loader, callbacks)
            np.testing.assert_equal(after, before, f"mutant {number}")
        else:
            trainer, loader, callbacks, fit = training(path)
            trainer.fit(loader, epochs=1, callbacks=callbacks, progress=False)
    return failed


def write_state(path, arrays, state, chance):
    put(path, *mutated_state(arrays, state, chance))


def write_bytes(path, arrays, state, chance):
    put(path, arrays, state)
    path.write_bytes(mutated_bytes(path.read_bytes(), chance))


@pytest.mark.filterwarnings("ignore:.* was computed by")  # a mutant says so
@pytest.mark.parametrize("write", [write_state, write_bytes])
def test_mutants(saved, write):
    """S23: whatever is damaged."""
    assert survive(saved, MUTANTS, 0, write) > MUTANTS // 2


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:.* was computed by")  # a mutant says so
@pytest.mark.parametrize("write", [write_state, write_bytes])
@pytest.mark.parametrize("seed", range(1, 3))
def test_many_mutants(saved, write, seed):
    """S23"""
    assert survive(saved, 1000, seed, write) > 500
