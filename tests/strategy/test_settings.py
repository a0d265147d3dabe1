"""In what runs differ."""

from dataclasses import asdict

from fastdl.data import Augment
from fastdl.strategy import setting_differences


def test_what_differs_alone():
    runs = {"a": {"lr": 0.1, "epochs": 3}, "b": {"lr": 0.2, "epochs": 3}}
    assert setting_differences(runs) == {"lr": {"a": 0.1, "b": 0.2}}


def test_same_settings():
    assert setting_differences({"a": {"lr": 0.1}, "b": {"lr": 0.1}}) == {}
    assert setting_differences({"a": {"lr": 0.1}}) == {}
    assert setting_differences({}) == {}


def test_not_set_is_missing():
    runs = {"a": {"dropout": None}, "b": {}, "c": {"dropout": 0.5}}
    assert setting_differences(runs) == {"dropout": {"c": 0.5}}
    assert setting_differences({"a": {"dropout": None}, "b": {}}) == {}


def test_augmentations_that_do_something():
    runs = {
        "a": {"augment": asdict(Augment(rotate=5, translate=1))},
        "b": {"augment": asdict(Augment(rotate=9, translate=1))},
        "c": {"augment": None},
    }
    assert setting_differences(runs) == {
        "augment.translate": {"a": 1, "b": 1},
        "augment.rotate": {"a": 5, "b": 9},
    }


def test_lists_are_values():
    runs = {"a": {"classes": ["x", "y"]}, "b": {"classes": ["x", "z"]}}
    assert list(setting_differences(runs)) == ["classes"]
