r"""The losses of several tasks as one.

With weights w the loss of a batch is the sum of :math:`w_t L_t` over the tasks t that
have a label in it. Learned weights are those of Kendall, Gal, Cipolla 2018: each task
has a variance :math:`\sigma_t^2`, and its term follows from the likelihood of a label,

.. math::
    \frac{c_t}{\sigma_t^2} L_t + \log \sigma_t, \qquad
    c_t = \tfrac12 \text{ for the squared error, 1 for a cross-entropy}

so that a task that cannot be predicted well counts less, and its :math:`\log \sigma`
keeps it from not counting at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DataError, FastdlError, suggest
from fastdl.nn.collection import ParameterDict
from fastdl.nn.loss import BCEWithLogitsLoss, Loss, MSELoss
from fastdl.nn.module import Module
from fastdl.nn.probabilities import NLLLoss
from fastdl.nn.registry import register
from fastdl.nn.weighted import Weighted
from fastdl.shapes.numbers import is_number
from fastdl.typing import ArrayLike, TensorLike

_LEARNED = "uncertainty"


@dataclass(frozen=True)
class TaskLoss:
    """The loss of one task on a batch.

    Attributes
    ----------
    loss : Tensor
        The mean over the labels that are there; 0 if there are none.
    count : float
        How many labels there are, or how much they weigh.
    share : Tensor
        What the task adds to the whole loss.
    """

    loss: Tensor
    count: float
    share: Tensor


@register
class MultiTaskLoss(Module):
    """The losses of several tasks as one; see the equations of this module.

    ::

        loss = nn.MultiTaskLoss(
            {"even": nn.BCEWithLogitsLoss(), "digit": nn.CrossEntropyLoss()}
        )
        loss(model(x), {"even": even, "digit": digit}).backward()

    Labels may be missing: NaN, for every loss; integer labels are then given as real
    numbers. A missing label counts for nothing. What a task adds is its mean over the
    labels that are there, and a task without any label adds 0, with gradient 0.

    Parameters
    ----------
    losses : mapping of str to loss
        For each task a module of this package, or a function ``(outputs, y)`` or
        ``(outputs, y, weight)`` to one number, the mean. Where rows are missing it gets
        only the others; a loss of each element, such as `MSELoss`, can also do without
        a part of a row.
    weights : mapping of str to float, or "uncertainty", optional
        How much each task counts, >= 0; 1 where nothing is said. "uncertainty" learns
        it: then the parameters of this loss go to the optimiser beside those of the
        model. `fastdl.Trainer` does that itself.

    Attributes
    ----------
    log_variance : ParameterDict or None
        log sigma^2 of each task, 0 at first; None unless the weights are learned.

    Raises
    ------
    ArgumentError
        There is no task, a loss is no loss, or a weight is no number >= 0 or of no
        task.
    """

    _is_loss = False  # of one output, as others are
    _keeps_arrays = True

    def __init__(
        self,
        losses: Mapping[str, Callable[..., Tensor]],
        weights: Mapping[str, float] | str | None = None,
    ) -> None:
        self.losses = _checked_losses(losses)
        self.weights = _checked_weights(weights, self.losses)
        self._calls = {task: Weighted(loss) for task, loss in self.losses.items()}
        self.log_variance: ParameterDict | None = None
        if self.weights == _LEARNED:
            self.log_variance = ParameterDict(
                (task, np.zeros((), np.float32)) for task in self.losses
            )

    def forward(
        self,
        outputs: Mapping[str, TensorLike],
        targets: Mapping[str, ArrayLike],
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Return the sum of what the tasks add.

        Parameters
        ----------
        outputs : dict of str to Tensor
            What the model returns; outputs that are no task are passed over.
        targets : dict of str to array_like
            For each task what its loss takes, NaN where it is missing.
        sample_weight : array_like, (n,), optional
            How much each example counts, in every task.

        Raises
        ------
        ArgumentError
            Outputs or targets are no dict, or a task is missing among them.
        FastdlError
            As the loss of a task raises; the message names the task.
        """
        return total(self.tasks(outputs, targets, sample_weight))

    def check_outputs(self, outputs: object) -> None:
        """Raise ArgumentError unless outputs are a dict with every task."""
        _check_tasks(outputs, self.losses, "the model returns")

    def tasks(
        self,
        outputs: Mapping[str, TensorLike],
        targets: Mapping[str, ArrayLike],
        sample_weight: ArrayLike | None = None,
    ) -> dict[str, TaskLoss]:
        """Return the loss of each task, for parameters as `forward` has them."""
        self.check_outputs(outputs)
        _check_tasks(targets, self.losses, "the targets are")
        weight = None if sample_weight is None else np.asarray(sample_weight)
        return {
            task: self._task(task, outputs[task], np.asarray(targets[task]), weight)
            for task in self.losses
        }

    def _task(
        self, task: str, outputs: TensorLike, y: np.ndarray, weight: np.ndarray | None
    ) -> TaskLoss:
        try:
            loss, count = _of_present(
                self.losses[task], self._calls[task], outputs, y, weight
            )
        except FastdlError as error:
            error.args = (f"task {task!r}: {error}",)
            raise
        return TaskLoss(loss, count, self._share(task, loss) if count else loss)

    def _share(self, task: str, loss: Tensor) -> Tensor:
        if self.log_variance is None:
            assert isinstance(self.weights, dict)
            weight = self.weights.get(task, 1.0)
            return loss if weight == 1 else loss * weight
        log_variance = self.log_variance[task].astype(loss.dtype)
        factor = 0.5 if isinstance(self.losses[task], MSELoss) else 1.0
        return factor * F.exp(-log_variance) * loss + 0.5 * log_variance


