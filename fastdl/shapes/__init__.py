"""Output sizes and argument checks: the only copy, used on every floor.

Sizes are plain integers. Images are (n, h, w, c), filters (kh, kw, c / groups, oc),
dense weights (in, out). Checks run before any memory is taken; an error names the
operation, what it expected, what came and the likely fix.
"""

from fastdl.shapes.arguments import (
    ACTIVATIONS,
    PaddingLike,
    activation_index,
    check_probabilities,
    check_real,
    check_shape,
    integer,
    labels,
    padding2d,
    pair,
)
from fastdl.shapes.arrays import broadcast, matmul
from fastdl.shapes.images import Conv2dShape, Pool2dShape, conv2d, pool2d

__all__ = [
    "ACTIVATIONS",
    "Conv2dShape",
    "PaddingLike",
    "Pool2dShape",
    "activation_index",
    "broadcast",
    "check_probabilities",
    "check_real",
    "check_shape",
    "conv2d",
    "integer",
    "labels",
    "matmul",
    "padding2d",
    "pair",
    "pool2d",
]
