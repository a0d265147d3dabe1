"""Mixup: training on blends of two examples."""

from __future__ import annotations

import math

import numpy as np

from fastdl import shapes
from fastdl.data.dataset import Batch
from fastdl.errors import ArgumentError, DataError
from fastdl.shapes.numbers import is_number
from fastdl.structure import (
    Structure,
    first_leaf,
    is_several,
    length,
    named_leaves,
    tree_map,
)


class Mixup:
    r"""Blends each example of a batch, and its label, with another of the batch.

    .. math:: x = t \, x_i + (1 - t) \, x_j, \quad y = t \, y_i + (1 - t) \, y_j,
        \quad t \sim \mathrm{Beta}(\alpha, \alpha)

    with one-hot rows y, which cross-entropy takes as they are ::

        loader = DataLoader(train, 128, transform=[Augment(flip=0.5), Mixup(0.2, 10)])

    An example is blended with others of its batch, so the result depends on how the
    data are cut into batches (that of `Augment` does not), but not on the workers.

    Parameters
    ----------
    alpha : float
        Positive. The smaller it is, the closer most blends are to one of the two; 0.1
        to 0.4 is usual for pictures.
    classes : int
        The number of classes, from 1.

    Raises
    ------
    ArgumentError, ShapeError
        `alpha` or `classes` is out of range.

    Notes
    -----
    Source: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk
    minimization", 2018.
    """

    def __init__(self, alpha: float, classes: int) -> None:
        if not is_number(alpha) or not 0 < alpha < math.inf:
            raise ArgumentError(f"Mixup: alpha must be positive, got {alpha!r}")
        self.alpha = alpha
        self.classes = shapes.integer(classes, "Mixup: classes")

    def __call__(self, x: Structure, y: np.ndarray | None, seeds: np.ndarray) -> Batch:
        """Return new arrays.

        Parameters
        ----------
        x : ndarray, (n, ...), or tuple or dict of them
            float32 or float64.
        y : ndarray, (n,) or (n, classes)
            Integer labels or rows of probabilities.
        seeds : ndarray of uint64, (n,)
            From the loader.

        Returns
        -------
        x, y : ndarray
            x of the same shape, and rows (n, classes) of the type of x.

        Raises
        ------
        DataError, DtypeError, ShapeError, ArgumentError
            There are no labels, they do not fit the classes, or `x` is not real.
        """
        if y is None:
            raise DataError("Mixup: the data have no labels y to blend")
        if is_several(y):
            raise DataError("Mixup: blends the labels of one task, got several y")
        shapes.check_real("Mixup", **dict(named_leaves(x, "x")))
        n, dtype = length(x), first_leaf(x).dtype
        y = shapes.labels(y, n, self.classes, "Mixup")
        rows = (np.eye(self.classes)[y] if y.ndim == 1 else y).astype(dtype)
        rng = np.random.default_rng(seeds)
        other = rng.permutation(n)
        t = rng.beta(self.alpha, self.alpha, n).astype(dtype)
        return tree_map(lambda each: _blend(each, other, t), x), _blend(rows, other, t)

    def __repr__(self) -> str:
        return f"Mixup(alpha={self.alpha}, classes={self.classes})"


def _blend(x: np.ndarray, other: np.ndarray, t: np.ndarray) -> np.ndarray:
    t = t.reshape(-1, *(1,) * (x.ndim - 1))
    return t * x + (1 - t) * x[other]
