"""Wrong labels of all parts of a data set, and the files that tell them (S30, S29)."""

import csv
import json

import numpy as np
import pytest

from bench.labels import flip, table, with_flips
from fastdl import strategy
from fastdl.data import ArrayDataset
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.train import Job, Parts, Recipe


@pytest.fixture(scope="module")
def digits():
    return Job("digits").load()


def review(parts, **options):
    return strategy.review_labels(parts, progress=False, **options)


@pytest.fixture(scope="module")
def systematic(digits):
    """Digits of which a fifth of one class is labelled as another; and which."""
    parts, wrong = with_flips(digits, "systematic", 0)
    return (*review(parts), wrong, parts)


def share_found(found, wrong):
    first = found.suspects[: int(1.2 * len(wrong))]
    return sum((each.part, each.index) in wrong for each in first) / len(wrong)


def test_random_flips_of_digits_are_found(digits):
    """S30: 5 % of all labels, by what the command does by default."""
    parts, wrong = with_flips(digits, "random", 0)
    found, suspects = review(parts)
    assert len(wrong) == 281
    assert share_found(found, wrong) >= 0.9
    assert found.kind == suspects.kind == "random"
    assert found.noise_rate == pytest.approx(0.05, abs=0.015)


def test_systematic_flips_of_digits_are_found(systematic):
    """S30: 20 % of one class to another."""
    found, _, wrong, parts = systematic
    assert share_found(found, wrong) >= 0.9
    assert found.kind == "systematic"
    [pair] = found.pairs
    part, index = next(iter(wrong))
    assert pair.given == getattr(parts, part).y[index]
    assert pair.share == pytest.approx(0.2, abs=0.08)


def test_dev_and_test_are_looked_at_by_one_process(systematic):
    """S29: suspects of every part, each with its own index there."""
    found, suspects, _, parts = systematic
    assert suspects.examples == 5620
    assert {each.part for each in found.suspects} == {"train", "dev", "test"}
    for each in (*found.suspects, *found.sample):
        assert getattr(parts, each.part).y[each.index] == each.given
    assert found.of_part("dev") == tuple(
        each for each in found.suspects if each.part == "dev"
    )
    scores = [each.score for each in found.suspects]
    assert scores == sorted(scores, reverse=True)


def test_examples_that_were_right_are_looked_at_too(systematic):
    """S29: a sample of those that are not suspect."""
    found = systematic[0]
    suspects = {(each.part, each.index) for each in found.suspects}
    sample = {(each.part, each.index) for each in found.sample}
    assert len(sample) == 100
    assert not suspects & sample
    assert all(each.suggested == each.given for each in found.sample)
    assert all(each.score <= 0.1 for each in found.sample)


def test_saved_and_read(systematic, tmp_path):
    found = systematic[0]
    found.save(tmp_path / "run")
    assert strategy.read_suspects(tmp_path / "run") == found
    with open(tmp_path / "run" / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.suspects) + 100
    first = found.suspects[0]
    assert rows[0]["part"] == first.part
    assert int(rows[0]["index"]) == first.index
    assert rows[0]["given"] == str(first.given)
    assert rows[0]["suggested"] == str(first.suggested)
    assert [row["suspect"] for row in rows] == ["yes"] * len(found.suspects) + [
        "no"
    ] * 100


def test_parts_of_another_seed_are_others(systematic, digits):
    found, _, _, parts = systematic
    assert found.fits(parts)
    assert not found.fits(digits)  # whose labels are right
    assert not found.fits(parts._replace(classes=tuple("abcdefghij")))
    assert not found.fits(parts._replace(dev=ArrayDataset(np.zeros(1), [0])))
    dev = review(small_parts(train_dev=small_parts().dev), recipe=RECIPE)[0]
    assert not dev.fits(small_parts())


def test_nothing_to_read(tmp_path):
    assert strategy.read_suspects(tmp_path) is None
    assert strategy.read_suspects(tmp_path / "none") is None


def changed(content, **changes):
    return json.dumps(json.loads(content) | changes)


