# The taps of a kernel along one axis, as the windows of a pass meet them.

cdef struct Axis:
    # Tap t is kernel row `first + t * step`, and its pixels lie t * shift rows below
    # the top of the window.
    Py_ssize_t taps, first, step, shift


cdef inline Axis forward_axis(Py_ssize_t kernel, Py_ssize_t dilation) noexcept nogil:
    cdef Axis axis
    axis.taps, axis.first, axis.step, axis.shift = kernel, 0, 1, dilation
    return axis


cdef inline Axis phase_axis(
    Py_ssize_t kernel, Py_ssize_t dilation, Py_ssize_t stride, Py_ssize_t phase,
) noexcept nogil:
    """Return the taps k with k * dilation = phase (mod stride), the last one first.

    The last tap comes from the pixel of dy that lies highest.
    """
    cdef Axis axis
    cdef Py_ssize_t k
    axis.taps, axis.first, axis.step, axis.shift = 0, 0, 0, 1
    for k in range(kernel):
        if k * dilation % stride == phase:
            if axis.taps:
                axis.step = axis.first - k
                axis.shift = (k - axis.first) * dilation // stride
            axis.first = k
            axis.taps += 1
    return axis


cdef inline Py_ssize_t first_offset(
    const Axis *axis, Py_ssize_t dilation, Py_ssize_t stride, Py_ssize_t first,
) noexcept nogil:
    """Return how far outside dy the window of the first pixel of a phase begins.

    `first` is that pixel in the padded image; k d = first - s i for row i of dy.
    """
    return (axis.first * dilation - first) // stride if axis.taps else 0
