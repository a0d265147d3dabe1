"""The gradient of weights and bias, as the equation says.

    dweight[ky, kx] = sum_{n, i, j} x[n, i s + ky d - p, j s + kx d - p]^T dy[n, i, j]
    dbias           = sum_{n, i, j} dy[n, i, j]

A product over windows. Both operands would be read with all channels as their stride,
often a power of two, so for a chunk of windows both are packed: dy into panels as wide
as a tile, and x into blocks of as many channels as a tile has rows, [block][row][col],
where a tap is just another place to begin. Few channels are read where they are: of x
the reals of a row of taps lie together, of dy all that a tile needs. So is dy where it
meets so few rows that the copy would not pay.

The chunks are shared out to `parts` with a sum of their own, added in order at the end.
Where the weights are too large for many copies, the input channels are cut into
`slices` instead. Both depend on the shape alone.
"""

from libc.string cimport memset

from fastdl.kernels.conv2d.algorithm cimport DIRECT, Algorithm
from fastdl.kernels.conv2d.images cimport (
    Chunk, Chunks, Images, View, chunk_at, chunk_windows, cut, images_of_x, look_at,
    pixels_under, results_under, view_bytes,
)
from fastdl.kernels.conv2d.problem cimport WEIGHT_GRADIENT, Problem
from fastdl.kernels.engine.prefetch cimport Later, in_shares, prefetch_next
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport MAX_PARTS, MIN_TASKS, ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    # Windows of a chunk: a panel of dy of this height fills most of the L1 cache, and
    # the more of them, the less often the sums are fetched and stored.
    CHUNK_WINDOWS = 256
    PARTS_BYTES = 4 << 20  # of all parts together
    SLICE_CHANNELS = 16  # at least, or too little is gained from each panel of dy
    PACK_CHANNELS = 17  # at least, for blocks of channels
    # So many rows of the product pay for packing dy. Those of dy that are a multiple of
    # so many bytes apart fall into few sets of the caches, and are packed in any case.
    PACK_ROWS = 25
    ALIASED = 1024
    SPAN = 4096  # reals of a task that adds up the parts

cdef struct Plan:
    const Problem *problem
    Images x
    Chunks chunks
    Py_ssize_t parts, slices, slice_in  # channels of a group in a slice
    Py_ssize_t sum_bytes  # of one part: dweight, then dbias
    char *part_sums  # of all but the first, which is the result
    # Rows of the product: channels where x is packed, else those of some taps of a row
    # of the kernel, which lie together.
    bint packed
    Py_ssize_t taps, block_rows, blocks
    Py_ssize_t pixel, row, block  # bytes; of a pixel and a row where x is packed
    Py_ssize_t panel, group_panels  # of dy: bytes of one, panels of a group
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    ptrdiff_t *offset  # where the rows of windows begin
    char *x
    char *dy

cdef struct Left:
    # The left operand for one chunk: tap (0, 0), and bytes to the next.
    const char *data
    Py_ssize_t pixel, row, image


cdef bint fits(const Problem *p) noexcept nogil:
    return p.wanted == WEIGHT_GRADIENT


