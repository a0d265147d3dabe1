"""y = g(a b + bias): dense layers, on the register tile of csrc/matmul.c.

The rows of y are cut into chunks, its columns into panels as wide as a tile, and the
reduction into blocks, of which some at a time make a stretch:

    for stretch: pack b; for chunk of rows: for block of k: for panel: for tile: product

A packed panel of b stays in the L1 cache while all rows of a chunk meet it. (Goto and
van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.) What is used
too seldom to pay for the copy is read where it is. Where y is small and k long, the
blocks are shared out to `parts` with a sum of their own, added in order at the end.
"""

cimport numpy as cnp

from fastdl import shapes
from fastdl.kernels.engine.arrays cimport (
    as_flag, as_output, as_real, check_apart,
)
from fastdl.kernels.engine.caches cimport l2_cache
from fastdl.kernels.engine.memory cimport Block, new_array, new_block
from fastdl.kernels.engine.operands cimport one_run, pack_row
from fastdl.kernels.engine.prefetch cimport prefetch_bytes
from fastdl.kernels.engine.runtime cimport microkernels, run_tasks, threads_for
from fastdl.kernels.engine.sizes cimport (
    MIN_TASKS, MULTIPLY_ADDS, ceil_div, round_up,
)
from fastdl.kernels.engine.table cimport MicroKernels, Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cnp.import_array()

cdef enum:
    BLOCK_K = 256  # a panel of this height takes half of the L1 cache or all of it
    STRETCH_BYTES = 4 << 20  # of b, packed
    PARTS_BYTES = 4 << 20  # of sums, at most, that parts are made for
    MIN_ROWS = 32  # of a chunk
    MAX_ROWS = 144
    PACK_ROWS = 96  # so many pay for packing b
    # Rows a multiple of so many bytes apart fall into few sets of the caches, from
    # which they drive each other out: they are packed sooner.
    ALIASED = 1024
    ALIASED_ROWS = 24
    # A transposed a that meets several panels is packed where its rows lie so far apart
    # that they all fall into one set of the L1 cache, or where it fills half of L2 and
    # a chunk takes a part of each row.
    PAGE = 4096
    SPAN = 4096  # reals of a task that adds up the parts

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
    int activation, threads
    Py_ssize_t panels, panel_bytes  # of a block
    Py_ssize_t chunk_rows, row_chunks, panel_groups, panels_per_group
    Py_ssize_t block_bytes  # of the rows of a tile, packed
    Py_ssize_t blocks, parts
    Py_ssize_t stretch, first, count  # blocks: of any stretch, of the current one
    bint pack_a, pack_b
    char *packed_b  # the blocks of a stretch, panel by panel
    char *padded_bias
    char *part_sums  # of all parts but the first, which is y
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *a
    char *b  # the panel that may not be read where it is


cdef Scratch scratch_of(const Matmul *p, Workspace *memory) noexcept nogil:
    cdef Scratch scratch
    scratch.a = scratch.b = NULL
    if not p.pack_b:
        scratch.b = take(memory, p.panel_bytes)
    if p.pack_a:
        scratch.a = take(
            memory, ceil_div(p.chunk_rows, p.kernels.tile_rows) * p.block_bytes)
    return scratch


