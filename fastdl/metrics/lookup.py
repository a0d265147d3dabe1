"""Metrics by name, by function, or as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastdl.errors import ArgumentError, suggest
from fastdl.metrics import classification
from fastdl.metrics.confusion import F1, Precision, Recall
from fastdl.metrics.metric import MeanOf, Metric
from fastdl.metrics.share import Accuracy, ErrorRate, TopKAccuracy

_OF_FUNCTION: dict[Callable, type[Metric]] = {
    classification.accuracy: Accuracy,
    classification.error_rate: ErrorRate,
    classification.top_k_accuracy: TopKAccuracy,
    classification.precision: Precision,
    classification.recall: Recall,
    classification.f1: F1,
}
_BY_NAME = {function.__name__: made for function, made in _OF_FUNCTION.items()}


def as_metric(given: str | Metric | Callable[[Any, Any], float]) -> Metric:
    """Return a metric that has seen nothing yet.

    Parameters
    ----------
    given : str, Metric or callable
        A name; a metric, which is copied; a function of `fastdl.metrics`, or a
        ``functools.partial`` of it, which becomes the metric of that name; any other
        function of (y_true, y_pred), which becomes a `MeanOf`.

    Raises
    ------
    ArgumentError
        The name is unknown, or it is neither of these.
    """
    if isinstance(given, str):
        if given not in _BY_NAME:
            raise ArgumentError(f"unknown metric {given!r}{suggest(given, _BY_NAME)}")
        return _BY_NAME[given]()
    if isinstance(given, Metric):
        return given.fresh()
    if isinstance(given, type) or not callable(given):
        raise ArgumentError(
            f"a metric is a name, a function, or a Metric such as metrics.F1(), got "
            f"{given!r:.60}"
        )
    function, options = given, {}
    if isinstance(given, partial) and not given.args:
        function, options = given.func, given.keywords
    if function in _OF_FUNCTION:
        return _OF_FUNCTION[function](**options)
    return MeanOf(given)
