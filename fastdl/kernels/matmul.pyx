"""y = g(a b + bias): dense layers, on the register tile of csrc/matmul.c.

The rows of y are cut into chunks, its columns into panels as wide as a tile, and the
reduction into blocks. A task computes a chunk for some of the panels:

    for block of k: pack a; for panel of columns: pack b; for tile of rows: product

A packed panel of b stays in the L1 cache while all rows of the chunk meet it, a packed
block of a in the L2 cache while all panels do: transposed or not, nothing is read with
a stride in the innermost loop. What is used too seldom to pay for it is not packed.
(Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.)
"""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport as_output, as_real, check_apart
from fastdl.kernels.engine.memory cimport Block, new_block
from fastdl.kernels.engine.operands cimport one_run, pack_row
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport (
    MIN_TASKS, MULTIPLY_ADDS, ceil_div, round_up,
)
from fastdl.kernels.engine.table cimport MicroKernels, Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cnp.import_array()

cdef enum:
    CHUNK_ROWS = 144  # rows of y in a task, at most
    BLOCK_K = 256
    # So many panels pay for packing a, and for transposing it; rows for packing b.
    PACK_PANELS = 4
    TRANSPOSE_PANELS = 8
    PACK_ROWS = 24

cdef struct Matmul:
    const MicroKernels *kernels
    Py_ssize_t size  # bytes of a real
    Py_ssize_t m, k, n
    const char *a
    Py_ssize_t a_row, a_step  # bytes between rows, and along the reduction
    const char *b
    Py_ssize_t b_row, b_col  # bytes along the reduction, and between columns
    const char *bias  # NULL for none
    char *y
    int activation
    Py_ssize_t panels, chunk_rows, row_chunks, panel_groups, panels_per_group
    bint pack_a
    Py_ssize_t whole_panels  # so many of them are not packed
    char *padded_bias
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *a
    char *b


cdef Scratch scratch_of(const Matmul *p, Workspace *memory) noexcept nogil:
    cdef Py_ssize_t height = min(<Py_ssize_t> BLOCK_K, p.k)
    cdef Scratch scratch
    scratch.b = take(memory, height * p.kernels.tile_cols * p.size)
    scratch.a = NULL
    if p.pack_a:  # in whole vectors
        scratch.a = take(
            memory,
            (round_up(p.chunk_rows, p.kernels.tile_rows) * height + p.kernels.lanes)
            * p.size)
    return scratch


