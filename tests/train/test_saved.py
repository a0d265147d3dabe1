"""Trainer.save and Trainer.load: training goes on with the same bits."""

import json
import os
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import Trainer, metrics, nn, optim
from fastdl import functional as F
from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.files import read_tensors, write_tensors
from fastdl.train import fingerprint, saved

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 6)).astype(np.float32)
LABELS = RNG.integers(0, 3, 20)
TARGETS = RNG.standard_normal((20, 3)).astype(np.float32)


def network():
    fastdl.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )


def bits(trainer):
    arrays = dict(trainer.model.state_dict())
    optimizer = trainer.optimizer.state_dict()
    arrays |= optimizer.pop("state")
    rates = [group["lr"] for group in trainer.optimizer.param_groups]
    return {n: a.tobytes() for n, a in arrays.items()}, optimizer["steps"], rates


def measured(trainer):
    """The history without what the clock says."""
    clock = ("seconds", "examples_per_second")
    return [
        {name: value for name, value in row.items() if name not in clock}
        for row in trainer.history.rows
    ]


def goes_on(trainer, path, y=LABELS, **given):
    """Train, save, load; train both further; return the one that was loaded."""
    trainer.fit((X, y), epochs=2, batch_size=6)
    trainer.save(path)
    loaded = Trainer.load(path, **given)
    for each in (trainer, loaded):
        each.fit((X, y), epochs=3, batch_size=6, validation=(X, y))
    assert bits(loaded) == bits(trainer)
    assert measured(loaded) == measured(trainer)
    assert len(loaded.history) == 5
    return loaded


