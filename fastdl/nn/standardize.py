"""Normalisation of the inputs, as a layer of the model (SPEC S16)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from types import MethodType
from typing import Any

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor, as_tensor
from fastdl.data.dataset import DataLike, Dataset, as_dataset, take_real
from fastdl.errors import ArgumentError, DataError, NonFiniteError, ShapeError
from fastdl.nn import init
from fastdl.nn.layout import warn_channels_first
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.shapes import integer
from fastdl.structure import entries, is_several
from fastdl.typing import Shape, TensorLike

_CHUNK = 1 << 20  # how many numbers `fit` processes at a time


class _FitsNew:
    """Decorates a method so that, called on the class, it works on a new object."""

    def __init__(self, method: Callable[[Any, DataLike], Any]) -> None:
        self._method = method

    def __get__(
        self, layer: Standardize | None, cls: type[Standardize]
    ) -> Callable[[DataLike], Standardize]:
        return MethodType(self._method, cls() if layer is None else layer)


@register
class Standardize(Module):
    """Give each feature, or each channel of images, mean 0 and standard deviation 1.

    ``y = (x - mean) / std`` with the statistics of the training set ::

        model = nn.Sequential(nn.Standardize().fit(train), nn.Linear(None, 10))

    As a layer it treats training, dev and test data in the same way, is saved with the
    model, and works in ``predict``. It is not trained, but fitted: until then, or until
    a saved state is loaded into it, it changes nothing.

    Parameters
    ----------
    num_features : int or None
        The size of the last axis; with None it is taken from the data.

    Attributes
    ----------
    mean, std : ndarray, (num_features,)
        Buffers. std is 1 for a constant feature, which becomes 0.
    examples : int or None
        How many examples `fit` saw; None for a layer that was loaded. If these are more
        than the training examples, `fastdl.Trainer.fit` warns that dev or test data
        have leaked into the statistics.
    """

    mean: np.ndarray
    std: np.ndarray
    examples: int | None = None

    def __init__(self, num_features: int | None = None) -> None:
        self.num_features = num_features
        self._pending = True
        if num_features is not None:
            self._create_parameters((num_features,))

    def _create_parameters(self, input_shape: Shape) -> None:
        if not input_shape:
            raise ShapeError("standardize: expected x of shape (n, ..., c), got (n,)")
        self.num_features = integer(input_shape[-1], "Standardize: num_features")
        self.register_buffer("mean", init.zeros((self.num_features,)))
        self.register_buffer("std", init.constant((self.num_features,), 1.0))
        self._pending = False

    @_FitsNew
    def fit(self, train: DataLike) -> Standardize:
        """Take mean and standard deviation from the training set; return self.

        The sums are in float64, over all axes but the last. Another call replaces the
        statistics. Called on the class, ``nn.Standardize.fit(train)``, it fits a new
        layer.

        Parameters
        ----------
        train : Dataset, array x or tuple (x, y)
            The training set and nothing else: the statistics of dev and test data would
            reveal something about them. x is (m, features), or (m, h, w, c) for images;
            those of uint8 count as [0, 1], as everywhere. Of a whole
            `fastdl.datasets.Splits` only the training part is used, with a warning.

        Raises
        ------
        NonFiniteError
            A feature contains a NaN or an infinity; the message names it.
        DataError, ShapeError
            There are no examples, they are single numbers, or they do not have
            `num_features` features.
        """
        if hasattr(train, "train") and hasattr(train, "test"):
            warnings.warn(
                "Standardize.fit: got the test data too; only the training data are "
                "used, give them alone (splits.train)",
                stacklevel=2,
            )
            train = train.train
        dataset = as_dataset(train)
        shape = _example_shape(dataset)
        if self._pending:
            warn_channels_first("Standardize", shape)
        elif self.num_features != shape[-1]:
            raise ShapeError(
                f"Standardize.fit: the layer is for {self.num_features} features or "
                f"channels, but the data have {shape[-1]}; nn.Standardize() takes the "
                f"number from the data"
            )
        mean, std = _statistics(dataset, shape)
        if self._pending:
            self._create_parameters(shape)
        self.mean[...], self.std[...] = mean, std
        self.examples = len(dataset)
        return self

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, ..., num_features) to the same shape."""
        x = as_tensor(x)
        if x.shape[-1:] != (self.num_features,):
            raise ShapeError(
                f"standardize: fitted on {self.num_features} features or channels, got "
                f"x of shape {x.shape}"
            )
        # Not std squared as the variance, which might overflow.
        ones = np.ones_like(self.std)
        return F.batch_norm(x, self.mean, ones, weight=1 / self.std, eps=0.0)


def _example_shape(dataset: Dataset) -> Shape:
    if len(dataset) == 0:
        raise DataError("Standardize.fit: the data set is empty")
    first, *_ = take_real(dataset, np.arange(1))
    if is_several(first):
        raise ArgumentError(
            f"Standardize.fit: the data have several inputs, {entries(first, 'x')}; "
            f"give the one that this layer is for"
        )
    if first.ndim < 2:
        raise ShapeError(
            f"Standardize.fit: expected x of shape (m, features) or (m, h, w, c), got "
            f"({len(dataset)},); use x[:, np.newaxis] for a single feature"
        )
    return first.shape[1:]


def _statistics(dataset: Dataset, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (1 for constants), float64.

    Chunks are merged as in Chan, Golub, LeVeque, "Algorithms for computing the sample
    variance", 1983: with a large mean, plain sums of squares would lose all digits.
    """
    features = shape[-1]
    count, mean, squares = 0, np.zeros(features), np.zeros(features)
    low, high = np.full(features, np.inf), np.full(features, -np.inf)
    step = max(1, _CHUNK // max(math.prod(shape), 1))
    for start in range(0, len(dataset), step):
        examples = np.arange(start, min(start + step, len(dataset)))
        x, *_ = take_real(dataset, examples)
        rows = x.reshape(-1, features).astype(np.float64)
        _check_finite(rows)
        here = rows.mean(axis=0)
        step_of_mean, total = here - mean, count + len(rows)
        squares += ((rows - here) ** 2).sum(axis=0)
        squares += step_of_mean**2 * (count * len(rows) / total)
        mean += step_of_mean * (len(rows) / total)
        count = total
        low = np.minimum(low, rows.min(axis=0))
        high = np.maximum(high, rows.max(axis=0))
    # Rounding gives a constant a tiny variance, so constants are found by their range.
    std = np.sqrt(squares / count)
    varies = (low < high) & (std > np.finfo(np.float32).tiny)
    return mean, np.where(varies, std, 1.0)


def _check_finite(rows: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=0))
    if len(bad):
        names = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        raise NonFiniteError(
            f"Standardize.fit: NaN or infinity in feature (last axis) {names}; repair "
            f"or leave out such examples or features"
        )
