"""Bytes that are pictures, as numbers: the one place that decides.

Pictures are stored as bytes, 0 to 255, and computed with as real numbers in [0, 1]. An
array holds pictures when it is uint8 and its examples have two axes or more: (m, h, w)
or (m, h, w, c). They are scaled wherever a model gets them: in `DataLoader` and what is
built on it (`fit`, `evaluate`, `predict`, `fastdl.nn.Standardize.fit`), in
``model(x)``, in reports and on the command line. All other integers are numbers and
count by their value: labels, one-hot rows, tables (m, features), also of uint8.

y stays as it is, since it may hold labels or masks. It is scaled where it must be
pictures: when it is the same array as x (an autoencoder), and when `fastdl.Trainer`
takes the squared error of targets that have the shape of x, unless these are only 0 and
1: such masks it refuses, as it does pictures of another shape.
"""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.shapes import holds_pictures


def as_float(x: np.ndarray) -> np.ndarray:
    """Turn pictures of uint8 into float32 in [0, 1]; return all else as it is.

    This is what a loader and a model do with their input. Call it for what they leave
    as it is: pictures y for a loss of your own.

    Parameters
    ----------
    x : ndarray
        uint8 (m, h, w), (m, h, w, c), or one picture (h, w, c), to be scaled. Labels
        (m,) and tables (m, features) are no pictures, even if they were some before
        they were flattened: divide those by 255, or flatten in the model.
    """
    return take_float(x, np.arange(len(x))) if holds_pictures(x) else x


def take_float(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return rows of an array as a new array, as `as_float` would give them.

    Pictures are gathered and scaled in one pass, without Python's lock.
    """
    if holds_pictures(x) or x.dtype != np.uint8:
        return backend.gather(x, indices)
    return take_rows(x, indices)  # the kernel scales all bytes


def take_rows(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return rows of an array as a new array, as they are."""
    # np.take is faster, but copies the whole array first when it is not contiguous.
    if array.flags.c_contiguous:
        return np.take(array, indices, axis=0)
    return np.asarray(array[indices], order="C")


def same_array(x: np.ndarray, y: np.ndarray | None) -> bool:
    """Whether two arrays are the same memory, read in the same way."""
    return y is x or (
        isinstance(y, np.ndarray) and x.__array_interface__ == y.__array_interface__
    )
