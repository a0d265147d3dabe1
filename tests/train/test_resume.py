"""S15, S23: a checkpoint knows its training, and refuses another one by name."""

import json
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import data, nn, optim, train
from fastdl.data import ArrayDataset, Augment, DataLoader, Subset
from fastdl.errors import ArgumentError, FastdlError
from fastdl.files import read_tensors, write_tensors
from fastdl.train import Callback, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2)).astype(np.float32)
Y = np.arange(24) % 2
KEY = "fastdl.checkpoint"


def layers(activation=nn.ReLU, p=0.3, **options):
    return [nn.Linear(2, 4), nn.BatchNorm1d(4), activation(), nn.Dropout(p)]


def fit(path, epochs=2, model=None, dtype=np.float32, optimizer=None, **options):
    """Train as `options` say; those of the trainer are told from those of `fit`."""
    fastdl.manual_seed(0)
    x, y = options.pop("data", (X, Y))
    whole = nn.Sequential(*(model or layers()), nn.Linear(4, 2)).astype(dtype)
    own = {
        name: options.pop(name)
        for name in ("loss", "metrics", "regularization", "constraint", "clip_norm")
        if name in options
    }
    optimizer = partial(optim.Adam, lr=0.01) if optimizer is None else optimizer
    one = Trainer(whole, optimizer=optimizer, **own)
    usual = {"batch_size": 8, "validation": (X, Y), "progress": False}
    one.fit(x, y, epochs=epochs, checkpoint=path, **usual | options)
    return one


def half(outputs, y):
    return nn.CrossEntropyLoss()(outputs, y) * 0.5


