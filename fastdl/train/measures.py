"""The loss and the metrics of an epoch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from fastdl import metrics
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, FastdlError
from fastdl.metrics import Mean, MeanOf, Metric, MetricLike


def by_name(given: Sequence[MetricLike]) -> dict[str, Metric]:
    """Return metrics, given as `fastdl.metrics.as_metric` takes them, by their names.

    Raises
    ------
    ArgumentError
        One is unknown or not a metric, or two have the same name.
    """
    if isinstance(given, (str, Metric)) or callable(given):
        raise ArgumentError(f"Trainer: metrics are a list, got {given!r:.60}")
    named: dict[str, Metric] = {}
    for each in given:
        try:
            metric = metrics.as_metric(each)
        except FastdlError as error:
            error.args = (f"Trainer: {error}",)
            raise
        name = each if isinstance(each, str) else metric.name
        if name in named or name == "loss":
            raise ArgumentError(f"Trainer: two measures are called {name!r}")
        named[name] = metric
    return named


class Measures:
    """The loss, as a weighted mean over batches, and metrics.

    Parameters
    ----------
    metrics_by_name : dict of str to Metric
        They are copied, so that several measurements can run at once.
    """

    def __init__(self, metrics_by_name: dict[str, Metric]) -> None:
        self._loss = Mean()
        self._loss_of_nothing = Mean()
        self._metrics = {
            name: metric.fresh() for name, metric in metrics_by_name.items()
        }

    def update(self, loss: float, count: float, outputs: Tensor, y: np.ndarray) -> None:
        """Add a batch; an error in a metric is told with its name.

        `count` is the weight of its loss in the mean. If no batch counts, because all
        targets are missing, what remains is the mean of the penalties.
        """
        if count:
            self._loss.update(loss, count)
        else:
            self._loss_of_nothing.update(loss)
        for name, metric in self._metrics.items():
            try:
                metric.update(y, outputs.numpy())
            except FastdlError as error:
                error.args = (f"Trainer: metric {name!r}: {error}",)
                raise

    def results(self) -> dict[str, float]:
        """Return all by name."""
        loss = self._loss if self._loss.count else self._loss_of_nothing
        return {"loss": loss.result(), **self.of_metrics()}

    def of_metrics(self) -> dict[str, float]:
        """Return the metrics by name; ArgumentError if one is not a number."""
        return {
            name: _number(name, metric.result())
            for name, metric in self._metrics.items()
        }

    def warn_of_batches(self, outputs: Tensor, y: np.ndarray) -> None:
        """Warn of functions whose mean over batches is not their value over all."""
        for name, metric in self._metrics.items():
            if isinstance(metric, MeanOf) and not metric.is_a_mean(y, outputs.numpy()):
                warnings.warn(
                    f"Trainer: metric {name!r} is no mean over examples, so its mean "
                    f"over batches is not its value over the whole set; give a metric "
                    f"that adds up, such as 'f1', metrics.F1('micro'), or a "
                    f"metrics.Metric of your own",
                    stacklevel=4,
                )


def _number(name: str, value: float | np.ndarray | None) -> float:
    if value is None or np.ndim(value) != 0:
        raise ArgumentError(
            f"Trainer: metric {name!r} must give one number, got {value!r:.60}; does "
            f"it need an average?"
        )
    return float(value)
