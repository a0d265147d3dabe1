"""A model with its loss, metrics and optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import chain
from typing import TypeAlias

import numpy as np

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor, no_grad
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, DataError, NonFiniteError, ShapeError
from fastdl.metrics import MetricLike
from fastdl.nn.module import one_tensor
from fastdl.optim import Adam, Optimizer
from fastdl.train.batches import Source, as_loader, converted, one_source
from fastdl.train.cost import Cost, Penalties
from fastdl.train.history import History
from fastdl.train.losses import LossLike
from fastdl.train.measures import Measures, by_name
from fastdl.train.nonfinite import Buffers, first_bad
from fastdl.train.targets import check_scaled
from fastdl.typing import ArrayLike, StrPath

OptimizerLike: TypeAlias = Optimizer | Callable[[Iterable[Tensor]], Optimizer]
"""An optimiser of the model's parameters, or what makes one from them."""


class Learner:
    """A model with its loss, metrics and optimiser: all of a `Trainer` but ``fit``.

    Checkpoints, schedules and the other parts around the training loop depend on this
    and not on `Trainer`, which is made of them. The parameters are those of `Trainer`.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: LossLike | None,
        optimizer: OptimizerLike | None,
        metrics: Sequence[MetricLike] | None,
        regularization: Penalties,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ArgumentError(f"Trainer: model must be a Module, got {model!r:.60}")
        self.model = model
        self.loss = nn.CrossEntropyLoss() if loss is None else loss
        self._cost = Cost(model, self.loss, regularization, "Trainer")
        self._applies = getattr(self.loss, "applies", None)
        if metrics is None:
            metrics = ("accuracy",) if self._applies == "softmax" else ()
        self.metrics = by_name(metrics)
        self._optimizer = optimizer if isinstance(optimizer, Optimizer) else None
        self._make_optimizer = Adam if optimizer is None else optimizer
        if self._optimizer is None and not callable(self._make_optimizer):
            raise ArgumentError(
                f"Trainer: optimizer must be an optimiser or make one from parameters, "
                f"such as optim.Adam, got {optimizer!r:.60}"
            )
        self.history = History()
        # For checkpoints: what determines a training, besides model and optimiser.
        self._settings: dict[str, object] = {
            "loss": self.loss,
            "regularization": self._cost.penalties,
        }
        self._stopping = False

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser; GraphError as long as sizes of the model are open."""
        if self._optimizer is None:
            made = self._make_optimizer(self.model.parameters())  # type: ignore[operator]
            if not isinstance(made, Optimizer):
                raise ArgumentError(f"Trainer: optimizer gave {made!r:.60}")
            self._optimizer = made
        return self._optimizer

    def stop(self) -> None:
        """End `fit` after the current epoch; for callbacks."""
        self._stopping = True

    # Measuring and predicting

    def evaluate(
        self, x: Source | None, y: ArrayLike | None = None, *, batch_size: int = 256
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
        if x is None:
            raise DataError("evaluate: there is no such set, x is None")
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
                    raise self._non_finite("evaluate", value, where, x, buffers)
                measures.update(value, self._cost.count(y, *weight), outputs, y)
                if batch == 1 and len(loader) > 1:
                    measures.warn_of_batches(outputs, y)
                check_interrupt()
        return measures.results()

    def _non_finite(
        self, operation: str, loss: float, where: str, x: np.ndarray, buffers: Buffers
    ) -> NonFiniteError:
        """Restore the buffers, run the batch again to find the cause, describe it."""
        buffers.restore()
        cause = first_bad(self.model, self.loss, x)
        buffers.restore()
        return NonFiniteError(f"{operation}: the loss is {loss} at {where}; {cause}")

    def predict(
        self, x: Source, batch_size: int = 256, probabilities: bool = False
    ) -> np.ndarray:
        """Return the model's outputs in evaluation mode, one row for each example.

        Parameters
        ----------
        x : array, Dataset or DataLoader
            Inputs; labels are ignored. The rows come in the order of the loader.
        batch_size : int
            Examples at a time.
        probabilities : bool
            Whether to turn logits, which a model gives unless it ends with a Softmax,
            into probabilities: by softmax if the loss is the cross-entropy, by sigmoid
            if it is the binary cross-entropy.

        Raises
        ------
        ArgumentError
            Probabilities are asked for, with another loss.
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
        if self._applies is not None:
            return {"softmax": F.softmax, "sigmoid": F.sigmoid}[self._applies]
        raise ArgumentError(
            "predict: probabilities are known for losses of logits only, such as "
            "CrossEntropyLoss and BCEWithLogitsLoss; this trainer has another loss"
        )

    def save(self, path: StrPath) -> None:
        """Save the model, see `fastdl.save`."""
        nn.save(self.model, path)


def _identity(outputs: Tensor) -> Tensor:
    return outputs
