# The gradient of weights: shared by its algorithms, the register tile and Winograd.

from fastdl.kernels.images cimport Chunks, Images
from fastdl.kernels.engine.table cimport MicroKernels

cdef struct WeightArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Images x
    Chunks chunks
    Py_ssize_t kh, kw, dilation_h, dilation_w
    const char *dy
    const char *dy_end
    Py_ssize_t oc, groups, group_in, group_out
    Py_ssize_t parts, slices, slice_in  # channels of a group in a slice
    Py_ssize_t weights, part_reals  # reals of dweight, and with dbias
    char *result  # the first part: dweight, then dbias
    char *others  # the other parts
    Py_ssize_t offsets  # places for the starts of rows
    Py_ssize_t view_bytes
