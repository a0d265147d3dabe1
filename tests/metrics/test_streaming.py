"""Streaming metrics equal those on all examples at once (SPEC S27)."""

import numpy as np
import pytest

from fastdl import metrics
from fastdl.errors import ArgumentError, DataError, ShapeError


@pytest.fixture
def batches():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 3, 50), rng.normal(size=(50, 3))
    cuts = [7, 7, 30]  # the second batch is empty
    return list(zip(np.split(labels, cuts), np.split(scores, cuts), strict=True))


def joined(batches):
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def test_mean_weighs_by_count():
    mean = metrics.Mean()
    mean.update(1.0, 30)
    mean.update(np.float32(4.0), 10)
    assert mean.result() == 1.75
    mean.reset()
    mean.update(5)
    assert mean.result() == 5


def test_accuracy(batches):
    """S27: streaming over batches."""
    accuracy = metrics.Accuracy()
    for _ in range(2):
        for labels, scores in batches:
            accuracy.update(labels, scores)
        assert accuracy.result() == metrics.accuracy(*joined(batches))
        accuracy.reset()


@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted"])
def test_confusion_matrix_and_what_derives_from_it(batches, average):
    """S27: streaming over batches."""
    matrix = metrics.ConfusionMatrix(3)
    for labels, scores in batches:
        matrix.update(labels, scores)
    everything = joined(batches)
    np.testing.assert_array_equal(
        matrix.result(), metrics.confusion_matrix(*everything)
    )
    assert matrix.accuracy() == metrics.accuracy(*everything)
    for name in ("precision", "recall", "f1"):
        np.testing.assert_array_equal(
            getattr(matrix, name)(average), getattr(metrics, name)(*everything, average)
        )
    matrix.reset()
    assert not matrix.result().any()


def test_binary():
    matrix = metrics.ConfusionMatrix(2)
    matrix.update([1, 1, 0], [1, 0, 0])
    assert matrix.recall("binary") == 0.5


def test_result_is_a_copy():
    matrix = metrics.ConfusionMatrix(2)
    matrix.result()[:] = 9
    assert matrix.result().sum() == 0


@pytest.mark.parametrize(
    "call",
    [
        metrics.Mean().result,
        metrics.Accuracy().result,
        metrics.ConfusionMatrix(2).accuracy,
        metrics.ConfusionMatrix(2).f1,
        metrics.MultilabelF1().result,
        metrics.HammingLoss().result,
    ],
)
def test_no_examples_yet(call):
    with pytest.raises(DataError, match="no examples yet"):
        call()


def test_errors():
    matrix = metrics.ConfusionMatrix(3)
    with pytest.raises(DataError, match="label 3"):
        matrix.update([3], [0])
    with pytest.raises(ShapeError, match="4 classes, expected 3"):
        matrix.update([0], np.eye(4)[:1])
    with pytest.raises(ShapeError, match="needs 2 classes"):
        matrix.f1("binary")
    with pytest.raises(ArgumentError, match="did you mean 'micro'"):
        matrix.f1("mikro")
    with pytest.raises(ShapeError, match="classes"):
        metrics.ConfusionMatrix(0)
