"""The input gradient of stride 1, few channels.

    dx[c][i] = sum_k weight[k][c] dy[k][i]

Few channels fill a vector badly, pixels that are neighbours always fill it. So the rows
of dy under a chunk of windows (sweep.pxd says why these are) are copied to lines: a
plane for each channel, the same row of several images side by side in it, which share
the zeros between them. There a tap of a channel is just another place to begin.
csrc/planes.c multiplies the lines by the weights, and those of dx become pixels again
while they are in the L1 cache. Rows of padding are left out.
"""

from libc.string cimport memcpy, memset

from fastdl.kernels.conv2d.algorithm cimport DIRECT, Algorithm
from fastdl.kernels.conv2d.images cimport Chunk, Chunks, Images, chunk_at
from fastdl.kernels.conv2d.problem cimport INPUT_GRADIENT, Problem
from fastdl.kernels.conv2d.sweep cimport Sweep, is_sweep, sweep_of
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport (
    CACHE_LINE, MIN_TASKS, ceil_div, round_up,
)
from fastdl.kernels.engine.table cimport LineProducts, MicroKernels
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    MAX_CHANNELS = 6  # more fill the vectors of the other ways
    MAX_PRODUCTS = 1024  # of a result: more would lose digits in one chain
    LINE = 256  # windows at most: many vectors, and the lines of a window stay in L1
    CHUNK_WINDOWS = 4096  # about: the lines of a chunk stay in the L2 cache
    MIN_CHUNKS = 4  # or a lone image would keep one thread busy
    COPY_COST = 16  # of a real that becomes a line or a pixel, in multiply-adds

cdef struct Lines:
    Py_ssize_t left, first, cols  # zeros before, and the pixels of a row from the first
    Py_ssize_t pitch  # reals from one image to the next
    Py_ssize_t windows  # from the first to the last of a line
    Py_ssize_t plane, bytes  # of a line: of one channel, and of all

cdef struct Plan:
    const MicroKernels *kernels
    Sweep s
    Lines lines
    Chunks chunks
    Py_ssize_t size, k  # bytes of a real; products of a result
    Py_ssize_t tiles  # of channels of dx
    int threads
    ptrdiff_t *offset  # where the line of a tap and channel begins
    char *weight  # of tile after tile: (k, channels of the tile)
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *dy
    char *dx  # a line


cdef bint fits(const Problem *p) noexcept nogil:
    return (p.wanted == INPUT_GRADIENT and is_sweep(p) and p.groups == 1
            and p.c <= MAX_CHANNELS and p.kh * p.kw * p.oc <= MAX_PRODUCTS)


