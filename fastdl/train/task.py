"""A metric of one task among several."""

from __future__ import annotations

import math

import numpy as np

from fastdl.metrics import Metric
from fastdl.metrics.by_class import ByClass
from fastdl.metrics.calibration import CalibrationError
from fastdl.metrics.scores import Scored
from fastdl.metrics.share import Accuracy, ErrorRate, TopKAccuracy
from fastdl.nn.multitask import as_labels, missing_rows
from fastdl.structure import Structure
from fastdl.train.losses import LossLike

# They take integer labels, with two scores or more for each example.
_OF_CLASSES = (Accuracy, ErrorRate, TopKAccuracy, ByClass, Scored, CalibrationError)


class OfTask(Metric):
    """A metric of one task, over the examples of whose label nothing is missing.

    A metric of classes sees the logits of a yes-or-no question, one for each example,
    as those of two classes, (0, z): their softmax is (1 - sigmoid(z), sigmoid(z)).

    Parameters
    ----------
    task : str
        Which of the outputs and targets.
    metric : Metric
        What to measure.
    loss : callable
        That of the task, which tells what its outputs are.
    """

    def __init__(self, task: str, metric: Metric, loss: LossLike) -> None:
        self.task, self.metric = task, metric
        applies = getattr(loss, "applies", None)
        self._asks, self._classifies = applies == "sigmoid", applies == "softmax"
        self._examples = 0

    @property
    def name(self) -> str:
        """The name of the task and of the metric, such as "even_accuracy"."""
        return f"{self.task}_{self.metric.name}"

    def update(self, y_true: Structure, y_pred: Structure) -> None:
        """Add the examples of a batch that have a label."""
        y, outputs = np.asarray(y_true[self.task]), y_pred[self.task]
        binary = self._asks and outputs.size == len(outputs)
        if binary and isinstance(self.metric, _OF_CLASSES):
            y, z = y.reshape(-1), outputs.reshape(-1)
            outputs = np.stack([np.zeros_like(z), z], axis=1)
        if y.dtype.kind == "f":
            _, part = missing_rows(y)
            present = np.flatnonzero(~part)
            y, outputs = y[present], outputs[present]
            if binary or self._classifies:
                y = as_labels(y)
        if len(y):
            self.metric.update(y, outputs)
            self._examples += len(y)

    def merge(self, other: OfTask) -> None:
        """Add everything that another metric of the same task has gathered."""
        self.metric.merge(other.metric)
        self._examples += other._examples

    def result(self) -> float | np.ndarray:
        """Return the value over all labels so far; NaN if there are none."""
        return self.metric.result() if self._examples else math.nan

    def reset(self) -> None:
        """Forget everything."""
        self.metric.reset()
        self._examples = 0

    def fresh(self) -> OfTask:
        """Return a metric of the same task that has seen nothing."""
        other = OfTask.__new__(OfTask)
        vars(other).update(vars(self))
        other.metric, other._examples = self.metric.fresh(), 0
        return other
