"""The gradient of 3 x 3 weights by Winograd: csrc/winograd.c has the equations.

Stretches of tiles, whose transforms are about as large as the sums, alternate between

    transform x and dy of each chunk of tiles;
    for each of the 36 places: sums += (tiles of x)^T (tiles of dy)

Within each line all threads share the work; the sums grow in one fixed order.
"""

from libc.string cimport memset

from fastdl.kernels.conv2d_weight cimport WeightArgs
from fastdl.kernels.images cimport Chunk, Chunks, Images, chunk_at, cut
from fastdl.kernels.engine.operands cimport one_run
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.table cimport Reduction
from fastdl.kernels.winograd cimport PLACES, place_stride, tiles_of, transform_input

cdef enum:
    CHUNK_TILES = 32
    MIN_STRETCH_BYTES = 2 << 20
    SPAN = 4096  # weights of a task that transforms back

cdef struct WinogradWeightArgs:
    const WeightArgs *weight
    Images x  # windows of 6 x 6, 4 apart
    Chunks chunks
    Py_ssize_t stretch  # chunks of a stretch
    Py_ssize_t first, count  # chunks of the current stretch
    # Transformed tiles of a stretch, and the sums: reals between tiles and places.
    char *v
    char *m
    char *sums
    Py_ssize_t v_tile, v_place, m_tile, m_place, sum_place
    char *bias_parts  # one for each chunk


cdef bint winograd_weight_fits(const WeightArgs *p) noexcept nogil:
    """Whether the convolution is 3 x 3, of stride and dilation 1."""
    return (
        p.groups == 1 and p.kh == 3 and p.kw == 3
        and p.dilation_h == 1 and p.dilation_w == 1
        and p.x.step_h == 1 and p.x.step_w == 1)