SUSPECT = {"part": "dev", "index": 0, "given": 0, "suggested": 1, "score": 0.5}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: changed(text, format=None),
        lambda text: changed(text, suspects=[{"part": "dev"}]),
        lambda text: changed(text, suspects=[SUSPECT | {"part": "../.."}]),
        lambda text: changed(text, suspects=[SUSPECT | {"index": -1}]),
        lambda text: changed(text, suspects=[SUSPECT | {"given": 10}]),
        lambda text: changed(text, suspects=[SUSPECT | {"suggested": "<b>"}]),
        lambda text: changed(text, sample=[SUSPECT | {"score": 2}]),
        lambda text: changed(text, sample=[SUSPECT | {"score": "high"}]),
        lambda text: changed(text, more=1),
    ],
)
def test_a_damaged_file(damage, systematic, tmp_path):
    systematic[0].save(tmp_path)
    path = tmp_path / "labels.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError, match=r"labels\.json"):
        strategy.read_suspects(tmp_path)


def test_a_newer_file(systematic, tmp_path):
    systematic[0].save(tmp_path)
    path = tmp_path / "labels.json"
    path.write_text(changed(path.read_text(), format=2))
    with pytest.raises(DataError, match="newer fastdl"):
        strategy.read_suspects(tmp_path)


def small_parts(m=60, train_dev=None):
    rng = np.random.default_rng(0)
    y = np.arange(m) % 3
    x = (5 * np.eye(3)[y] + rng.normal(0, 0.3, (m, 3))).astype(np.float32)
    data = ArrayDataset(x, y)
    return Parts("blobs", ("a", "b", "c"), data, data, data, train_dev)


RECIPE = Recipe("logistic", epochs=20, batch_size=16, lr=0.3)


def test_one_part_alone():
    parts = small_parts()
    y = parts.test.y.copy()
    y[:3] = (y[:3] + 1) % 3
    parts = parts._replace(test=ArrayDataset(parts.test.x, y), dev=parts.test)
    found, suspects = review(parts, recipe=RECIPE, part="test", sample=10)
    assert suspects.examples == 180
    assert {each.index for each in found.suspects} >= {0, 1, 2}
    assert {each.part for each in (*found.suspects, *found.sample)} == {"test"}
    assert len(found.sample) == 10
    assert review(parts, recipe=RECIPE, part="test", sample=10)[0] == found
    assert review(parts, recipe=RECIPE, part="dev", sample=0)[0].suspects == ()


def test_train_dev_is_a_part_where_there_is_one():
    parts = small_parts(train_dev=small_parts().dev)
    found, suspects = review(parts, recipe=RECIPE, part="train_dev", sample=1000)
    assert suspects.examples == 240
    assert len(found.sample) + len(found.suspects) == 60


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="unknown part 'tset'; did you mean 'test'"):
        review(small_parts(), part="tset")
    with pytest.raises(ArgumentError, match="unknown part 'train_dev'"):
        review(small_parts(), part="train_dev")
    with pytest.raises(ShapeError, match="sample"):
        review(small_parts(), sample=-1)
    with pytest.raises(ArgumentError, match="unknown part"):
        review(small_parts(), recipe=RECIPE)[0].of_part("all")


def test_the_recipe_trains_small_data_for_longer():
    recipes = [strategy.quick_recipe(m) for m in (0, 100, 5620, 70_000)]
    assert [recipe.epochs for recipe in recipes] == [100, 100, 11, 4]
    assert {(recipe.batch_size, recipe.lr) for recipe in recipes} == {(128, 0.004)}


# The bench


def test_flips():
    """As many as asked for, never to the same class; one pair when systematic."""
    y = np.arange(1000) % 10
    flipped = flip(y, 10, "random", 0)
    assert np.sum(flipped != y) == 50
    assert len(np.unique(flipped[flipped != y])) > 5
    flipped = flip(y, 10, "systematic", 0)
    assert np.sum(flipped != y) == 20
    assert len(np.unique(flipped[flipped != y])) == 1
    assert len(np.unique(y[flipped != y])) == 1
    np.testing.assert_array_equal(flipped, flip(y, 10, "systematic", 0))


def test_table():
    row = {"dataset": "digits", "kind": "random", "told": "random", "seconds": 2.0}
    text = str(table([{**row, "recall": 0.95}, {**row, "recall": 0.85}]))
    assert "**85.0%** (≥ 90%)" in text
    assert "2 of 2" in text
