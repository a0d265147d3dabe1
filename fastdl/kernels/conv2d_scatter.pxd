from fastdl.kernels.images cimport Images
from fastdl.kernels.engine.table cimport MicroKernels

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
    Py_ssize_t products  # kh * kw * c, for each pixel of dy
    Py_ssize_t padded_h, padded_w
    char *panels  # of the weights
    Py_ssize_t padded_products  # in whole panels
    # Made for the pass through planes:
    Py_ssize_t chunk_rows  # rows of dy at a time
    Py_ssize_t pitch  # reals from the products of one tap and channel to the next
    Py_ssize_t planes, plane_w  # step_w * c planes of padded_h rows

cdef Py_ssize_t scatter_bytes(ScatterArgs *p, int threads) noexcept nogil
cdef void run_scatter(ScatterArgs *p, int threads, char *memory) noexcept nogil
