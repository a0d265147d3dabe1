from fastdl.kernels.conv2d_weight cimport WeightArgs

cdef bint winograd_weight_fits(const WeightArgs *p) noexcept nogil
cdef Py_ssize_t winograd_weight_bytes(const WeightArgs *p) noexcept nogil
cdef void run_winograd_weight(
    const WeightArgs *p, int threads, char *memory) noexcept nogil
