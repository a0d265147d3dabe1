"""Metrics of classes where the outputs are answers, or some labels do not count."""

from __future__ import annotations

import numpy as np

from fastdl import nn
from fastdl.metrics import Accuracy, ErrorRate, Metric
from fastdl.metrics.by_class import ByClass
from fastdl.train.losses import LossLike

_SHARES = (Accuracy, ErrorRate)


def as_seen(metric: Metric, loss: LossLike) -> Metric:
    """Return a metric that takes what the loss takes."""
    threshold, ignored = yes_from(loss), getattr(loss, "ignore_index", None)
    takes_labels = isinstance(metric, (*_SHARES, ByClass))
    if not takes_labels or (threshold is None and ignored is None):
        return metric
    return OfLoss(metric, threshold, ignored)


def of_logits(metric: Metric, loss: LossLike) -> Metric:
    """Return a metric of scores that takes logits, if these are what the loss takes."""
    if getattr(loss, "applies", None) is None or hasattr(metric, "logits") is False:
        return metric
    metric = metric.fresh()
    metric.logits = True  # type: ignore[attr-defined]
    return metric


def yes_from(loss: LossLike) -> float | None:
    """Return the output above which a yes is likelier; None if there are classes."""
    if isinstance(loss, nn.BCELoss):
        return 0.5
    return 0.0 if getattr(loss, "applies", None) == "sigmoid" else None


class OfLoss(Metric):
    """A metric of labels, of outputs and targets in the form that a loss takes.

    The answer to a yes-or-no question is a label, 0 or 1. Of several questions for each
    example, or pixel, the accuracy is the share of right answers; NaN among the targets
    is a question without an answer.

    Parameters
    ----------
    metric : Metric
        What to measure.
    threshold : float or None
        Above which an output means yes; None if the outputs are rows of classes.
    ignored : int or None
        The label of what does not count.
    """

    def __init__(
        self, metric: Metric, threshold: float | None, ignored: int | None
    ) -> None:
        self.metric, self.threshold, self.ignored = metric, threshold, ignored

    @property
    def name(self) -> str:
        """That of the metric."""
        return self.metric.name

    def update(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        """Add a batch."""
        y, outputs = np.asarray(y_true), y_pred
        if self.threshold is None:
            if y.ndim < outputs.ndim:  # labels, not rows
                counts = y != self.ignored
                y, outputs = y[counts], outputs[counts]
        elif outputs.size == len(outputs) or isinstance(self.metric, _SHARES):
            answered = ~np.isnan(y)
            y, outputs = (y > 0.5)[answered], (outputs > self.threshold)[answered]
        if len(y):
            self.metric.update(y, outputs)

    def merge(self, other: OfLoss) -> None:
        """Add everything that another metric of the same loss has gathered."""
        self.metric.merge(other.metric)

    def result(self) -> float | np.ndarray:
        """Return the value over all that counts so far; DataError if nothing does."""
        return self.metric.result()

    def reset(self) -> None:
        """Forget everything."""
        self.metric.reset()
