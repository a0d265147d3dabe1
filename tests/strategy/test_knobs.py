"""The table of remedies: each knob acts on one gap alone (S35)."""

import importlib
import re
import shlex
from operator import attrgetter

import pytest

from fastdl import models, strategy
from fastdl.train import Job, recipe

PROBLEMS = {
    "avoidable bias": {"train": 0.2, "dev": 0.2},
    "variance": {"train": 0.0, "dev": 0.2},
    "data mismatch": {"train": 0.0, "train_dev": 0.0, "dev": 0.2},
    "overfitting to dev": {"train": 0.0, "dev": 0.0, "test": 0.2},
}
SETTINGS = {
    "dataset": "digits",
    "model": "mlp",
    "epochs": 5,
    "optimizer": "momentum",
    "lr": 0.05,
    "schedule": "cosine",
    "input_shape": [28, 28, 1],
}


def test_a_knob_acts_on_one_gap():
    """S35: neither its name nor the setting that it turns stands at another gap."""
    gaps_of = {}
    for knob in strategy.KNOBS:
        gaps_of.setdefault(knob.name, set()).add(knob.gap)
        for setting in knob.change(SETTINGS, ()) if knob.change else ():
            if (knob.name, setting) != ("a better optimiser", "lr"):  # its usual rate
                gaps_of.setdefault(setting, set()).add(knob.gap)
    assert all(len(gaps) == 1 for gaps in gaps_of.values()), gaps_of


def test_early_stopping_is_no_knob():
    """S35: it acts on two gaps at once."""
    assert "patience" not in {
        name
        for knob in strategy.KNOBS
        if knob.change
        for name in knob.change(SETTINGS, ())
    }


@pytest.mark.parametrize("problem", PROBLEMS)
def test_remedies_are_those_of_the_problem(problem):
    """S35"""
    found = strategy.diagnose(**PROBLEMS[problem])
    assert found.problems == (problem,)
    assert found.remedies
    assert {remedy.gap for remedy in found.remedies} == {problem}
    assert all(remedy.argument for remedy in found.remedies)


def test_the_recipe_of_the_course():
    """S25: bigger, longer, better optimiser; more data, regularisation."""
    bias = strategy.diagnose(train=15, dev=16).remedies
    assert [remedy.name for remedy in bias] == [
        "a bigger network",
        "longer training",
        "a better optimiser",
    ]
    variance = strategy.diagnose(train=1, dev=11).remedies
    assert [remedy.name for remedy in variance] == [
        "more training data",
        "augmented pictures",
        "weight decay (L2)",
        "dropout",
    ]


def test_remedies_follow_the_order_of_the_problems():
    found = strategy.diagnose(train=0.05, dev=0.3)
    gaps = [remedy.gap for remedy in found.remedies]
    assert gaps[0] == "variance"
    assert gaps == sorted(gaps, reverse=True)


def test_commands_are_concrete():
    """S35: a command that works as it stands, whatever the folder is called."""
    found = strategy.diagnose(
        train=0.2, dev=0.4, settings=SETTINGS, run="my runs/{a}", examples=500
    )
    commands = {
        remedy.name: shlex.split(remedy.command.replace(" && ", " "))
        for remedy in found.remedies
    }
    begin = ["fastdl", "train", "--config", "my runs/{a}/config.json"]
    assert commands["a bigger network"] == [
        *begin,
        *("--model", "convnet", "--out", "my runs/{a}-model"),
    ]
    assert commands["longer training"][4:6] == ["--epochs", "15"]
    assert commands["a better optimiser"][4:8] == [
        *("--optimizer", "adam", "--lr", "0.001"),
    ]
    assert commands["augmented pictures"][4:6] == [
        *("--augment", "translate=2,rotate=10"),
    ]
    assert commands["more training data"] == [
        *("fastdl", "diagnose", "my runs/{a}", "--data-curve"),
    ]


@pytest.mark.parametrize(
    ("epochs", "examples", "proposed"), [(1, 32, 0), (1, 33, 1), (2, 9, 1)]
)
def test_a_rate_that_rises_and_falls_needs_two_steps(epochs, examples, proposed):
    settings = SETTINGS | {"epochs": epochs, "batch_size": 32, "examples": None}
    found = strategy.diagnose(
        train=0.5,
        dev=0.5,
        settings=settings,
        examples={"train": examples, "dev": 100},
        symptoms=[strategy.Symptom("rate too high", "It is.")],
    )
    names = [remedy.name for remedy in found.remedies]
    assert "another learning rate" in names
    assert names.count("a rate that rises and falls") == proposed


