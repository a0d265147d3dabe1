"""Exponentially weighted averages."""

from __future__ import annotations

import numpy as np

from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.typing import ArrayLike


class ExponentialAverage:
    r"""A running average that forgets: exponentially weighted.

    .. math::
        v_t = \beta v_{t-1} + (1 - \beta) \theta_t, \quad v_0 = 0, \qquad
        \hat v_t = \frac{v_t}{1 - \beta^t} \text{ with bias correction}

    The same average is used by `fastdl.optim.Adam` (m and v, corrected),
    `fastdl.optim.RMSprop` (not corrected), `fastdl.train.WeightAverage` (corrected) and
    the running statistics of batch norm, whose momentum is :math:`1 - \beta`. Those
    update arrays in place, in kernels or in buffers that are saved, and so do not call
    this class.

    Source: Deep Learning Specialization, course 2, week 2.

    Parameters
    ----------
    beta : float
        The weight of the old average, in [0, 1). 0.9 averages over about 10 values.
    bias_correction : bool
        Whether the average is divided by the sum of its weights; otherwise it starts
        too close to 0.

    Raises
    ------
    ArgumentError
        beta is not in [0, 1).
    """

    def __init__(self, beta: float = 0.9, bias_correction: bool = True) -> None:
        if not isinstance(beta, (int, float)) or not 0 <= beta < 1:
            raise ArgumentError(
                f"ExponentialAverage: beta must be in [0, 1), got {beta!r}"
            )
        self.beta, self.bias_correction = beta, bias_correction
        self.reset()

    @property
    def window(self) -> float:
        r"""Roughly how many values it averages over: :math:`1 / (1 - \beta)`."""
        return 1 / (1 - self.beta)

    def reset(self) -> None:
        """Start over."""
        self._average: np.ndarray | None = None
        self._steps = 0

    def update(self, value: ArrayLike) -> float | np.ndarray:
        """Take in a number, or an array, always of the same shape; return the average.

        Raises
        ------
        ShapeError
            The shape is not that of the earlier values.
        """
        if self._average is None:
            self._average = np.zeros(np.shape(value))
        if np.shape(value) != self._average.shape:
            raise ShapeError(
                f"ExponentialAverage: expected values of shape {self._average.shape}, "
                f"got {np.shape(value)}"
            )
        self._average = self.beta * self._average + (1 - self.beta) * np.asarray(value)
        self._steps += 1
        return self.result()

    def result(self) -> float | np.ndarray:
        """Return the average: a float for numbers, else a new float64 array.

        Raises
        ------
        DataError
            There are no values yet.
        """
        if self._average is None:
            raise DataError("ExponentialAverage: no values yet")
        weight = 1 - self.beta**self._steps if self.bias_correction else 1.0
        average = self._average / weight
        return average if np.ndim(average) else float(average)