cdef WinogradWeightArgs plan(const WeightArgs *p) noexcept nogil:
    cdef WinogradWeightArgs w
    cdef Py_ssize_t lanes = p.kernels.lanes
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t tiles, bytes
    w.weight = p
    w.x = tiles_of(&p.x)
    w.chunks = cut(&w.x, CHUNK_TILES)
    # Odd numbers of vectors: see place_stride.
    w.v_tile = place_stride(p.group_in, lanes)
    w.m_tile = place_stride((p.oc + width - 1) // width * width, lanes)
    w.sum_place = place_stride(p.group_in * p.oc, lanes)
    tiles = w.chunks.images * w.chunks.rows * w.x.cols
    bytes = PLACES * tiles * (w.v_tile + w.m_tile) * p.size
    w.stretch = max(<Py_ssize_t> MIN_STRETCH_BYTES, PLACES * w.sum_place * p.size)
    w.stretch = max(<Py_ssize_t> 1, min(w.stretch // bytes, w.chunks.count))
    w.v_place = place_stride(w.stretch * tiles * w.v_tile, lanes)
    w.m_place = place_stride(w.stretch * tiles * w.m_tile, lanes)
    return w


cdef Py_ssize_t winograd_weight_bytes(const WeightArgs *p) noexcept nogil:
    """Return the bytes of memory that `run_winograd_weight` needs."""
    cdef WinogradWeightArgs w = plan(p)
    return (PLACES * (w.v_place + w.m_place + w.sum_place)
            + w.chunks.count * p.oc) * p.size


cdef Py_ssize_t first_tile(
    const WinogradWeightArgs *w, Py_ssize_t chunk,
) noexcept nogil:
    """Return the number of tiles before a chunk."""
    cdef Py_ssize_t image = min(chunk // w.chunks.per_image * w.chunks.images, w.x.n)
    return (image * w.x.rows + chunk % w.chunks.per_image * w.chunks.rows) * w.x.cols


cdef void transform_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Transform x and dy of one chunk; sum up dy for the bias."""
    cdef const WinogradWeightArgs *w = <const WinogradWeightArgs *> arguments
    cdef const WeightArgs *p = w.weight
    cdef Py_ssize_t chunk = w.first + index
    cdef Chunk x = chunk_at(&w.x, &w.chunks, chunk)
    cdef Py_ssize_t tile = first_tile(w, chunk) - first_tile(w, w.first)
    cdef Py_ssize_t dy_row = p.x.cols * p.oc
    cdef Py_ssize_t image, row, col, rows
    cdef char *bias = w.bias_parts + chunk * p.oc * p.size
    cdef const char *dy
    memset(bias, 0, p.oc * p.size)
    for image in range(x.images):
        dy = p.dy + (
            (x.image0 + image) * p.x.rows + 4 * x.row0) * dy_row * p.size
        rows = min(4 * x.rows, p.x.rows - 4 * x.row0)
        p.kernels.column_sum(rows * p.x.cols, p.oc, dy, p.oc, bias)
        for row in range(x.rows):
            for col in range(w.x.cols):
                transform_input(
                    p.kernels, &w.x, x.image0 + image, x.row0 + row, col,
                    w.v + tile * w.v_tile * p.size, w.v_place)
                p.kernels.winograd_output_gradient(
                    p.oc, dy + (4 * row * dy_row + 4 * col * p.oc) * p.size,
                    dy_row, p.oc,
                    min(<Py_ssize_t> 4, p.x.rows - 4 * (x.row0 + row)),
                    min(<Py_ssize_t> 4, p.x.cols - 4 * col),
                    w.m + tile * w.m_tile * p.size, w.m_place)
                tile += 1


cdef void sum_task(
    const void *arguments, Py_ssize_t place, char *scratch,
) noexcept nogil:
    """Add the product of all tiles of the stretch at one place."""
    cdef const WinogradWeightArgs *w = <const WinogradWeightArgs *> arguments
    cdef const WeightArgs *p = w.weight
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t col, cols
    cdef Reduction reduction = one_run(
        first_tile(w, w.first + w.count) - first_tile(w, w.first), w.v_tile, w.m_tile)
    col = 0
    while col < p.oc:
        cols = min(width, p.oc - col)
        p.kernels.product(
            p.group_in, cols, w.v + place * w.v_place * p.size, 1,
            w.m + (place * w.m_place + col) * p.size,
            w.sums + (place * w.sum_place + col) * p.size, p.oc, NULL, w.first > 0,
            &reduction)
        col += width


cdef void gradient_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Transform the sums of a span of weights back."""
    cdef const WinogradWeightArgs *w = <const WinogradWeightArgs *> arguments
    cdef const WeightArgs *p = w.weight
    cdef Py_ssize_t taps = p.group_in * p.oc  # reals between taps
    cdef Py_ssize_t first = index * SPAN
    p.kernels.winograd_filter_gradient(
        min(<Py_ssize_t> SPAN, taps - first), w.sums + first * p.size, w.sum_place,
        p.result + first * p.size, taps)


cdef void run_winograd_weight(
    const WeightArgs *p, int threads, char *memory,
) noexcept nogil:
    """Fill `p.result` with dweight and dbias."""
    cdef WinogradWeightArgs w = plan(p)
    cdef char *dbias = p.result + p.weights * p.size
    cdef Py_ssize_t i
    memset(p.result, 0, p.part_reals * p.size)
    if w.chunks.count == 0:
        return
    w.v = memory
    w.m = w.v + PLACES * w.v_place * p.size
    w.sums = w.m + PLACES * w.m_place * p.size
    w.bias_parts = w.sums + PLACES * w.sum_place * p.size
    w.first = 0
    while w.first < w.chunks.count:
        w.count = min(w.stretch, w.chunks.count - w.first)
        run_tasks(transform_task, &w, w.count, threads, NULL, 0)
        run_tasks(sum_task, &w, PLACES, threads, NULL, 0)
        w.first += w.count
    run_tasks(
        gradient_task, &w, (p.group_in * p.oc + SPAN - 1) // SPAN, threads, NULL, 0)
    for i in range(w.chunks.count):
        p.kernels.add_span(p.oc, w.bias_parts + i * p.oc * p.size, dbias)
