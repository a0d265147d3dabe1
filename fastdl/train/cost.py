"""What a step minimises, and what limits it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from fastdl import nn, optim
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.multitask import TaskLoss, total
from fastdl.nn.weighted import Weighted
from fastdl.structure import Structure, entries, is_several
from fastdl.train.losses import LossLike, as_module

Penalty = Callable[[nn.Module], Tensor]
Penalties = Penalty | Sequence[Penalty]


class Cost:
    """The cost J = loss + penalties of a model on a batch.

    Parameters
    ----------
    model : Module
        The penalties are computed from its weights.
    loss : callable
        ``loss(outputs, y) -> Tensor``, one number.
    regularization : penalty or sequence of penalties
        Each ``penalty(model) -> Tensor``, one number, such as ``nn.L2(0.01)``.
    who : str
        For the messages.

    Raises
    ------
    ArgumentError
        The loss or a penalty is not callable.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: LossLike,
        regularization: Penalties,
        who: str,
    ) -> None:
        self._model, self._who = model, who
        if isinstance(loss, type) or not callable(loss):
            raise ArgumentError(
                f"{who}: loss must be a loss such as nn.MSELoss() or a function "
                f"(outputs, y), got {loss!r:.60}"
            )
        self._loss = as_module(loss)
        self._call = Weighted(self._loss, f"{who}: ")
        if not isinstance(regularization, Sequence):
            regularization = [regularization]
        self.penalties = regularization
        for penalty in self.penalties:
            if isinstance(penalty, type) or not callable(penalty):
                raise ArgumentError(
                    f"{who}: regularization must be penalties such as nn.L2(0.01), got "
                    f"{penalty!r:.60}"
                )

    def __call__(
        self, outputs: Structure, y: Structure, *weight: np.ndarray
    ) -> tuple[Tensor, dict[str, TaskLoss]]:
        """Return the cost, and the loss of each task if there are several.

        Raises
        ------
        ShapeError
            The loss is not one number.
        ArgumentError
            The loss is not a tensor; it takes one output and there are several; or the
            examples have weights, but it takes none.
        """
        if is_several(y) or (not isinstance(outputs, Tensor) and is_several(outputs)):
            self._refuse_several(outputs, y)
        tasks: dict[str, TaskLoss] = {}
        if isinstance(self._loss, nn.MultiTaskLoss):
            tasks = self._loss.tasks(outputs, y, *weight)
            cost = total(tasks)
        else:
            cost = self._call(outputs, y, *(weight or (None,)))
        for penalty in self.penalties:
            cost = cost + penalty(self._model)
        return cost, tasks

    def check_takes(self, outputs: Structure) -> None:
        """Raise ArgumentError if the loss takes other outputs, without targets."""
        if isinstance(self._loss, nn.MultiTaskLoss):
            self._loss.check_outputs(outputs)
        elif is_several(outputs):
            self._refuse_several(outputs)

    def _refuse_several(self, outputs: Structure, y: Structure = None) -> None:
        """Raise ArgumentError if it is a loss of one output."""
        if not isinstance(self._loss, nn.Module) or not self._loss._is_loss:
            return
        given = f"the model returns {entries(outputs, 'output')}"
        if not is_several(outputs):
            given = f"there are targets {entries(y, 'y')}"
        raise ArgumentError(
            f"{self._who}: {given}, but the loss {self._call.name} takes one of them; "
            f"give a dict of losses, one for each output of the model by name, or a "
            f"function (outputs, y)"
        )

    def count(self, y: Structure, *weight: np.ndarray) -> float:
        """Return how much a batch counts in the mean over batches.

        The loss may say, see `fastdl.nn.CrossEntropyLoss.count`; otherwise it is the
        number of examples, or the sum of their weights.
        """
        return self._call.count(y, *(weight or (None,)))


class Limits:
    """What limits a step: clipping before it, a constraint after it.

    Parameters
    ----------
    constraint : callable, optional
        ``constraint(model)`` changes the weights in place.
    clip_norm, clip_value : float, optional
        > 0; see `fastdl.optim.clip_grad_norm_` and `fastdl.optim.clip_grad_value_`.

    Raises
    ------
    ArgumentError
        A limit is not a finite number > 0, or the constraint is not callable.
    """

    def __init__(
        self,
        constraint: Callable[[nn.Module], object] | None,
        clip_norm: float | None,
        clip_value: float | None,
    ) -> None:
        if constraint is not None and not callable(constraint):
            raise ArgumentError(
                f"Trainer: constraint must be a function of the model such as "
                f"nn.MaxNorm(3), got {constraint!r:.60}"
            )
        self._constraint = constraint
        self._clips: list[Callable[[list[Tensor]], object]] = []
        if clip_value is not None:
            optim.clip_grad_value_([], clip_value)  # checks the limit
            self._clips.append(partial(optim.clip_grad_value_, clip_value=clip_value))
        if clip_norm is not None:
            optim.clip_grad_norm_([], clip_norm)
            self._clips.append(partial(optim.clip_grad_norm_, max_norm=clip_norm))

    def clip(self, optimizer: optim.Optimizer) -> None:
        """Clip the gradients; NonFiniteError when the norm is not finite."""
        if self._clips:
            groups = optimizer.param_groups
            parameters = [tensor for group in groups for tensor in group["params"]]
            for clip in self._clips:
                clip(parameters)

    def constrain(self, model: nn.Module) -> None:
        """Apply the constraint."""
        if self._constraint is not None:
            self._constraint(model)
