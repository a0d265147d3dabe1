"""Train, dev and test sets of one source and of two (SPEC S24)."""

import json

import numpy as np
import pytest

from fastdl import Trainer, datasets, nn
from fastdl.data import ArrayDataset, Concat, Subset
from fastdl.errors import ArgumentError, DataError, DtypeError, FastdlError, ShapeError
from fastdl.files import read_tensors, write_tensors
from fastdl.strategy import (
    Split,
    examples_needed,
    rule_of_thumb,
    split_sources,
    train_dev_test,
)


def table(m, classes=4):
    """Return m examples whose x and place are the same."""
    return ArrayDataset(np.arange(m), np.arange(m) % classes)


def covered(split):
    """Return the indices of all parts by source, after checking that none overlap."""
    found = {name: [] for name in split.sources}
    for sources in split.indices.values():
        for name, indices in sources.items():
            assert len(indices) > 0
            found[name].append(indices)
    found = {name: np.concatenate(each) for name, each in found.items() if each}
    for indices in found.values():
        assert len(np.unique(indices)) == len(indices)
    return found


# The rules of thumb


@pytest.mark.parametrize(
    ("m", "dev", "expected"),
    [
        (100, False, (70, 30)),
        (10_000, False, (7_000, 3_000)),
        (100, True, (60, 20, 20)),
        (10_000, True, (6_000, 2_000, 2_000)),
        (1_000_000, True, (980_000, 10_000, 10_000)),
        (3, True, (1, 1, 1)),
        (2, False, (1, 1)),
    ],
    ids=str,
)
def test_rules_of_thumb(m, dev, expected):
    """S24: 70/30, 60/20/20, and 98/1/1 of a million."""
    names = ("train", "dev", "test") if dev else ("train", "test")
    assert rule_of_thumb(m, dev) == dict(zip(names, expected, strict=True))


def test_the_rule_has_no_jump():
    for m in range(3, 200_000, 997):
        now, more = rule_of_thumb(m), rule_of_thumb(m + 1)
        assert sum(now.values()) == m
        assert all(abs(more[name] - now[name]) <= 1 for name in now)


def test_too_few_for_a_rule():
    with pytest.raises(ShapeError, match="rule_of_thumb: m must be an integer >= 3"):
        rule_of_thumb(2)


# One source


def test_without_sizes_by_rule_of_thumb():
    """S24: 60/20/20 of a thousand, 98/1/1 of a million."""
    assert train_dev_test(table(1000)).sizes == {"train": 600, "dev": 200, "test": 200}
    sizes = train_dev_test(np.zeros(1_000_000, np.uint8)).sizes
    assert sizes == {"train": 980_000, "dev": 10_000, "test": 10_000}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((0.7, None, 0.3), {"train": 700, "test": 300}),
        ((0.6, 0.2, 0.2), {"train": 600, "dev": 200, "test": 200}),
        ((None, 0.1, 50), {"train": 850, "dev": 100, "test": 50}),
        ((500, None, 500), {"train": 500, "test": 500}),
        ((None, 0.2), {"train": 800, "dev": 200}),
        ((None, 0.2, 0), {"train": 800, "dev": 200}),
        ((1 / 3, 1 / 3, 1 / 3), {"train": 333, "dev": 334, "test": 333}),
        (
            (None, 100, 100, 0.05),
            {"train": 760, "train_dev": 40, "dev": 100, "test": 100},
        ),
        (
            (None, 100, 0.1, 80),
            {"train": 720, "train_dev": 80, "dev": 100, "test": 100},
        ),
    ],
    ids=str,
)
def test_fractions_and_counts(given, expected):
    """S24: fractions, absolute sizes, and a train-dev set carved from train."""
    split = train_dev_test(table(1000), *given)
    assert split.sizes == expected
    assert sorted(covered(split)["data"]) == list(range(1000))


def test_parts_by_name_and_place():
    split = train_dev_test(table(10), dev=3, test=2)
    train, dev, test = split
    assert split.names == ("train", "dev", "test")
    assert split["dev"] is split.dev is split[1] is dev
    assert split[-1] is test is split.test
    assert train is split.train
    assert split.train_dev is None
    assert len(split) == 3
    assert repr(split) == "Split(train 5, dev 3, test 2)"
    with pytest.raises(ArgumentError, match="'dve'; did you mean 'dev'"):
        split["dve"]
    with pytest.raises(ArgumentError, match="no part 'train_dev'"):
        split["train_dev"]
    with pytest.raises(IndexError):
        split[3]


def test_the_seed_decides():
    def indices(seed):
        split = train_dev_test(table(100), train_dev=20, seed=seed)
        return {name: own["data"].tolist() for name, own in split.indices.items()}

    assert indices(5) == indices(5)
    assert all(indices(5)[name] != own for name, own in indices(6).items())


