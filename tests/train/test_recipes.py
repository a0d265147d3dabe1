"""Recipes: what they make, and that digits and SIGNS are learned."""

import os
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import backend, data, datasets, models, nn, optim
from fastdl.errors import ArgumentError
from fastdl.train import OPTIMIZERS, RECIPES, LearningRateLog, Recipe, recipe

SHARED = os.environ.get("FASTDL_DATA_DIR", "")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_model(name):
    assert recipe(name) is RECIPES[name]
    assert recipe(name).model in models.names()
    assert isinstance(recipe(name).create_model(3), nn.Module)


def test_every_data_set_has_a_recipe():
    assert set(datasets.names()) <= set(RECIPES)


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
    ],
    ids=str,
)
def test_unknown_names(options, message):
    with pytest.raises(ArgumentError, match=message):
        Recipe(**options)
    with pytest.raises(ArgumentError, match="unknown recipe 'minst'; did you mean 'mn"):
        recipe("minst")


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
    splits = datasets.load(name.removesuffix("_accurate"))
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
        ("signs", 0.98),
    ],
)
def test_recipe_reaches_its_accuracy(name, floor, seed):
    """S22, and S44 for signs."""
    folder = Path(SHARED, name.removesuffix("_accurate"))
    if name != "digits" and not folder.is_dir():
        pytest.skip(f"{folder.name} is not in FASTDL_DATA_DIR")
    assert learn(name, recipe(name).epochs, seed) >= floor
