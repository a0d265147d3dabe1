"""Losses as modules: ``loss = criterion(model(x), y)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, suggest
from fastdl.functional.loss import check_delta
from fastdl.functional.targets import (
    check_smoothing,
    example_weights,
    ignored_label,
)
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.typing import ArrayLike, Shape, TensorLike

P = ParamSpec("P")

REDUCTIONS = ("mean", "sum", "none")


def _made_before_called(construct: Callable[P, None]) -> Callable[P, None]:
    """Let a constructor refuse outputs and targets, which are meant for `forward`."""

    @wraps(construct)
    def checked(*arguments: P.args, **options: P.kwargs) -> None:
        loss, *others = arguments
        first = others[0] if others else None
        is_batch = isinstance(first, np.ndarray) and first.ndim > 1  # else of weights
        if isinstance(first, Tensor) or is_batch:
            name = type(loss).__name__
            raise ArgumentError(
                f"{name}: make the loss before it is called, nn.{name}()(outputs, y)"
            )
        construct(*arguments, **options)

    return checked


class Loss(Module):
    """Base of the losses: how those of the examples become one number.

    Attributes
    ----------
    applies : {"softmax", "sigmoid"} or None
        How the outputs of a model become probabilities, if the loss takes logits of
        classes or of yes-or-no questions.
    """

    applies: str | None = None
    _is_loss = _keeps_arrays = True

    @_made_before_called
    def __init__(self, reduction: str = "mean") -> None:
        if not isinstance(reduction, str) or reduction not in REDUCTIONS:
            raise ArgumentError(
                f"{type(self).__name__}: unknown reduction {reduction!r:.60}"
                f"{suggest(reduction, REDUCTIONS)}"
            )
        self.reduction = reduction

    def count(self, y: ArrayLike, weight: ArrayLike | None = None) -> float:
        """Return the weight of a batch in the mean over several batches.

        It is what the loss of the batch was divided by, so that the mean equals that
        over all examples at once, however they are cut into batches. A loss that is not
        a mean has the number of its examples, or the sum of their weights.

        Parameters
        ----------
        y, weight : array_like
            Targets and sample_weight, as `forward` takes them.

        Returns
        -------
        float
            >= 0; 0 if there is no target, or all weights are 0.
        """
        y = np.asarray(y)
        counts = self._counts(y) if self.reduction == "mean" else ones(y.shape[:1])
        if weight is not None:
            name = type(self).__name__
            weight = example_weights(weight, counts.shape, np.dtype(float), name)
            counts = counts * weight
        return float(counts.sum())

    def _counts(self, y: np.ndarray) -> np.ndarray:
        """Return how much each loss counts in the mean, sample weights aside."""
        return ones(y.shape)


def ones(shape: Shape) -> np.ndarray:
    """Return a one for each loss, without the memory for it."""
    return np.broadcast_to(1.0, shape)


def numbers(values: ArrayLike | None, name: str) -> tuple | float | None:
    """Return numbers as plain Python ones, which can be saved with a model."""
    try:
        return None if values is None else _plain(np.asarray(values, float).tolist())
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must be numbers, got {values!r:.60}") from None


def _plain(value: list | float) -> tuple | float:
    return tuple(value) if isinstance(value, list) else value


class LabelLoss(Loss):
    """Base of the losses of integer labels, which classes and a mark can weigh."""

    _newer_arguments = ("ignore_index",)

    def __init__(
        self,
        reduction: str,
        class_weight: Sequence[float] | None,
        ignore_index: int | None,
    ) -> None:
        super().__init__(reduction)
        name = type(self).__name__
        self.class_weight = numbers(class_weight, f"{name}: class_weight")
        self.ignore_index = ignored_label(ignore_index, name)

    def _counts(self, y: np.ndarray) -> np.ndarray:
        counted = ones(y.shape) if self.ignore_index is None else y != self.ignore_index
        if self.class_weight is None:
            return counted
        return counted * np.array(self.class_weight)[np.where(counted, y, 0)]


@register
class CrossEntropyLoss(LabelLoss):
    """Softmax and cross-entropy combined, from logits; see `functional.cross_entropy`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the examples become one number. With weights, "mean" is the
        weighted mean: the sum of the weighted losses divided by the sum of the weights.
    class_weight : sequence of float, optional
        One number >= 0 for each class: how much its examples count.
    label_smoothing : float
        In [0, 1]: the fraction of each label that is spread evenly over all classes.
    ignore_index : int, optional
        The integer label of examples, or pixels, that are left out. By default none is;
        PyTorch's default is -100.
    """

    applies = "softmax"

    def __init__(
        self,
        reduction: str = "mean",
        class_weight: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(reduction, class_weight, ignore_index)
        check_smoothing(label_smoothing, "CrossEntropyLoss")
        self.label_smoothing = label_smoothing

    def forward(
        self,
        logits: TensorLike,
        labels: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Return the loss of logits (n, classes), or (n, h, w, classes) of pixels.

        Labels are integers (n,) or (n, h, w), or rows of probabilities of the shape of
        the logits; sample_weight, of the shape of integers or (n,), says how much each
        counts.
        """
        return F.cross_entropy(
            logits,
            labels,
            self.reduction,
            class_weight=self.class_weight,
            sample_weight=sample_weight,
            label_smoothing=self.label_smoothing,
            ignore_index=self.ignore_index,
        )

    def _counts(self, y: np.ndarray) -> np.ndarray:
        if y.ndim not in (2, 4):
            return super()._counts(y)
        rows = self.class_weight
        return ones(y.shape[:-1]) if rows is None else (y * np.array(rows)).sum(-1)


