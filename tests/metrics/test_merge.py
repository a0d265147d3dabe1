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


def of_numbers(rng):
    true = 1e3 + rng.normal(size=(40, 2))
    return true, true + rng.normal(size=(40, 2))


def of_one_label(rng):
    true = np.r_[0, 1, rng.integers(0, 2, 38)]
    return true, (rng.random(40) / 2 + true / 2).round(2)


def of_probabilities(rng):
    true, scores = of_classes(rng)
    powers = np.exp(scores)
    return true, powers / powers.sum(axis=1, keepdims=True)


def of_classes(rng):
    return np.r_[:5, rng.integers(0, 5, 35)], rng.normal(size=(40, 5)).round(1)


def of_labels(rng):
    return rng.integers(0, 2, (40, 3)), rng.normal(size=(40, 3)).round(1)


WEIGHTED = {
    "accuracy": (metrics.Accuracy, metrics.accuracy, of_classes),
    "error_rate": (metrics.ErrorRate, metrics.error_rate, of_classes),
    "top_k_accuracy": (metrics.TopKAccuracy, metrics.top_k_accuracy, of_classes),
    "confusion_matrix": (
        metrics.ConfusionMatrix,
        metrics.confusion_matrix,
        of_classes,
    ),
    "f1": (metrics.F1, partial(metrics.f1, average="macro"), of_classes),
    "cohen_kappa": (metrics.CohenKappa, metrics.cohen_kappa, of_classes),
    "quadratic_cohen_kappa": (
        partial(metrics.CohenKappa, "quadratic"),
        partial(metrics.cohen_kappa, weights="quadratic"),
        of_classes,
    ),
    "mean_absolute_error": (
        metrics.MeanAbsoluteError,
        metrics.mean_absolute_error,
        of_numbers,
    ),
    "mean_squared_error": (
        metrics.MeanSquaredError,
        metrics.mean_squared_error,
        of_numbers,
    ),
    **{
        f"r2_score {average}": (
            partial(metrics.R2Score, average),
            partial(metrics.r2_score, average=average),
            of_numbers,
        )
        for average in ("uniform", "variance", None)
    },
    "roc_auc": (metrics.RocAuc, metrics.roc_auc, of_one_label),
    "roc_auc of classes": (
        partial(metrics.RocAuc, logits=True),
        partial(metrics.roc_auc, logits=True),
        of_classes,
    ),
    "roc_auc of labels": (metrics.RocAuc, metrics.roc_auc, of_labels),
    "average_precision": (
        metrics.AveragePrecision,
        metrics.average_precision,
        of_one_label,
    ),
    "micro_average_precision": (
        partial(metrics.AveragePrecision, "micro"),
        partial(metrics.average_precision, average="micro"),
        of_labels,
    ),
    **{
        f"calibration_error {equal} {make.__name__}": (
            partial(metrics.CalibrationError, 7, equal),
            partial(metrics.calibration_error, bins=7, equal=equal),
            make,
        )
        for equal in ("width", "count")
        for make in (of_one_label, of_probabilities)
    },
    **{
        function.__name__: (
            partial(made, threshold=0.0),
            partial(function, threshold=0.0, **options),
            of_labels,
        )
        for made, function, options in (
            (
                metrics.MultilabelPrecision,
                metrics.multilabel_precision,
                {"average": "macro"},
            ),
            (metrics.MultilabelRecall, metrics.multilabel_recall, {"average": "macro"}),
            (metrics.MultilabelF1, metrics.multilabel_f1, {"average": "macro"}),
            (metrics.SubsetAccuracy, metrics.subset_accuracy, {}),
            (metrics.HammingLoss, metrics.hamming_loss, {}),
        )
    },
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("case", WEIGHTED)
def test_with_weights_as_well(case, weighted, seed):
    """S27: in any batches, merged in any order, but for the rounding of sums."""
    make, function, example = WEIGHTED[case]
    rng = np.random.default_rng(seed)
    arrays = example(rng)
    if weighted:
        arrays = (*arrays, np.r_[np.ones(5), rng.integers(0, 3, 35) * 0.37])
    whole = function(*arrays[:2], sample_weight=arrays[2] if weighted else None)
    near = {"rtol": 1e-12, "atol": 1e-14}
    parts = parts_of(rng, *arrays)
    np.testing.assert_allclose(merged(make, parts, rng), whole, **near)
    streamed = make()
    for part in parts_of(rng, *arrays):
        streamed.update(*part)
    np.testing.assert_allclose(streamed.result(), whole, **near)
    again = streamed.fresh()
    with pytest.raises(DataError, match="no examples"):
        again.result()
    again.update(*arrays)
    np.testing.assert_allclose(again.result(), whole, **near)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("made", [metrics.RocAuc, metrics.AveragePrecision])
def test_ranks_are_exact_in_any_order_of_merging(made, seed):
    """S27: to the bit, with weights too: they are added up in one order."""
    rng = np.random.default_rng(seed)
    true, scores = of_one_label(rng)
    weight = rng.random(40)
    whole = made()
    whole.update(true, scores, weight)
    parts = parts_of(rng, true, scores, weight)
    assert merged(made, parts, rng) == whole.result()


def test_some_batches_with_weights_and_some_without():
    rng = np.random.default_rng(0)
    ones = np.ones(40)
    for make, _, example in WEIGHTED.values():
        arrays = example(rng)
        one, both = make(), make()
        one.update(*arrays, ones)
        both.update(*(array[:20] for array in (*arrays, ones)))
        both.update(*(array[20:] for array in arrays))
        np.testing.assert_allclose(both.result(), one.result(), rtol=1e-12)


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
        (metrics.CohenKappa(), metrics.CohenKappa("linear")),
        (metrics.R2Score(), metrics.R2Score("variance")),
        (metrics.RocAuc(), metrics.AveragePrecision()),
        (metrics.RocAuc(), metrics.RocAuc(logits=True)),
        (metrics.CalibrationError(10), metrics.CalibrationError(15)),
        (metrics.HammingLoss(0.5), metrics.HammingLoss(0.0)),
        (metrics.SubsetAccuracy([0, 1]), metrics.SubsetAccuracy(0)),
        (metrics.MultilabelF1(), metrics.MultilabelF1("micro")),
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
