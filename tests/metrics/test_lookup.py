"""Metrics by name, as a trainer takes them (S27)."""

from functools import partial

import pytest

from fastdl import metrics
from fastdl.errors import ArgumentError

NAMES = [
    *("accuracy", "error_rate", "top_k_accuracy", "precision", "recall", "f1"),
    *("cohen_kappa", "mean_absolute_error", "mean_squared_error", "r2_score"),
    *("roc_auc", "average_precision", "calibration_error"),
    *("multilabel_precision", "multilabel_recall", "multilabel_f1"),
    *("subset_accuracy", "hamming_loss"),
]


@pytest.mark.parametrize("name", NAMES)
def test_by_name_and_by_function(name):
    """S27: every metric that is a number."""
    function = getattr(metrics, name)
    for given in (name, function, partial(function)):
        metric = metrics.as_metric(given)
        assert isinstance(metric, metrics.Metric)
        assert not isinstance(metric, metrics.MeanOf)
        assert metric.name == name.replace("top_k", "top_5")


def test_none_is_left_out():
    """S27: a curve, a matrix or a threshold is no number."""
    no_numbers = {
        *("confusion_matrix", "roc_curve", "precision_recall_curve"),
        *("calibration_curve", "choose_threshold", "as_metric", "lower_is_better"),
    }
    functions = {name for name in metrics.__all__ if name.islower()}
    assert functions == {*NAMES, *no_numbers}


def test_models_give_logits_unless_told_otherwise():
    assert metrics.as_metric("calibration_error").logits
    assert not metrics.as_metric(
        partial(metrics.calibration_error, logits=False)
    ).logits
    assert metrics.as_metric("multilabel_f1").threshold == 0
    half = partial(metrics.multilabel_f1, threshold=0.5, average="micro")
    assert metrics.as_metric(half).threshold == 0.5
    assert metrics.as_metric(half).name == "micro_multilabel_f1"
    micro = partial(metrics.roc_auc, average="micro")
    assert metrics.as_metric(micro).name == "micro_roc_auc"
    assert not metrics.CalibrationError().logits
    assert metrics.MultilabelF1().threshold is None


def test_a_misspelt_name():
    with pytest.raises(ArgumentError, match="'roc_acu'; did you mean 'roc_auc'"):
        metrics.as_metric("roc_acu")


def test_a_partial_with_what_the_metric_does_not_take():
    with pytest.raises(ArgumentError, match=r"partial of f1 takes what .*'avg'"):
        metrics.as_metric(partial(metrics.f1, avg="macro"))
    with pytest.raises(ArgumentError, match="lower_is_better: expected a name"):
        metrics.lower_is_better(None)