OPTIMIZERS = {
    "default": None,
    "SGD": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": partial(optim.Adam, lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
    "AMSGrad": partial(optim.Adam, amsgrad=True),
    "AdamW": optim.AdamW,
    "RMSprop": partial(optim.RMSprop, centered=True, momentum=0.5),
    "Adagrad": optim.Adagrad,
    "by name": "rmsprop",
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_goes_on(optimizer, tmp_path):
    loaded = goes_on(Trainer(network(), optimizer=optimizer), tmp_path / "t")
    assert list(loaded.metrics) == ["accuracy"]


def test_an_object_of_groups(tmp_path):
    """Parameters in another order, with rates of their own; a rate that was changed."""
    model = network()
    groups = [
        {"params": model[4].parameters(), "lr": 0.1},
        {"params": [*model[0].parameters(), *model[1].parameters()], "lr": 0.01},
    ]
    optimizer = optim.SGD(groups, momentum=0.9)
    optimizer.param_groups[1]["lr"] = np.float32(0.25)
    loaded = goes_on(Trainer(model, optimizer=optimizer), tmp_path / "t")
    assert [group["lr"] for group in loaded.optimizer.param_groups] == [0.1, 0.25]


LOSSES = {
    "module": (
        nn.CrossEntropyLoss(class_weight=[1, 2, 3], label_smoothing=0.1),
        LABELS,
    ),
    "function": (F.cross_entropy, LABELS),
    "by name": ("mse", TARGETS),
    "partial": (partial(F.cross_entropy, label_smoothing=0.2), LABELS),
    "regression": (nn.HuberLoss(delta=2.0), TARGETS),
    "binary": (nn.BCEWithLogitsLoss(), (TARGETS > 0).astype(np.float32)),
    "name of a function": (F.mse_loss, TARGETS),
}


@pytest.mark.parametrize(("loss", "y"), LOSSES.values(), ids=LOSSES)
def test_losses(loss, y, tmp_path):
    loaded = goes_on(Trainer(network(), loss), tmp_path / "t", y)
    if loss != "mse":
        assert fingerprint.describe(loaded.loss) == fingerprint.describe(loss)


METRICS = {
    "names": ["accuracy", "f1"],
    "functions": [metrics.error_rate, partial(metrics.f1, average="micro")],
    "objects": [metrics.F1("micro"), metrics.TopKAccuracy(2)],
    "classes": [metrics.Accuracy],
    "none": [],
}


@pytest.mark.parametrize("given", METRICS.values(), ids=METRICS)
def test_metrics(given, tmp_path):
    goes_on(Trainer(network(), metrics=given), tmp_path / "t")


def test_penalties_and_limits(tmp_path):
    trainer = Trainer(
        network(),
        regularization=[nn.L2(0.01, names="0"), nn.L1(0.001)],
        constraint=nn.MaxNorm(0.5),
        clip_norm=0.1,
        clip_value=0.05,
    )
    loaded = goes_on(trainer, tmp_path / "t")
    assert loaded._settings["constraint"] == nn.MaxNorm(0.5)


@pytest.mark.parametrize("weights", [None, {"left": 2.0}, "uncertainty"])
def test_several_tasks(weights, tmp_path):
    """With weights that are learned, in the same optimiser."""

    @nn.register
    class Two(nn.Module):
        def __init__(self):
            self.left, self.right = nn.Linear(6, 3), nn.Linear(6, 1)

        def forward(self, x):
            return {"left": self.left(x), "right": self.right(x)}

    fastdl.manual_seed(0)
    trainer = Trainer(
        Two(),
        {"left": nn.CrossEntropyLoss(), "right": nn.MSELoss()},
        metrics={"left": ["accuracy"]},
        loss_weights=weights,
    )
    y = {"left": LABELS, "right": TARGETS[:, :1]}
    loaded = goes_on(trainer, tmp_path / "t", y)
    if weights == "uncertainty":
        own, other = (
            each.loss.log_variance["left"].item() for each in (loaded, trainer)
        )
        assert own == other != 0


def test_frozen_layers_stay_frozen(tmp_path):
    model = network()
    model[0].freeze()
    model[1].freeze()
    loaded = goes_on(Trainer(model), tmp_path / "t")
    frozen = [n for n, p in loaded.model.named_parameters() if not p.requires_grad]
    assert frozen == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert loaded.model[1].frozen


def test_in_float64(tmp_path):
    loaded = goes_on(Trainer(network().astype(np.float64)), tmp_path / "t")
    assert loaded.model[0].weight.dtype == np.float64


@pytest.mark.parametrize("maker", [None, partial(optim.SGD, lr=0.5), optim.RMSprop])
def test_before_the_first_fit(maker, tmp_path):
    """The optimiser is still to be made."""
    trainer = Trainer(network(), optimizer=maker)
    trainer.save(tmp_path / "t")
    loaded = Trainer.load(tmp_path / "t")
    for each in (trainer, loaded):
        each.fit(X, LABELS, epochs=2)
    assert bits(loaded) == bits(trainer)


def test_a_model_without_parameters(tmp_path):
    Trainer(nn.Flatten()).save(tmp_path / "t")
    assert isinstance(Trainer.load(tmp_path / "t").model, nn.Flatten)


# The model alone ----------------------------------------------------------------------


def test_the_file_is_one_of_the_model_too(tmp_path):
    """fastdl.load, load_weights and fastdl.save see the weights alone."""
    trainer = Trainer(network())
    trainer.fit(X, LABELS, epochs=1)
    path = tmp_path / "t.safetensors"
    trainer.save(path)
    model = fastdl.load(path)
    np.testing.assert_array_equal(model(X).numpy(), trainer.predict(X))
    other = network()
    fastdl.load_weights(other, path)
    np.testing.assert_array_equal(other.eval()(X).numpy(), trainer.predict(X))
    arrays, texts = read_tensors(path)
    assert arrays.keys() == model.state_dict().keys()
    fastdl.save(trainer.model, tmp_path / "m")
    assert read_tensors(tmp_path / "m")[1] == {
        name: text for name, text in texts.items() if name != "fastdl.trainer"
    }
    with pytest.raises(
        DataError, match=r"holds no trainer, but a model: Trainer\(fast"
    ):
        Trainer.load(tmp_path / "m")
    fastdl.nn.save_weights(trainer.model, tmp_path / "w")
    with pytest.raises(DataError, match=r"w holds no trainer$"):
        Trainer.load(tmp_path / "w")


# What must be given -------------------------------------------------------------------


def own_loss(outputs, y):
    return F.cross_entropy(outputs, y) * 2.0


class OwnSGD(optim.SGD):
    """Of the user's."""


class OwnMetric(metrics.Accuracy):
    """Of the user's."""


OWN = {
    "loss": own_loss,
    "optimizer": partial(OwnSGD, lr=0.1, momentum=0.9),
    "metrics": [OwnMetric()],
    "regularization": [lambda model: F.l2_penalty(list(model.parameters()), 0.1)],
    "constraint": lambda model: None,
}


@pytest.mark.parametrize("part", OWN)
def test_code_must_be_given_again(part, tmp_path):
    own = {part: OWN[part]}
    trainer = Trainer(network(), **own)
    trainer.fit(X, LABELS, epochs=1)
    trainer.save(tmp_path / "t")
    with pytest.raises(ArgumentError, match=rf"give again .*path, {part}=\.\.\.\)"):
        Trainer.load(tmp_path / "t")
    fastdl.load(tmp_path / "t")
    goes_on(Trainer(network(), **own), tmp_path / "u", **own)


def test_all_that_must_be_given_is_named_at_once(tmp_path):
    Trainer(network(), **OWN).save(tmp_path / "t")
    with pytest.raises(ArgumentError) as caught:
        Trainer.load(tmp_path / "t")
    for part in OWN:
        assert f"{part}=..." in str(caught.value)
    assert "loss (own_loss)" in str(caught.value)


class Scaled(nn.CrossEntropyLoss):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(np.ones(1, np.float32))


def test_what_is_given_is_used(tmp_path):
    trainer = Trainer(network())
    trainer.fit(X, LABELS, epochs=1)
    trainer.save(tmp_path / "t")
    loss = nn.CrossEntropyLoss(label_smoothing=0.5)
    other = Trainer.load(
        tmp_path / "t", loss=loss, optimizer=partial(optim.SGD, lr=0.5), metrics=["f1"]
    )
    assert other.loss is loss
    assert list(other.metrics) == ["f1"]
    assert isinstance(other.optimizer, optim.SGD)
    assert other.optimizer.state_dict()["steps"] == [0] * 6  # it starts afresh
    assert len(other.history) == 1
    learning = Scaled()  # whose scale is not in the file
    assert Trainer.load(tmp_path / "t", loss=learning).loss is learning
    with pytest.raises(ArgumentError, match=r"^Trainer: loss must be"):
        Trainer.load(tmp_path / "t", loss=3)


def test_an_optimiser_of_other_parameters(tmp_path):
    trainer = Trainer(network(), optimizer=optim.SGD(network().parameters()))
    with pytest.raises(ArgumentError, match="a parameter that is not of the model"):
        trainer.save(tmp_path / "t")


# Damage -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "t.safetensors"
    trainer = Trainer(
        network(),
        optimizer=partial(optim.SGD, momentum=0.9),
        regularization=nn.L2(0.1),
        metrics=[metrics.F1("micro"), partial(metrics.f1, average="macro")],
    )
    trainer.fit(X, LABELS, epochs=1)
    trainer.save(path)
    return path


def test_every_flipped_bit_is_found(file, tmp_path):
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 300):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "t").write_bytes(changed)
        with pytest.raises(DataError, match="t"):
            Trainer.load(tmp_path / "t")


