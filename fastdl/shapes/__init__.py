"""Output sizes and argument checks: the only copy, used on every floor.

Sizes are plain integers. Images are (n, h, w, c), filters (kh, kw, c / groups, oc),
dense weights (in, out). Checks run before any memory is taken; an error names the
operation, what it expected, what came and the likely fix.
"""

from fastdl import exports
from fastdl.shapes.activations import ACTIVATIONS as ACTIVATIONS
from fastdl.shapes.arguments import CONV_ALGORITHMS as CONV_ALGORITHMS
from fastdl.shapes.arguments import MAX_ELEMENTS as MAX_ELEMENTS
from fastdl.shapes.arguments import PaddingLike as PaddingLike
from fastdl.shapes.arguments import activation_index as activation_index
from fastdl.shapes.arguments import activation_parameter as activation_parameter
from fastdl.shapes.arguments import activation_row as activation_row
from fastdl.shapes.arguments import array as array
from fastdl.shapes.arguments import check_apart as check_apart
from fastdl.shapes.arguments import check_elements as check_elements
from fastdl.shapes.arguments import check_output as check_output
from fastdl.shapes.arguments import check_probabilities as check_probabilities
from fastdl.shapes.arguments import check_real as check_real
from fastdl.shapes.arguments import check_shape as check_shape
from fastdl.shapes.arguments import conv_algorithm_index as conv_algorithm_index
from fastdl.shapes.arguments import derived_activation as derived_activation
from fastdl.shapes.arguments import flag as flag
from fastdl.shapes.arguments import fused_activation as fused_activation
from fastdl.shapes.arguments import gathered as gathered
from fastdl.shapes.arguments import holds_pictures as holds_pictures
from fastdl.shapes.arguments import integer as integer
from fastdl.shapes.arguments import is_in as is_in
from fastdl.shapes.arguments import is_positive as is_positive
from fastdl.shapes.arguments import is_share as is_share
from fastdl.shapes.arguments import labels as labels
from fastdl.shapes.arguments import padding2d as padding2d
from fastdl.shapes.arguments import pair as pair
from fastdl.shapes.arguments import real_dtype as real_dtype
from fastdl.shapes.arguments import rows as rows
from fastdl.shapes.arrays import axes as axes
from fastdl.shapes.arrays import broadcast as broadcast
from fastdl.shapes.arrays import layernorm as layernorm
from fastdl.shapes.arrays import matmul as matmul
from fastdl.shapes.arrays import one_axis as one_axis
from fastdl.shapes.arrays import prelu as prelu
from fastdl.shapes.arrays import stacked_matmul as stacked_matmul
from fastdl.shapes.arrays import stacks as stacks
from fastdl.shapes.conv_transpose import conv_transpose2d as conv_transpose2d
from fastdl.shapes.images import Conv2dShape as Conv2dShape
from fastdl.shapes.images import Pool2dShape as Pool2dShape
from fastdl.shapes.images import argmax_dtype as argmax_dtype
from fastdl.shapes.images import channels_first_hint as channels_first_hint
from fastdl.shapes.images import check_images as check_images
from fastdl.shapes.images import conv2d as conv2d
from fastdl.shapes.images import has_equal_counts as has_equal_counts
from fastdl.shapes.images import pool2d as pool2d
from fastdl.shapes.images import pool2d_counts as pool2d_counts
from fastdl.shapes.images import scale as scale
from fastdl.shapes.resample import UPSAMPLE_MODES as UPSAMPLE_MODES
from fastdl.shapes.resample import adaptive_pool2d as adaptive_pool2d
from fastdl.shapes.resample import adaptive_taps as adaptive_taps
from fastdl.shapes.resample import adaptive_windows as adaptive_windows
from fastdl.shapes.resample import check_one_size as check_one_size
from fastdl.shapes.resample import output_pair as output_pair
from fastdl.shapes.resample import pool2d_taps as pool2d_taps
from fastdl.shapes.resample import scale_pair as scale_pair
from fastdl.shapes.resample import upsample as upsample
from fastdl.shapes.resample import upsample_mode as upsample_mode
from fastdl.shapes.resample import upsample_sources as upsample_sources
from fastdl.shapes.resample import upsample_taps as upsample_taps
from fastdl.shapes.warp import FILLS as FILLS
from fastdl.shapes.warp import WarpShape as WarpShape
from fastdl.shapes.warp import affine_warp as affine_warp
from fastdl.shapes.warp import fill_index as fill_index

exports.publish(__name__)
