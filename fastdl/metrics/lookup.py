"""Metrics given by name, as functions, or as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from fastdl.errors import ArgumentError, suggest
from fastdl.metrics import (
    calibration,
    classification,
    kappa,
    multilabel,
    ranking,
    regression,
)
from fastdl.metrics.by_class import AVERAGES
from fastdl.metrics.confusion import F1, Precision, Recall
from fastdl.metrics.metric import Function, MeanOf, Metric
from fastdl.metrics.share import Accuracy, ErrorRate, TopKAccuracy

MetricLike: TypeAlias = str | Metric | type[Metric] | Function
"""What `as_metric` takes: a metric, its class or name, or a function of arrays."""

_OF_FUNCTION: dict[Callable, Callable[..., Metric]] = {
    classification.accuracy: Accuracy,
    classification.error_rate: ErrorRate,
    classification.top_k_accuracy: TopKAccuracy,
    classification.precision: Precision,
    classification.recall: Recall,
    classification.f1: F1,
    kappa.cohen_kappa: kappa.CohenKappa,
    regression.mean_absolute_error: regression.MeanAbsoluteError,
    regression.mean_squared_error: regression.MeanSquaredError,
    regression.r2_score: regression.R2Score,
    # Models return logits.
    ranking.roc_auc: partial(ranking.RocAuc, logits=True),
    ranking.average_precision: partial(ranking.AveragePrecision, logits=True),
    calibration.calibration_error: partial(calibration.CalibrationError, logits=True),
    multilabel.multilabel_precision: partial(
        multilabel.MultilabelPrecision, threshold=0.0
    ),
    multilabel.multilabel_recall: partial(multilabel.MultilabelRecall, threshold=0.0),
    multilabel.multilabel_f1: partial(multilabel.MultilabelF1, threshold=0.0),
    multilabel.subset_accuracy: partial(multilabel.SubsetAccuracy, threshold=0.0),
    multilabel.hamming_loss: partial(multilabel.HammingLoss, threshold=0.0),
}
_OF_CLASSES = (
    classification.precision,
    classification.recall,
    classification.f1,
)
_OF_LABELS = (
    multilabel.multilabel_precision,
    multilabel.multilabel_recall,
    multilabel.multilabel_f1,
)
_BY_NAME: dict[str, Callable[[], Metric]] = {
    **{function.__name__: made for function, made in _OF_FUNCTION.items()},
    **{
        f"{function.__name__}_{average}": partial(_OF_FUNCTION[function], average)
        for function in (*_OF_CLASSES, *_OF_LABELS)
        for average in AVERAGES
        if average != "binary" or function in _OF_CLASSES
    },
    "acc": Accuracy,
    "binary_accuracy": Accuracy,
    "categorical_accuracy": Accuracy,
    "sparse_categorical_accuracy": Accuracy,
    "balanced_accuracy": partial(Recall, average="macro"),
    "top_3_accuracy": partial(TopKAccuracy, 3),
    "top_5_accuracy": partial(TopKAccuracy, 5),
    "auc": _OF_FUNCTION[ranking.roc_auc],
    "mae": regression.MeanAbsoluteError,
    "mse": regression.MeanSquaredError,
    "r2": regression.R2Score,
}
_BY_CLASS = {getattr(made, "func", made): made for made in _OF_FUNCTION.values()}


def names() -> list[str]:
    """Return the names that `as_metric` knows."""
    return [*_BY_NAME]


def as_metric(given: MetricLike) -> Metric:
    """Return a metric that has not seen anything yet.

    Parameters
    ----------
    given : str, Metric or callable
        A name; a metric, which is copied; its class; a function of `fastdl.metrics`, or
        a ``functools.partial`` of one, which becomes the metric of that name; any other
        function of (y_true, y_pred), which becomes a `MeanOf`. A metric given by name,
        class or function takes y_pred for logits where it matters, since models return
        them; ``partial(metrics.calibration_error, logits=False)`` changes that.

    Raises
    ------
    ArgumentError
        The name is unknown, or it is none of these.
    """
    if isinstance(given, str):
        if given not in _BY_NAME:
            hint = suggest(given, _BY_NAME, "metrics")
            raise ArgumentError(f"unknown metric {given!r}{hint}")
        return _BY_NAME[given]()
    if isinstance(given, Metric):
        return given.fresh()
    if isinstance(given, type) and issubclass(given, Metric):
        return _BY_CLASS.get(given, given)()
    if isinstance(given, type) or not callable(given):
        raise ArgumentError(
            f"a metric is a name, a function, or a Metric such as metrics.F1(), got "
            f"{given!r:.60}"
        )
    function, options = given, {}
    if isinstance(given, partial) and not given.args:
        function, options = given.func, given.keywords
    if function in _OF_FUNCTION:
        try:
            return _OF_FUNCTION[function](**options)
        except TypeError as error:
            raise ArgumentError(
                f"a partial of {function.__name__} takes what its metric is made with: "
                f"{error}"
            ) from None
    return MeanOf(given)
