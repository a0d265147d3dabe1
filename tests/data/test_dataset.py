"""ArrayDataset, Subset and what turns into a data set."""

import numpy as np
import pytest

from fastdl.data import ArrayDataset, Subset, as_dataset, as_float
from fastdl.errors import DataError, DtypeError, ShapeError


@pytest.fixture
def dataset():
    x = np.arange(12.0).reshape(6, 2)
    return ArrayDataset(x, np.arange(6))


def test_arrays_are_shared(dataset):
    x = np.zeros((3, 2), np.float32)
    assert ArrayDataset(x).x is x


def test_lists_become_arrays():
    dataset = ArrayDataset([[1.0], [2.0]], [0, 1])
    assert dataset.x.shape == (2, 1)
    assert len(dataset) == 2


def test_take_gives_new_arrays(dataset):
    x, y = dataset.take(np.array([4, 0]))
    np.testing.assert_array_equal(x, [[8, 9], [0, 1]])
    np.testing.assert_array_equal(y, [4, 0])
    x[:] = -1
    assert dataset.x.min() == 0


def test_take_without_labels():
    assert ArrayDataset(np.ones((2, 1))).take(np.array([0]))[1] is None


@pytest.mark.parametrize(
    "view",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1][::-1].transpose(0, 2, 1).copy().transpose(0, 2, 1),
        lambda x: np.broadcast_to(x[:1], x.shape),
    ],
    ids=["fortran", "every second", "transposed", "broadcast"],
)
def test_take_from_a_view_is_contiguous_and_equal(view):
    x = view(np.random.default_rng(0).random((5, 3, 4)))
    indices = np.array([3, 1, 1])
    taken, _ = ArrayDataset(x).take(indices)
    assert taken.flags.c_contiguous
    np.testing.assert_array_equal(taken, x[indices])


def test_one_example_by_index(dataset):
    x, y = dataset[2]
    np.testing.assert_array_equal(x, [4, 5])
    assert y == 2


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.ones((3, 2)), np.ones(2), ShapeError, "x has 3 examples but y has 2"),
        (np.float32(1), None, ShapeError, "single number"),
        (np.ones(2), np.array(["cat", "dog"]), DtypeError, "np.unique"),
        (np.array([None, 1]), None, DtypeError, "same length"),
        (np.ones(2, complex), None, DtypeError, "complex128"),
    ],
    ids=["lengths", "scalar", "text labels", "objects", "complex"],
)
def test_bad_arrays(x, y, error, message):
    with pytest.raises(error, match=message):
        ArrayDataset(x, y)


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ([5, 0, -2], [5, 0, 4]),
        (slice(1, 3), [1, 2]),
        (np.arange(6) % 2 == 0, [0, 2, 4]),
        ([], []),
    ],
    ids=["integers", "slice", "mask", "nothing"],
)
def test_subset(dataset, indices, expected):
    subset = Subset(dataset, indices)
    assert len(subset) == len(expected)
    np.testing.assert_array_equal(subset.y, expected)
    np.testing.assert_array_equal(subset.x, dataset.x[expected])


def test_subset_of_a_subset(dataset):
    inner = Subset(Subset(dataset, [5, 3, 1]), [2, 0])
    x, y = inner.take(np.array([1]))
    assert y.tolist() == [5]
    np.testing.assert_array_equal(x, dataset.x[[5]])
    np.testing.assert_array_equal(inner[0][0], dataset.x[1])


def test_subset_without_labels():
    assert Subset(ArrayDataset(np.ones((3, 1))), [0]).y is None


@pytest.mark.parametrize(
    "indices",
    [[6], [-7], [0.5], np.ones(5, bool), 3, [[0, 1]]],
    ids=["high", "low", "float", "short mask", "one number", "two axes"],
)
def test_subset_refuses(dataset, indices):
    with pytest.raises(DataError, match="Subset"):
        Subset(dataset, indices)


def test_as_dataset(dataset):
    assert as_dataset(dataset) is dataset
    assert as_dataset(dataset.x).y is None
    assert as_dataset((dataset.x, dataset.y)).y is dataset.y


@pytest.mark.parametrize("data", [[[1.0], [2.0]], "digits", None, (1, 2, 3, 4)])
def test_as_dataset_refuses(data):
    with pytest.raises(DataError, match="tuple"):
        as_dataset(data)


def test_as_float_maps_pictures_to_0_1_and_leaves_the_rest():
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    scaled = as_float(x)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(
        scaled.ravel(), (np.arange(256) / 255).astype(np.float32)
    )
    for other in (np.float32([2]), np.float64([2]), np.int64([2])):
        assert as_float(other) is other