OTHERS = {
    "data": ({"data": (X + 1, Y)}, "data.x: other values"),
    "labels": ({"data": (X, 1 - Y)}, "data.y: other values"),
    "fewer examples": ({"data": (X[:20], Y[:20])}, "data.examples: 24, now 20"),
    "order of examples": ({"data": (X[::-1], Y[::-1])}, "data.x: other values"),
    "validation": ({"validation": (X + 1, Y)}, "validation.data.x: other values"),
    "no validation": ({"validation": None}, "now nothing"),
    "batch size": ({"batch_size": 4}, "batch_size: 8, now 4"),
    "seed": ({"seed": 1}, "seed: 0, now 1"),
    "shuffle": ({"shuffle": False}, "shuffle: True, now False"),
    "weights of examples": (
        {"sample_weight": np.arange(24.0)},
        "data.weight: nothing, now",
    ),
    "weights of classes": ({"class_weight": [1, 2]}, r"class_weight: nothing, now"),
    "a kept part": (
        {"validation": None, "validation_split": 0.25},
        "data.examples: 24, now 18",
    ),
    "activation": ({"model": layers(nn.Tanh)}, "model.2: 'ReLU', now 'Tanh'"),
    "dropout": ({"model": layers(p=0.9)}, r"model.3.p: 0.3, now 0.9"),
    "dtype": ({"dtype": np.float64}, "dtype.0: 'float32', now 'float64'"),
    "loss": (
        {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)},
        "label_smoothing: 0, now 0.1",
    ),
    "own loss": ({"loss": half, "metrics": ["accuracy"]}, "loss"),
    "penalty": ({"regularization": nn.L2(0.1)}, "regularization"),
    "constraint": ({"constraint": nn.MaxNorm(3)}, "constraint: nothing, now"),
    "clipping": ({"clip_norm": 1.0}, "clip_norm: nothing, now 1"),
    "metrics": ({"metrics": []}, "metrics"),
    "AdamW": ({"optimizer": optim.AdamW}, "optimizer: 'Adam', now 'AdamW'"),
    "Adagrad": ({"optimizer": optim.Adagrad}, "optimizer: 'Adam', now 'Adagrad'"),
    "lr": ({"optimizer": partial(optim.Adam, lr=0.02)}, "lr: 0.01, now 0.02"),
    "amsgrad": (
        {"optimizer": partial(optim.Adam, lr=0.01, amsgrad=True)},
        "amsgrad: False, now True",
    ),
    "patience": ({"callbacks": [train.EarlyStopping(patience=9)]}, "callbacks"),
    "schedule": (
        {"callbacks": [train.Schedule(optim.InverseDecay(0.1))]},
        "lr: 0.01, now",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_training_is_refused_by_name(tmp_path, case):
    """S23: and goes on when it is allowed by that name."""
    path = tmp_path / "checkpoint.safetensors"
    fit(path)
    before = path.read_bytes()
    options, message = OTHERS[case]
    with pytest.raises(ArgumentError, match=r"is of another training") as caught:
        fit(path, 3, resume=True, **options)
    assert message in str(caught.value)
    assert path.read_bytes() == before
    names = str(caught.value).partition("--allow-changes ")[2].rstrip(")").split(",")
    one = fit(path, 3, resume=True, allow_changes=names, **options)
    assert len(one.history) == 3
    fit(path, 4, resume=True, **options)  # the file is of the new training now


def test_allowed_names_are_checked(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(path)
    with pytest.raises(
        ArgumentError, match="no 'batchsize'; did you mean 'batch_size'"
    ):
        fit(path, resume=True, allow_changes=["batchsize"])
    with pytest.raises(ArgumentError, match="allow_changes is for resume=True"):
        fit(path, allow_changes=["lr"])
    with pytest.raises(ArgumentError, match=r"must be a list of names.*got 5"):
        fit(path, resume=True, allow_changes=5)
    fit(path, resume=True, allow_changes=None)
    fit(path, resume=True, allow_changes=["epochs"])  # though nothing depends on it
    options = {"batch_size": 4, "seed": 1}
    with pytest.raises(ArgumentError, match=r"seed: 0, now 1\n") as caught:
        fit(path, resume=True, allow_changes="batch_size", **options)
    assert "batch_size: 8" not in str(caught.value)
    fit(path, resume=True, allow_changes=["batch_size", "seed"], **options)


def test_the_same_data_kept_otherwise(tmp_path):
    """A view, a copy, a part of more data, another order in memory."""
    path = tmp_path / "checkpoint.safetensors"
    fit(path, 1)
    more = ArrayDataset(np.concatenate([X, X]), np.concatenate([Y, Y]))
    same = [
        DataLoader((np.asfortranarray(X), Y.copy()), 8, shuffle=True),
        DataLoader(Subset(Subset(more, slice(0, 40)), range(24)), 8, shuffle=True),
        DataLoader((X.astype(">f4"), Y), 8, shuffle=True, workers=2, prefetch=0),
    ]
    for epochs, loader in enumerate(same, 2):
        fastdl.manual_seed(0)
        model = nn.Sequential(*layers(), nn.Linear(4, 2))
        one = Trainer(model, optimizer=partial(optim.Adam, lr=0.01))
        options = {"validation": (X, Y), "checkpoint": path, "resume": True}
        one.fit(loader, epochs=epochs, progress=False, **options)
        assert len(one.history) == epochs


class Lazy:
    """Data that are made when they are asked for."""

    def __init__(self, shift=0.0, names=None, random=False):
        self.shift, self.random = shift, random
        self.names = names or [f"pictures/{i}.png" for i in range(len(Y))]
        self.taken = 0

    y = Y

    def __len__(self):
        return len(Y)

    def take(self, indices):
        self.taken += len(indices)
        noise = np.random.default_rng().normal() if self.random else 0
        return X[indices] + np.float32(self.shift + noise), Y[indices]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Lazy(shift=0.5), "data.sample.0: other values"),
        (Lazy(names=[f"pictures/{i}.png" for i in range(1, 25)]), "data.names"),
        (Subset(Lazy(), range(23)), "data.examples: 24, now 23"),
    ],
    ids=["sample", "names", "examples"],
)
def test_data_beyond_memory(tmp_path, other, message):
    path = tmp_path / "checkpoint.safetensors"

    def go(dataset, epochs, **options):
        fastdl.manual_seed(0)
        one = Trainer(nn.Sequential(nn.Linear(2, 2)))
        one.fit(dataset, epochs=epochs, progress=False, checkpoint=path, **options)

    go(Lazy(), 1)
    go(Lazy(), 2, resume=True)
    with pytest.raises(ArgumentError, match=message):
        go(other, 3, resume=True)