def test_every_cut_is_found(file, tmp_path):
    content = file.read_bytes()
    for length in [0, 7, 8, 100, len(content) // 2, len(content) - 1]:
        (tmp_path / "t").write_bytes(content[:length])
        with pytest.raises(DataError):
            Trainer.load(tmp_path / "t")


def places(value, path=()):
    """Yield where each value inside JSON data stands."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*path, index))


def refusal(path):
    """Return the message with which a file is refused, or None."""
    try:
        Trainer.load(path)
    except (DataError, ArgumentError) as error:
        return str(error)
    return None


WRONG = [None, -1, 10**30, "x", [], {"made": "nn.save"}]


def test_every_changed_value_is_an_error_or_a_trainer(file, tmp_path, monkeypatch):
    """With a right checksum, as a program could write it: no other error, no harm."""
    arrays, texts = read_tensors(file, aside=True)
    state = json.loads(texts["fastdl.trainer"])
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # of hundreds of files
    refused = 0
    for place in places(state):
        for wrong in [*WRONG, "gone"]:
            changed = json.loads(texts["fastdl.trainer"])
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            if wrong == "gone":
                del inner[place[-1]]
            else:
                inner[place[-1]] = wrong
            text = {**texts, "fastdl.trainer": json.dumps(changed)}
            write_tensors(arrays, tmp_path / "t", text)
            message = refusal(tmp_path / "t")
            if message is not None:
                refused += 1
                assert str(tmp_path / "t") in message, (place, wrong)
    assert refused > 200


def test_arrays_that_are_missing_or_of_another_shape(file, tmp_path):
    arrays, texts = read_tensors(file, aside=True)
    for name in [name for name in arrays if name.startswith("fastdl:")]:
        less = {n: a for n, a in arrays.items() if n != name}
        write_tensors(less, tmp_path / "t", texts)
        with pytest.raises(DataError, match="the arrays are not those that were writt"):
            Trainer.load(tmp_path / "t")
        write_tensors({**arrays, name: np.zeros(1)}, tmp_path / "t", texts)
        with pytest.raises(DataError, match="its trainer"):
            Trainer.load(tmp_path / "t")


def test_a_later_version(file, tmp_path):
    arrays, texts = read_tensors(file, aside=True)
    state = json.loads(texts["fastdl.trainer"]) | {"format": saved._FORMAT + 1}
    texts["fastdl.trainer"] = json.dumps(state)
    write_tensors(arrays, tmp_path / "t", texts)
    with pytest.raises(DataError, match="later version of fastdl; update this one"):
        Trainer.load(tmp_path / "t")


def test_deeply_nested_parts(file, tmp_path):
    arrays, texts = read_tensors(file, aside=True)
    state = json.loads(texts["fastdl.trainer"])
    for _ in range(200):
        state["parts"]["metrics"] = [state["parts"]["metrics"]]
    texts["fastdl.trainer"] = json.dumps(state)
    write_tensors(arrays, tmp_path / "t", texts)
    with pytest.raises(DataError, match="nested too deeply"):
        Trainer.load(tmp_path / "t")


@pytest.mark.parametrize(
    ("nest", "nest_spec"),
    [
        (lambda part: [part], lambda spec: [spec]),
        (lambda part: {"a": part}, lambda spec: {"dict": [["a", spec]]}),
    ],
    ids=["list", "dict"],
)
def test_parts_that_nest_deeply_are_neither_written_nor_read(nest, nest_spec):
    part, spec = 1, 1
    for _ in range(200):
        part, spec = nest(part), nest_spec(spec)
    with pytest.raises(saved._OwnError, match="nested too deeply"):
        saved._described(part, 0)
    with pytest.raises(DataError, match="nested too deeply"):
        saved._made(spec)


def test_a_huge_part_takes_no_memory(file, tmp_path):
    arrays, texts = read_tensors(file, aside=True)
    state = json.loads(texts["fastdl.trainer"])
    state["parts"]["loss"] = {
        "module": {"class": "Linear", "in_features": 10**6, "out_features": 10**6}
    }
    texts["fastdl.trainer"] = json.dumps(state)
    write_tensors(arrays, tmp_path / "t", texts)
    with pytest.raises(DataError):
        Trainer.load(tmp_path / "t")


@pytest.mark.parametrize("part", ["loss", "metrics", "regularization", "constraint"])
@pytest.mark.parametrize("name", ["nn.save", "nn.save_weights", "nn.load", "optim.x"])
def test_a_part_cannot_write_files(part, name, file, tmp_path):
    """Called with the model, as a penalty is, it would replace any file of the user."""
    own = tmp_path / "own.txt"
    own.write_text("precious")
    arrays, texts = read_tensors(file, aside=True)
    state = json.loads(texts["fastdl.trainer"])
    state["parts"][part] = {
        "partial": {"name": name},
        "args": [],
        "keywords": {"dict": [["path", str(own)]]},
    }
    texts["fastdl.trainer"] = json.dumps(state)
    write_tensors(arrays, tmp_path / "t", texts)
    with pytest.raises(DataError, match=f"there is no '{name}'"):
        Trainer.load(tmp_path / "t").fit(X, LABELS, epochs=1)
    assert own.read_text() == "precious"


def test_a_function_that_writes_files_is_no_part_to_save(tmp_path):
    trainer = Trainer(network(), regularization=partial(nn.save, path=tmp_path / "x"))
    trainer.save(tmp_path / "t")
    with pytest.raises(ArgumentError, match="give again the regularization"):
        Trainer.load(tmp_path / "t")


def test_no_file(tmp_path):
    with pytest.raises(FastdlError, match="none"):
        Trainer.load(tmp_path / "none")
