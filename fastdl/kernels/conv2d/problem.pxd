# One convolution, as every algorithm sees it: filled once, in passes.pyx.

from fastdl.kernels.engine.table cimport MicroKernels

cdef enum Pass:
    FORWARD  # reads x, weight and bias, writes y
    INPUT_GRADIENT  # reads dy and weight, writes dx
    WEIGHT_GRADIENT  # reads x and dy, writes dweight and dbias

cdef struct Problem:
    Pass wanted
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    int threads
    # The sizes of shapes.Conv2dShape, and the channels of a group on either side.
    Py_ssize_t n, h, w, c, kh, kw, oc, oh, ow
    Py_ssize_t stride_h, stride_w, top, left, dilation_h, dilation_w
    Py_ssize_t groups, group_in, group_out
    # The arrays, or their gradients: named as in the forward pass.
    char *x  # (n, h, w, c)
    char *weight  # (kh, kw, group_in, oc)
    char *bias  # (oc,); NULL for none; dbias lies right behind dweight
    char *y  # (n, oh, ow, oc)
    int activation
    bint with_bias  # whether dbias is wanted


cdef inline Py_ssize_t window_h(const Problem *p) noexcept nogil:
    """Rows of the padded image under a window."""
    return (p.kh - 1) * p.dilation_h + 1


cdef inline Py_ssize_t window_w(const Problem *p) noexcept nogil:
    return (p.kw - 1) * p.dilation_w + 1