cdef Chunks cut_lines(
    const Sweep *s, const MicroKernels *kernels, Lines *lines,
) noexcept nogil:
    """Cut the windows into chunks: rows of as many images as make a line."""
    cdef const Images *x = &s.x
    cdef Chunks chunks
    cdef Py_ssize_t width = x.cols - 1 + x.span_w  # under all windows of a row
    cdef Py_ssize_t n = max(x.n, <Py_ssize_t> 1)
    cdef Py_ssize_t bands
    lines.first, lines.left = max(-x.left, <Py_ssize_t> 0), max(x.left, <Py_ssize_t> 0)
    lines.cols = max(<Py_ssize_t> 0, min(x.w - lines.first, width - lines.left))
    lines.pitch = max(
        x.cols, lines.cols + max(lines.left, width - lines.left - lines.cols))
    chunks.images = min(
        max(LINE // max(lines.pitch, <Py_ssize_t> 1), <Py_ssize_t> 1),
        ceil_div(n, MIN_TASKS))
    chunks.images = ceil_div(n, ceil_div(n, chunks.images))
    lines.windows = (chunks.images - 1) * lines.pitch + x.cols
    # Whole vectors are read and written, also of the last tap.
    lines.plane = kernels.real_bytes * (
        round_up(lines.windows, kernels.lanes) + x.span_w + 2 * kernels.lanes)
    # An odd number of lines of the cache: else planes would share few of its sets.
    lines.plane = (ceil_div(lines.plane, CACHE_LINE) | 1) * CACHE_LINE
    lines.bytes = s.group_in * lines.plane
    bands = max(
        ceil_div(x.rows * lines.windows, CHUNK_WINDOWS),
        ceil_div(MIN_CHUNKS, ceil_div(n, chunks.images)))
    chunks.rows = max(ceil_div(x.rows, bands), <Py_ssize_t> 1)
    chunks.per_image = ceil_div(x.rows, chunks.rows)
    chunks.count = ceil_div(x.n, chunks.images) * chunks.per_image if x.cols else 0
    return chunks


cdef double cost(const Problem *p) noexcept nogil:
    cdef Sweep s = sweep_of(p)
    cdef Lines lines
    cdef Chunks chunks = cut_lines(&s, p.kernels, &lines)
    cdef double windows = <double> ceil_div(s.x.n, chunks.images) * (
        round_up(lines.windows, p.kernels.lanes))
    # Rows of dy and of taps that meet; a tile has its loads, too, and waits for them
    # where it has a single channel.
    cdef double products = <double> p.oh * p.kh * p.kw * p.oc * (
        max(p.c, <Py_ssize_t> 2) + ceil_div(p.c, p.kernels.tile_rows))
    return windows * products + COPY_COST * <double> p.n * (
        p.h * p.w * p.c + p.oh * p.ow * p.oc)


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef Scratch scratch
    scratch.dy = take(
        memory, (plan.chunks.rows - 1 + plan.s.x.span_h) * plan.lines.bytes)
    scratch.dx = take(memory, plan.s.group_out * plan.lines.plane)
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Sweep s = sweep_of(p)
    cdef Workspace scratch = workspace(NULL)
    cdef Py_ssize_t ky, kx, channel
    cdef ptrdiff_t *offset
    plan.kernels, plan.s, plan.size, plan.threads = p.kernels, s, p.size, p.threads
    plan.chunks = cut_lines(&s, p.kernels, &plan.lines)
    plan.k = s.kh * s.kw * s.group_in
    plan.tiles = ceil_div(s.group_out, p.kernels.tile_rows)
    plan.offset = offset = <ptrdiff_t *> take(memory, plan.k * sizeof(ptrdiff_t))
    plan.weight = take(memory, plan.k * s.group_out * p.size)
    scratch_of(plan, &scratch)
    plan.scratch_bytes = scratch.bytes
    plan.scratch = take(memory, p.threads * scratch.bytes)
    if memory.memory == NULL:
        return
    for ky in range(s.kh):
        for kx in range(s.kw):
            for channel in range(s.group_in):
                offset[0] = (
                    ky * s.dilation_h * plan.lines.bytes + channel * plan.lines.plane
                    + kx * s.dilation_w * p.size)
                offset += 1


cdef void pack_tile(const Plan *plan, Py_ssize_t tile) noexcept nogil:
    """Pack the weights of one tile."""
    cdef const Sweep *s = &plan.s
    cdef Py_ssize_t first = s.group_out * tile // plan.tiles
    cdef Py_ssize_t rows = s.group_out * (tile + 1) // plan.tiles - first
    cdef char *to = plan.weight + first * plan.k * plan.size
    cdef const char *weight = s.weight + first * s.weight_out
    cdef Py_ssize_t ky, kx, channel, row
    for ky in range(s.kh):
        for kx in range(s.kw):
            for channel in range(s.group_in):
                for row in range(rows):
                    memcpy(
                        to, weight + ky * s.tap_row + kx * s.tap_col
                        + channel * s.weight_in + row * s.weight_out, plan.size)
                    to += plan.size


cdef void split_rows(
    const Plan *plan, const Chunk *chunk, Py_ssize_t row0, Py_ssize_t row1, char *to,
) noexcept nogil:
    """Copy rows row0 to row1 - 1 of the images of a chunk to lines."""
    cdef const Images *x = &plan.s.x
    cdef const Lines *lines = &plan.lines
    cdef const char *end = x.data + x.n * x.image
    cdef const char *first = (
        x.data + chunk.image0 * x.image + row0 * x.row + lines.first * x.pixel)
    cdef Py_ssize_t image
    for _ in range(row1 - row0):
        memset(to, 0, lines.bytes)
        for image in range(chunk.images):
            plan.kernels.split_planes(
                lines.cols, plan.s.group_in, first + image * x.image, end,
                to + (image * lines.pitch + lines.left) * plan.size, lines.plane)
        first += x.row
        to += lines.bytes


cdef void chunk_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Compute a chunk of windows, line by line."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Sweep *s = &plan.s
    cdef Workspace pieces = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &pieces)
    cdef Chunk chunk = chunk_at(&s.x, &plan.chunks, index)
    cdef Py_ssize_t top = chunk.row0 - s.x.top  # the first row under the chunk
    cdef Py_ssize_t row0 = max(<Py_ssize_t> 0, top)
    cdef Py_ssize_t row1 = min(s.x.h, top + chunk.rows - 1 + s.x.span_h)
    cdef Py_ssize_t row, image
    cdef char *dx
    split_rows(plan, &chunk, row0, row1, scratch.dy)
    for row in range(chunk.rows):
        multiply_line(
            plan, top + row, scratch.dy + (top + row - row0) * plan.lines.bytes,
            scratch.dx)
        dx = s.y + chunk.image0 * s.y_image + (chunk.row0 + row) * s.y_row
        for image in range(chunk.images):
            plan.kernels.join_planes(
                s.x.cols, s.group_out,
                scratch.dx + image * plan.lines.pitch * plan.size, plan.lines.plane, dx,
                dx + (chunk.rows - row) * s.y_row)
            dx += s.y_image


cdef void multiply_line(
    const Plan *plan, Py_ssize_t top, const char *dy, char *dx,
) noexcept nogil:
    """Compute a line whose windows begin at row `top` of the images, by the taps that
    meet one of their rows."""
    cdef const Sweep *s = &plan.s
    cdef Py_ssize_t tap_row = s.kw * s.group_in
    cdef Py_ssize_t ky0 = max(<Py_ssize_t> 0, ceil_div(-top, s.dilation_h))
    cdef Py_ssize_t ky1 = min(s.kh, ceil_div(s.x.h - top, s.dilation_h))
    cdef Py_ssize_t tile, first
    cdef LineProducts products
    products.n, products.plane, products.dy = plan.lines.windows, plan.lines.plane, dy
    products.k = max(<Py_ssize_t> 0, ky1 - ky0) * tap_row
    products.offset = plan.offset + ky0 * tap_row
    for tile in range(plan.tiles):
        first = s.group_out * tile // plan.tiles
        products.rows = s.group_out * (tile + 1) // plan.tiles - first
        products.weight = plan.weight + plan.size * (
            first * plan.k + ky0 * tap_row * products.rows)
        products.dx = dx + first * plan.lines.plane
        plan.kernels.line_products(&products)


cdef void run(const void *arguments) noexcept nogil:
    """Pack the weights, then compute all windows."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef Py_ssize_t tile
    for tile in range(plan.tiles):  # so few that helpers would come too late
        pack_tile(plan, tile)
    run_tasks(
        chunk_task, plan, plan.chunks.count, plan.threads, plan.scratch,
        plan.scratch_bytes)


algorithm = Algorithm(DIRECT, fits, cost, plan, run, sizeof(Plan))