class Items:
    """As users of PyTorch write them."""

    def __init__(self, x, y):
        self.x, self.y, self.asked = x, y, 0

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        self.asked += 1
        return self.x[index], self.y[index]


def test_examples_one_by_one(tmp_path):
    """Few are asked for more than the training itself asks for."""
    big = RNG.normal(size=(500, 2)).astype(np.float32)
    labels, targets = np.arange(500) % 2, RNG.normal(size=(500, 2, 2))
    described = train.description.describe_data
    items = data.MapDataset(Items(big, targets))
    before = items.items.asked
    first = described(items)
    assert first["class"] == "tests.train.test_resume.Items"
    assert items.items.asked - before == 2 * 64
    assert first == described(data.MapDataset(Items(big, targets)))
    assert first != described(data.MapDataset(Items(big, targets + 1)))
    other = labels.copy()
    other[123] = 1 - other[123]
    first, second = (described(data.MapDataset(Items(big, y))) for y in (labels, other))
    assert first != second


def test_several_data_sets_as_one_are_described_whole():
    """S24: one other example of two sources, and another part of them, is seen."""
    big = RNG.normal(size=(500, 2)).astype(np.float32)
    other = big.copy()
    other[123] += 1
    described = [
        train.description.describe_data(each)
        for each in (
            data.Concat(X, big),
            data.Concat(X.copy(), big.copy()),
            data.Concat(X, other),
            Subset(data.Concat(X, big), np.arange(524)[::-1]),
        )
    ]
    assert described[0] == described[1]
    assert described[0] not in described[2:]
    assert described[0]["examples"] == 524


def test_data_that_are_random_are_no_sample():
    described = [train.description.describe_data(Lazy(random=True)) for _ in range(2)]
    assert described[0] == described[1]
    assert described[0]["sample"] == "random"


def test_names_of_files_tell_their_size_but_not_where_they_are(tmp_path):
    def folder(name, size):
        place = tmp_path / name / "cats"
        place.mkdir(parents=True)
        files = [place / f"{i}.png" for i in range(len(Y))]
        for file in files:
            file.write_bytes(bytes(size))
        return train.description.describe_data(Lazy(names=files))

    one = folder("one", 3)
    assert folder("moved", 3) == one
    assert folder("other", 4) != one


def test_mapped_arrays_are_not_read_as_a_whole(tmp_path):
    file = tmp_path / "x.npy"
    np.save(file, X)
    described = train.description.describe_data(
        ArrayDataset(np.load(file, mmap_mode="r"), Y)
    )
    assert "sample" in described
    assert "x" not in described


# What is allowed to differ holds


