"""Output sizes and argument checks: the only copy, used on every floor.

Sizes are plain integers. Images are (n, h, w, c), filters (kh, kw, c / groups, oc),
dense weights (in, out). Checks run before any memory is taken; an error names the
operation, what it expected, what came and the likely fix.
"""

from fastdl.shapes.activations import ACTIVATIONS
from fastdl.shapes.arguments import (
    CONV_ALGORITHMS,
    MAX_ELEMENTS,
    PaddingLike,
    activation_index,
    activation_parameter,
    activation_row,
    array,
    check_apart,
    check_elements,
    check_probabilities,
    check_real,
    check_shape,
    conv_algorithm_index,
    has_relu,
    holds_pictures,
    integer,
    labels,
    padding2d,
    pair,
    rows,
)
from fastdl.shapes.arrays import broadcast, matmul
from fastdl.shapes.images import (
    Conv2dShape,
    Pool2dShape,
    argmax_dtype,
    check_images,
    conv2d,
    pool2d,
)
from fastdl.shapes.warp import FILLS, WarpShape, affine_warp, fill_index

__all__ = [
    "ACTIVATIONS",
    "CONV_ALGORITHMS",
    "FILLS",
    "MAX_ELEMENTS",
    "Conv2dShape",
    "PaddingLike",
    "Pool2dShape",
    "WarpShape",
    "activation_index",
    "activation_parameter",
    "activation_row",
    "affine_warp",
    "argmax_dtype",
    "array",
    "broadcast",
    "check_apart",
    "check_elements",
    "check_images",
    "check_probabilities",
    "check_real",
    "check_shape",
    "conv2d",
    "conv_algorithm_index",
    "fill_index",
    "has_relu",
    "holds_pictures",
    "integer",
    "labels",
    "matmul",
    "padding2d",
    "pair",
    "pool2d",
    "rows",
]
