"""Data whose inputs or targets are tuples or dicts of arrays."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import data
from fastdl.data import ArrayDataset, Augment, Concat, DataLoader, MapDataset, Subset
from fastdl.errors import DataError, DtypeError, ShapeError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (10, 6, 5, 3), dtype=np.uint8)
TABLE = RNG.standard_normal((10, 4)).astype(np.float32)
X = {"picture": PICTURES, "table": TABLE}
Y = (np.arange(10), RNG.standard_normal((10, 2)))
ORDER = np.array([7, 0, 3])


def assert_same(actual, expected):
    """Compare structures, entry by entry."""
    assert type(actual) is type(expected)
    if isinstance(expected, tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert list(actual) == list(expected)
        for name, other in expected.items():
            assert_same(actual[name], other)
    else:
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)


def rows(structure, index):
    if isinstance(structure, tuple):
        return tuple(rows(each, index) for each in structure)
    if isinstance(structure, dict):
        return {name: rows(each, index) for name, each in structure.items()}
    return structure[index]


def test_array_dataset_takes_rows_of_each():
    dataset = ArrayDataset(X, Y)
    assert len(dataset) == 10
    assert_same(dataset.take(ORDER), (rows(X, ORDER), rows(Y, ORDER)))
    assert_same(dataset[2:4], (rows(X, slice(2, 4)), rows(Y, slice(2, 4))))
    assert "picture" in repr(dataset)


def test_a_list_is_one_array():
    dataset = ArrayDataset(([[1.0], [2.0]], [3, 4]), {"a": [0, 1]})
    assert [each.shape for each in dataset.x] == [(2, 1), (2,)]
    assert dataset.y["a"].shape == (2,)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((TABLE, PICTURES[:9]), None, r"x\[0\] has 10 examples but x\[1\] has 9"),
        (X, {"a": Y[0], "b": Y[1][:3]}, r"x\['picture'\] has 10 .* y\['b'\] has 3"),
        ({"a": np.float32(3)}, None, r"x\['a'\] needs rows, got a single number"),
    ],
    ids=["x", "y", "number"],
)
def test_the_entry_that_differs_is_named(x, y, message):
    with pytest.raises(ShapeError, match=message):
        ArrayDataset(x, y)


def test_an_entry_that_is_no_numbers():
    with pytest.raises(DtypeError, match=r"y\['name'\] needs numbers, got dtype <U"):
        ArrayDataset(TABLE, {"name": np.array(["a"] * 10)})


def test_a_dict_is_inputs_without_labels():
    dataset = data.dataset.as_dataset(X)
    assert dataset.y is None
    assert_same(dataset.x, X)


def test_x_and_y_in_a_dict_are_refused():
    with pytest.raises(DataError, match=r"got dict; .*\(data\['x'\], data\['y'\]\)"):
        DataLoader({"x": TABLE, "y": Y[0]})


@pytest.mark.parametrize("prefetch", [0, 2])
def test_loader_gives_the_same_structure_with_pictures_scaled(prefetch):
    loader = DataLoader((X, Y), 4, shuffle=True, seed=3, prefetch=prefetch)
    order = np.random.default_rng(np.random.SeedSequence((3, 0))).permutation(10)
    seen = list(loader)
    assert [len(x["table"]) for x, _ in seen] == [4, 4, 2]
    for number, (x, y) in enumerate(seen):
        chosen = order[4 * number : 4 * number + 4]
        pictures = data.as_float(PICTURES[chosen])
        assert_same(x, {"picture": pictures, "table": TABLE[chosen]})
        assert_same(y, rows(Y, chosen))


def test_a_target_that_is_an_input_is_scaled_like_it():
    loader = DataLoader((X, {"again": PICTURES, "mask": PICTURES.copy()}), 5)
    x, y = next(iter(loader))
    np.testing.assert_array_equal(y["again"], x["picture"])
    assert y["mask"].dtype == np.uint8


def test_weights_go_along():
    weight = np.arange(10.0)
    batch = next(iter(DataLoader((X, Y, weight), 4)))
    np.testing.assert_array_equal(batch[2], weight[:4])


def test_subset_split_and_concat():
    dataset = ArrayDataset(X, Y)
    part = Subset(dataset, ORDER)
    assert_same(part.y, rows(Y, ORDER))
    assert_same(part.x, rows(X, ORDER))
    first, second = data.split(dataset, (4, 6), seed=1)
    joined = Concat(first, second)
    order = np.concatenate([first.indices, second.indices])
    assert_same(joined.y, rows(Y, order))
    x, y = joined.take(np.array([9, 0]))
    chosen = order[[9, 0]]
    assert_same(y, rows(Y, chosen))
    assert_same(x, {"picture": data.as_float(PICTURES[chosen]), "table": TABLE[chosen]})


def test_concat_pairs_entries_by_name():
    swapped = {"table": TABLE, "picture": PICTURES}
    x, _ = Concat((X, Y), (swapped, Y)).take(np.array([13]))
    np.testing.assert_array_equal(x["table"], TABLE[[3]])


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        ({"picture": PICTURES}, DataError, r"set 1 has x\['picture'\], data set 0 x\["),
        (TABLE, DataError, r"set 1 has x, data set 0 x\['picture'\], x\['table'\]"),
        (
            X | {"table": TABLE[:, :3]},
            ShapeError,
            r"x\['table'\] of an example of data set 1 has shape \(3,\)",
        ),
    ],
    ids=["missing", "array", "shape"],
)
def test_concat_of_other_structures(other, error, message):
    with pytest.raises(error, match=message):
        Concat((X, Y), (other, Y))


class Items:
    def __len__(self):
        return 10

    def __getitem__(self, index):
        x = {"picture": PICTURES[index], "table": TABLE[index]}
        return x, (int(Y[0][index]), Y[1][index])


def test_map_dataset_of_structures():
    dataset = MapDataset(Items())
    assert dataset.remembers_labels  # each example has two numbers at most
    expected = (Y[0].astype(np.int64), Y[1])
    assert_same(dataset.y, expected)
    x, y = next(iter(DataLoader(Items(), 10)))
    assert_same(x, {"picture": data.as_float(PICTURES), "table": TABLE})
    assert_same(y, expected)


def test_map_dataset_remembers_labels_of_several_tasks():
    items = [((TABLE[i], TABLE[i]), {"a": i, "b": 2.0 * i}) for i in range(5)]
    dataset = MapDataset(items)
    assert dataset.remembers_labels
    np.testing.assert_array_equal(dataset.y["b"], 2.0 * np.arange(5))


def test_map_dataset_names_the_entry_that_differs():
    items = [({"a": 1.0, "b": [1.0, 2.0]}, 0), ({"a": 1.0, "b": [1.0]}, 0)]
    with pytest.raises(ShapeError, match=r"item 1 of the data set: x\['b'\] has shape"):
        MapDataset(items).take(np.arange(2))
    items[1] = ({"a": 1.0}, 0)
    with pytest.raises(DataError, match=r"item 1 .* has x\['a'\], but item 0 has x\["):
        MapDataset(items).take(np.arange(2))


def test_a_transform_sees_the_structure():
    def half(x, y, seeds):
        return x | {"table": x["table"] / 2}, y

    x, _ = next(iter(DataLoader((X, Y), 10, transform=half)))
    np.testing.assert_array_equal(x["table"], TABLE / 2)


def test_augment_changes_all_pictures_alike_and_nothing_else():
    x = {"picture": PICTURES, "depth": PICTURES[..., :1], "table": TABLE}
    augment = Augment(flip=0.5, crop=2)
    loader = DataLoader((x, Y), 10, transform=augment)
    changed, _ = next(iter(loader))
    alone, _ = next(iter(DataLoader((PICTURES, Y), 10, transform=augment)))
    np.testing.assert_array_equal(changed["picture"], alone)
    np.testing.assert_array_equal(changed["depth"], alone[..., :1])
    np.testing.assert_array_equal(changed["table"], TABLE)


def test_augment_of_inputs_without_pictures():
    loader = DataLoader(((TABLE, TABLE), Y), 5, transform=Augment(flip=1))
    with pytest.raises(ShapeError, match=r"none of x\[0\], x\[1\] is pictures"):
        next(iter(loader))


def test_elastic_bends_pictures_of_other_channels_alike():
    x = (PICTURES, PICTURES[..., :1])
    loader = DataLoader((x, Y), 10, transform=Augment(elastic=2.0))
    (color, grey), _ = next(iter(loader))
    assert not np.array_equal(color, data.as_float(PICTURES))
    np.testing.assert_array_equal(grey, color[..., :1])


def test_mixup_blends_all_inputs():
    y = np.arange(10)
    x = {"a": np.float32(y)[:, np.newaxis], "b": np.float32(-y)}
    blend = data.Mixup(0.4, 10)
    mixed, targets = next(iter(DataLoader((x, y), 10, transform=blend)))
    np.testing.assert_array_equal(mixed["a"][:, 0], -mixed["b"])
    np.testing.assert_allclose(targets @ y, mixed["a"][:, 0], rtol=1e-5)
    with pytest.raises(DataError, match="one task"):
        next(iter(DataLoader((x, (y, y)), 10, transform=blend)))


def test_several_arrays_in_a_list():
    with pytest.raises(ShapeError, match=r"x must be one array.*are a tuple"):
        ArrayDataset([PICTURES, TABLE])


def test_labels_of_several_tasks_do_not_stratify():
    labels = np.arange(10) % 2
    for y in ({"a": labels, "b": labels}, (labels, labels)):
        with pytest.raises(DataError, match=r"integer labels y \(m,\), got y\[.*, y\["):
            data.split((TABLE, y), (5, 5), stratify=True)
        with pytest.raises(DataError, match="folds: stratify needs integer labels"):
            data.folds((TABLE, y), 2, stratify=True)
