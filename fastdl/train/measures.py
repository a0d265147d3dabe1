"""The loss and the metrics of an epoch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from fastdl import metrics
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, FastdlError, suggest
from fastdl.metrics import Mean, MeanOf, Metric, MetricLike
from fastdl.nn.multitask import TaskLoss
from fastdl.structure import Structure, tree_map
from fastdl.train.answers import as_seen, of_logits
from fastdl.train.losses import LossLike, tasks_of
from fastdl.train.task import OfTask

Metrics = Sequence[MetricLike] | Mapping[str, Sequence[MetricLike]]
"""What to measure: metrics, or for each task some."""


def by_name(given: Metrics, loss: LossLike) -> dict[str, Metric]:
    """Return metrics, given as `fastdl.metrics.as_metric` takes them, by their names.

    Parameters
    ----------
    given : sequence, or mapping of str to sequence
        Those of a task are called "even_accuracy".
    loss : callable
        It tells what outputs and targets look like, and of which tasks they are.

    Raises
    ------
    ArgumentError
        One is unknown or not a metric, two have the same name, or one takes a single
        task and is given for all.
    """
    losses = tasks_of(loss)
    if isinstance(given, Mapping):
        return _of_tasks(given, losses)
    metrics_by_name = _named(given, losses, loss)
    return {name: as_seen(each, loss) for name, each in metrics_by_name.items()}


def _named(
    given: Sequence[MetricLike], losses: Mapping[str, LossLike], loss: LossLike
) -> dict[str, Metric]:
    if isinstance(given, (str, Metric)) or callable(given):
        raise ArgumentError(f"Trainer: metrics are a list, got {given!r:.60}")
    named: dict[str, Metric] = {}
    for each in given:
        try:
            metric = metrics.as_metric(each)
        except FastdlError as error:
            error.args = (f"Trainer: {error}",)
            raise
        if isinstance(each, Metric):
            metric = of_logits(metric, loss)
        if losses and _is_of_one(metric):
            raise ArgumentError(
                f"Trainer: metrics of several tasks are a dict with a list for each, "
                f"such as {{{next(iter(losses))!r}: [{metric.name!r}]}}, got a list"
            )
        name = each if isinstance(each, str) else metric.name
        if name in named or name == "loss":
            raise ArgumentError(f"Trainer: two measures are called {name!r}")
        named[name] = metric
    return named


def _is_of_one(metric: Metric) -> bool:
    """Whether a metric is of fastdl: one of the user's may take all tasks."""
    ours = type(metric).__module__.partition(".")[0] == __name__.partition(".")[0]
    return ours and not isinstance(metric, MeanOf)


def _of_tasks(
    given: Mapping[str, Sequence[MetricLike]], losses: Mapping[str, LossLike]
) -> dict[str, Metric]:
    named: dict[str, Metric] = {}
    for task, metrics_of_it in given.items():
        if task not in losses:
            raise ArgumentError(
                f"Trainer: metrics for {task!r}, which is no task of the loss"
                f"{suggest(task, losses)}"
            )
        for name, metric in _named(metrics_of_it, {}, losses[task]).items():
            named[f"{task}_{name}"] = OfTask(task, metric, losses[task])
    return named


class Measures:
    """The loss, as a weighted mean over batches, and metrics.

    The loss of several tasks is the sum of their means, each over its own labels: in
    evaluation it does not depend on how the examples are cut into batches.

    Parameters
    ----------
    metrics_by_name : dict of str to Metric
        They are copied, so that several measurements can run at once.
    tasks : iterable of str
        Those of the loss, if there are several.
    """

    def __init__(
        self, metrics_by_name: dict[str, Metric], tasks: Iterable[str] = ()
    ) -> None:
        self._loss = Mean()
        self._loss_of_nothing = Mean()
        self._tasks = {task: (Mean(), Mean()) for task in tasks}  # the loss, its share
        self._metrics = {
            name: metric.fresh() for name, metric in metrics_by_name.items()
        }

    def fresh(self) -> Measures:
        """Return the same measures of nothing yet."""
        return Measures(self._metrics, self._tasks)

    def update(
        self,
        loss: float,
        count: float,
        outputs: Structure,
        y: Structure,
        tasks: Mapping[str, TaskLoss] = MappingProxyType({}),
    ) -> None:
        """Add a batch; an error in a metric is told with its name.

        `count` is the weight of its loss in the mean. If no batch counts, because all
        targets are missing, what remains is the mean of the penalties.
        """
        for task, part in tasks.items():
            if part.count:
                share = part.share.item()
                loss -= share
                of_loss, of_share = self._tasks[task]
                of_loss.update(part.loss.item(), part.count)
                of_share.update(share, part.count)
        if count:
            self._loss.update(loss, count)
        else:
            self._loss_of_nothing.update(loss)
        outputs = arrays(outputs)
        for name, metric in self._metrics.items():
            try:
                metric.update(y, outputs)
            except FastdlError as error:
                error.args = (f"Trainer: metric {name!r}: {error}",)
                raise

    def results(self) -> dict[str, float]:
        """Return all by name; NaN for the loss of a task without labels."""
        loss = (self._loss if self._loss.count else self._loss_of_nothing).result()
        of_tasks = {}
        for task, (of_loss, of_share) in self._tasks.items():
            of_tasks[f"{task}_loss"] = of_loss.result() if of_loss.count else math.nan
            loss += of_share.result() if of_share.count else 0.0
        return {"loss": loss, **of_tasks, **self.of_metrics()}

    def of_metrics(self) -> dict[str, float]:
        """Return the metrics by name; ArgumentError if one is not a number."""
        return {
            name: _number(name, metric.result())
            for name, metric in self._metrics.items()
        }

    def warn_of_batches(self, outputs: Structure, y: Structure) -> None:
        """Warn of functions whose mean over batches is not their value over all."""
        outputs = arrays(outputs)
        for name, metric in self._metrics.items():
            if isinstance(metric, MeanOf) and not metric.is_a_mean(y, outputs):
                warnings.warn(
                    f"Trainer: metric {name!r} is no mean over examples, so its mean "
                    f"over batches is not its value over the whole set; give a metric "
                    f"that adds up, such as 'f1', metrics.F1('micro'), or a "
                    f"metrics.Metric of your own",
                    stacklevel=5,
                )


def arrays(outputs: Structure) -> Structure:
    """Return outputs as arrays."""
    return tree_map(
        lambda each: each if isinstance(each, np.ndarray) else Tensor.numpy(each),
        outputs,
    )


def _number(name: str, value: float | np.ndarray | None) -> float:
    if value is None or np.ndim(value) != 0:
        raise ArgumentError(
            f"Trainer: metric {name!r} must give one number, got {value!r:.60}; does "
            f"it need an average?"
        )
    return float(value)
