"""What a metric is: counts that add up over batches, and over processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Protocol, TypeVar

import numpy as np

from fastdl.errors import ArgumentError, DataError
from fastdl.typing import ArrayLike

M = TypeVar("M", bound="Metric")
R = TypeVar("R", covariant=True)
Function = Callable[[np.ndarray, np.ndarray], "float | np.ndarray"]


class Metric(ABC):
    """A metric that is gathered batch by batch, and right over all of them.

    It keeps what adds up, such as counts, and computes the value at the end: the F1 of
    a whole set is not the mean of the F1 of its batches. However the examples are cut
    into batches, and in whatever order these are merged, the result is the same, up to
    the rounding of floating-point sums. Those of `fastdl.metrics` also take weights,
    ``update(y_true, y_pred, sample_weight)``. To write your own for `fastdl.Trainer`,
    define these four methods ::

        class Worst(metrics.Metric):
            def __init__(self):
                self.reset()

            def reset(self):
                self.error = 0.0

            def update(self, y_true, y_pred):
                self.error = max(self.error, float(np.abs(y_true - y_pred).max()))

            def merge(self, other):
                self.error = max(self.error, other.error)

            def result(self):
                return self.error
    """

    @property
    def name(self) -> str:
        """Its name in the history and in messages; by default that of the class."""
        return type(self).__name__

    @abstractmethod
    def update(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        """Add a batch: labels or targets, and the model's outputs for them."""

    @abstractmethod
    def merge(self: M, other: M) -> None:
        """Add everything that another metric of the same kind has gathered."""

    @abstractmethod
    def result(self) -> float | np.ndarray:
        """Return the value over all examples so far; DataError if there are none."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything."""

    def fresh(self) -> Metric:
        """Return a metric of the same kind that has seen nothing."""
        metric = deepcopy(self)
        metric.reset()
        return metric

    def _settings(self) -> tuple:
        """Return what two metrics must have in common to be merged."""
        return ()

    def _check_kind(self, other: Metric) -> None:
        """Raise ArgumentError unless `other` counts the same thing."""
        if type(other) is not type(self) or other._settings() != self._settings():
            raise ArgumentError(
                f"{self.name}: merge needs another {self.name}, got "
                f"{getattr(other, 'name', type(other).__name__)}"
            )


class Weighted(Protocol[R]):
    """A metric that takes weights, as those of this package do."""

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch."""

    def result(self) -> R:
        """Return the value over all examples so far."""


def after_all(
    metric: Weighted[R],
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None = None,
) -> R:
    """Return the result of a metric after a single batch."""
    metric.update(y_true, y_pred, sample_weight)
    return metric.result()


def check_examples(total: float, name: str) -> None:
    """Raise DataError if the number of examples, or the sum of their weights, is 0."""
    if not total:
        raise DataError(f"{name}: no examples yet, or none of a weight above 0")


class Mean:
    """The mean over all examples of a value known for each batch, such as the loss."""

    def __init__(self) -> None:
        self.reset()

    @property
    def count(self) -> float:
        """How many examples there were, or the sum of their weights."""
        return self._count

    def update(self, value: float, count: float = 1) -> None:
        """Add the mean ``value`` of ``count`` examples (or of that total weight)."""
        self._sum += float(value) * float(count)
        self._count += float(count)

    def merge(self, other: Mean) -> None:
        """Add all values of another mean."""
        self._sum += other._sum
        self._count += other._count

    def result(self) -> float:
        """Return the mean; DataError before the first example."""
        if self._count == 0:
            raise DataError("Mean: no examples yet")
        return self._sum / self._count

    def reset(self) -> None:
        """Forget everything."""
        self._sum = self._count = 0.0


class MeanOf(Metric):
    """A function of a batch, taken to be a mean over its examples.

    Parameters
    ----------
    function : callable
        ``function(y_true, y_pred) -> float``.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self._mean = Mean()

    @property
    def name(self) -> str:
        """The name of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def update(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        """Add a batch; ArgumentError unless the function returns a number."""
        value = self.function(y_true, y_pred)
        if np.ndim(value) > 0 or value is None:
            raise ArgumentError(f"{self.name} must give one number, got {value!r:.60}")
        self._mean.update(float(value), len(y_true))

    def merge(self, other: MeanOf) -> None:
        """Add the batches of another mean of the same function."""
        self._check_kind(other)
        self._mean.merge(other._mean)

    def result(self) -> float:
        """Return the mean; DataError before the first example."""
        return self._mean.result()

    def reset(self) -> None:
        """Forget everything."""
        self._mean.reset()

    def fresh(self) -> MeanOf:
        """Return another mean of the same function, which is not copied."""
        return MeanOf(self.function)

    def _settings(self) -> tuple:
        return (self.function,)

    def is_a_mean(self, y_true: np.ndarray, y_pred: np.ndarray) -> bool:
        """Whether the value for a batch is the mean of those for its two halves.

        Also True if that cannot be decided: for a batch of one, or if the function
        raises for a half.
        """
        half = len(y_true) // 2
        if not half:
            return True
        halves = MeanOf(self.function)
        try:
            halves.update(y_true[:half], y_pred[:half])
            halves.update(y_true[half:], y_pred[half:])
            whole = self.function(y_true, y_pred)
        except Exception:
            return True
        return bool(np.isclose(halves.result(), whole, 1e-3, 1e-6, equal_nan=True))
