# A pass of conv2d: shared by its algorithms, the register tile and Winograd.

from fastdl.kernels.axis cimport Axis
from fastdl.kernels.images cimport Chunks, Images
from fastdl.kernels.engine.table cimport MicroKernels, Reduction

cdef struct Conv2dArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Images x
    Chunks chunks
    Axis taps_h, taps_w
    Py_ssize_t kernel_w  # taps of a row of the whole kernel
    # The result of the first window, and reals to the next image, row and window.
    char *y
    Py_ssize_t y_image, y_row, y_pixel
    Py_ssize_t groups, group_in, group_out  # channels of a group, read and written
    const char *weight  # reals between taps, groups, input and output channels:
    Py_ssize_t weight_tap, weight_group, weight_in, weight_out
    const char *bias
    int activation
    # Made for the pass:
    ptrdiff_t *tap_weight  # where the weights of each tap begin
    ptrdiff_t *offset  # where its pixels begin, from the window's first
    Reduction reduction
    Py_ssize_t chain_runs  # runs whose products are added up at a time
    char *panels
    char *padded_bias
    Py_ssize_t group_panels, panel_reals  # panels of a group, reals of a panel
    Py_ssize_t panel_groups, panels_per_group  # how tasks share the panels


cdef inline void activate(
    const Conv2dArgs *p, char *y, Py_ssize_t pixels, Py_ssize_t cols,
) noexcept nogil:
    """Apply the activation in place to `cols` channels of some pixels."""
    if cols == p.y_pixel:  # all in one go
        cols *= pixels
        pixels = 1
    for _ in range(pixels):
        p.kernels.activation_forward(p.activation, 0.01, cols, y, y)
        y += p.y_pixel * p.size


cdef run(Conv2dArgs *p, int algorithm)
