from fastdl.kernels.conv2d_scatter cimport ScatterArgs

cdef Py_ssize_t planes_bytes(ScatterArgs *p, int threads) noexcept nogil
cdef void run_planes(ScatterArgs *p, int threads, char *memory) noexcept nogil
