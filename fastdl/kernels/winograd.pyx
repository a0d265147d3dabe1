"""A pass of conv2d by Winograd's F(4x4, 3x3): csrc/winograd.c has the equations.

The result is cut into tiles of 4 x 4 pixels, and the tiles into chunks whose
transforms stay in the cache:

    for chunk: transform its inputs; 36 products; transform back
"""

from fastdl.kernels.conv2d cimport Conv2dArgs, activate
from fastdl.kernels.images cimport Chunk, Chunks, Images, chunk_at, cut
from fastdl.kernels.engine.operands cimport one_run, pack_row
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.table cimport Reduction

cdef enum:
    CHUNK_BYTES = 600_000  # of transformed tiles, in the L2 cache
    MIN_TILES = 16  # of a chunk, or the weights are fetched too often
    MAX_TILES = 32
    BIAS_PLACE = 7  # (1, 1): A^T and A pass it on to all results, times 1
    PACK_CHANNELS = 32  # input channels whose weights are transformed at a time

cdef struct WinogradArgs:
    const Conv2dArgs *conv
    Images x  # windows of 6 x 6, 4 apart
    Chunks chunks
    Py_ssize_t panels
    char *weights  # 36 x panels x channels x width, transformed
    Py_ssize_t weight_place  # reals between places
    char *bias  # padded, or NULL
    # Transformed tiles of one chunk: 36 x tiles x channels, padded to whole vectors.
    Py_ssize_t v_tile, v_place, m_tile, m_place


