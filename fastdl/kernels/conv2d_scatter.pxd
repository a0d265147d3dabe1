from fastdl.kernels.images cimport Images
from fastdl.kernels.table cimport MicroKernels

cdef struct ScatterArgs:
    # dx of one image is summed up in a padded copy, then its inside is copied out.
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Images x  # dx, as the forward pass reads x
    Py_ssize_t kh, kw, dilation_h, dilation_w, oc
    const char *dy
    const char *weight
    char *dx
    # Made for the pass:
    char *panels
    Py_ssize_t cols, padded_cols  # kh * kw * c, and in whole panels
    Py_ssize_t padded_h, padded_w

cdef Py_ssize_t scatter_bytes(ScatterArgs *p, int threads) noexcept nogil
cdef void run_scatter(ScatterArgs *p, int threads, char *memory) noexcept nogil
