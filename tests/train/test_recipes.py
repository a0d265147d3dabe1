"""Recipes: what they make, their files, and that they reach what these say."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import backend, data, datasets, models, nn, optim
from fastdl.errors import ArgumentError, FastdlError
from fastdl.files import read_toml
from fastdl.train import (
    OPTIMIZERS,
    RECIPE_FILES,
    RECIPES,
    LearningRateLog,
    Reached,
    Recipe,
    read_recipe,
    recipe,
)

SHARED = os.environ.get("FASTDL_DATA_DIR", "")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_model(name):
    assert recipe(name) is RECIPES[name]
    assert recipe(name).model in models.names()
    assert isinstance(recipe(name).create_model(3), nn.Module)


def test_every_data_set_has_a_recipe():
    assert set(datasets.names()) <= set(RECIPES)
    for name in datasets.names():
        assert RECIPE_FILES[name].dataset == name


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_for_a_data_set(name):
    """And its file says what it takes to train as it did: no default is left open."""
    file = RECIPE_FILES[name]
    assert file.dataset in (*datasets.names(), None)
    keys = set(read_toml(file.path))
    assert {"model", "epochs", "batch_size", "optimizer", "lr", "schedule"} <= keys


def test_what_is_not_said_is_usual():
    """What Adam trains a small ConvNet well with (Kingma and Ba 2015, section 2)."""
    usual = Recipe()
    assert (usual.optimizer, usual.lr, usual.schedule) == ("adam", 0.001, "cosine")
    assert (usual.model, usual.epochs, usual.batch_size) == ("convnet", 10, 64)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_has_the_rate_of_the_recipe(name):
    trainer = Recipe(optimizer=name, lr=0.25).trainer(nn.Linear(2, 3))
    (group,) = trainer.optimizer.param_groups
    assert isinstance(trainer.optimizer, optim.Optimizer)
    assert group["lr"] == 0.25
    if name in ("momentum", "nesterov"):
        assert (group["momentum"], group["nesterov"]) == (0.9, name == "nesterov")


@pytest.mark.parametrize(
    ("name", "rates"),
    [("constant", [4, 4, 4]), ("cosine", [4, 3, 1]), ("one_cycle", [0.16, 3.28, 4e-4])],
)
def test_schedule_spreads_the_rate_over_the_training(name, rates):
    """S15"""
    trainer = Recipe(schedule=name, lr=4.0).trainer(nn.Linear(2, 3))
    seen = LearningRateLog()
    x, y = np.eye(2, dtype=np.float32), np.arange(2)
    schedule = Recipe(schedule=name, lr=4.0).create_schedule()
    trainer.fit((x, y), epochs=3, callbacks=[seen, schedule])
    np.testing.assert_allclose(trainer.history["learning_rate"], rates, rtol=0.02)


def test_weights_decay_and_labels_are_smooth_when_asked():
    """S19: biases do not decay."""
    chosen = Recipe(optimizer="sgd", weight_decay=0.5, label_smoothing=0.1)
    trainer = chosen.trainer(nn.Linear(2, 3))
    weights, others = trainer.optimizer.param_groups
    assert [p.ndim for p in weights["params"] + others["params"]] == [2, 1]
    assert (weights["weight_decay"], others["weight_decay"]) == (0.5, 0)
    assert trainer.loss.label_smoothing == 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "adan"}, "unknown optimizer 'adan'; did you mean 'adam'"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'"),
        ({"optimizer": ["adam"]}, r"unknown optimizer \['adam'\]"),
        ({"model_options": [25]}, r"model_options must be values by name, got \[25\]"),
        (
            {"model": "mlp", "model_options": {"hiden": [25]}},
            "the model 'mlp' has no 'hiden'; did you mean 'hidden'",
        ),
    ],
    ids=str,
)
def test_unknown_names(options, message):
    with pytest.raises(ArgumentError, match=message):
        Recipe(**options)
    with pytest.raises(ArgumentError, match="unknown recipe 'minst'; did you mean 'mn"):
        recipe("minst")


def test_options_of_a_model():
    chosen = Recipe("mlp", model_options={"hidden": [25, 12], "dropout": 0.5})
    model = chosen.create_model(6)
    model.build((4,))
    sizes = [parameter.shape[-1] for parameter in model.parameters()]
    assert sizes == [25, 25, 12, 12, 6, 6]
    assert chosen.create_model(6)[3].p == 0.5
    assert chosen.replace(dropout=0.25).create_model(6)[3].p == 0.25
    assert chosen.replace(epochs=3).model_options == chosen.model_options
    assert chosen.replace(model="convnet").model_options == {}
    assert hash(chosen) == hash(chosen.replace())


def test_replaced_augmentation():
    moved = Recipe().replace(augment={"translate": 2})
    assert moved.augment == data.Augment(translate=2)
    assert moved.replace(epochs=3).augment == moved.augment
    assert moved.replace(augment={}).augment is None
    assert moved.replace(augment=None).augment is None


# Files --------------------------------------------------------------------------------


def test_file_of_a_recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        dataset = "signs"
        model = "mlp"
        lr = 1e-4
        [model_options]
        hidden = [25, 12]
        [augment]
        zoom = [0.8, 1.25]
        [reached]
        accuracy = 0.716
        seconds = 60
        machine = "two cores"
        date = 2026-11-28
        """
    )
    file = read_recipe(path)
    assert (file.path, file.dataset) == (path, "signs")
    assert file.recipe == Recipe(
        "mlp",
        lr=1e-4,
        model_options={"hidden": [25, 12]},
        augment=data.Augment(zoom=[0.8, 1.25]),
    )
    assert file.reached == Reached(0.716, 60, "two cores", date(2026, 11, 28))
    path.write_text("")
    assert read_recipe(path) == (path, Recipe(), None, None)


