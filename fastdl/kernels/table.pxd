# The C side: csrc/table.h.

cdef extern from "table.h" nogil:
    ctypedef struct Reduction:
        ptrdiff_t runs
        ptrdiff_t length
        ptrdiff_t step
        ptrdiff_t b_stride
        const ptrdiff_t *offset

    ctypedef struct MicroKernels:
        ptrdiff_t tile_rows
        ptrdiff_t tile_cols
        ptrdiff_t lanes
        ptrdiff_t real_bytes
        void (*tile)(
            ptrdiff_t rows, ptrdiff_t cols, const void **a, const void *b,
            void **c, const void *bias, int accumulate, const Reduction *k,
        ) noexcept nogil
        void (*pack_panel)(
            ptrdiff_t rows, ptrdiff_t cols, const void *b, ptrdiff_t row_stride,
            ptrdiff_t col_stride, void *panel,
        ) noexcept nogil
        void (*depthwise)(
            ptrdiff_t pixels, ptrdiff_t channels, const void *x, ptrdiff_t x_step,
            const void *weight, const void *bias, void *y, ptrdiff_t y_step,
            ptrdiff_t taps, const ptrdiff_t *offset,
        ) noexcept nogil
        void (*depthwise_weight)(
            ptrdiff_t pixels, ptrdiff_t channels, const void *x, ptrdiff_t x_step,
            const void *dy, void *dweight, ptrdiff_t taps, const ptrdiff_t *offset,
        ) noexcept nogil
        void (*column_sum)(
            ptrdiff_t rows, ptrdiff_t cols, const void *x, ptrdiff_t stride,
            void *sum,
        ) noexcept nogil
        void (*winograd_input)(
            ptrdiff_t channels, const void *x, ptrdiff_t row, ptrdiff_t pixel,
            void *v, ptrdiff_t stride,
        ) noexcept nogil
        void (*winograd_output)(
            ptrdiff_t channels, const void *m, ptrdiff_t stride, const void *bias,
            void *y, ptrdiff_t row, ptrdiff_t pixel, ptrdiff_t rows, ptrdiff_t cols,
        ) noexcept nogil
        void (*winograd_output_gradient)(
            ptrdiff_t channels, const void *dy, ptrdiff_t row, ptrdiff_t pixel,
            ptrdiff_t rows, ptrdiff_t cols, void *m, ptrdiff_t stride,
        ) noexcept nogil
        void (*winograd_filter)(
            ptrdiff_t n, const void *g, ptrdiff_t g_stride, void *u, ptrdiff_t u_stride,
        ) noexcept nogil
        void (*winograd_filter_gradient)(
            ptrdiff_t n, const void *u, ptrdiff_t u_stride, void *g, ptrdiff_t g_stride,
        ) noexcept nogil
        void (*peak)(ptrdiff_t n, void *result) noexcept nogil
        void (*add)(
            ptrdiff_t n, const void *x, void *sum,
        ) noexcept nogil
        void (*activation_forward)(
            int kind, double slope, ptrdiff_t n, const void *x, void *y,
        ) noexcept nogil
    const MicroKernels *fastdl_microkernels(const char *isa, int real_bytes)


cdef inline void pack_row(
    const MicroKernels *kernels, Py_ssize_t n, const char *row, char *panels,
) noexcept nogil:
    """Copy n reals to the start of as many panels of height 1 (a bias)."""
    cdef Py_ssize_t width = kernels.tile_cols
    cdef Py_ssize_t size = kernels.real_bytes
    cdef Py_ssize_t col = 0
    while col < n:
        kernels.pack_panel(
            1, min(width, n - col), row + col * size, 1, 1, panels + col * size)
        col += width