def total(tasks: Mapping[str, TaskLoss]) -> Tensor:
    """Return the sum of what the tasks add to the loss."""
    first, *others = (task.share for task in tasks.values())
    for share in others:
        first = first + share
    return first


def as_labels(y: np.ndarray) -> np.ndarray:
    """Return labels as integers, if they are real numbers with NaN for the missing.

    The missing ones become 0. Anything other than a row of real numbers is returned
    unchanged.

    Raises
    ------
    DataError
        A label is not a whole number.
    """
    if y.ndim != 1 or y.dtype.kind != "f":
        return y
    known = np.where(np.isnan(y), 0, y)
    with np.errstate(invalid="ignore"):  # infinity becomes some other number
        labels = known.astype(np.int64)
    wrong = np.flatnonzero(labels != known)
    if len(wrong):
        raise DataError(
            f"label {wrong[0]} is {y[wrong[0]]:g}; labels are whole numbers"
        )
    return labels


def missing_rows(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return of which rows everything is missing, and of which something is."""
    # Not -1, which is undefined for an empty batch.
    missing = np.isnan(y).reshape(len(y), math.prod(y.shape[1:]))
    return missing.all(axis=1), missing.any(axis=1)


def _of_present(
    loss: Callable[..., Tensor],
    call: Weighted,
    outputs: TensorLike,
    y: np.ndarray,
    weight: np.ndarray | None,
) -> tuple[Tensor, float]:
    """Return the loss over the labels that are not missing, and how many there are."""
    if y.dtype.kind == "f" and not isinstance(loss, BCEWithLogitsLoss):
        whole, part = missing_rows(y)
        if part.any() and np.array_equal(whole, part):
            rows = np.flatnonzero(~whole)
            outputs, y = _rows(outputs, rows), y[rows]
            weight = None if weight is None else weight[rows]
        elif part.any():
            y, weight = _weighted_elements(loss, y, weight)
        if isinstance(loss, NLLLoss) or getattr(loss, "applies", None) == "softmax":
            y = as_labels(y)
    count = call.count(y, weight)
    if not count:
        return F.sum(_rows(outputs, np.arange(0))), 0.0
    return call(outputs, y, weight), count


def _rows(outputs: TensorLike, rows: np.ndarray) -> Tensor:
    return F.index(outputs, rows)


def _weighted_elements(
    loss: Callable[..., Tensor], y: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets and weights of each element, 0 where a target is missing."""
    present = ~np.isnan(y)
    y = np.where(present, y, 0).astype(y.dtype)
    if not isinstance(loss, Loss) or loss._counts(y).shape != y.shape:
        raise DataError(
            f"y[{np.flatnonzero(~present.reshape(len(y), -1).all(axis=1))[0]}] is "
            f"missing in part, but this loss needs whole rows"
        )
    elements = present.astype(y.dtype)
    if weight is not None:
        elements *= weight.reshape(-1, *(1,) * (y.ndim - 1))
    return y, elements


def _checked_losses(
    losses: Mapping[str, Callable[..., Tensor]],
) -> dict[str, Callable[..., Tensor]]:
    if not isinstance(losses, Mapping) or not losses:
        raise ArgumentError(
            f"MultiTaskLoss: losses must be a dict with a loss for each task, got "
            f"{losses!r:.60}"
        )
    for task, loss in losses.items():
        if isinstance(loss, type) or not callable(loss):
            raise ArgumentError(
                f"MultiTaskLoss: the loss of {task!r} must be a loss such as "
                f"nn.MSELoss() or a function (outputs, y), got {loss!r:.60}"
            )
    return dict(losses)


def _checked_weights(
    weights: Mapping[str, float] | str | None, losses: Mapping[str, object]
) -> dict[str, float] | str:
    if weights is None:
        return {}
    if isinstance(weights, str):
        if weights != _LEARNED:
            raise ArgumentError(
                f"MultiTaskLoss: weights must be a dict of numbers or {_LEARNED!r}, "
                f"got {weights!r}{suggest(weights, [_LEARNED])}"
            )
        return weights
    if not isinstance(weights, Mapping):
        raise ArgumentError(
            f"MultiTaskLoss: weights must be a dict of numbers or {_LEARNED!r}, got "
            f"{weights!r:.60}"
        )
    for task, weight in weights.items():
        if task not in losses:
            raise ArgumentError(
                f"MultiTaskLoss: a weight for {task!r}, which is no task"
                f"{suggest(task, losses)}"
            )
        if not is_number(weight) or not 0 <= weight < math.inf:
            raise ArgumentError(
                f"MultiTaskLoss: the weight of {task!r} must be a finite number >= 0, "
                f"got {weight!r:.60}"
            )
    return {task: float(weight) for task, weight in weights.items()}


def _check_tasks(given: object, losses: Mapping[str, object], what: str) -> None:
    """Raise ArgumentError unless outputs or targets are a dict with every task."""
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"MultiTaskLoss: {what} a {type(given).__name__}; expected a dict with "
            f"{', '.join(map(repr, losses))}"
        )
    for task in losses:
        if task not in given:
            raise ArgumentError(
                f"MultiTaskLoss: task {task!r} is missing: {what} a dict"
                f"{suggest(task, given)}"
            )