def test_the_new_options_hold(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(path)
    optimizer = partial(optim.Adam, lr=0.5, amsgrad=True)
    names = ["lr", "amsgrad"]
    one = fit(path, 3, optimizer=optimizer, resume=True, allow_changes=names)
    (group,) = one.optimizer.param_groups
    assert (group["lr"], group["amsgrad"]) == (0.5, True)
    assert one.optimizer.state_dict()["steps"][0] == 9


def test_another_optimizer_begins_anew(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(path)
    optimizer = partial(optim.SGD, lr=0.01, momentum=0.5)
    one = fit(path, 3, optimizer=optimizer, resume=True, allow_changes=["optimizer"])
    assert one.optimizer.state_dict()["steps"][0] == 3


class Rates(Callback):
    def __init__(self):
        self.rates = []

    def decides(self):
        return None

    def on_batch_end(self, trainer, step):
        self.rates.append(trainer.optimizer.param_groups[0]["lr"])


def test_another_schedule_goes_on_where_the_first_one_stood(tmp_path):
    """S15"""
    path = tmp_path / "checkpoint.safetensors"
    fit(path, 2, callbacks=[train.Schedule(optim.InverseDecay(0.1))])
    rates, rule = Rates(), optim.InverseDecay(0.3)
    callbacks = [rates, train.Schedule(rule)]
    fit(path, 3, callbacks=callbacks, resume=True, allow_changes=["lr"])
    assert rates.rates == [rule(t) for t in (7, 8, 9)]


@pytest.mark.parametrize("name", ["epochs", "optimizer"])
def test_a_schedule_of_another_length_or_optimizer(tmp_path, name):
    """S15: it goes on where it stood, on the curve of now."""
    path = tmp_path / "checkpoint.safetensors"
    fit(path, 2, callbacks=[train.Schedule(optim.OneCycle(0.1))], optimizer=optim.SGD)
    options = {"epochs": 3, "optimizer": optim.SGD, "allow_changes": ["epochs"]}
    if name == "optimizer":
        options |= {"optimizer": optim.Adam, "allow_changes": ["epochs", name]}
    rates = Rates()
    callbacks = [rates, train.Schedule(optim.OneCycle(0.1))]
    fit(path, callbacks=callbacks, resume=True, **options)
    rule = optim.OneCycle(0.1, total=9)
    assert rates.rates == [rule(t) for t in (7, 8, 9)]


def test_a_schedule_over_the_whole_training_depends_on_its_length(tmp_path):
    """S15: more epochs are another curve."""
    path = tmp_path / "checkpoint.safetensors"
    fit(path, 2, callbacks=[train.Schedule(optim.OneCycle(0.1))])
    with pytest.raises(ArgumentError, match="epochs: 2, now 4"):
        fit(path, 4, callbacks=[train.Schedule(optim.OneCycle(0.1))], resume=True)
    fixed = optim.OneCycle(0.1, total=12)
    path.unlink()
    fit(path, 2, callbacks=[train.Schedule(fixed)])
    assert (
        len(fit(path, 4, callbacks=[train.Schedule(fixed)], resume=True).history) == 4
    )


def test_the_rate_that_a_schedule_replaces_does_not_matter(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(path, callbacks=[train.Schedule(optim.InverseDecay(0.1))])
    options = {"callbacks": [train.Schedule(optim.InverseDecay(0.1))]}
    fit(path, 3, optimizer=partial(optim.Adam, lr=0.7), resume=True, **options)


def test_more_patience_goes_on_after_a_stop(tmp_path):
    path = tmp_path / "checkpoint.safetensors"

    def stopping(patience):
        return [train.EarlyStopping("loss", patience, min_delta=10.0)]

    assert len(fit(path, 9, callbacks=stopping(2)).history) == 3
    one = fit(path, 9, callbacks=stopping(4), resume=True, allow_changes=["callbacks"])
    assert len(one.history) == 5


def test_another_monitor_begins_anew(tmp_path):
    """The lowest loss is no accuracy to be surpassed."""
    path = tmp_path / "checkpoint.safetensors"
    fit(path, callbacks=[train.EarlyStopping("val_loss")])
    stopping = train.EarlyStopping("val_accuracy")
    fit(path, 3, callbacks=[stopping], resume=True, allow_changes=["callbacks"])
    assert stopping.best_epoch == 3


def test_a_log_more_or_less_is_the_same_training(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    plateau = train.ReduceOnPlateau("loss", patience=1, min_delta=10.0)
    fit(path, callbacks=[train.Timing(), plateau])
    plateau = train.ReduceOnPlateau("loss", patience=1, min_delta=10.0)
    logs = [plateau, train.CSVLog(tmp_path / "log.csv"), train.LearningRateLog()]
    one = fit(path, 3, callbacks=logs, resume=True)
    assert one.optimizer.param_groups[0]["lr"] == pytest.approx(0.0001)


def test_the_same_trainer_whose_rate_was_lowered(tmp_path):
    """In a notebook, after Ctrl-C: the user asks for no other rate."""
    path = tmp_path / "checkpoint.safetensors"
    options = {"checkpoint": path, "progress": False}
    options["callbacks"] = [train.ReduceOnPlateau("loss", patience=1, min_delta=10.0)]
    one = Trainer(nn.Sequential(*layers(), nn.Linear(4, 2)))
    one.fit((X, Y), epochs=3, **options)
    one.fit((X, Y), epochs=4, resume=True, **options)
    assert len(one.history) == 4


class Counting(nn.Module):
    def __init__(self, scale=1.0):
        self.body = nn.Linear(2, 2)
        self.calls, self.scale = 0, scale

    def forward(self, x):
        self.calls += 1
        output = self.body(x)
        self.seen = output.numpy().copy()
        return output


def test_what_a_model_keeps_of_its_runs_decides_nothing(tmp_path):
    """Neither in the same process nor in another one, with other fresh weights."""
    path = tmp_path / "checkpoint.safetensors"
    options = {"checkpoint": path, "progress": False}
    one = Trainer(Counting())
    one.fit(X, Y, epochs=1, **options)
    one.fit(X, Y, epochs=2, resume=True, **options)
    Trainer(Counting()).fit(X, Y, epochs=3, resume=True, **options)
    with pytest.raises(ArgumentError, match=r"model\.itself\.scale: 1, now 2"):
        Trainer(Counting(2.0)).fit(X, Y, epochs=4, resume=True, **options)


class Remembering:
    """A transform whose public attributes change with every batch."""

    def __init__(self, factor):
        self.factor, self.calls, self.shapes = factor, 0, {}

    def __call__(self, x, y, seeds):
        self.calls += 1
        self.shapes[self.calls] = x.shape
        return x * np.float32(self.factor), y


class Unnamed(Remembering):
    """Keeps its argument under another name."""

    def __init__(self, by):
        super().__init__(by)


@pytest.mark.parametrize("kind", [Remembering, Unnamed])
@pytest.mark.parametrize("workers", [1, 4])
def test_what_a_transform_keeps_of_its_calls_decides_nothing(tmp_path, kind, workers):
    """However many batches its workers have made ahead when fit looks at one."""
    path = tmp_path / "checkpoint.safetensors"

    def go(epochs, transform, **options):
        loader = DataLoader((X, Y), 4, transform=transform, workers=workers)
        one = Trainer(nn.Linear(2, 2))
        one.fit(loader, epochs=epochs, progress=False, checkpoint=path, **options)

    for epochs in range(1, 6):
        go(epochs, kind(0.5), resume=epochs > 1)
    with pytest.raises(ArgumentError, match=r"factor: 0\.5, now 0\.1"):
        go(6, kind(0.1), resume=True)


def test_a_transform_that_was_called_is_the_same(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    loader = DataLoader((X, Y), 4, transform=Remembering(0.5))
    one = Trainer(nn.Linear(2, 2))
    for epochs in (1, 2, 3):
        options = {"checkpoint": path, "resume": epochs > 1, "progress": False}
        one.fit(loader, epochs=epochs, **options)
    assert len(one.history) == 3


def test_frozen_layers_and_transforms(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    x = RNG.random((8, 4, 4, 1)).astype(np.float32)

    def go(epochs, freeze=False, transform=None, **options):
        fastdl.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Linear(4, 2))
        if freeze:
            model[1].freeze()
        loader = DataLoader((x, Y[:8]), 4, transform=transform)
        one = Trainer(model)
        one.fit(loader, epochs=epochs, progress=False, checkpoint=path, **options)

    go(1, transform=Augment(flip=0.5))
    go(2, transform=[Augment(flip=0.5)], resume=True)
    with pytest.raises(
        ArgumentError, match=r"transform\.0 Augment\.flip: 0\.5, now 0\.1"
    ):
        go(3, transform=Augment(flip=0.1), resume=True)
    with pytest.raises(ArgumentError, match="frozen: "):
        go(3, freeze=True, transform=Augment(flip=0.5), resume=True)


def test_groups_of_parameters(tmp_path):
    path = tmp_path / "checkpoint.safetensors"

    def grouped(rate, *order):
        def make(parameters):
            parameters = list(parameters)
            groups = [parameters[:4], parameters[4:]]
            return optim.SGD(
                [
                    {"params": groups[i], "lr": r}
                    for i, r in zip(order, (0.1, rate), strict=True)
                ]
            )

        return make

    fit(path, optimizer=grouped(0.01, 0, 1))
    fit(path, 3, optimizer=grouped(0.01, 0, 1), resume=True)
    with pytest.raises(ArgumentError, match=r"lr\.1: 0\.01, now 0\.02"):
        fit(path, 4, optimizer=grouped(0.02, 0, 1), resume=True)
    with pytest.raises(ArgumentError, match=r"optimizer\.groups"):
        fit(path, 4, optimizer=grouped(0.01, 1, 0), resume=True)


# Files of earlier versions


def old(path):
    """Make the file as it was before it described its run."""
    arrays, metadata = read_tensors(path)
    state = json.loads(metadata[KEY])
    for name in ("format", "run", "arrays"):
        del state[name]
    write_tensors(arrays, path, {KEY: json.dumps(state)})


def test_a_file_that_does_not_describe_its_run(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(path)
    old(path)
    with pytest.warns(
        UserWarning, match="does not say of which training it is"
    ) as seen:
        one = fit(path, 3, resume=True)
    assert len(one.history) == 3
    assert seen[0].filename == __file__
    fit(path, 4, resume=True)
    old(path)
    stopping = [train.EarlyStopping()]
    with (
        pytest.warns(UserWarning, match="does not say"),
        pytest.raises(ArgumentError, match=r"callbacks: \[\], now \['EarlyStopping'\]"),
    ):
        fit(path, 5, callbacks=stopping, resume=True)


def test_a_file_of_a_later_version(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    fit(path)
    arrays, metadata = read_tensors(path)
    state = json.loads(metadata[KEY]) | {"format": 99}
    write_tensors(arrays, path, {KEY: json.dumps(state)})
    with pytest.raises(FastdlError, match="made by a later version of fastdl"):
        fit(path, 3, resume=True)


# What cannot be written is found before the first step


class NoStep(Callback):
    def on_batch_end(self, trainer, step):
        raise AssertionError("a step was made")


@pytest.mark.parametrize("place", ["folder", "below a file"])
@pytest.mark.parametrize(
    "make",
    [
        lambda path: {"checkpoint": path},
        lambda path: {"callbacks": [NoStep(), train.CSVLog(path)]},
        lambda path: {"callbacks": [NoStep(), train.JSONLog(path)]},
        lambda path: {"callbacks": [NoStep(), train.ModelCheckpoint(path)]},
    ],
    ids=["checkpoint", "CSVLog", "JSONLog", "ModelCheckpoint"],
)
def test_unwritable_is_found_before_the_first_step(tmp_path, place, make):
    path = tmp_path / "log.safetensors"
    if place == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"")
        path = path / "log.safetensors"
    before = sorted(tmp_path.rglob("*"))
    one = Trainer(nn.Sequential(nn.Linear(2, 2)))
    options = {"callbacks": [NoStep()]} | make(path)
    with pytest.raises(OSError, match=r"log\.safetensors"):
        one.fit((X, Y), validation=(X, Y), progress=False, **options)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "make",
    [
        lambda d: {"checkpoint": d / "a.safetensors",
                   "callbacks": [train.ModelCheckpoint(d / "a.safetensors")]},
        lambda d: {"checkpoint": str(d / "last.safetensors"),
                   "callbacks": [train.ModelCheckpoint(d / "b" / "..")]},
        lambda d: {"callbacks": [train.CSVLog(d / "a"), train.JSONLog(d / "a")]},
        lambda d: {"callbacks": 2 * [train.ModelCheckpoint(d)]},
    ],
    ids=["checkpoint", "folder", "logs", "twice"],
)  # fmt: skip
def test_two_writers_of_one_file_are_refused(tmp_path, make):
    one = Trainer(nn.Linear(2, 2))
    with pytest.raises(ArgumentError, match="would be written by two, "):
        one.fit(X, Y, validation=(X, Y), progress=False, **make(tmp_path))
    assert not list(tmp_path.iterdir())


def test_split_parts(tmp_path):
    """A split by another seed is other data."""
    path = tmp_path / "checkpoint.safetensors"

    def go(seed, **options):
        fastdl.manual_seed(0)
        part, _ = data.split((X, Y), (0.5, 0.5), seed=seed)
        one = Trainer(nn.Sequential(nn.Linear(2, 2)))
        one.fit(part, progress=False, checkpoint=path, **options)

    go(0)
    go(0, resume=True)
    with pytest.raises(ArgumentError, match=r"data\.x: other values"):
        go(1, resume=True)
