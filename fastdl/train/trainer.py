"""Trainer: fit, evaluate, predict."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from os import PathLike
from typing import Any

import numpy as np

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor, no_grad
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, DataError, NonFiniteError, ShapeError
from fastdl.files import check_writable
from fastdl.nn.module import one_tensor
from fastdl.optim import Adam, Optimizer
from fastdl.shapes import integer
from fastdl.train.batches import as_loader, converted, one_source, training_loader
from fastdl.train.callback import Callback, Step, check_callbacks
from fastdl.train.checkpoint import Checkpoint
from fastdl.train.checks import (
    Buffers,
    check_finite,
    check_statistics,
    check_targets,
    first_bad,
)
from fastdl.train.cost import Cost, Limits, Penalties
from fastdl.train.description import Run
from fastdl.train.history import History
from fastdl.train.interrupt import deferred_interrupt
from fastdl.train.measures import Measures, MetricLike, by_name
from fastdl.train.pitfalls import check_optimizer, warn_of_probabilities
from fastdl.train.progress import Progress
from fastdl.train.targets import check_scaled


class Trainer:
    """Trains a model by mini-batches, measures it, and predicts with it.

    ::

        digits = fastdl.datasets.load("digits")
        trainer = fastdl.Trainer(fastdl.models.create("convnet"))
        trainer.fit(digits.train, epochs=5)
        trainer.evaluate(digits.test)  # {"loss": 0.06, "accuracy": 0.98}

    Nothing is hidden in it that a loop of your own could not do: `fit` runs
    ``zero_grad``, the model, the loss, ``backward`` and ``step`` on each batch.

    Parameters
    ----------
    model : Module
        Sizes that are open are inferred from the first batch.
    loss : callable, optional
        ``loss(outputs, y) -> Tensor``, one number, the mean over the batch; for data
        with weights ``loss(outputs, y, weight)``, the weighted mean; a parameter
        ``sample_weight`` gets them by its name. A batch counts in the loss of an epoch
        by its examples, or their weights; a Module that divides by something else has
        a method ``count(y, weight=None) -> float``, as those of `fastdl.nn` do. By
        default `fastdl.nn.CrossEntropyLoss`: the model gives logits, y are integer
        labels.
    optimizer : Optimizer or callable, optional
        Either an optimiser of ``model.parameters()``, or what makes one from them, such
        as ``functools.partial(optim.SGD, lr=0.1)``. By default Adam with lr 0.001.
    metrics : sequence of str, Metric or callable, optional
        What to measure besides the loss. Right over the whole set are the metrics of
        `fastdl.metrics`, by the name of their function ("accuracy", "f1", "roc_auc",
        "r2_score", ...: of logits, and the "macro" average), as functions
        (``metrics.f1``, or ``partial(metrics.f1, average="micro")``) or as they are
        (``metrics.F1("micro")``), and each `fastdl.metrics.Metric` of your own. Other
        functions ``(y, outputs) -> float`` are taken for a mean over examples. Weights
        of examples do not count in metrics. By default the accuracy where the loss is
        the cross-entropy, else nothing.
    regularization : penalty or sequence of penalties
        ``penalty(model) -> Tensor``, such as ``nn.L2(0.01)``: added to the loss. The
        "loss" that `fit` and `evaluate` report is the whole cost.
    constraint : callable, optional
        ``constraint(model)``, such as ``nn.MaxNorm(3)``: changes the weights in place
        after each step.
    clip_norm, clip_value : float, optional
        Limits of the gradient before each step, see `fastdl.optim.clip_grad_norm_` and
        `fastdl.optim.clip_grad_value_`; with both, the elements are clipped first.

    Attributes
    ----------
    history : History
        The complete epochs of all calls of `fit`.

    Raises
    ------
    ArgumentError
        An argument is of the wrong kind, or a metric is unknown.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[Any, Any], Tensor] | None = None,
        optimizer: Optimizer | Callable[[Iterable[Tensor]], Optimizer] | None = None,
        metrics: Sequence[MetricLike] | None = None,
        *,
        regularization: Penalties = (),
        constraint: Callable[[nn.Module], object] | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ArgumentError(f"Trainer: model must be a Module, got {model!r:.60}")
        self.model = model
        self.loss = nn.CrossEntropyLoss() if loss is None else loss
        self._cost = Cost(model, self.loss, regularization, "Trainer")
        self._limits = Limits(constraint, clip_norm, clip_value)
        self._classifies = isinstance(self.loss, nn.CrossEntropyLoss)
        if metrics is None:
            metrics = ("accuracy",) if self._classifies else ()
        self.metrics = by_name(metrics)
        self._optimizer = optimizer if isinstance(optimizer, Optimizer) else None
        self._make_optimizer = Adam if optimizer is None else optimizer
        if self._optimizer is None and not callable(self._make_optimizer):
            raise ArgumentError(
                f"Trainer: optimizer must be an optimiser or make one from parameters, "
                f"such as optim.Adam, got {optimizer!r:.60}"
            )
        self.history = History()
        self._settings = {  # what decides a training, besides model and optimiser
            "loss": self.loss,
            "regularization": self._cost.penalties,
            "constraint": constraint,
            "clip_norm": clip_norm,
            "clip_value": clip_value,
        }
        self._stopping = False

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser; GraphError while the model has sizes that are open."""
        if self._optimizer is None:
            made = self._make_optimizer(self.model.parameters())  # type: ignore[operator]
            if not isinstance(made, Optimizer):
                raise ArgumentError(f"Trainer: optimizer gave {made!r:.60}")
            self._optimizer = made
        return self._optimizer

    # Training

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        validation: Any = None,
        shuffle: bool = True,
        seed: int = 0,
        callbacks: Sequence[Callback] = (),
        progress: bool | None = None,
        check_finite: bool = True,
        checkpoint: str | PathLike[str] | None = None,
        resume: bool = False,
        allow_changes: Sequence[str] | None = (),
    ) -> History:
        """Train for some epochs; called again, it goes on where it was.

        The same weights, data and seed give the same bits, for any number of threads.
        `fastdl.manual_seed`, called before the model is made, fixes its weights.

        Ctrl-C takes effect between two steps: the model keeps all whole steps, the
        history all whole epochs, and KeyboardInterrupt is raised.

        Parameters
        ----------
        x : array_like, or all in one: Dataset, tuple or DataLoader
            Inputs (m, ...); or what holds the labels too: a data set, a tuple (x, y)
            or (x, y, weight), a loader. Pictures of uint8 become float32 in [0, 1],
            see `fastdl.data.as_float`; then all numbers are converted to the type of
            the model's parameters. weight (m,) says how much each example counts in
            the loss.
        y : array_like, (m, ...), optional
            Labels or targets, beside an array x. Pictures, as targets of the shape of
            x under the squared error, are scaled as x is; those of another shape, and
            bytes that are only 0 and 1, must be real numbers.
        epochs : int
            Passes through the data, from 1.
        batch_size, shuffle, seed
            How the data are cut into batches, see `fastdl.data.DataLoader`; a loader
            has its own, so they are refused beside one.
        validation : Dataset, tuple or DataLoader, optional
            As x with its labels; evaluated after each epoch.
        callbacks : sequence of Callback
            Called in this order. None is needed to stop at a NaN: `fit` always does.
        progress : bool, optional
            Whether to report on the standard error stream: a line for each epoch, and a
            bar when it is a terminal. By default only when it is a terminal.
        check_finite : bool
            Whether to look for NaN and infinities in x before the first step.
        checkpoint : path, optional
            A file that holds, after each epoch, all that is needed to go on from there:
            model, optimiser, history, and what the callbacks remember.
        resume : bool
            Go on from the checkpoint, with the same arguments, up to `epochs` in all:
            the bits are those of a training that was never interrupted. Whatever else
            decides the training must be the same too: the checkpoint describes the
            data, the loader, the model, the loss, the optimiser with its options as
            they were when the training began, and the callbacks, and what differs is
            refused by its name. After an error all is as it was before. Not seen are
            global variables that code reads, C code, and what an object keeps under
            other names than its constructor's. Of data that are not in memory a sample
            of 64 examples is compared.
        allow_changes : sequence of str
            Names of what may differ from the checkpoint, such as ``["data", "lr"]``;
            the refusal tells them. The new value holds; another "optimizer" begins
            anew.

        Returns
        -------
        History
            ``trainer.history``.

        Raises
        ------
        NonFiniteError
            There is a NaN or an infinity in x; or the loss is not finite: then the step
            is not made, buffers are as before it, and the message names the step and
            the first layer whose output is not finite.
        DataError, DtypeError, ShapeError, ArgumentError
            Data or arguments do not fit, such as labels that are no integers or out of
            range, no examples, a batch size of 0, or a metric that can't be computed of
            the outputs; the checkpoint is damaged, or of another training. Found before
            the first step: all labels are looked at, and one batch is measured.
        OSError
            The checkpoint or a log cannot be written; also found before.
        """
        epochs = integer(epochs, "fit: epochs")
        check_callbacks(callbacks, checkpoint)
        train = one_source("fit", x, y, "epochs")
        loader = training_loader(train, batch_size, shuffle, seed)
        loader_of_validation = None if validation is None else as_loader(validation)
        if resume and checkpoint is None:
            raise ArgumentError("fit: resume from where? Give checkpoint= its path")
        if allow_changes and not resume:
            raise ArgumentError("fit: allow_changes is for resume=True")
        run = None
        if checkpoint is not None:
            run = Run(self, loader, loader_of_validation, callbacks, epochs)
        self._prepare(loader, "training", check_finite)
        check_statistics(self.model, len(loader.dataset))
        check_optimizer(self.model, self.optimizer, self._make_optimizer)
        warn_of_probabilities(self.model, self.loss)
        if loader_of_validation is not None:
            self._prepare(loader_of_validation, "validation", check_finite)
        if loader is not train:
            loader.epoch = len(self.history)
        if progress is None:
            progress = sys.stderr.isatty()
        everyone = [*callbacks, Progress()] if progress else list(callbacks)
        keeper = None
        if checkpoint is not None and run is not None:
            keeper = Checkpoint(checkpoint, run)
            if resume:
                keeper.read(allow_changes)
            check_writable(checkpoint)
        done, self._stopping = 0, False
        with ExitStack() as stack:
            check_interrupt = stack.enter_context(deferred_interrupt())
            if keeper is not None:
                stack.push(keeper.undo)
            stack.enter_context(self.model.mode(training=True))
            for callback in everyone:
                callback.on_train_begin(self, epochs, len(loader))
                stack.callback(callback.on_train_end, self)
            if keeper is not None and resume:
                done, self._stopping = keeper.restore()
            while done < epochs and not self._stopping:
                self._epoch(loader, loader_of_validation, everyone, check_interrupt)
                done += 1
                if keeper is not None:
                    keeper.save(done, self._stopping)
        return self.history

    def stop(self) -> None:
        """End `fit` after the current epoch; for callbacks."""
        self._stopping = True

    def _prepare(self, loader: DataLoader, name: str, finite: bool) -> None:
        """Check a data set, and build the model for it."""
        if finite:
            check_finite(loader.dataset, name)
        with closing(loader.batches(loader.epoch)) as batches:  # type: ignore[type-var]
            batch = next(batches)
        x, y, *_ = batch
        if y is None:
            raise DataError(f"fit: the {name} data have no labels or targets y")
        check_scaled(batch, loader, self.loss)
        output_shape = self.model.build(x.shape[1:])
        check_targets(loader, self.loss, output_shape, name)
        self._rehearse(batch, only=len(loader) == 1)

    def _rehearse(self, batch: tuple, only: bool) -> None:
        """Measure a batch: whatever does not fit is found before the first step."""
        measures = Measures(self.metrics)
        x, y, *weight = next(converted([batch], self.model, self.loss))
        with no_grad(), self.model.mode(training=False):
            outputs = one_tensor(self.model, self.model(x))
            value = self._cost(outputs, y, *weight).item()
        if math.isfinite(value):  # else the first step will tell what is wrong
            measures.update(value, self._cost.count(y, *weight), outputs, y)
            measures.of_metrics()
            if not only:
                measures.warn_of_batches(outputs, y)

    def _epoch(
        self,
        loader: DataLoader,
        validation: DataLoader | None,
        callbacks: Sequence[Callback],
        check_interrupt: Callable[[], None],
    ) -> None:
        epoch = len(self.history) + 1
        for callback in callbacks:
            callback.on_epoch_begin(self, epoch)
        measures = Measures(self.metrics)
        optimizer = self.optimizer
        buffers = Buffers(self.model)
        start = time.perf_counter()
        examples = 0
        with closing(iter(loader)) as batches:  # type: ignore[type-var]
            steps = converted(batches, self.model, self.loss)
            for batch, (x, y, *weight) in enumerate(steps, 1):
                buffers.save()
                optimizer.zero_grad()
                outputs = one_tensor(self.model, self.model(x))
                cost = self._cost(outputs, y, *weight)
                value = cost.item()
                where = f"epoch {epoch}, batch {batch}"
                if not math.isfinite(value):
                    raise self._non_finite("fit", value, where, x, y, buffers)
                cost.backward()
                try:
                    self._limits.clip(optimizer)
                except NonFiniteError as error:
                    buffers.restore()
                    raise NonFiniteError(f"fit: {error} ({where})") from None
                optimizer.step()
                self._limits.constrain(self.model)
                measures.update(value, self._cost.count(y, *weight), outputs, y)
                examples += len(x)
                step = Step(epoch, batch, len(x), value)
                for callback in callbacks:
                    callback.on_batch_end(self, step)
                check_interrupt()
        seconds = time.perf_counter() - start
        row = {"epoch": epoch} | measures.results()
        if validation is not None:
            measured = self._evaluate(validation, check_interrupt)
            row |= {f"val_{name}": value for name, value in measured.items()}
        row |= {"examples_per_second": examples / seconds, "seconds": seconds}
        self.history.rows.append(row)
        for callback in callbacks:
            callback.on_epoch_end(self, row)

    def _non_finite(
        self,
        operation: str,
        loss: float,
        where: str,
        x: np.ndarray,
        y: np.ndarray,
        buffers: Buffers,
    ) -> NonFiniteError:
        """Put the buffers back, run the batch again to find the cause, describe it."""
        buffers.restore()
        cause = first_bad(self.model, self.loss, x)
        buffers.restore()
        return NonFiniteError(f"{operation}: the loss is {loss} at {where}; {cause}")

    # Measuring and predicting

    def evaluate(
        self, x: Any, y: Any = None, *, batch_size: int = 256
    ) -> dict[str, float]:
        """Measure the model in evaluation mode.

        Parameters
        ----------
        x, y
            As in `fit`.
        batch_size : int
            Examples at a time; it does not change the result, but for rounding
            (of a loss that is a mean).

        Returns
        -------
        dict
            "loss", the mean over all examples, and each metric.

        Raises
        ------
        NonFiniteError
            The loss is not finite; the message names the batch and the layer.
        FastdlError
            The data are empty, have no y, or do not fit the model.
        """
        loader = as_loader(one_source("evaluate", x, y, "batch_size"), batch_size)
        return self._evaluate(loader, check_interrupt=lambda: None)

    def _evaluate(
        self, loader: DataLoader, check_interrupt: Callable[[], None]
    ) -> dict[str, float]:
        measures = Measures(self.metrics)
        with (
            no_grad(),
            self.model.mode(training=False),
            closing(iter(loader)) as batches,  # type: ignore[type-var]
        ):
            first = next(batches)
            check_scaled(first, loader, self.loss)
            steps = converted(chain([first], batches), self.model, self.loss)
            for batch, (x, y, *weight) in enumerate(steps, 1):
                if y is None:
                    raise DataError("evaluate: the data have no labels or targets y")
                outputs = one_tensor(self.model, self.model(x))
                value = self._cost(outputs, y, *weight).item()
                if not math.isfinite(value):
                    buffers = Buffers(self.model)
                    where = f"batch {batch}"
                    raise self._non_finite("evaluate", value, where, x, y, buffers)
                measures.update(value, self._cost.count(y, *weight), outputs, y)
                if batch == 1 and len(loader) > 1:
                    measures.warn_of_batches(outputs, y)
                check_interrupt()
        return measures.results()

    def predict(
        self, x: Any, batch_size: int = 256, probabilities: bool = False
    ) -> np.ndarray:
        """Return the model's outputs in evaluation mode, one row for each example.

        Parameters
        ----------
        x : array, Dataset or DataLoader
            Inputs; labels are ignored. The rows come in the order of the loader.
        batch_size : int
            Examples at a time.
        probabilities : bool
            The output of a model is logits, unless it ends with a Softmax. True turns
            them into probabilities: by softmax where the loss is the cross-entropy, by
            sigmoid where it is the binary cross-entropy.

        Raises
        ------
        ArgumentError
            Probabilities are asked for with another loss.
        FastdlError
            There are no examples, or they do not fit the model.
        """
        activation: Callable = _identity
        if probabilities:
            activation = self._probabilities()
        if isinstance(x, np.ndarray) and x.shape == self.model.input_shape:
            raise ShapeError(
                f"predict: x is one example of shape {x.shape}; give a batch, "
                f"x[np.newaxis]"
            )
        if np.ndim(batch_size) > 0:
            raise ArgumentError(
                "predict: the second place is for batch_size, got an array; predict "
                "needs no y, which is for evaluate(x, y)"
            )
        loader = as_loader(x, batch_size)
        with (
            no_grad(),
            self.model.mode(training=False),
            closing(iter(loader)) as batches,  # type: ignore[type-var]
        ):
            rows = [
                activation(one_tensor(self.model, self.model(x))).numpy()
                for x, *_ in converted(batches, self.model)
            ]
        return np.concatenate(rows)

    def _probabilities(self) -> Callable[[Tensor], Tensor]:
        if self._classifies:
            return F.softmax
        if isinstance(self.loss, nn.BCEWithLogitsLoss):
            return F.sigmoid
        raise ArgumentError(
            "predict: probabilities are known for CrossEntropyLoss and "
            "BCEWithLogitsLoss only; this trainer has another loss"
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Save the model, see `fastdl.save`."""
        nn.save(self.model, path)


def _identity(outputs: Tensor) -> Tensor:
    return outputs