cdef double cost(const Problem *p) noexcept nogil:
    return (<double> p.n * p.oh * p.ow * p.kh * p.kw * p.c
            * round_up(p.group_out, p.kernels.lanes))


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef const Problem *p = plan.problem
    cdef Scratch scratch
    scratch.offset = <ptrdiff_t *> take(
        memory, plan.chunks.images * plan.chunks.rows * sizeof(ptrdiff_t))
    scratch.dy = take(memory, plan.panel)
    if plan.packed:
        scratch.x = take(memory, p.groups * plan.blocks * plan.block)
    else:
        scratch.x = take(memory, view_bytes(&plan.x, &plan.chunks))
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Workspace scratch = workspace(NULL)
    plan.problem, plan.x = p, images_of_x(p)
    plan.chunks = cut(&plan.x, CHUNK_WINDOWS)
    plan.sum_bytes = (p.kh * p.kw * p.group_in + 1) * p.oc * p.size
    plan.parts = MAX_PARTS  # or half of it: two threads would share 9 tasks badly
    while plan.parts > 1 and (
            plan.parts > plan.chunks.count
            or plan.parts * plan.sum_bytes > PARTS_BYTES):
        plan.parts //= 2
    plan.slices = 1
    if p.groups == 1:
        plan.slices = max(<Py_ssize_t> 1, min(
            ceil_div(MIN_TASKS, plan.parts), p.group_in // SLICE_CHANNELS))
    plan.slice_in = ceil_div(p.group_in, plan.slices)
    plan.slices = ceil_div(p.group_in, plan.slice_in)

    plan.group_panels = ceil_div(p.group_out, p.kernels.tile_cols)
    plan.packed = p.group_in >= PACK_CHANNELS
    if plan.packed:
        plan.taps, plan.block_rows = 1, p.kernels.tile_rows
        plan.blocks = ceil_div(plan.slice_in, plan.block_rows)
        plan.pixel = plan.block_rows * p.size
        plan.row = ((plan.x.cols - 1) * plan.x.step_w + plan.x.span_w) * plan.pixel
        plan.block = plan.chunks.images * plan.row * (
            (plan.chunks.rows - 1) * plan.x.step_h + plan.x.span_h)
        plan.block += p.kernels.lanes * p.size  # packing stores whole vectors
    else:
        plan.taps = p.kw if p.groups == 1 and p.dilation_w == 1 else 1
        plan.block_rows = plan.taps * p.group_in
        if plan.group_panels > 1:  # a lone panel may be narrow, and its tiles higher
            plan.block_rows = min(plan.block_rows, p.kernels.tile_rows)
        plan.blocks = ceil_div(plan.taps * p.group_in, plan.block_rows)
        plan.block = plan.block_rows * p.size
    plan.panel = (
        chunk_windows(&plan.x, &plan.chunks) * p.kernels.tile_cols * p.size)
    scratch_of(plan, &scratch)
    plan.scratch_bytes = scratch.bytes
    plan.scratch = take(memory, p.threads * scratch.bytes)
    plan.part_sums = take(memory, (plan.parts - 1) * plan.sum_bytes)


cdef char *sums_of(const Plan *plan, Py_ssize_t part) noexcept nogil:
    if part == 0:
        return plan.problem.weight
    return plan.part_sums + (part - 1) * plan.sum_bytes


cdef void pack_row(
    const Plan *plan, Py_ssize_t channels, const char *row, char *to,
) noexcept nogil:
    """Pack some channels of a row of x (NULL: of padding), with zeros around it."""
    cdef const Images *x = &plan.x
    cdef Py_ssize_t width = plan.row // plan.pixel
    cdef Py_ssize_t first = min(max(x.left, <Py_ssize_t> 0), width)
    cdef Py_ssize_t last = min(max(x.left + x.w, first), width)
    cdef Py_ssize_t block
    if row == NULL:
        first, last = width, width
    for block in range(plan.blocks):
        memset(to + block * plan.block, 0, first * plan.pixel)
    if first < last:
        plan.problem.kernels.pack_blocks(
            last - first, channels, row + (first - x.left) * x.pixel, x.pixel,
            to + first * plan.pixel, plan.block)
    for block in range(plan.blocks):
        memset(
            to + block * plan.block + last * plan.pixel, 0,
            plan.row - last * plan.pixel)


cdef Left pack_blocks(
    const Plan *plan, const Chunk *chunk, Py_ssize_t channel, Py_ssize_t channels,
    char *to,
) noexcept nogil:
    """Pack what lies under a chunk: some channels of each group."""
    cdef const Problem *p = plan.problem
    cdef const Images *x = &plan.x
    cdef Py_ssize_t rows = (chunk.rows - 1) * x.step_h + x.span_h
    cdef Py_ssize_t row0 = chunk.row0 * x.step_h - x.top
    cdef Py_ssize_t group, image, row
    cdef const char *data
    cdef Left left
    left.data, left.pixel, left.row = to, plan.pixel, plan.row
    left.image = rows * plan.row
    for group in range(p.groups):
        for image in range(chunk.images):
            data = x.data + (chunk.image0 + image) * x.image + (
                group * p.group_in + channel) * p.size
            for row in range(rows):
                pack_row(
                    plan, channels,
                    data + (row0 + row) * x.row if 0 <= row0 + row < x.h else NULL,
                    to + group * plan.blocks * plan.block + image * left.image
                    + row * left.row)
    return left


cdef Left look(const Plan *plan, const Chunk *chunk, char *memory) noexcept nogil:
    """Return what lies under a chunk as it is, with zeros around it."""
    cdef View v = look_at(&plan.x, chunk, memory)
    cdef Left left
    left.data, left.pixel, left.row, left.image = v.data, v.pixel, v.row, v.image
    return left


cdef void sum_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Sum over all chunks of one part, for one slice of the input channels."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef Py_ssize_t part = index // plan.slices
    cdef Py_ssize_t channel = index % plan.slices * plan.slice_in
    cdef Py_ssize_t channels = min(plan.slice_in, p.group_in - channel)
    cdef char *sums = sums_of(plan, part)
    cdef Py_ssize_t end = plan.chunks.count * (part + 1) // plan.parts
    # Of few channels all would be asked for at once.
    cdef bint prefetches = plan.packed or plan.group_panels > 1
    cdef Py_ssize_t i, windows
    cdef const char *dy
    cdef Chunk chunk
    cdef Left left
    for i in range(plan.chunks.count * part // plan.parts, end):
        chunk = chunk_at(&plan.x, &plan.chunks, i)
        windows = chunk.images * chunk.rows * p.ow
        dy = p.y + (chunk.image0 * p.oh + chunk.row0) * p.ow * p.oc * p.size
        if plan.packed:
            left = pack_blocks(plan, &chunk, channel, channels, scratch.x)
        else:
            left = look(plan, &chunk, scratch.x)
        add_products(
            plan, &chunk, i + 1 if prefetches and i + 1 < end else plan.chunks.count,
            &left, dy, channel, channels, &scratch, sums)
        if channel == 0 and p.with_bias:
            p.kernels.column_sum(
                windows, p.oc, dy, p.oc * p.size, sums + plan.sum_bytes - p.oc * p.size)


cdef void add_products(
    const Plan *plan, const Chunk *chunk, Py_ssize_t next, const Left *left,
    const char *dy, Py_ssize_t channel, Py_ssize_t channels, const Scratch *scratch,
    char *sums,
) noexcept nogil:
    """Add the products of one chunk, panel by panel of dy; ask for the memory of the
    next one."""
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t windows = chunk.images * chunk.rows * p.ow
    cdef Py_ssize_t blocks = ceil_div(plan.taps * channels, plan.block_rows)
    cdef Py_ssize_t group, panel, run
    cdef const char *x
    cdef Product product
    cdef Later later = in_shares(
        pixels_under(&plan.x, &plan.chunks, next, 1),
        results_under(
            &plan.x, &plan.chunks, next, 1, p.y, p.oh, p.ow * p.oc * p.size, 1),
        p.groups * plan.group_panels * p.kh * (p.kw // plan.taps) * blocks)
    product.a_row, product.c_row = p.size, p.oc * p.size
    product.bias, product.accumulate = NULL, True
    product.k.offset, product.k.runs = scratch.offset, chunk.images * chunk.rows
    product.k.length, product.k.step = p.ow, plan.x.step_w * left.pixel
    # Rows of windows that follow one another at the same distance are one run.
    if plan.x.step_h * left.row == p.ow * product.k.step and (
            chunk.images == 1 or left.image == chunk.rows * p.ow * product.k.step):
        product.k.length, product.k.runs = windows, 1
    for run in range(product.k.runs):
        scratch.offset[run] = (
            run // chunk.rows * left.image
            + run % chunk.rows * plan.x.step_h * left.row)
    for group in range(p.groups):
        x = left.data + group * (
            plan.blocks * plan.block if plan.packed else p.group_in * p.size)
        for panel in range(plan.group_panels):
            product.cols = min(width, p.group_out - panel * width)
            product.b = dy + (group * p.group_out + panel * width) * p.size
            product.k.b_stride = p.oc * p.size
            if packs_dy(plan, channels) or reads_beyond(
                    p, <const char *> product.b, windows):
                p.kernels.pack_panel(
                    windows, product.cols, product.b, p.oc * p.size, p.size, width,
                    scratch.dy)
                product.b, product.k.b_stride = scratch.dy, width * p.size
            add_panel(
                plan, left, x, channels, blocks,
                sums + (channel * p.oc + group * p.group_out + panel * width) * p.size,
                &product, &later)


cdef bint packs_dy(const Plan *plan, Py_ssize_t channels) noexcept nogil:
    cdef const Problem *p = plan.problem
    return p.oc > p.kernels.tile_cols and (
        p.kh * p.kw * channels >= PACK_ROWS or p.oc * p.size % ALIASED == 0)


cdef bint reads_beyond(
    const Problem *p, const char *dy, Py_ssize_t windows,
) noexcept nogil:
    """Whether whole vectors of a panel of so many windows end behind dy."""
    cdef Py_ssize_t pixel = p.oc * p.size
    return (dy + (windows - 1) * pixel + p.kernels.tile_cols * p.size
            > p.y + p.n * p.oh * p.ow * pixel)


cdef void add_panel(
    const Plan *plan, const Left *left, const char *x, Py_ssize_t channels,
    Py_ssize_t blocks, char *sums, Product *product, Later *later,
) noexcept nogil:
    """Add the products of a panel of dy with all taps and channels of a group."""
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t ky, kx, block
    cdef const char *tap
    for ky in range(p.kh):
        for kx in range(p.kw // plan.taps):
            tap = x + ky * p.dilation_h * left.row + kx * p.dilation_w * left.pixel
            for block in range(blocks):
                product.rows = min(
                    plan.block_rows,
                    plan.taps * channels - block * plan.block_rows)
                product.a = tap + block * plan.block
                product.c = sums + block * plan.block_rows * p.oc * p.size
                prefetch_next(later)
                p.kernels.product(product)
            sums += plan.taps * p.group_in * p.oc * p.size


cdef void reduce_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Add a span of all parts, in order, into the first one."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef Py_ssize_t first = index * SPAN * plan.problem.size
    cdef Py_ssize_t bytes = min(SPAN * plan.problem.size, plan.sum_bytes - first)
    cdef Py_ssize_t part
    for part in range(1, plan.parts):
        plan.problem.kernels.add_span(
            bytes // plan.problem.size, sums_of(plan, part) + first,
            sums_of(plan, 0) + first)


cdef void run(const void *arguments) noexcept nogil:
    """Sum up the parts, then add them."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    memset(p.weight, 0, plan.sum_bytes)
    memset(plan.part_sums, 0, (plan.parts - 1) * plan.sum_bytes)
    run_tasks(
        sum_task, plan, plan.parts * plan.slices, p.threads, plan.scratch,
        plan.scratch_bytes)
    if plan.parts > 1:
        run_tasks(
            reduce_task, plan, ceil_div(plan.sum_bytes // p.size, SPAN), p.threads,
            NULL, 0)


algorithm = Algorithm(DIRECT, fits, cost, plan, run, sizeof(Plan))