REACHED = "[reached]\naccuracy=0.7\nseconds=9\nmachine='here'\ndate=2026-11-28\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "unknown key 'epoch'; did you mean 'epochs'"),
        ("epochs = 1.5", "epochs .*1.5"),
        ("epochs = true", "epochs"),
        ("lr = '0.1'", "lr must be a number above 0, got '0.1'"),
        ("lr = 2026-01-01", "lr must be a number above 0"),
        ("dropout = 1", "dropout must be a number from 0 to below 1, got 1"),
        ("model = 'mpl'", "unknown model 'mpl'; did you mean 'mlp'"),
        ("model = 3", "unknown model 3"),
        ("dataset = 3", "dataset must be a text, got 3"),
        ("model_options = 3", "model_options must be values by name, got 3"),
        ("model_options.depth = 3", "the model 'convnet' has no 'depth'"),
        ("augment = 'flip'", "augment must be an Augment, got 'flip'"),
        ("augment.flop = 0.5", "unknown augmentation 'flop'; did you mean 'flip'"),
        ("augment.flip = 2", "flip must be a probability from 0 to 1, got 2"),
        ("reached = 0.7", "reached must be a table, got 0.7"),
        (REACHED + "second = 3", "reached: unknown key 'second'; did you .*'seconds'"),
        (REACHED.replace("0.7", "70"), "accuracy must be a number from 0 to 1, got 70"),
        (REACHED.replace("'here'", "9"), "machine must be a text, got 9"),
        (REACHED.replace("=2026-11-28", "='now'"), "date must be a date.*got 'now'"),
        (REACHED.replace("seconds=9", ""), "seconds is missing"),
        (REACHED + "seeds = 0", "seeds"),
        ("lr = ", "is no TOML"),
        ("[augment]\n[augment]", "is no TOML"),
    ],
)
def test_wrong_file_of_a_recipe(text, message, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(FastdlError, match=message) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


# Training -----------------------------------------------------------------------------


def test_loader_augments_only_when_asked():
    x = np.random.default_rng(0).random((8, 6, 6, 1), np.float32)
    still = Recipe(batch_size=8).loader(x, seed=0)
    moved = Recipe(batch_size=8, augment=data.Augment(translate=1)).loader(x, seed=0)
    assert still.shuffle
    (a, _), (b, _) = next(iter(still)), next(iter(moved))
    assert sorted(map(bytes, a)) == sorted(map(bytes, x))
    assert not np.isin(b.sum(axis=(1, 2, 3)), x.sum(axis=(1, 2, 3))).any()


def learn(name, epochs, seed=0):
    """Train as `fastdl train` does; return the test accuracy."""
    fastdl.manual_seed(seed)
    splits = datasets.load(RECIPE_FILES[name].dataset)
    train, _ = data.split(splits.train, (0.9, 0.1), seed, stratify=True)
    chosen = recipe(name)
    trainer = chosen.trainer(chosen.create_model(len(splits.classes)))
    loader = chosen.loader(train, seed)
    trainer.fit(loader, epochs=epochs, callbacks=[chosen.create_schedule()])
    return trainer.evaluate(splits.test)["accuracy"]


def test_a_few_epochs_learn_digits():
    assert learn("digits", epochs=2) > 0.96


@pytest.mark.soak
@pytest.mark.skipif(backend.name != "compiled", reason="slow")
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("digits", 0.985),
        ("mnist", 0.99),
        ("mnist_accurate", 0.994),
        ("fashion_mnist", 0.9),
        ("fashion_mnist_accurate", 0.93),
        ("signs", 0.985),
    ],
)
def test_recipe_reaches_its_accuracy(name, floor, seed):
    """S22, and S44 for signs."""
    folder = Path(SHARED, RECIPE_FILES[name].dataset)
    if name != "digits" and not folder.is_dir():
        pytest.skip(f"{folder.name} is not in FASTDL_DATA_DIR")
    assert learn(name, recipe(name).epochs, seed) >= floor


@pytest.mark.soak
@pytest.mark.skipif(backend.name != "compiled", reason="slow")
def test_dense_network_of_the_course():
    """S44: within 2 points of what it published, trained on all pictures as there."""
    if not Path(SHARED, "signs").is_dir():
        pytest.skip("signs is not in FASTDL_DATA_DIR")
    signs, chosen = datasets.load("signs"), recipe("signs_dense")
    reached = []
    for seed in range(5):
        fastdl.manual_seed(seed)
        trainer = chosen.trainer(chosen.create_model(len(signs.classes)))
        trainer.fit(
            chosen.loader(signs.train, seed),
            epochs=chosen.epochs,
            callbacks=[chosen.create_schedule()],
        )
        parts = (signs.train, signs.test)
        reached.append([trainer.evaluate(part)["accuracy"] for part in parts])
    np.testing.assert_allclose(np.mean(reached, axis=0), [0.797, 0.716], atol=0.02)