def test_train_dev_leaves_dev_and_test_alone():
    plain = train_dev_test(table(100), seed=2)
    carved = train_dev_test(table(100), train_dev=0.1, seed=2)
    for name in ("dev", "test"):
        np.testing.assert_array_equal(
            plain.indices[name]["data"], carved.indices[name]["data"]
        )
    both = np.concatenate(
        [carved.indices[name]["data"] for name in ("train", "train_dev")]
    )
    np.testing.assert_array_equal(np.sort(both), plain.indices["train"]["data"])


def test_stratified():
    """S24: the shares of the classes are alike in all parts, train-dev too."""
    y = np.repeat([0, 1, 2], [600, 300, 100])
    split = train_dev_test((y, y), train_dev=0.1, stratify=True)
    for part in split:
        np.testing.assert_allclose(
            np.bincount(part.y) / len(part), [0.6, 0.3, 0.1], atol=1 / len(part)
        )


def test_no_writer_in_two_parts():
    """S24: whole groups, also between train and train-dev."""
    writers = np.arange(1000) // 20
    split = train_dev_test(table(1000), train_dev=0.1, groups=writers)
    found = [set(writers[own["data"]]) for own in split.indices.values()]
    assert sum(map(len, found)) == len(set().union(*found)) == 50
    assert split.sizes == {"train": 540, "train_dev": 60, "dev": 200, "test": 200}


def test_a_model_trains_on_the_parts():
    digits = datasets.load("digits")
    split = train_dev_test(digits.train, dev=500, stratify=True)
    trainer = Trainer(nn.Sequential(nn.Flatten(), nn.Linear(None, 10)))
    history = trainer.fit(split.train, epochs=2, validation=split.dev)
    assert history["val_accuracy"][-1] > 0.7


def test_fractions_may_be_rounded():
    split = train_dev_test(table(100), 0.6, 0.2, 0.2 + 0.5e-6)
    assert (len(split.train), len(split.dev), len(split.test)) == (60, 20, 20)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0.5, 0.2, 0.2), "make 90 of 100"),
        ((0.6, 0.3, 0.2), "make 110 of 100"),
        ((0.6, 0.2, 0.2 + 1.5e-6), "make 100.00015 of 100"),
        ((0.6, 0.2, 0.2 - 1.5e-6), "make 99.99985 of 100"),
        ((None, 80, 30), "make 110 of 100"),
        ((None, 50, 50), "train would be empty"),
        ((0, 50, 50), "no part 'train'"),
        ((None, 0.001), "dev would be empty"),
        ((None, -5), "dev must be a fraction such as 0.2 or a count"),
        ((None, 1.5), "dev must be"),
        ((None, float("nan")), "dev must be"),
        ((None, True), "dev must be"),
        ((None, "half"), "dev must be"),
        ((None, 20, 20, 60), "train would be empty"),
        ((None, 20, 20, 70), "make 70 of 60"),
        ((None, 20, 20, 0.001), "train_dev would be empty"),
    ],
    ids=str,
)
def test_sizes_that_do_not_fit(sizes, message):
    with pytest.raises(ArgumentError, match=message):
        train_dev_test(table(100), *sizes)


def test_groups_of_wrong_length():
    with pytest.raises(ShapeError, match=r"groups of shape \(100,\)"):
        train_dev_test(table(100), groups=np.arange(99))


# Two sources


def test_web_and_mobile():
    """S24: 200,000 web + 10,000 mobile."""
    web, mobile = table(200_000), table(10_000)
    split = split_sources(web, mobile, target_in_train=5_000, dev=2_500, test=2_500)
    assert split.sizes == {"train": 205_000, "dev": 2_500, "test": 2_500}
    by_source = {
        part: {name: len(own) for name, own in sources.items()}
        for part, sources in split.indices.items()
    }
    assert by_source == {
        "train": {"other": 200_000, "target": 5_000},
        "dev": {"target": 2_500},
        "test": {"target": 2_500},
    }
    assert {name: len(each) for name, each in covered(split).items()} == {
        "other": 200_000,
        "target": 10_000,
    }


def test_utterances():
    """S24: 500,000 utterances from elsewhere + 20,000 of the product."""
    elsewhere, product = np.zeros(500_000, np.uint8), np.ones(20_000, np.uint8)
    split = split_sources(elsewhere, product)
    assert split.sizes == {"train": 510_000, "dev": 5_000, "test": 5_000}
    for part in (split.dev, split.test):
        assert part.take(np.arange(5_000))[0].min() == 1
    by_count = split_sources(elsewhere, product, 10_000, 5_000, 5_000)
    by_fraction = split_sources(elsewhere, product, None, dev=0.25, test=0.25)
    for other in (by_count, by_fraction):
        assert other.sizes == split.sizes
        np.testing.assert_array_equal(
            other.indices["dev"]["target"], split.indices["dev"]["target"]
        )