cdef Py_ssize_t place_stride(Py_ssize_t reals, Py_ssize_t lanes) noexcept nogil:
    """Round up to an odd number of vectors.

    36 places a power of two apart would all fall into the same set of the L1 cache.
    """
    return ((reals + lanes - 1) // lanes | 1) * lanes


cdef bint winograd_fits(const Conv2dArgs *p) noexcept nogil:
    """Whether the pass is a 3 x 3 convolution of stride and dilation 1."""
    return (
        p.groups == 1 and p.taps_h.taps == 3 and p.taps_w.taps == 3
        and p.taps_h.shift == 1 and p.taps_w.shift == 1
        and p.x.step_h == 1 and p.x.step_w == 1
        and p.y_pixel == p.group_out and p.y_row == p.x.cols * p.y_pixel)


cdef WinogradArgs plan(const Conv2dArgs *p) noexcept nogil:
    cdef WinogradArgs w
    cdef Py_ssize_t lanes = p.kernels.lanes
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t tiles
    w.conv = p
    w.x = tiles_of(&p.x)
    w.v_tile = (p.group_in + lanes - 1) // lanes * lanes
    w.m_tile = (p.group_out + lanes - 1) // lanes * lanes
    tiles = CHUNK_BYTES // (PLACES * (w.v_tile + w.m_tile) * p.size)
    tiles = min(max(tiles, <Py_ssize_t> MIN_TILES), <Py_ssize_t> MAX_TILES)
    w.chunks = cut(&w.x, tiles)
    tiles = w.chunks.images * w.chunks.rows * w.x.cols
    w.panels = (p.group_out + width - 1) // width
    w.weight_place = place_stride(w.panels * p.group_in * width, lanes)
    w.v_place = place_stride(tiles * w.v_tile, lanes)
    w.m_place = place_stride(tiles * w.m_tile, lanes)
    return w


cdef Py_ssize_t thread_bytes(const WinogradArgs *w) noexcept nogil:
    """Return the bytes of scratch of one thread."""
    cdef const Conv2dArgs *p = w.conv
    return max(
        9 * PACK_CHANNELS * p.kernels.tile_cols * p.size,
        PLACES * (w.v_place + w.m_place) * p.size)


cdef Py_ssize_t winograd_bytes(const Conv2dArgs *p, int threads) noexcept nogil:
    """Return the bytes of memory that `run_winograd` needs."""
    cdef WinogradArgs w = plan(p)
    return threads * thread_bytes(&w) + (
        PLACES * w.weight_place + w.panels * p.kernels.tile_cols) * p.size


cdef void pack_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Transform the weights from some input channels to one panel of outputs."""
    cdef const WinogradArgs *w = <const WinogradArgs *> arguments
    cdef const Conv2dArgs *p = w.conv
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t panel = index % w.panels
    cdef Py_ssize_t channel = index // w.panels * PACK_CHANNELS
    cdef Py_ssize_t channels = min(<Py_ssize_t> PACK_CHANNELS, p.group_in - channel)
    cdef Py_ssize_t t, tap
    for t in range(9):
        tap = ((p.taps_h.first + t // 3 * p.taps_h.step) * p.kernel_w
               + p.taps_w.first + t % 3 * p.taps_w.step)
        p.kernels.pack_panel(
            channels, min(width, p.group_out - panel * width),
            p.weight + (tap * p.weight_tap + channel * p.weight_in
                        + panel * width * p.weight_out) * p.size,
            p.weight_in, p.weight_out, scratch + t * channels * width * p.size)
    p.kernels.winograd_filter(
        channels * width, scratch, channels * width,
        w.weights + (panel * p.group_in + channel) * width * p.size, w.weight_place)


cdef void tiles_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Compute one chunk of tiles."""
    cdef const WinogradArgs *w = <const WinogradArgs *> arguments
    cdef const Conv2dArgs *p = w.conv
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Chunk x = chunk_at(&w.x, &w.chunks, index)
    cdef char *v = scratch
    cdef char *m = v + PLACES * w.v_place * p.size
    cdef Py_ssize_t tiles = x.images * x.rows * w.x.cols
    cdef Py_ssize_t image, row, col, place, panel, rows, cols
    cdef const char *bias
    cdef char *tile = v
    cdef char *y
    cdef Reduction reduction = one_run(p.group_in, 1, width)
    for image in range(x.images):
        for row in range(x.rows):
            for col in range(w.x.cols):
                transform_input(
                    p.kernels, &w.x, x.image0 + image, x.row0 + row, col, tile,
                    w.v_place)
                tile += w.v_tile * p.size

    for place in range(PLACES):
        for panel in range(w.panels):
            # Whole vectors: m has room for them, the weights are padded with zeros.
            cols = min(width, w.m_tile - panel * width)
            bias = NULL
            if w.bias != NULL and place == BIAS_PLACE:
                bias = w.bias + panel * width * p.size
            p.kernels.product(
                tiles, cols, v + place * w.v_place * p.size, w.v_tile,
                w.weights + (place * w.weight_place
                             + panel * p.group_in * width) * p.size,
                m + (place * w.m_place + panel * width) * p.size, w.m_tile, bias, False,
                &reduction)

    tile = m
    for image in range(x.images):
        y = p.y + ((x.image0 + image) * p.y_image + 4 * x.row0 * p.y_row) * p.size
        for row in range(x.rows):
            for col in range(w.x.cols):
                p.kernels.winograd_output(
                    p.group_out, tile, w.m_place,
                    y + 4 * (row * p.y_row + col * p.y_pixel) * p.size,
                    p.y_row, p.y_pixel,
                    min(<Py_ssize_t> 4, p.x.rows - 4 * (x.row0 + row)),
                    min(<Py_ssize_t> 4, p.x.cols - 4 * col))
                tile += w.m_tile * p.size
        if p.activation:
            rows = min(4 * x.rows, p.x.rows - 4 * x.row0)
            activate(p, y, rows * p.x.cols, p.y_pixel)


cdef void run_winograd(const Conv2dArgs *p, int threads, char *memory) noexcept nogil:
    """Transform the weights, then compute all chunks."""
    cdef WinogradArgs w = plan(p)
    cdef Py_ssize_t scratch = thread_bytes(&w)
    w.weights = memory + threads * scratch
    w.bias = NULL
    if p.bias != NULL:
        w.bias = w.weights + PLACES * w.weight_place * p.size
        pack_row(p.kernels, p.group_out, p.bias, w.bias)
    run_tasks(
        pack_task, &w, (p.group_in + PACK_CHANNELS - 1) // PACK_CHANNELS * w.panels,
        threads, memory, scratch)
    run_tasks(tiles_task, &w, w.chunks.count, threads, memory, scratch)
