"""Images made larger, by copies or by interpolation: a resampling of both axes."""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport as_real
from fastdl.kernels.engine.resample cimport resample

cnp.import_array()


cdef tuple taps(
    object input_shape, object output_shape, object scales, bint bilinear,
    bint align_corners, object dtype, bint backward,
):
    """Return the taps of the rows and the columns."""
    return tuple([
        shapes.upsample_taps(
            input_shape[1 + axis], output_shape[axis], scales[axis], bilinear,
            align_corners, dtype, backward)
        for axis in range(2)
    ])


def upsample_forward(
    x, size=None, *, scale_factor=None, mode="nearest", align_corners=False,
):
    """Compiled `fastdl.reference.upsample.upsample_forward`."""
    cdef str operation = "upsample"
    cdef cnp.ndarray x_ = as_real(x, operation, "x")
    bilinear = shapes.upsample_mode(mode, align_corners, operation)
    output, scales = shapes.upsample(x.shape, size, scale_factor, operation)
    return resample(
        x_, taps(x.shape, output, scales, bilinear, align_corners, x_.dtype, False))


def upsample_backward(
    dy, input_shape, size=None, *, scale_factor=None, mode="nearest",
    align_corners=False,
):
    """Compiled `fastdl.reference.upsample.upsample_backward`."""
    cdef str operation = "upsample_backward"
    cdef cnp.ndarray dy_ = as_real(dy, operation, "dy")
    bilinear = shapes.upsample_mode(mode, align_corners, operation)
    output, scales = shapes.upsample(input_shape, size, scale_factor, operation)
    input_shape = n, _, _, c = tuple(map(int, input_shape))
    shapes.check_shape(operation, "dy", dy.shape, (n, *output, c))
    return resample(
        dy_,
        taps(input_shape, output, scales, bilinear, align_corners, dy_.dtype, True))