def test_train_dev_is_of_both_sources_as_they_come():
    """S24: a train-dev set has the distribution of the training set."""
    split = split_sources(table(8000), table(4000), 2000, 1000, 1000, train_dev=1000)
    assert split.sizes == {
        "train": 9000,
        "train_dev": 1000,
        "dev": 1000,
        "test": 1000,
    }
    assert {name: len(each) for name, each in covered(split).items()} == {
        "other": 8000,
        "target": 4000,
    }
    assert 740 < len(split.indices["train_dev"]["other"]) < 860


def test_nothing_of_the_target_in_train():
    split = split_sources(table(100), table(20), 0, dev=10, test=10, train_dev=10)
    assert split.indices["train"].keys() == {"other"}
    assert isinstance(split.train, Subset)
    assert split.sizes == {"train": 90, "train_dev": 10, "dev": 10, "test": 10}


def test_sources_of_bytes_and_of_real_numbers():
    """Pictures of one are scaled, those of the other are not."""
    web = (np.full((6, 2, 2, 1), 255, np.uint8), np.zeros(6, int))
    mobile = (np.full((4, 2, 2, 1), 0.5, np.float32), np.ones(4, int))
    split = split_sources(web, mobile, 2, dev=1, test=1)
    assert isinstance(split.train, Concat)
    x, y = split.train.take(np.arange(8))
    np.testing.assert_array_equal(x[:, 0, 0, 0], np.where(y == 0, 1, 0.5))
    assert np.bincount(y).tolist() == [6, 2]


def test_groups_of_two_sources():
    """S24: a speaker of the product may be among those from elsewhere, not in dev."""
    target = np.repeat(np.arange(10), 4)
    split = split_sources(
        table(60),
        table(40),
        target_in_train=20,
        dev=8,
        test=12,
        train_dev=0.25,
        groups=(100 + np.arange(60) // 5, target),
    )
    assert split.sizes == {"train": 60, "train_dev": 20, "dev": 8, "test": 12}
    names = {"other": 100 + np.arange(60) // 5, "target": target}
    found = [
        {group for name, own in sources.items() for group in names[name][own]}
        for sources in split.indices.values()
    ]
    assert sum(map(len, found)) == len(set().union(*found)) == 22
    with pytest.raises(DataError, match="5 groups of other are in dev or test"):
        split_sources(table(60), table(40), 20, 8, 12, groups=(np.arange(60), target))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dev": 10, "test": 15}, ArgumentError, "make 25 of 20"),
        ({"target_in_train": 5, "dev": 5}, ArgumentError, "make 10 of 20"),
        ({"dev": 2, "test": 2, "train_dev": 200}, ArgumentError, "make 200 of 116"),
        ({"groups": np.arange(100)}, ArgumentError, "a pair"),
        (
            {"groups": (np.arange(99), np.arange(20))},
            ShapeError,
            r"other: expected groups of shape \(100,\)",
        ),
        (
            {"groups": (np.arange(100), np.arange(9))},
            ShapeError,
            r"shape \(20,\)",
        ),
    ],
    ids=str,
)
def test_two_sources_that_do_not_fit(options, error, message):
    with pytest.raises(error, match=message):
        split_sources(table(100), table(20), **options)


# Indices of one's own


def test_given_indices():
    split = Split(table(10), {"dev": [9, 7], "train": range(5), "test": (5, 6)})
    assert split.names == ("train", "dev", "test")
    assert split.dev.x.tolist() == [9, 7]


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (
            {"train": [0, 1, 2], "dev": [2, 3]},
            DataError,
            "example 2 of data is in train and again in dev",
        ),
        ({"train": [0, 1, 1]}, DataError, "1 of data is in train and again in train"),
        ({"train": [0], "dev": []}, DataError, "'dev' is empty"),
        ({"dev": [0]}, ArgumentError, "no part 'train'"),
        ({"train": [0], "tset": [1]}, ArgumentError, "did you mean 'test'"),
        ({"train": [10]}, ArgumentError, "train of data: expected indices from 0 to 9"),
        ({"train": [-1]}, ArgumentError, "expected indices from 0 to 9"),
        ({"train": [0.5]}, DtypeError, "integer indices"),
        ({"train": [[0]]}, ShapeError, "expected indices"),
    ],
    ids=str,
)
def test_overlapping_empty_and_wrong_parts(parts, error, message):
    """S24: parts never overlap, whoever made them."""
    with pytest.raises(error, match=message):
        Split(table(10), parts)