cdef void plan(Matmul *p, Workspace *memory) noexcept nogil:
    cdef Workspace scratch = workspace(NULL)
    p.panels = ceil_div(p.n, p.kernels.tile_cols)
    p.panel_bytes = min(<Py_ssize_t> BLOCK_K, p.k) * p.kernels.tile_cols * p.size
    p.blocks = max(<Py_ssize_t> 1, ceil_div(p.k, BLOCK_K))
    # Few panels: more chunks, and then parts, instead; parts at once where k is long
    # and y small, since each operand is then read once.
    cdef bint long_sum = (
        p.blocks >= 2 * MIN_TASKS and MIN_TASKS * p.m * p.n * p.size <= PARTS_BYTES)
    p.chunk_rows = MAX_ROWS
    if not long_sum:
        p.chunk_rows = min(
            max(p.m * p.panels // MIN_TASKS, <Py_ssize_t> MIN_ROWS), p.chunk_rows)
    p.chunk_rows = round_up(
        ceil_div(p.m, ceil_div(p.m, p.chunk_rows)), p.kernels.tile_rows)
    p.row_chunks = ceil_div(p.m, p.chunk_rows)
    p.panel_groups = 1
    if not long_sum:
        p.panel_groups = min(p.panels, ceil_div(MIN_TASKS, p.row_chunks))
    p.panels_per_group = ceil_div(p.panels, p.panel_groups)
    p.panel_groups = ceil_div(p.panels, p.panels_per_group)
    p.parts = min(ceil_div(MIN_TASKS, p.row_chunks * p.panel_groups), p.blocks // 2)
    p.parts = max(p.parts, <Py_ssize_t> 1)

    p.pack_a = p.a_row == p.size and p.panels_per_group > 1 and (
        p.a_step % PAGE == 0
        or (p.k > BLOCK_K and p.m > p.chunk_rows
            and p.m * p.k * p.size > l2_cache // 2))
    p.block_bytes = p.size * (  # packing stores whole vectors
        min(<Py_ssize_t> BLOCK_K, p.k) * p.kernels.tile_rows + p.kernels.lanes)
    p.pack_b = p.b_col != p.size or p.m >= PACK_ROWS or (
        p.b_row % ALIASED == 0 and p.m >= ALIASED_ROWS)
    p.stretch = p.blocks
    if p.pack_b:  # every part finds a block in it
        p.stretch = STRETCH_BYTES // max(p.panels * p.panel_bytes, <Py_ssize_t> 1)
        p.stretch = min(max(p.stretch, p.parts), p.blocks)
        p.packed_b = take(memory, p.stretch * p.panels * p.panel_bytes)
    p.padded_bias = take(memory, p.panels * p.kernels.tile_cols * p.size)
    p.part_sums = take(memory, (p.parts - 1) * p.m * p.n * p.size)
    scratch_of(p, &scratch)
    p.scratch_bytes = scratch.bytes
    p.scratch = take(memory, p.threads * scratch.bytes)


cdef Py_ssize_t block_height(const Matmul *p, Py_ssize_t block) noexcept nogil:
    return min(<Py_ssize_t> BLOCK_K, p.k - block * BLOCK_K)


cdef void pack_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Pack one panel of a block of b."""
    cdef const Matmul *p = <const Matmul *> arguments
    cdef Py_ssize_t block = p.first + index // p.panels
    cdef Py_ssize_t col = index % p.panels * p.kernels.tile_cols
    p.kernels.pack_panel(
        block_height(p, block), min(p.kernels.tile_cols, p.n - col),
        p.b + block * BLOCK_K * p.b_row + col * p.b_col, p.b_row, p.b_col,
        p.kernels.tile_cols, p.packed_b + index * p.panel_bytes)


cdef struct NextRows:  # of the next block of a, asked for in equal shares
    const char *a
    Py_ssize_t height, bytes
    Py_ssize_t share, shares


cdef NextRows next_rows(
    const Matmul *p, Py_ssize_t block, Py_ssize_t row0, Py_ssize_t rows,
    Py_ssize_t panels,
) noexcept nogil:
    cdef NextRows next
    next.a = p.a + row0 * p.a_row + block * BLOCK_K * p.a_step
    next.height = block_height(p, block) if block < p.blocks else 0
    next.bytes = rows * p.size
    next.share, next.shares = 0, panels * ceil_div(rows, p.kernels.tile_rows)
    return next


cdef void prefetch_rows(const Matmul *p, NextRows *next) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(
            next.height * next.share // next.shares,
            next.height * (next.share + 1) // next.shares):
        prefetch_bytes(next.a + k * p.a_step, next.bytes)
    next.share += 1


cdef void matmul_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Add the blocks of one part of a stretch, for some rows and panels."""
    cdef const Matmul *p = <const Matmul *> arguments
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(p, &lines)
    # A thread begins with a stretch of k of its own, else with its share of the larger
    # operand: its columns of b or its rows of a.
    cdef Py_ssize_t part = index // (p.row_chunks * p.panel_groups)
    cdef Py_ssize_t place = index % (p.row_chunks * p.panel_groups)
    cdef Py_ssize_t group = place % p.panel_groups
    cdef Py_ssize_t chunk = place // p.panel_groups
    if p.n > p.m:
        group, chunk = place // p.row_chunks, place % p.row_chunks
    cdef Py_ssize_t panel0 = group * p.panels_per_group
    cdef Py_ssize_t panel1 = min(panel0 + p.panels_per_group, p.panels)
    cdef Py_ssize_t row0 = chunk * p.chunk_rows
    cdef Py_ssize_t rows = min(p.chunk_rows, p.m - row0)
    cdef Py_ssize_t y_row = p.n * p.size
    cdef Py_ssize_t last = p.count * (part + 1) // p.parts
    cdef Py_ssize_t block, panel, col
    cdef NextRows next
    cdef char *y = p.y if part == 0 else p.part_sums + (part - 1) * p.m * y_row
    cdef Product product
    y += row0 * y_row
    for block in range(p.count * part // p.parts, last):
        product.k = one_run(block_height(p, p.first + block), p.a_step, 0)
        product.accumulate = p.first > 0 or block > p.count * part // p.parts
        product.c_row = y_row
        if p.pack_a:
            p.kernels.pack_blocks(
                product.k.length, rows,
                p.a + row0 * p.a_row + (p.first + block) * BLOCK_K * p.a_step, p.a_step,
                scratch.a, p.block_bytes)
            next = next_rows(
                p, p.first + block + 1 if block + 1 < last else p.blocks, row0, rows,
                panel1 - panel0)
        for panel in range(panel0, panel1):
            col = panel * p.kernels.tile_cols
            product.cols = min(p.kernels.tile_cols, p.n - col)
            product.c = y + col * p.size
            product.bias = NULL
            if p.bias != NULL and part == 0:
                product.bias = p.padded_bias + col * p.size
            find_panel(p, block, panel, scratch.b, &product)
            if p.pack_a:
                multiply_packed(p, rows, scratch.a, &product, &next)
            else:
                product.rows, product.a_row = rows, p.a_row
                product.a = p.a + row0 * p.a_row + (
                    p.first + block) * BLOCK_K * p.a_step
                p.kernels.product(&product)
    if p.activation and p.parts == 1 and p.first + p.count == p.blocks:
        col = panel0 * p.kernels.tile_cols
        y += col * p.size
        for _ in range(rows):
            p.kernels.activate(
                p.activation, min(panel1 * p.kernels.tile_cols, p.n) - col, y)
            y += y_row


cdef void find_panel(
    const Matmul *p, Py_ssize_t block, Py_ssize_t panel, char *scratch,
    Product *product,
) noexcept nogil:
    """Let the product read one panel of a block of the stretch."""
    cdef Py_ssize_t col = panel * p.kernels.tile_cols
    cdef Py_ssize_t k0 = (p.first + block) * BLOCK_K
    cdef Py_ssize_t last = (k0 + product.k.length - 1) * p.n + col
    product.k.b_stride = p.kernels.tile_cols * p.size
    if p.pack_b:
        product.b = p.packed_b + (block * p.panels + panel) * p.panel_bytes
        return
    product.b = p.b + k0 * p.b_row + col * p.size
    if last + p.kernels.tile_cols > p.k * p.n:  # whole vectors would end behind b
        p.kernels.pack_panel(
            product.k.length, product.cols, product.b, p.b_row, p.size,
            p.kernels.tile_cols, scratch)
        product.b = scratch
    else:
        product.k.b_stride = p.b_row


cdef void multiply_packed(
    const Matmul *p, Py_ssize_t rows, const char *a, Product *product, NextRows *next,
) noexcept nogil:
    """Multiply packed rows of a by a panel of b; ask for rows of the next block."""
    cdef Py_ssize_t height = p.kernels.tile_rows
    cdef Py_ssize_t tile
    cdef char *c = <char *> product.c
    product.a_row, product.k.step = p.size, height * p.size
    for tile in range(ceil_div(rows, height)):
        product.rows = min(height, rows - tile * height)
        product.a = a + tile * p.block_bytes
        product.c = c + tile * height * product.c_row
        prefetch_rows(p, next)
        p.kernels.product(product)


cdef void reduce_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Add a span of all parts, in order, into y."""
    cdef const Matmul *p = <const Matmul *> arguments
    cdef Py_ssize_t first = index * SPAN
    cdef Py_ssize_t n = min(<Py_ssize_t> SPAN, p.m * p.n - first)
    cdef char *y = p.y + first * p.size
    cdef Py_ssize_t part
    for part in range(p.parts - 1):
        p.kernels.add_span(
            n, p.part_sums + (part * p.m * p.n + first) * p.size, y)
    if p.activation:
        p.kernels.activate(p.activation, n, y)


cdef void run(Matmul *p) noexcept nogil:
    if p.bias != NULL:
        pack_row(p.kernels, p.n, p.bias, p.padded_bias)
    p.first = 0
    while p.first < p.blocks:
        p.count = min(p.stretch, p.blocks - p.first)
        if p.pack_b:
            run_tasks(pack_task, p, p.count * p.panels, p.threads, NULL, 0)
        run_tasks(
            matmul_task, p, p.row_chunks * p.panel_groups * p.parts, p.threads,
            p.scratch, p.scratch_bytes)
        p.first += p.count
    if p.parts > 1:
        run_tasks(reduce_task, p, ceil_div(p.m * p.n, SPAN), p.threads, NULL, 0)


cdef void describe(
    Matmul *p, cnp.ndarray a, cnp.ndarray b, bint transpose_a, bint transpose_b,
):
    """Fill in where the operands lie; the sizes are set."""
    p.size = cnp.PyArray_ITEMSIZE(a)
    p.kernels = microkernels(<int> p.size)
    p.a, p.b = cnp.PyArray_BYTES(a), cnp.PyArray_BYTES(b)
    p.bias = NULL
    p.activation = 0
    p.a_row, p.a_step = p.k * p.size, p.size
    if transpose_a:
        p.a_row, p.a_step = p.size, p.m * p.size
    p.b_row, p.b_col = p.n * p.size, p.size
    if transpose_b:
        p.b_row, p.b_col = p.size, p.k * p.size


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
    transpose_a = as_flag(transpose_a, "matmul", "transpose_a")
    transpose_b = as_flag(transpose_b, "matmul", "transpose_b")
    p.m, p.k, p.n = shapes.matmul(
        a.shape, b.shape, bias_shape, transpose_a, transpose_b)
    describe(&p, a_, b_, transpose_a, transpose_b)
    if activation is not None:
        p.activation = shapes.activation_index(activation, "matmul")
    cdef cnp.npy_intp shape[2]
    shape[0], shape[1] = p.m, p.n
    cdef cnp.ndarray y = as_output(out, 2, shape, cnp.PyArray_TYPE(a_), "matmul")
    if out is not None:  # the bias is copied anyhow
        check_apart("matmul", ("out", "a", "b"), (y, a_, b_), 1)
    if p.m == 0 or p.n == 0:
        return y

    p.y = cnp.PyArray_BYTES(y)
    if bias_ is not None:
        p.bias = cnp.PyArray_BYTES(bias_)
    p.threads = threads_for(<double> p.m * p.k * p.n / MULTIPLY_ADDS)
    cdef Workspace memory = workspace(NULL)
    plan(&p, &memory)
    cdef Block block = new_block(memory.bytes)
    memory = workspace(<char *> block.data)
    with nogil:
        plan(&p, &memory)
        run(&p)
    return y


# Stacks ------------------------------------------------------------------------------

cdef struct Stack:
    Matmul first
    Py_ssize_t a, b, y  # bytes between the matrices; 0: the same one for all


cdef void product_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Compute one product of a stack, on the threads that its plan has."""
    cdef const Stack *stack = <const Stack *> arguments
    cdef Matmul p = stack.first
    cdef Workspace memory = workspace(scratch)
    p.a += index * stack.a
    p.b += index * stack.b
    p.y += index * stack.y
    plan(&p, &memory)
    run(&p)


def stacked_matmul(a, b, *, transpose_a=False, transpose_b=False):
    """Compiled `fastdl.reference.matmul.stacked_matmul`.

    The products of a long stack are shared out to the threads; in a short one the
    threads share each product.
    """
    cdef Stack stack
    cdef Matmul *p = &stack.first
    cdef cnp.ndarray a_ = as_real(a, "stacked_matmul", "a")
    cdef cnp.ndarray b_ = as_real(b, "stacked_matmul", "b", a_)
    cdef cnp.ndarray y
    cdef cnp.npy_intp[3] shape
    cdef Py_ssize_t i
    cdef int threads
    transpose_a = as_flag(transpose_a, "stacked_matmul", "transpose_a")
    transpose_b = as_flag(transpose_b, "stacked_matmul", "transpose_b")
    shape[0], p.m, p.k, p.n = shapes.stacked_matmul(
        (<object> a_).shape, (<object> b_).shape, transpose_a, transpose_b)
    shape[1], shape[2] = p.m, p.n
    y = new_array(3, shape, cnp.PyArray_TYPE(a_))
    if cnp.PyArray_SIZE(y) == 0:
        return y
    describe(p, a_, b_, transpose_a, transpose_b)
    p.y = cnp.PyArray_BYTES(y)
    stack.y = p.m * p.n * p.size
    stack.a = p.m * p.k * p.size if cnp.PyArray_NDIM(a_) == 3 else 0
    stack.b = p.k * p.n * p.size if cnp.PyArray_NDIM(b_) == 3 else 0
    threads = threads_for(<double> shape[0] * p.m * p.k * p.n / MULTIPLY_ADDS)
    p.threads = threads if shape[0] < MIN_TASKS else 1
    cdef Workspace memory = workspace(NULL)
    plan(p, &memory)
    cdef Block block = new_block(memory.bytes * (threads if p.threads == 1 else 1))
    with nogil:
        if p.threads == 1:
            run_tasks(
                product_task, &stack, shape[0], threads, <char *> block.data,
                memory.bytes)
        else:
            for i in range(shape[0]):
                product_task(&stack, i, <char *> block.data)
    return y