cdef void plan(Matmul *p, int threads, Workspace *memory) noexcept nogil:
    cdef Workspace scratch = workspace(NULL)
    cdef bint transposed = p.a_row == p.size
    p.panels = ceil_div(p.n, p.kernels.tile_cols)
    # Few panels: more chunks instead, of whole tiles.
    p.chunk_rows = max(<Py_ssize_t> 1, min(
        <Py_ssize_t> CHUNK_ROWS, p.m * p.panels // MIN_TASKS))
    p.chunk_rows = round_up(
        ceil_div(p.m, ceil_div(p.m, p.chunk_rows)), p.kernels.tile_rows)
    p.row_chunks = ceil_div(p.m, p.chunk_rows)
    p.panel_groups = min(p.panels, ceil_div(MIN_TASKS, p.row_chunks))
    p.panels_per_group = ceil_div(p.panels, p.panel_groups)
    p.panel_groups = ceil_div(p.panels, p.panels_per_group)

    p.pack_a = p.panels_per_group >= (PACK_PANELS if transposed else TRANSPOSE_PANELS)
    p.whole_panels = 0
    if p.b_col == p.size and min(p.m, p.chunk_rows) < PACK_ROWS:
        # The tile would read beyond a narrow last panel.
        p.whole_panels = p.n // p.kernels.tile_cols
    p.padded_bias = take(memory, p.panels * p.kernels.tile_cols * p.size)
    scratch_of(p, &scratch)
    p.scratch_bytes = scratch.bytes
    p.scratch = take(memory, threads * scratch.bytes)


cdef void matmul_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Compute a chunk of rows of y for a group of panels."""
    cdef const Matmul *p = <const Matmul *> arguments
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(p, &lines)
    cdef Py_ssize_t row0 = index // p.panel_groups * p.chunk_rows
    cdef Py_ssize_t rows = min(p.chunk_rows, p.m - row0)
    cdef Py_ssize_t panel0 = index % p.panel_groups * p.panels_per_group
    cdef Py_ssize_t panel1 = min(panel0 + p.panels_per_group, p.panels)
    cdef Py_ssize_t y_row = p.n * p.size
    cdef Py_ssize_t k0 = 0
    cdef Py_ssize_t height, panel, col, row
    cdef char *y = p.y + row0 * y_row
    cdef Product product
    while True:  # once even if k = 0: y is then the bias
        height = min(<Py_ssize_t> BLOCK_K, p.k - k0)
        product.k = one_run(height, p.a_step, 0)
        product.accumulate = k0 > 0
        product.c_row = y_row
        if p.pack_a:
            pack_rows(p, row0, rows, k0, height, scratch.a)
        for panel in range(panel0, panel1):
            col = panel * p.kernels.tile_cols
            product.cols = min(p.kernels.tile_cols, p.n - col)
            product.bias = NULL if p.bias == NULL else p.padded_bias + col * p.size
            product.b = p.b + k0 * p.b_row + col * p.b_col
            product.k.b_stride = p.b_row
            if panel >= p.whole_panels:
                p.kernels.pack_panel(
                    height, product.cols, product.b, p.b_row, p.b_col,
                    p.kernels.tile_cols, scratch.b)
                product.b = scratch.b
                product.k.b_stride = p.kernels.tile_cols * p.size
            product.c = y + col * p.size
            if p.pack_a:
                multiply_blocks(p, rows, height, scratch.a, &product)
            else:
                product.rows, product.a_row = rows, p.a_row
                product.a = p.a + row0 * p.a_row + k0 * p.a_step
                p.kernels.product(&product)
        k0 += BLOCK_K
        if k0 >= p.k:
            break
    if p.activation:
        col = panel0 * p.kernels.tile_cols
        for row in range(rows):
            product.c = y + row * y_row + col * p.size
            p.kernels.activation_forward(
                p.activation, 0.01, min(panel1 * p.kernels.tile_cols, p.n) - col,
                product.c, product.c)


cdef Py_ssize_t block_height(const Matmul *p, Py_ssize_t rows) noexcept nogil:
    """Return the rows of a tile, so that the last one is not much shorter."""
    return ceil_div(rows, ceil_div(rows, p.kernels.tile_rows))


cdef void pack_rows(
    const Matmul *p, Py_ssize_t row0, Py_ssize_t rows, Py_ssize_t k0, Py_ssize_t height,
    char *to,
) noexcept nogil:
    """Pack rows of a for a block of the reduction, a tile's rows side by side."""
    cdef Py_ssize_t width = block_height(p, rows)
    cdef Py_ssize_t row = 0
    while row < rows:
        p.kernels.pack_panel(
            height, min(width, rows - row), p.a + (row0 + row) * p.a_row
            + k0 * p.a_step, p.a_step, p.a_row, width, to)
        to += height * width * p.size
        row += width


cdef void multiply_blocks(
    const Matmul *p, Py_ssize_t rows, Py_ssize_t height, const char *a,
    Product *product,
) noexcept nogil:
    """Multiply what `pack_rows` packed by a panel of b."""
    cdef Py_ssize_t width = block_height(p, rows)
    cdef Py_ssize_t row = 0
    cdef char *c = <char *> product.c
    product.a_row, product.k.step = p.size, width * p.size
    while row < rows:
        product.rows = min(width, rows - row)
        product.a, product.c = a, c + row * product.c_row
        p.kernels.product(product)
        a += height * width * p.size
        row += width


def matmul(
    a, b, bias=None, *, transpose_a=False, transpose_b=False, activation=None, out=None,
):
    """`fastdl.reference.matmul`; `out` may share memory with bias only."""
    cdef Matmul p
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

    p.a, p.b = cnp.PyArray_BYTES(a_), cnp.PyArray_BYTES(b_)
    p.y = cnp.PyArray_BYTES(y)
    p.bias = NULL if bias_ is None else cnp.PyArray_BYTES(bias_)
    p.a_row, p.a_step = p.k * p.size, p.size
    if transpose_a:
        p.a_row, p.a_step = p.size, p.m * p.size
    p.b_row, p.b_col = p.n * p.size, p.size
    if transpose_b:
        p.b_row, p.b_col = p.size, p.k * p.size
    cdef int threads = threads_for(<double> p.m * p.k * p.n / MULTIPLY_ADDS)
    cdef Workspace memory = workspace(NULL)
    plan(&p, threads, &memory)
    cdef Block block = new_block(memory.bytes)
    memory = workspace(<char *> block.data)
    with nogil:
        plan(&p, threads, &memory)
        if bias_ is not None:
            pack_row(p.kernels, p.n, p.bias, p.padded_bias)
        run_tasks(
            matmul_task, &p, p.row_chunks * p.panel_groups, threads, p.scratch,
            p.scratch_bytes)
    return y
