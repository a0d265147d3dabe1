"""How far numbers are from their targets: mean absolute and squared error, R2 (S27).

Everywhere, ``y_true`` and ``y_pred`` are numbers of the same shape: (m,), (m, outputs),
or with more axes, such as pictures; (m,) against (m, 1) is an error. Sums are kept in
float64 and merged by the formula of Chan, Golub & LeVeque (1979, "Updating formulae and
a pairwise algorithm for computing sample variances"), which stays accurate if the
targets vary little around a large mean.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from fastdl.errors import DtypeError, NonFiniteError, ShapeError
from fastdl.metrics.by_class import check_average
from fastdl.metrics.labels import weights_of
from fastdl.metrics.metric import Metric, after_all, check_examples
from fastdl.shapes import array
from fastdl.typing import ArrayLike, Shape


class _Regression(Metric):
    """Sums over the examples, one for each output.

    Parameters
    ----------
    average : {"uniform", None}
        As in `fastdl.metrics.mean_squared_error`.
    """

    _word = ""
    _averages: tuple[str, ...] = ("uniform",)

    def __init__(self, average: str | None = "uniform") -> None:
        check_average(average, self._word, self._averages)
        self.average = average
        self.reset()

    @property
    def name(self) -> str:
        """Such as "mean_squared_error"."""
        return self._word

    def _settings(self) -> tuple:
        return (self.average,)

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add a batch: targets and predictions (b, ...), and weights (b,)."""
        true = _finite(y_true, f"{self.name}: y_true")
        pred = _finite(y_pred, f"{self.name}: y_pred")
        if true.shape != pred.shape:
            raise ShapeError(
                f"{self.name}: y_true has shape {true.shape}, but y_pred has "
                f"{pred.shape}"
            )
        self._see(true.shape[1:])
        weight = weights_of(sample_weight, len(true), self.name)
        weight = np.ones(len(true)) if weight is None else weight
        counted = weight > 0
        if counted.any():
            weight = weight[counted]
            true = true[counted].reshape(len(weight), -1)
            pred = pred[counted].reshape(len(weight), -1)
            with np.errstate(over="ignore", invalid="ignore"):
                sums = self._sums(true, pred, weight)
            if not all(np.isfinite(each).all() for each in sums):
                raise NonFiniteError(
                    f"{self.name}: the numbers are too large, their sum overflows; "
                    f"give targets and predictions in a larger unit"
                )
            self._add(len(weight), weight.sum(), *sums)

    def merge(self, other: _Regression) -> None:
        """Add all the examples that another metric of the same kind has seen."""
        self._check_kind(other)
        if other._shape is not None:
            self._see(other._shape)
        if other._count:
            self._add(other._count, other._weight, *other._parts)

    def reset(self) -> None:
        """Forget everything."""
        self._shape: Shape | None = None  # of one target
        self._count = 0
        self._weight = 0.0
        self._parts: tuple[np.ndarray, ...] = ()

    def _see(self, shape: Shape) -> None:
        if self._shape not in (None, shape):
            raise ShapeError(
                f"{self.name}: there were targets of shape {self._shape} for each "
                f"example, now of {shape}"
            )
        self._shape = shape

    def _add(self, count: int, weight: float, *parts: np.ndarray) -> None:
        """Add the sums over other examples, whose weights add up to `weight`."""
        if self._count:
            parts = self._together(self._weight, self._parts, weight, parts)
        self._count += count
        self._weight += weight
        self._parts = parts

    @abstractmethod
    def _sums(
        self, true: np.ndarray, pred: np.ndarray, weight: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Return what to keep of examples (b, outputs), each array (outputs,)."""

    def _together(
        self, weight: float, parts: tuple, more: float, others: tuple
    ) -> tuple[np.ndarray, ...]:
        """Merge what was kept of two sets of examples."""
        return tuple(one + other for one, other in zip(parts, others, strict=True))

    @abstractmethod
    def _each(self) -> np.ndarray:
        """Return the value of each output, (outputs,)."""

    def result(self) -> float | np.ndarray:
        """Return the value, averaged or by output; DataError without examples."""
        check_examples(self._count, self.name)
        each = self._each()
        if self.average is None and self._shape:
            return each.reshape(self._shape)
        return self._averaged(each)

    def _averaged(self, each: np.ndarray) -> float:
        return float(each.mean())


class MeanAbsoluteError(_Regression):
    """`fastdl.metrics.mean_absolute_error` over batches."""

    _word = "mean_absolute_error"

    def _sums(
        self, true: np.ndarray, pred: np.ndarray, weight: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        return (weight @ np.abs(true - pred),)

    def _each(self) -> np.ndarray:
        return self._parts[0] / self._weight


class MeanSquaredError(_Regression):
    """`fastdl.metrics.mean_squared_error` over batches."""

    _word = "mean_squared_error"

    def _sums(
        self, true: np.ndarray, pred: np.ndarray, weight: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        return (weight @ (true - pred) ** 2,)

    def _each(self) -> np.ndarray:
        return self._parts[0] / self._weight


class R2Score(_Regression):
    """`fastdl.metrics.r2_score` over batches.

    Parameters
    ----------
    average : {"uniform", "variance", None}
        As in `fastdl.metrics.r2_score`.
    """

    _word = "r2_score"
    _averages = ("uniform", "variance")

    def _sums(
        self, true: np.ndarray, pred: np.ndarray, weight: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        # The mean is kept as its distance from a target: then its rounding error is
        # relative to the spread, not to the targets, and 0 if these are all equal.
        origin = true[0]
        offset = weight @ (true - origin) / weight.sum()
        apart = (true - origin) - offset
        return weight @ (true - pred) ** 2, origin, offset, weight @ apart**2

    def _together(
        self, weight: float, parts: tuple, more: float, others: tuple
    ) -> tuple[np.ndarray, ...]:
        residual, origin, offset, total = parts
        residual2, origin2, offset2, total2 = others
        apart = (origin2 - origin) + (offset2 - offset)
        share = more / (weight + more)
        return (
            residual + residual2,
            origin,
            offset + apart * share,
            total + total2 + apart**2 * weight * share,
        )

    def _each(self) -> np.ndarray:
        residual, _, _, total = self._parts
        if self._count < 2:
            return np.full_like(total, np.nan)
        each = np.where(residual == 0, 1.0, 0.0)  # for targets that do not vary
        ratio = np.divide(residual, total, out=each.copy(), where=total > 0)
        return np.where(total > 0, 1 - ratio, each)

    def _averaged(self, each: np.ndarray) -> float:
        total = self._parts[-1]
        if self.average == "variance" and total.any():
            return float(np.average(each, weights=total))
        return float(each.mean())


def mean_absolute_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = "uniform",
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the mean distance between y_true and y_pred, in the unit of y.

    Parameters, result and errors as in `mean_squared_error`.
    """
    return after_all(MeanAbsoluteError(average), y_true, y_pred, sample_weight)


def mean_squared_error(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = "uniform",
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    """Return the mean of (y_true - y_pred)^2, in the squared unit of y.

    Parameters
    ----------
    y_true, y_pred : array_like, (m,) or (m, ...)
        Targets and predictions, finite numbers of the same shape, m >= 1.
    average : {"uniform", None}
        "uniform": the mean over all outputs of an example. None: one value for each.
    sample_weight : array_like, (m,), optional
        How much each example counts, >= 0; weight 0 is the same as leaving it out.

    Returns
    -------
    float, or ndarray of float64 of the shape of one target

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, DataError, ArgumentError
        For arrays that do not fit or are not numeric; a NaN or an infinity; no example
        (or none of weight above 0); a negative weight; an unknown average.
    """
    return after_all(MeanSquaredError(average), y_true, y_pred, sample_weight)


def r2_score(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    average: str | None = "uniform",
    sample_weight: ArrayLike | None = None,
) -> float | np.ndarray:
    r"""Return the share of the variance of the targets that is explained.

    .. math:: R^2 = 1 - \frac{\sum w (y - \hat y)^2}{\sum w (y - \bar y)^2}

    1 is perfect, 0 is no better than the mean of the targets, and there is no lower
    bound. If all targets are equal it is 1 if all predictions are right, else 0. For
    fewer than two examples it is undefined: NaN.

    Parameters, result and errors as in `mean_squared_error`; with average="variance"
    outputs are weighted by the variance of their targets.
    """
    return after_all(R2Score(average), y_true, y_pred, sample_weight)


def _finite(values: ArrayLike, name: str) -> np.ndarray:
    """Return the numbers of all examples as float64; raise unless they are finite."""
    numbers = array(values, name)
    if not numbers.ndim:
        raise ShapeError(f"{name} needs one target for each example, got one number")
    if numbers.dtype.kind not in "biuf":
        raise DtypeError(f"{name} needs numbers, got dtype {numbers.dtype}")
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        row = np.argwhere(~np.isfinite(numbers))[0].tolist()
        raise NonFiniteError(f"{name}[{', '.join(map(str, row))}] is not finite")
    return numbers.astype(np.float64)
