"""Which bytes are pictures, and their values as numbers: the one place that decides.

Pictures are stored as bytes, 0 to 255, and computed with as real numbers in [0, 1]. An
array holds pictures if it is uint8 and its examples have at least two axes: (m, h, w)
or (m, h, w, c). They are scaled wherever they reach a model: in `DataLoader` and what
is built on it (`fit`, `evaluate`, `predict`, `fastdl.nn.Standardize.fit`), in
``model(x)``, in reports and on the command line. All other integers, including tables
(m, features) of uint8, labels and one-hot rows, keep their values.

y is left alone, since it may hold labels or masks. It is scaled where it must be
pictures: when it is the same array as x (an autoencoder), and when `fastdl.Trainer`
takes the squared error of targets that have the shape of x. Targets of only 0 and 1
(masks), and pictures of another shape, are refused there.
"""

from __future__ import annotations

import numpy as np

from fastdl import backend
from fastdl.shapes import holds_pictures


def as_float(x: np.ndarray) -> np.ndarray:
    """Turn pictures of uint8 into float32 in [0, 1]; return anything else unchanged.

    A loader and a model do this to their input. Call it for what they leave alone, such
    as pictures y for a loss of your own.

    Parameters
    ----------
    x : ndarray
        uint8 (m, h, w), (m, h, w, c), or one picture (h, w, c), to be scaled. Labels
        (m,) and tables (m, features) are not pictures, even if they are flattened
        ones: divide those by 255, or flatten in the model.
    """
    return take_float(x, np.arange(len(x))) if holds_pictures(x) else x


def take_float(x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return rows of an array as a new array, converted as by `as_float`.

    Pictures are gathered and scaled in one pass, without holding the GIL.
    """
    if holds_pictures(x) or x.dtype != np.uint8:
        return backend.gather(x, indices)
    return take_rows(x, indices)  # the kernel would scale any bytes


def take_rows(array: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return rows of an array as a new array, unconverted."""
    # np.take is faster, but first copies the whole array if it is not contiguous.
    if array.flags.c_contiguous:
        return np.take(array, indices, axis=0)
    return np.asarray(array[indices], order="C")


def same_array(x: np.ndarray, y: np.ndarray | None) -> bool:
    """Whether two arrays are the same memory, read in the same way."""
    return y is x or (
        isinstance(y, np.ndarray) and x.__array_interface__ == y.__array_interface__
    )


def is_mapped(array: object) -> bool:
    """Whether the values are in a memory-mapped file."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False
