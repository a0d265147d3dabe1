"""A model with its loss, metrics and optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import chain
from typing import cast

import numpy as np

from fastdl import functional as F
from fastdl import nn, shards
from fastdl.autograd import Tensor, no_grad
from fastdl.data import DataLoader
from fastdl.data.loader import holds_several
from fastdl.errors import ArgumentError, DataError, NonFiniteError, ShapeError
from fastdl.exports import TrainerWords
from fastdl.nn.module import check_module, run
from fastdl.nn.multitask import TaskLoss
from fastdl.optim import Optimizer
from fastdl.parallel import ALONE, Ranks
from fastdl.structure import Structure, example_shapes, names, tree_map
from fastdl.train.answers import yes_from
from fastdl.train.batches import (
    AnySource,
    as_loader,
    converted,
    inputs_alone,
    one_source,
    streamed,
)
from fastdl.train.calls import options_by_name
from fastdl.train.combined import Combined, combined
from fastdl.train.cost import Cost, Penalties
from fastdl.train.history import History
from fastdl.train.losses import (
    LossChoice,
    LossLike,
    TaskWeights,
    one_loss,
    tasks_of,
)
from fastdl.train.measures import Measures, Metrics, arrays, by_name
from fastdl.train.nonfinite import UNKNOWN, Buffers, first_bad
from fastdl.train.optimizers import OptimizerLike, optimizer_or_maker
from fastdl.train.targets import check_scaled
from fastdl.typing import ArrayLike, ArraysLike


class Learner(TrainerWords):
    """A model with its loss, metrics and optimiser: all of a `Trainer` but ``fit``.

    Checkpoints, schedules and the other parts around the training loop depend on this
    and not on `Trainer`, which is made of them. The parameters are those of `Trainer`.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: LossChoice | Mapping[str, LossChoice] | None,
        optimizer: OptimizerLike | None,
        metrics: Metrics | None,
        regularization: Penalties,
        loss_weights: TaskWeights | None = None,
        lr: float | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        check_module(model, "Trainer")
        self.model = model
        self.ranks = ranks
        self.loss = one_loss(loss, loss_weights)
        self._cost = Cost(model, self.loss, regularization, "Trainer")
        self._tasks = tasks_of(self.loss)
        self.metrics = by_name(
            _usual_metrics(self.loss) if metrics is None else metrics, self.loss
        )
        self._metrics_given = metrics
        self._make_optimizer = optimizer_or_maker(optimizer, lr)
        self._optimizer: Optimizer | None = None
        if isinstance(self._make_optimizer, Optimizer):
            self._optimizer = self._make_optimizer
        self.history = History()
        # For checkpoints: what determines a training, besides model and optimiser.
        self._settings: dict[str, object] = {
            "loss": self._tasks or self.loss,
            "regularization": self._cost.penalties,
        }
        if isinstance(self.loss, nn.MultiTaskLoss):
            self._settings["loss_weights"] = self.loss.weights
        self._stopping = False

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser; GraphError as long as sizes of the model are open."""
        if self._optimizer is None:
            parameters = (
                *self.model.parameters(),
                *self._learned_weights().parameters(),
            )
            made = self._make_optimizer(parameters)  # type: ignore[operator]
            if not isinstance(made, Optimizer):
                raise ArgumentError(f"Trainer: optimizer gave {made!r:.60}")
            self._optimizer = made
        return self._optimizer

    def _learned_weights(self) -> nn.ParameterDict:
        """Return the parameters by which the loss weighs its tasks, if it learns to."""
        learned = None
        if isinstance(self.loss, nn.MultiTaskLoss):
            learned = self.loss.log_variance
        return nn.ParameterDict() if learned is None else learned

    def stop(self) -> None:
        """End `fit` after the current epoch; for callbacks."""
        self._stopping = True

    def _follow_first(self) -> None:
        """Take over what a callback decided that only the first rank has."""
        groups = self.optimizer.param_groups
        rates = [group["lr"] for group in groups]
        stopping, *rates = self.ranks.of_first([self._stopping, *rates])
        self._stopping = bool(stopping)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate

    # Measuring and predicting

    @options_by_name
    def evaluate(
        self,
        x: AnySource | None,
        y: ArraysLike | None = None,
        *,
        batch_size: int = 256,
        sample_weight: ArrayLike | None = None,
        steps: int | None = None,
    ) -> dict[str, float]:
        """Measure the model in evaluation mode.

        Parameters
        ----------
        x, y
            As in `fit`. None, as in ``splits.test`` of data without a test set, is an
            error.
        batch_size : int
            Examples at a time; it does not change the result, except for rounding (if
            the loss is a mean).
        sample_weight : array_like, (m,), optional
            As in `fit`.
        steps : int, optional
            How many batches of a generator to measure; by default all.

        Returns
        -------
        dict
            "loss", the mean over all examples, and each metric. With several tasks
            also "<task>_loss", and "<task>_" before the name of each metric: over the
            labels that are there, and NaN if there are none.

        Raises
        ------
        NonFiniteError
            The loss is not finite; the message names the batch and the layer.
        FastdlError
            The data are empty, have no y, or do not fit the model.
        """
        if x is None:
            raise DataError("evaluate: there is no such set, x is None")
        x = streamed("evaluate", x, steps, "steps")
        source = one_source("evaluate", self.model, x, y, sample_weight, "batch_size")
        loader = as_loader(source, batch_size)
        return self._evaluate(loader, check_interrupt=lambda: None)

    def _evaluate(
        self, loader: DataLoader, check_interrupt: Callable[[], None]
    ) -> dict[str, float]:
        measures = Measures(self.metrics, self._tasks)
        with (
            no_grad(),
            self.model.mode(training=False),
            closing(self.ranks.batches(loader)) as batches,  # type: ignore[type-var]
        ):
            first = next(batches)
            check_scaled(first, loader, self.loss)
            steps = converted(chain([first], batches), self.model, self.loss)
            for batch, (x, y, *weight) in enumerate(steps, 1):
                if y is None:
                    raise DataError("evaluate: the data have no labels or targets y")
                with _telling_shape("evaluate", x, self.model):
                    outputs = run(self.model, x)
                cost, tasks = self._cost(outputs, y, *weight)
                count = self._cost.count(y, *weight)
                whole = combined(self.ranks, cost, count, tasks)
                if not math.isfinite(whole.value):
                    buffers = Buffers(self.model)
                    where = f"batch {batch}{culprits(whole.tasks)}"
                    raise self._non_finite("evaluate", whole.value, where, x, buffers)
                self._measure(measures, whole, outputs, y)
                if batch == 1 and len(loader) > 1:
                    measures.warn_of_batches(outputs, y)
                check_interrupt()
        return measures.results()

    def _measure(
        self, measures: Measures, whole: Combined, outputs: Structure, y: Structure
    ) -> None:
        """Add a batch, of all ranks."""
        if self.metrics:
            outputs, y = self.ranks.rows((arrays(outputs), y))
        measures.update(whole.value, whole.count, outputs, y, whole.tasks)

    def _non_finite(
        self, operation: str, loss: float, where: str, x: Structure, buffers: Buffers
    ) -> NonFiniteError:
        """Restore the buffers, run the batch again to find the cause, describe it."""
        buffers.restore()
        with shards.using(None):
            causes = self.ranks.texts(first_bad(self.model, self.loss, x))
        # A rank with the cause in its part of the batch knows more than the others.
        cause = next((each for each in causes if UNKNOWN not in each), causes[0])
        buffers.restore()
        return NonFiniteError(f"{operation}: the loss is {loss} at {where}; {cause}")

    @options_by_name
    def predict(
        self,
        x: AnySource,
        batch_size: int = 256,
        probabilities: bool = False,
        *,
        steps: int | None = None,
    ) -> np.ndarray:
        """Return the model's outputs in evaluation mode, one row for each example.

        Parameters
        ----------
        x : array, tuple or dict of arrays, Dataset or DataLoader
            Inputs; labels are ignored. The rows come in the order of the loader.
        batch_size : int
            Examples at a time.
        probabilities : bool
            Whether to turn logits, which a model gives unless it ends with a Softmax,
            into probabilities: by softmax if the loss is the cross-entropy, by sigmoid
            if it is the binary cross-entropy. With several tasks each goes by its own
            loss, and those of another loss stay as they are.
        steps : int, optional
            How many batches of a generator to take; by default all.

        Returns
        -------
        ndarray, or tuple or dict of them
            As the model returns tensors.

        Raises
        ------
        ArgumentError
            Probabilities are asked for, with another loss, or with a loss of one output
            and several outputs.
        ShapeError
            An output is a single number and not a row for each example.
        FastdlError
            There are no examples, or they do not fit the model.
        """
        finish: Callable = _identity
        if probabilities:
            finish = self._probabilities()
        if isinstance(x, np.ndarray) and x.shape == self.model.input_shape:
            raise ShapeError(
                f"predict: x is one example of shape {x.shape}; give a batch, "
                f"x[np.newaxis]"
            )
        if holds_several(batch_size):
            raise ArgumentError(
                "predict: the second place is for batch_size, got an array; predict "
                "needs no y, which is for evaluate(x, y)"
            )
        source = streamed("predict", x, steps, "steps")
        loader = as_loader(inputs_alone(self.model, source), batch_size)
        with (
            no_grad(),
            self.model.mode(training=False),
            closing(iter(loader)) as batches,  # type: ignore[type-var]
        ):
            rows = []
            for x, *_ in converted(batches, self.model):
                with _telling_shape("predict", x, self.model):
                    outputs = run(self.model, x)
                if probabilities:
                    self._cost.check_takes(outputs)
                    outputs = finish(outputs)
                rows.append(tree_map(_rows, outputs, names(outputs, "output")))
        return tree_map(lambda *parts: np.concatenate(parts), *rows)

    def _probabilities(self) -> Callable[[Structure], Structure]:
        if self._tasks:
            known = {task: _activation(loss) for task, loss in self._tasks.items()}
            return lambda outputs: {
                name: (known.get(name) or _identity)(each)
                for name, each in outputs.items()
            }
        activation = _activation(self.loss)
        if activation is not None:
            return activation
        raise ArgumentError(
            "predict: probabilities are known for losses of logits only, such as "
            "CrossEntropyLoss and BCEWithLogitsLoss; this trainer has another loss"
        )


@contextmanager
def _telling_shape(operation: str, x: Structure, model: nn.Module) -> Iterator[None]:
    """Say of a ShapeError that x is of another shape than the model was built for."""
    try:
        yield
    except ShapeError as error:
        shapes, known = example_shapes(x), model.input_shape
        if known is not None and shapes != known:
            error.args = (
                f"{operation}: x has shape {shapes} for each example, but the model "
                f"was built for {known}: {error}",
            )
        raise


def _identity(outputs: Structure) -> Structure:
    return outputs


def _rows(output: Tensor, name: str) -> np.ndarray:
    if output.ndim == 0:
        raise ShapeError(
            f"predict: {name} is one number for a whole batch, but there must be a row "
            f"for each example"
        )
    return output.numpy()


def _activation(loss: LossLike) -> Callable[[Tensor], Tensor] | None:
    """Return what makes probabilities of the logits that a loss takes, or None."""
    return {"softmax": F.softmax, "sigmoid": F.sigmoid}.get(
        getattr(loss, "applies", None) or ""
    )


def _usual_metrics(loss: LossLike) -> Metrics:
    if isinstance(loss, nn.MultiTaskLoss):
        of_tasks = {
            task: ("accuracy",) if _activation(each) is F.softmax else ()
            for task, each in loss.losses.items()
        }
        return cast(Metrics, of_tasks)
    answers = _activation(loss) is F.softmax or yes_from(loss) is not None
    return ("accuracy",) if answers else ()


def culprits(tasks: Mapping[str, TaskLoss]) -> str:
    """Name the tasks whose loss is not finite."""
    found = [
        task for task, each in tasks.items() if not math.isfinite(each.loss.item())
    ]
    return f", in task {' and '.join(map(repr, found))}" if found else ""
