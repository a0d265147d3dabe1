"""y = g(a b + bias): dense layers, on the register tile of csrc/matmul.c.

The rows of y are cut into chunks, its columns into panels as wide as a tile, and the
reduction into blocks whose panel of b stays in the cache. Within a chunk, each panel
of b meets all tiles of rows:

    for block of k: for panel of columns: for tile of rows: tile(...)
"""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport as_output, as_real, check_apart
from fastdl.kernels.engine.memory cimport Block, new_block
from fastdl.kernels.engine.operands cimport one_run, pack_row
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.table cimport MicroKernels, Reduction

cnp.import_array()

cdef enum:
    CHUNK_ROWS = 96  # rows of y in a task, at most
    BLOCK_K = 1024  # a panel of this height takes 128 KiB, a part of the L2 cache
    MIN_TASKS = 8  # enough that dynamic scheduling evens out the threads
    # Fewer rows than this do not pay for copying full panels of b.
    PACK_ROWS = 192

cdef struct MatmulArgs:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t m, k, n
    const char *a
    Py_ssize_t a_row, a_step  # reals between rows, and along the reduction
    const char *b
    Py_ssize_t b_row, b_col
    Py_ssize_t packed_from  # panels from this one on are read from `panels`
    char *panels
    const char *bias  # padded to whole panels, or NULL
    char *y
    int activation
    Py_ssize_t chunk_rows, row_chunks, panel_groups, panels_per_group


cdef void pack_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Copy one panel of b."""
    cdef const MatmulArgs *p = <const MatmulArgs *> arguments
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t first = (p.packed_from + index) * width
    p.kernels.pack_panel(
        p.k, min(width, p.n - first), p.b + first * p.b_col * p.size,
        p.b_row, p.b_col, p.panels + index * p.k * width * p.size)


cdef void matmul_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Compute a chunk of rows of y for a group of panels."""
    cdef const MatmulArgs *p = <const MatmulArgs *> arguments
    cdef const MicroKernels *kernels = p.kernels
    cdef Py_ssize_t width = kernels.tile_cols
    cdef Py_ssize_t row0 = index // p.panel_groups * p.chunk_rows
    cdef Py_ssize_t row1 = min(row0 + p.chunk_rows, p.m)
    cdef Py_ssize_t panel0 = index % p.panel_groups * p.panels_per_group
    cdef Py_ssize_t panels = (p.n + width - 1) // width
    cdef Py_ssize_t panel1 = min(panel0 + p.panels_per_group, panels)
    cdef Py_ssize_t k0, panel, col, cols, row
    cdef const char *b
    cdef const char *bias
    cdef Reduction reduction
    k0 = 0
    while True:  # once even if k = 0: y is then the bias
        reduction = one_run(min(<Py_ssize_t> BLOCK_K, p.k - k0), p.a_step, width)
        for panel in range(panel0, panel1):
            col = panel * width
            cols = min(width, p.n - col)
            if panel < p.packed_from:
                b = p.b + (k0 * p.b_row + col) * p.size
                reduction.b_stride = p.b_row
            else:
                b = p.panels + ((panel - p.packed_from) * p.k + k0) * width * p.size
                reduction.b_stride = width
            bias = p.bias + col * p.size if p.bias != NULL else NULL
            kernels.product(
                row1 - row0, cols, p.a + (row0 * p.a_row + k0 * p.a_step) * p.size,
                p.a_row, b, p.y + (row0 * p.n + col) * p.size, p.n, bias, k0 > 0,
                &reduction)
        k0 += BLOCK_K
        if k0 >= p.k:
            break
    if p.activation:
        col = panel0 * width
        cols = min(panel1 * width, p.n) - col
        for row in range(row0, row1):
            b = p.y + (row * p.n + col) * p.size
            kernels.activation_forward(p.activation, 0.01, cols, b, <void *> b)


def matmul(
    a, b, bias=None, *, transpose_a=False, transpose_b=False, activation=None, out=None,
):
    """Return g(a b + bias) of shape (m, n) for a (m, k), b (k, n) and bias (n,).

    With `transpose_a`, a is (k, m); with `transpose_b`, b is (n, k). `activation` is
    one of fastdl.shapes.ACTIVATIONS or None; `out` takes the result, and may share
    memory with bias only.
    """
    cdef MatmulArgs p
    cdef cnp.ndarray a_ = as_real(a, "matmul", "a")
    cdef cnp.ndarray b_ = as_real(b, "matmul", "b", a_)
    cdef cnp.ndarray bias_ = None
    if bias is not None:
        bias_ = as_real(bias, "matmul", "bias", a_)
    bias_shape = None if bias is None else bias.shape
    p.m, p.k, p.n = shapes.matmul(
        a.shape, b.shape, bias_shape, transpose_a, transpose_b)
    p.activation = 0
    if activation is not None:
        p.activation = shapes.activation_index(activation, "matmul")
    p.size = a_.descr.itemsize
    p.kernels = microkernels(<int> p.size)
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = p.m, p.n
    cdef cnp.ndarray y = as_output(out, 2, shape, cnp.PyArray_TYPE(a_), "matmul")
    if out is not None:  # the bias is copied anyhow
        check_apart("matmul", ("out", "a", "b"), (y, a_, b_), 1)
    if p.m == 0 or p.n == 0:
        return y

    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t panels = (p.n + width - 1) // width
    p.a = cnp.PyArray_BYTES(a_)
    p.b = cnp.PyArray_BYTES(b_)
    p.y = cnp.PyArray_BYTES(y)
    p.a_row, p.a_step = p.k, 1
    if transpose_a:
        p.a_row, p.a_step = 1, p.m
    p.b_row, p.b_col = p.n, 1
    if transpose_b:
        p.b_row, p.b_col = 1, p.k
    p.packed_from = 0
    if not transpose_b and p.m < PACK_ROWS:
        p.packed_from = p.n // width  # just a narrow last panel
    # Few panels: more chunks instead, of whole tiles.
    p.chunk_rows = max(1, min(CHUNK_ROWS, p.m * panels // MIN_TASKS))
    p.chunk_rows = (
        (p.chunk_rows + p.kernels.tile_rows - 1)
        // p.kernels.tile_rows * p.kernels.tile_rows)
    p.row_chunks = (p.m + p.chunk_rows - 1) // p.chunk_rows
    p.panel_groups = min(panels, (MIN_TASKS + p.row_chunks - 1) // p.row_chunks)
    p.panels_per_group = (panels + p.panel_groups - 1) // p.panel_groups
    p.panel_groups = (panels + p.panels_per_group - 1) // p.panels_per_group

    cdef Py_ssize_t packed = panels - p.packed_from
    cdef Block block = new_block((packed * p.k + panels) * width * p.size)
    cdef char *padded_bias = <char *> block.data + packed * p.k * width * p.size
    p.panels = <char *> block.data
    p.bias = NULL
    cdef int threads
    with nogil:
        if bias_ is not None:
            p.bias = padded_bias
            pack_row(p.kernels, p.n, cnp.PyArray_BYTES(bias_), padded_bias)
        threads = threads_for(p.k * p.n)
        run_tasks(pack_task, &p, packed, threads, NULL, 0)
        threads = threads_for(<double> p.m * p.k * p.n / 16)
        run_tasks(matmul_task, &p, p.row_chunks * p.panel_groups, threads, NULL, 0)
    return y