@register
class BCEWithLogitsLoss(Loss):
    """Sigmoid and binary cross-entropy combined, from logits.

    See `functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the losses of the elements become one number.
    pos_weight : float or sequence of float, optional
        > 0, a single number or one for each task: how much more a "yes" counts.
    label_smoothing : float
        In [0, 1]: the fraction of each target that is spread over both answers.
    """

    applies = "sigmoid"

    def __init__(
        self,
        reduction: str = "mean",
        pos_weight: float | Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.pos_weight = numbers(pos_weight, "BCEWithLogitsLoss: pos_weight")
        check_smoothing(label_smoothing, "BCEWithLogitsLoss")
        self.label_smoothing = label_smoothing

    def forward(
        self,
        logits: TensorLike,
        targets: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Compare logits with targets in [0, 1] of the same shape; NaN is missing.

        sample_weight, of the shape of logits or (n,), says how much each loss counts.
        """
        return F.binary_cross_entropy_with_logits(
            logits,
            targets,
            self.reduction,
            pos_weight=self.pos_weight,
            sample_weight=sample_weight,
            label_smoothing=self.label_smoothing,
        )

    def _counts(self, y: np.ndarray) -> np.ndarray:
        return ~np.isnan(y)


class NumberLoss(Loss):
    """Base of the losses of numbers, whose targets have the shape of the outputs."""

    _function: Callable[..., Tensor]

    def forward(
        self,
        x: TensorLike,
        targets: TensorLike,
        sample_weight: ArrayLike | None = None,
    ) -> Tensor:
        """Compare x with targets of the same shape.

        sample_weight, of the shape of x or (n,), says how much each error counts.
        """
        function, options = type(self)._function, self._options()
        return function(
            x, targets, self.reduction, sample_weight=sample_weight, **options
        )

    def _options(self) -> dict[str, float]:
        return {}


@register
class MSELoss(NumberLoss):
    """Squared error.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the errors of the elements become one number.
    """

    _function = staticmethod(F.mse_loss)


@register
class L1Loss(NumberLoss):
    """Absolute error, which outliers move less; see `functional.l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the errors of the elements become one number.
    """

    _function = staticmethod(F.l1_loss)


@register
class HuberLoss(NumberLoss):
    """Squares of small errors, magnitudes of large ones; see `functional.huber_loss`.

    PyTorch's ``SmoothL1Loss(beta=delta)`` is this divided by delta.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        How the errors of the elements become one number.
    delta : float
        > 0: where small errors end.
    """

    _function = staticmethod(F.huber_loss)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        check_delta(delta, "HuberLoss")
        self.delta = delta

    def _options(self) -> dict[str, float]:
        return {"delta": self.delta}
