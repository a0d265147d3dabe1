# The C side: csrc/table.h.

from libc.stdint cimport int64_t, uint64_t

cdef extern from "table.h" nogil:
    ctypedef struct Reduction:
        ptrdiff_t runs
        ptrdiff_t length
        ptrdiff_t step
        ptrdiff_t b_stride
        const ptrdiff_t *offset

    ctypedef struct Depthwise:
        ptrdiff_t rows, cols, channels, runs, taps, fresh
        ptrdiff_t x_row, x_col, x_tap, y_row, y_col, weight_tap
        const void **x
        void **weight

    ctypedef struct Pool2d:
        ptrdiff_t n, h, w, c, kh, kw, oh, ow, stride_h, stride_w, top, left
        int argmax_bytes

    ctypedef struct Warp:
        ptrdiff_t n, h, w, c
        int fill

    ctypedef struct MicroKernels:
        ptrdiff_t tile_rows
        ptrdiff_t tile_cols
        ptrdiff_t lanes
        ptrdiff_t real_bytes
        ptrdiff_t tail_lanes
        void (*tile)(
            ptrdiff_t rows, ptrdiff_t cols, const void **a, const void *b,
            void **c, const void *bias, int accumulate, const Reduction *k,
        ) noexcept nogil
        void (*product)(
            ptrdiff_t rows, ptrdiff_t cols, const void *a, ptrdiff_t a_stride,
            const void *b, void *c, ptrdiff_t c_stride, const void *bias,
            int accumulate, const Reduction *k,
        ) noexcept nogil
        void (*pack_panel)(
            ptrdiff_t rows, ptrdiff_t cols, const void *b, ptrdiff_t row_stride,
            ptrdiff_t col_stride, void *panel,
        ) noexcept nogil
        void (*depthwise)(
            const Depthwise *g, const void *bias, void *y,
        ) noexcept nogil
        void (*depthwise_weight)(
            const Depthwise *g, const void *dy, void *dbias,
        ) noexcept nogil
        void (*column_sum)(
            ptrdiff_t rows, ptrdiff_t cols, const void *x, ptrdiff_t stride,
            void *sum,
        ) noexcept nogil
        void (*winograd_input)(
            ptrdiff_t channels, const void *x, ptrdiff_t row, ptrdiff_t pixel,
            ptrdiff_t top, ptrdiff_t bottom, ptrdiff_t left, ptrdiff_t right,
            void *v, ptrdiff_t stride,
        ) noexcept nogil
        void (*winograd_output)(
            ptrdiff_t channels, const void *m, ptrdiff_t stride, void *y,
            ptrdiff_t row, ptrdiff_t pixel, ptrdiff_t rows, ptrdiff_t cols,
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
        void (*add_runs)(
            ptrdiff_t rows, ptrdiff_t n, const void *x, ptrdiff_t x_stride, void *sum,
            ptrdiff_t sum_stride,
        ) noexcept nogil
        void (*add_rows)(
            ptrdiff_t rows, ptrdiff_t n, const void *x, ptrdiff_t x_stride, void *sum,
            ptrdiff_t sum_stride,
        ) noexcept nogil
        void (*interleave)(
            ptrdiff_t n, ptrdiff_t planes, const void *x, ptrdiff_t stride, void *y,
        ) noexcept nogil
        void (*add)(
            ptrdiff_t n, const void *x, void *sum,
        ) noexcept nogil
        void (*activation_forward)(
            int kind, double slope, ptrdiff_t n, const void *x, void *y,
        ) noexcept nogil
        void (*activation_backward)(
            int kind, double slope, ptrdiff_t n, const void *dy, const void *s,
            void *dx,
        ) noexcept nogil
        void (*softmax)(
            ptrdiff_t rows, ptrdiff_t classes, const void *x, void *y,
        ) noexcept nogil
        void (*log_softmax)(
            ptrdiff_t rows, ptrdiff_t classes, const void *x, void *y,
        ) noexcept nogil
        void (*softmax_cross_entropy)(
            ptrdiff_t rows, ptrdiff_t classes, const void *logits,
            const int64_t *labels, const void *targets, void *probabilities, void *loss,
        ) noexcept nogil
        void (*softmax_cross_entropy_backward)(
            ptrdiff_t rows, ptrdiff_t classes, const void *probabilities,
            const int64_t *labels, const void *targets, const void *dloss,
            void *dlogits,
        ) noexcept nogil
        void (*sigmoid_cross_entropy)(
            ptrdiff_t n, const void *logits, const void *targets, void *loss,
        ) noexcept nogil
        void (*sigmoid_cross_entropy_backward)(
            ptrdiff_t n, const void *logits, const void *targets, const void *dloss,
            void *dlogits,
        ) noexcept nogil
        void (*batchnorm_moments)(
            ptrdiff_t rows, ptrdiff_t cols, const void *x, ptrdiff_t stride,
            ptrdiff_t room, void *means, void *squares,
        ) noexcept nogil
        void (*batchnorm_products)(
            ptrdiff_t rows, ptrdiff_t cols, const void *dy, const void *x,
            const void *y, ptrdiff_t stride, ptrdiff_t room, const void *mean,
            void *sums, void *products,
        ) noexcept nogil
        void (*batchnorm_rstd)(
            ptrdiff_t channels, const void *variance, double eps, void *rstd,
        ) noexcept nogil
        void (*batchnorm_statistics)(
            ptrdiff_t parts, ptrdiff_t channels, const double *counts,
            const void *means, const void *squares, double m, double eps, void *mean,
            void *rstd,
        ) noexcept nogil
        void (*batchnorm_gradients)(
            ptrdiff_t parts, ptrdiff_t channels, const void *sums, const void *products,
            const void *rstd, void *dgamma, void *dbeta,
        ) noexcept nogil
        void (*batchnorm_normalize)(
            ptrdiff_t rows, ptrdiff_t cols, const void *x, const void *mean,
            const void *rstd, const void *gamma, const void *beta,
            const void *residual, int relu, void *y,
        ) noexcept nogil
        void (*batchnorm_backward)(
            ptrdiff_t rows, ptrdiff_t cols, double m, const void *dy, const void *x,
            const void *y, const void *mean, const void *rstd, const void *gamma,
            const void *dgamma, const void *dbeta, void *dx,
        ) noexcept nogil
        void (*max_pool2d)(
            const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1, const void *x, void *y,
            void *argmax,
        ) noexcept nogil
        void (*max_pool2d_backward)(
            const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1, const void *dy,
            const void *argmax, void *dx,
        ) noexcept nogil
        void (*avg_pool2d)(
            const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1, const void *x, void *y,
        ) noexcept nogil
        void (*avg_pool2d_backward)(
            const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1, const void *dy, void *dx,
        ) noexcept nogil
        void (*dropout)(
            ptrdiff_t n, uint64_t seed, uint64_t first, uint64_t threshold,
            double scale, const void *x, void *y,
        ) noexcept nogil
        void (*sgd)(
            ptrdiff_t n, void *param, const void *grad, void *velocity, double lr,
            double momentum, double dampening, int nesterov, double weight_decay,
        ) noexcept nogil
        void (*rmsprop)(
            ptrdiff_t n, void *param, const void *grad, void *square, void *mean,
            void *velocity, double lr, double keep, double add, double eps,
            double momentum, double weight_decay,
        ) noexcept nogil
        void (*adam)(
            ptrdiff_t n, void *param, const void *grad, void *m, void *v, void *largest,
            double lr, double beta1, double beta2, double eps, double weight_decay,
            int decoupled, double correction1, double correction2,
        ) noexcept nogil
        void (*affine_warp)(
            const Warp *g, ptrdiff_t row0, ptrdiff_t row1, const void *x,
            const void *matrix, const void *displacement, void *y,
        ) noexcept nogil
        void (*bytes_to_unit)(
            ptrdiff_t n, const void *x, void *y,
        ) noexcept nogil
    const ptrdiff_t fastdl_no_offset[1]
    const MicroKernels *fastdl_microkernels(const char *isa, int real_bytes)


cdef inline Reduction one_run(
    Py_ssize_t length, Py_ssize_t step, Py_ssize_t b_stride,
) noexcept nogil:
    """Return how a row of `length` elements, `step` apart, meets rows of b."""
    cdef Reduction reduction
    reduction.runs = 1
    reduction.offset = fastdl_no_offset
    reduction.length, reduction.step, reduction.b_stride = length, step, b_stride
    return reduction


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
