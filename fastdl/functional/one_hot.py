"""Labels as rows of zeros and a one."""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, DtypeError
from fastdl.functional.targets import plain
from fastdl.shapes import integer
from fastdl.typing import ArrayLike


def one_hot(labels: ArrayLike, classes: int | None = None) -> Tensor:
    """Return labels as rows with 1 at the label and 0 elsewhere.

    The losses take integer labels as they are; rows are for blending and for papers'
    equations. It needs no gradient and has none.

    Parameters
    ----------
    labels : array_like of int
        Any shape, each >= 0.
    classes : int, optional
        By default one more than the largest label.

    Returns
    -------
    Tensor
        (..., classes), float32.

    Raises
    ------
    DtypeError
        The labels are no integers.
    ShapeError
        `classes` is no integer above 0.
    ArgumentError
        A label is not in [0, classes); there are none, and `classes` is not given.
    """
    y = plain(labels, "one_hot")
    if y.dtype.kind not in "iu":
        raise DtypeError(f"one_hot: expected integer labels, got {y.dtype}")
    if classes is None:
        if not y.size:
            raise ArgumentError("one_hot: without labels give classes=")
        classes = int(y.max()) + 1
    classes = integer(classes, "one_hot: classes")
    if y.size and not (y.min() >= 0 and y.max() < classes):
        raise ArgumentError(
            f"one_hot: expected labels from 0 to {classes - 1}, got {y.min()} to "
            f"{y.max()}"
        )
    rows = backend.zeros((*y.shape, classes), np.dtype(np.float32))
    np.put_along_axis(rows, y[..., np.newaxis].astype(np.intp), 1, -1)
    return Tensor(rows)