def test_parts_of_two_sources_by_hand():
    both = {"web": table(5), "phone": table(5)}
    split = Split(both, {"train": {"web": [0, 1], "phone": []}, "dev": {"phone": [0]}})
    assert split.indices["train"].keys() == {"web"}
    with pytest.raises(ArgumentError, match="no source 'fone'; did you mean 'phone'"):
        Split(both, {"train": {"fone": [0]}})
    with pytest.raises(ArgumentError, match="train needs a mapping"):
        Split(both, {"train": [0]})
    with pytest.raises(DataError, match="example 3 of phone is in train and again"):
        Split(both, {"train": {"phone": [3]}, "test": {"phone": [3]}})


# Saved splits


def test_saved_and_loaded(tmp_path):
    """S24: the same parts of the same data, and of no other."""
    data = table(1000)
    split = train_dev_test(data, train_dev=0.1, seed=3)
    split.save(tmp_path / "split.safetensors")
    again = Split.load(tmp_path / "split.safetensors", (data.x.copy(), data.y.copy()))
    assert again.names == split.names
    for name, own in split.indices.items():
        np.testing.assert_array_equal(again.indices[name]["data"], own["data"])
    split.save(tmp_path / "twice.safetensors")
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, np.roll(y, 1)), "y: other values"),
        (lambda x, y: (x[::-1], y), "x: other values"),
        (lambda x, y: (x[:-1], y[:-1]), "examples: 100, now 99"),
        (lambda x, y: (x.astype(np.float32), y), "int64.*float32"),
        (lambda x, y: x, "y"),
        (lambda x, y: {"data": (x, y), "more": x}, "split of data, got data, more"),
    ],
    ids=["labels", "order", "length", "type", "no labels", "sources"],
)
def test_other_data_are_refused(tmp_path, change, message):
    path = tmp_path / "split.safetensors"
    data = table(100)
    train_dev_test(data).save(path)
    with pytest.raises(DataError, match=rf"split\.safetensors(?s:.*){message}"):
        Split.load(path, change(data.x, data.y))


def test_two_sources_are_saved_and_loaded(tmp_path):
    path = tmp_path / "new" / "split.safetensors"
    sources = {"other": table(100), "target": table(20, classes=2)}
    split = split_sources(*sources.values(), 10, dev=5, test=5, train_dev=11)
    split.save(path)
    again = Split.load(path, sources)
    assert again.sizes == split.sizes
    for name, own in split.indices.items():
        for source, indices in own.items():
            np.testing.assert_array_equal(again.indices[name][source], indices)
    swapped = {"other": sources["target"], "target": sources["other"]}
    with pytest.raises(DataError, match=r"other data \(other\)"):
        Split.load(path, swapped)


def test_a_loaded_split_has_the_order_of_before(tmp_path):
    """A training is repeated to the bit, however the sources are given."""
    path = tmp_path / "split.safetensors"
    web, phone = table(6), ArrayDataset(100 + np.arange(4), np.zeros(4, int))
    parts = {"train": {"phone": [3, 1], "web": [5, 0]}, "dev": {"phone": [0]}}
    split = Split({"web": web, "phone": phone}, parts)
    split.save(path)
    again = Split.load(path, {"phone": phone, "web": web})
    for each in (split, again):
        assert each.train.x.tolist() == [5, 0, 103, 101]
        assert list(each.sources) == ["web", "phone"]


def test_damaged_files(tmp_path):
    path = tmp_path / "split.safetensors"
    data = table(100)
    train_dev_test(data).save(path)
    tensors, texts = read_tensors(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(DataError, match=r"split\.safetensors"):
        Split.load(path, data)
    for damaged in (
        ({}, texts),
        (tensors | {"dev/data": tensors["train/data"]}, texts),
        (tensors | {"dev/data": tensors["dev/data"] + 100}, texts),
        (tensors | {"dev/data": tensors["dev/data"] * 0.5}, texts),
        (tensors | {"dev": tensors["dev/data"]}, texts),
        (tensors, texts | {"data": "[1]"}),
        (tensors, texts | {"data": json.dumps({"data": 3})}),
        (tensors, {"fastdl.split": "1"}),
        (tensors, {"fastdl.split": "9"}),
        (tensors, {}),
    ):
        write_tensors(*damaged[:1], path, damaged[1])
        with pytest.raises(FastdlError):
            Split.load(path, data)
    with pytest.raises(DataError, match="no file"):
        Split.load(tmp_path / "nothing", data)


def test_parts_are_found_by_in():
    split = train_dev_test(np.zeros((10, 1)), dev=0.2)
    assert "dev" in split
    assert "test" not in split
    with pytest.raises(ShapeError, match="train of data must be one array"):
        Split(np.zeros((10, 1)), {"train": [[1], [1, 2]]})


def test_a_difference_too_small_to_square():
    with pytest.raises(ArgumentError, match="difference must be above 0, got 1e-200"):
        examples_needed(1e-200, 0.5)


def test_parts_by_name_are_needed():
    with pytest.raises(ArgumentError, match="expected indices by part, such as"):
        Split(np.zeros((10, 1)), None)
