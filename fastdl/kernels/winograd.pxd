from fastdl.kernels.conv2d cimport Conv2dArgs

cdef Py_ssize_t place_stride(Py_ssize_t reals, Py_ssize_t lanes) noexcept nogil
cdef bint winograd_fits(const Conv2dArgs *p) noexcept nogil
cdef Py_ssize_t winograd_bytes(const Conv2dArgs *p, int threads) noexcept nogil
cdef void run_winograd(const Conv2dArgs *p, int threads, char *memory) noexcept nogil
