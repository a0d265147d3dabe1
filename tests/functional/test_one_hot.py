"""Labels as rows."""

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.errors import ArgumentError, DtypeError, ShapeError


def test_one_at_the_label():
    rows = F.one_hot([2, 0], 4)
    assert rows.data.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    assert rows.dtype == np.float32
    assert not rows.requires_grad


@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_any_shape(shape, rng):
    labels = np.asarray(rng.integers(0, 7, shape), np.uint8)
    rows = F.one_hot(labels, 7)
    assert rows.shape == (*shape, 7)
    np.testing.assert_array_equal(rows.data.argmax(-1), labels)
    np.testing.assert_array_equal(rows.data.sum(-1), 1)


def test_the_number_of_classes_is_one_more_than_the_largest_label():
    assert F.one_hot([0, 3]).shape == (2, 4)


def test_it_is_the_target_of_the_losses(rng):
    logits = rng.standard_normal((3, 4))
    rows = F.one_hot([1, 3, 0], 4)
    expected = F.cross_entropy(logits, [1, 3, 0]).item()
    assert F.cross_entropy(logits, rows).item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([0, 4], 4, ArgumentError, "labels from 0 to 3, got 0 to 4"),
        ([-1, 2], None, ArgumentError, "labels from 0 to 2, got -1 to 2"),
        ([0.5], None, DtypeError, "integer labels, got float"),
        (np.zeros(0, int), None, ArgumentError, "give classes="),
        ([0], 0, ShapeError, "one_hot: classes"),
    ],
)
def test_labels_that_do_not_fit(labels, classes, error, message):
    with pytest.raises(error, match=message):
        F.one_hot(labels, classes)
