"""The loss and the metrics of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fastdl import metrics
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, FastdlError, suggest

Metric = Callable[[np.ndarray, np.ndarray], float]

_METRICS: dict[str, Metric] = {
    "accuracy": metrics.accuracy,
    "error_rate": metrics.error_rate,
}


def by_name(given: Sequence[str | Metric]) -> dict[str, Metric]:
    """Return metrics, given as names or as functions, by their names.

    Raises
    ------
    ArgumentError
        A name is unknown; something is neither a name nor a function.
    """
    return dict(_named(metric) for metric in given)


def _named(metric: str | Metric) -> tuple[str, Metric]:
    if isinstance(metric, str):
        if metric not in _METRICS:
            raise ArgumentError(
                f"Trainer: unknown metric {metric!r}{suggest(metric, _METRICS)}"
            )
        return metric, _METRICS[metric]
    if not callable(metric):
        raise ArgumentError(
            f"Trainer: a metric is a name or a function, got {metric!r:.60}"
        )
    return getattr(metric, "__name__", type(metric).__name__), metric


class Measures:
    """Means over examples: of the loss, by their weights, and of metrics.

    Parameters
    ----------
    metrics : dict of str to callable
        ``metric(y, outputs) -> float``, by name.
    """

    def __init__(self, metrics_by_name: dict[str, Metric]) -> None:
        self._metrics = metrics_by_name
        self._means = {name: metrics.Mean() for name in ("loss", *metrics_by_name)}

    def update(
        self,
        loss: float,
        outputs: Tensor,
        y: np.ndarray,
        weight: np.ndarray | None = None,
    ) -> None:
        """Take in a batch; an error of a metric gets the name of it."""
        count = len(y) if weight is None else weight.sum()
        self._means["loss"].update(loss, count)
        for name, metric in self._metrics.items():
            try:
                value = metric(y, outputs.numpy())
            except FastdlError as error:
                error.args = (f"Trainer: metric {name!r}: {error}",)
                raise
            self._means[name].update(value, len(y))

    def results(self) -> dict[str, float]:
        """Return the means by name."""
        return {name: mean.result() for name, mean in self._means.items()}
