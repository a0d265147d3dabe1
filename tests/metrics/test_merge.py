"""Metrics add up: in any batches, merged in any order, they are those of all (S27)."""

from functools import partial

import numpy as np
import pytest

from fastdl import metrics
from fastdl.errors import ArgumentError, DataError, ShapeError

CASES = {
    "accuracy": (metrics.Accuracy, metrics.accuracy),
    "error_rate": (metrics.ErrorRate, metrics.error_rate),
    "confusion_matrix": (metrics.ConfusionMatrix, metrics.confusion_matrix),
    **{
        f"{name} {average}": (
            partial(made, average),
            partial(function, average=average),
        )
        for name, made, function in (
            ("precision", metrics.Precision, metrics.precision),
            ("recall", metrics.Recall, metrics.recall),
            ("f1", metrics.F1, metrics.f1),
        )
        for average in (None, "macro", "micro", "weighted")
    },
}


def parts_of(rng, *arrays):
    """Cut arrays at random, also into parts of nothing."""
    cuts = np.sort(rng.integers(0, len(arrays[0]) + 1, 4))
    return list(zip(*(np.split(array, cuts) for array in arrays), strict=True))


def merged(make, parts, rng):
    """Gather each part by itself, and merge them in random order, as a tree."""
    pool = []
    for part in parts:
        metric = make()
        metric.update(*part)
        pool.append(metric)
    while len(pool) > 1:
        one, other = (pool.pop(rng.integers(len(pool))) for _ in range(2))
        one.merge(other)
        pool.append(one)
    return pool[0].result()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("form", ["labels", "rows"])
@pytest.mark.parametrize("case", CASES)
def test_parts_merged_are_the_whole(case, form, seed):
    """S27: exactly, since counts are kept."""
    make, function = CASES[case]
    rng = np.random.default_rng(seed)
    true, scores = rng.integers(0, 5, 40), rng.normal(size=(40, 5))
    pred = scores if form == "rows" else scores.argmax(axis=1)
    whole = function(true, pred)
    np.testing.assert_array_equal(merged(make, parts_of(rng, true, pred), rng), whole)
    streamed = make()
    for part in parts_of(rng, true, pred):
        streamed.update(*part)
    np.testing.assert_array_equal(streamed.result(), whole)
    streamed.reset()
    streamed.update(true, pred)
    np.testing.assert_array_equal(streamed.result(), whole)


@pytest.mark.parametrize("average", ["binary"])
@pytest.mark.parametrize("seed", range(4))
def test_of_two_classes(average, seed):
    rng = np.random.default_rng(seed)
    true, pred = rng.integers(0, 2, (2, 30))
    for made, function in (
        (metrics.Precision, metrics.precision),
        (metrics.Recall, metrics.recall),
        (metrics.F1, metrics.f1),
    ):
        parts = parts_of(rng, true, pred)
        assert merged(partial(made, average), parts, rng) == function(
            true, pred, average
        )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k(k):
    rng = np.random.default_rng(k)
    true, scores = rng.integers(0, 5, 40), rng.normal(size=(40, 5)).round(1)
    parts = parts_of(rng, true, scores)
    whole = metrics.top_k_accuracy(true, scores, k)
    assert merged(partial(metrics.TopKAccuracy, k), parts, rng) == whole


def test_mean():
    one, other = metrics.Mean(), metrics.Mean()
    one.update(1.0, 30)
    other.update(4.0, 10)
    one.merge(other)
    one.merge(metrics.Mean())
    assert one.result() == 1.75


def test_mean_of_a_function():
    def error(true, pred):
        return np.abs(true - pred).mean()

    rng = np.random.default_rng(0)
    true, pred = rng.normal(size=(2, 40))
    parts = [part for part in parts_of(rng, true, pred) if len(part[0])]
    whole = merged(partial(metrics.MeanOf, error), parts, rng)
    assert whole == pytest.approx(error(true, pred))


def test_the_binary_matrix_of_one_class_so_far():
    matrix = metrics.ConfusionMatrix()
    matrix.update([0, 0], [0, 0])
    assert matrix.f1("binary") == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (metrics.Accuracy(), metrics.ErrorRate()),
        (metrics.F1("macro"), metrics.F1("micro")),
        (metrics.F1(), metrics.Recall()),
        (metrics.TopKAccuracy(2), metrics.TopKAccuracy(3)),
        (metrics.ConfusionMatrix(), metrics.F1()),
        (metrics.MeanOf(min), metrics.MeanOf(max)),
        (metrics.Accuracy(), 0.5),
    ],
)
def test_another_kind_is_not_merged(one, other):
    with pytest.raises(ArgumentError, match=f"{one.name}: merge needs another"):
        one.merge(other)


def test_matrices_of_other_classes_are_not_merged():
    three, labels = metrics.ConfusionMatrix(3), metrics.ConfusionMatrix()
    with pytest.raises(ShapeError, match="3 classes, got 2"):
        three.merge(metrics.ConfusionMatrix(2))
    labels.update([5], [0])
    before = three.result()
    with pytest.raises(DataError, match="label 5; with 3 classes"):
        three.merge(labels)
    np.testing.assert_array_equal(three.result(), before)
    with pytest.raises(DataError, match="label 5; with 3 classes"):
        labels.update([0], np.eye(3)[:1])
    assert labels.result().sum() == 1


def test_a_metric_of_ones_own_needs_all_four_methods():
    class Half(metrics.Metric):
        def update(self, y_true, y_pred):
            pass

    with pytest.raises(TypeError, match="abstract"):
        Half()