def test_commands_without_a_run():
    found = strategy.diagnose(train=0.2, dev=0.2, settings={"dataset": "mnist"})
    assert found.remedies[0].command == "fastdl train mnist --model convnet"
    found = strategy.diagnose(train=0.2, dev=0.2)
    assert found.remedies[1].command == "fastdl train DATASET --epochs 30"


def test_a_knob_that_is_turned_already_is_left_out():
    turned = SETTINGS | {
        "optimizer": "adam",
        "dropout": 0.5,
        "augment": {"translate": 1},
        "weight_decay": 0.001,
        "examples": 300,
    }
    found = strategy.diagnose(train=0.2, dev=0.5, settings=turned)
    changes = {remedy.name: remedy.changes for remedy in found.remedies}
    assert changes == {
        "a bigger network": {"model": "convnet"},
        "longer training": {"epochs": 15},
        "more training data": {"examples": 1200},
        "weight decay (L2)": {"weight_decay": 0.003},
    }


@pytest.mark.parametrize(("name", "factor"), [("high", 0.1), ("low", 10)])
def test_the_rate_goes_where_it_should(name, factor):
    symptom = strategy.Symptom(f"rate too {name}", "...")
    found = strategy.diagnose(train=0.9, dev=0.9, symptoms=[symptom], settings=SETTINGS)
    assert found.remedies[0].changes == {"lr": pytest.approx(0.05 * factor)}


def test_every_network_has_a_larger_one_or_is_the_largest():
    """Larger is what computes more."""
    largest = []
    for name, known in models.CATALOGUE.items():
        settings = {"dataset": "digits", "model": name}
        (remedy, *_) = strategy.diagnose(train=0.5, dev=0.5, settings=settings).remedies
        if remedy.name == "a bigger network":
            larger = models.CATALOGUE[remedy.changes["model"]]
            assert larger.multiply_adds > known.multiply_adds
        else:
            largest.append(name)
    assert largest == [
        *("cifar_resnet34", "vgg19", "vgg19_bn", "resnet101", "efficientnet_b3"),
        "unet",
    ]


def test_an_unknown_network_becomes_that_of_the_recipe():
    settings = {"dataset": "digits", "model": "my own"}
    found = strategy.diagnose(train=0.5, dev=0.5, settings=settings)
    assert found.remedies[0].changes == {"model": recipe("digits").model}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("mlp", {"dropout": 0.5}),  # it has none
        ("convnet", {"dropout": 0.5}),  # it drops a quarter
        ("digits_convnet", None),  # it drops half
        ("lenet5", {}),  # it has no place for it
        ("my own", {"dropout": 0.5}),
    ],
)
def test_dropout_where_the_network_has_it(model, changes):
    found = strategy.diagnose(train=0, dev=0.5, settings={"model": model})
    assert {r.name: r.changes for r in found.remedies}.get("dropout") == changes


def test_what_the_knobs_name_exists():
    """S35"""
    rooms = r"\b((?:strategy|data|models|optim|nn|train)\.\w+)"
    found = [
        name for knob in strategy.KNOBS for name in re.findall(rooms, knob.argument)
    ]
    assert found
    for name in found:
        attrgetter(name)(importlib.import_module("fastdl"))


def test_every_change_is_one_of_a_job():
    """S35: the changes of each remedy make another job."""
    job = Job("digits", recipe("digits"), examples=500)
    settings = job.to_dict() | {"available": 900, "input_shape": [8, 8, 1]}
    for errors in PROBLEMS.values():
        for remedy in strategy.diagnose(**errors, settings=settings).remedies:
            changed = job.replace(**remedy.changes)
            assert (changed != job) == bool(remedy.changes)
            for option in remedy.changes:
                assert f"--{option.replace('_', '-')} " in remedy.command


@pytest.mark.parametrize(
    ("available", "changes"),
    [(None, 2000), (900, 900), (500, None), (100_000, 2000)],
)
def test_no_more_examples_than_there_are(available, changes):
    settings = {"examples": 500, "available": available or 10**9}
    (remedy, *_) = strategy.diagnose(train=0, dev=0.5, settings=settings).remedies
    assert remedy.changes.get("examples") == changes
