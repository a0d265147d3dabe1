# What Winograd's two algorithms share: tiles of 4 x 4 windows, and their cost.

from fastdl.kernels.conv2d.images cimport Chunk, Images
from fastdl.kernels.conv2d.problem cimport Problem
from fastdl.kernels.conv2d.sweep cimport Sweep, activate_channels
from fastdl.kernels.engine.sizes cimport ceil_div, round_up
from fastdl.kernels.engine.table cimport MicroKernels, Pixels

cdef enum:
    PLACES = 36  # of the transformed 6 x 6 tile
    BIAS_PLACE = 7  # (1, 1): A^T and A pass it on to all results, times 1
    # The cost of the transforms, in multiply-adds of the register tile for each real
    # that is transformed: fitted to timings of 14 shapes from 3 to 512 channels on
    # AVX-512, where the model is within 15 % of them.
    PIXEL_COST = 17
    WEIGHT_COST = 34  # with the way to memory and back


cdef inline bint has_tiles(const Problem *p) noexcept nogil:
    """Whether it is a 3 x 3 convolution of stride and dilation 1."""
    return (
        p.groups == 1 and p.kh == 3 and p.kw == 3
        and p.dilation_h == 1 and p.dilation_w == 1
        and p.stride_h == 1 and p.stride_w == 1)


cdef inline double tiles_cost(
    const Problem *p, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t read,
    Py_ssize_t written, double weight_cost,
) noexcept nogil:
    """Return the cost of a grid of windows, for so many channels read and written.

    Each of 36 places is a product over tiles. Vectors of channels are whole.
    """
    cdef Py_ssize_t lanes = p.kernels.lanes
    cdef double tiles = p.n * ceil_div(rows, 4) * ceil_div(cols, 4)
    cdef double padded = round_up(written, lanes)
    return PLACES * (
        tiles * read * padded
        + PIXEL_COST * tiles * (round_up(read, lanes) + padded)
        + weight_cost * read * padded)


cdef inline Py_ssize_t odd_vectors(
    const MicroKernels *kernels, Py_ssize_t reals,
) noexcept nogil:
    """Return the bytes of so many reals, in an odd number of whole vectors.

    36 places a power of two apart would all fall into the same set of the L1 cache.
    """
    return (ceil_div(reals, kernels.lanes) | 1) * kernels.lanes * kernels.real_bytes


cdef inline Images tiles_of(const Images *x) noexcept nogil:
    """Return the windows of 6 x 6 pixels, 4 apart, that cover those of 3 x 3."""
    cdef Images tiles = x[0]
    tiles.step_h = tiles.step_w = 4
    tiles.span_h = tiles.span_w = 6
    tiles.rows = ceil_div(x.rows, 4)
    tiles.cols = ceil_div(x.cols, 4)
    return tiles


cdef inline void transform_weights(
    const MicroKernels *kernels, const Sweep *s, Py_ssize_t channel,
    Py_ssize_t channels, Py_ssize_t col, char *taps, char *u, Py_ssize_t place,
) noexcept nogil:
    """Transform the weights of some channels read and a panel of those written.

    `taps` has room for a panel of each tap.
    """
    cdef Py_ssize_t width = kernels.tile_cols
    cdef Py_ssize_t panel = channels * width * kernels.real_bytes
    cdef Py_ssize_t t
    for t in range(9):
        kernels.pack_panel(
            channels, min(width, s.group_out - col),
            s.weight + t // 3 * s.tap_row + t % 3 * s.tap_col
            + channel * s.weight_in + col * s.weight_out,
            s.weight_in, s.weight_out, width, taps + t * panel)
    kernels.winograd_filter(channels * width, taps, panel, u, place)


cdef inline void transform_tile(
    const MicroKernels *kernels, const Images *x, Py_ssize_t image, Py_ssize_t row,
    Py_ssize_t col, Py_ssize_t channels, char *v, Py_ssize_t place,
) noexcept nogil:
    """Transform the pixels under one tile; those outside of the image are 0."""
    cdef Py_ssize_t r = row * x.step_h - x.top
    cdef Py_ssize_t q = col * x.step_w - x.left
    cdef Pixels pixels
    pixels.row, pixels.pixel = x.row, x.pixel
    pixels.top, pixels.bottom, pixels.left, pixels.right = -r, x.h - r, -q, x.w - q
    kernels.winograd_input(
        channels, x.data + image * x.image + r * x.row + q * x.pixel, &pixels, v,
        place)


cdef inline void transform_inputs(
    const MicroKernels *kernels, const Images *tiles, const Chunk *chunk,
    Py_ssize_t channels, char *v, Py_ssize_t v_tile, Py_ssize_t place,
) noexcept nogil:
    """Transform the pixels under the tiles of a chunk, one behind the other."""
    cdef Py_ssize_t image, row, col
    for image in range(chunk.image0, chunk.image0 + chunk.images):
        for row in range(chunk.row0, chunk.row0 + chunk.rows):
            for col in range(tiles.cols):
                transform_tile(kernels, tiles, image, row, col, channels, v, place)
                v += v_tile


cdef inline Pixels inside(
    Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t row, Py_ssize_t col, Py_ssize_t pixel,
) noexcept nogil:
    """Return which results of a tile there are, of rows x cols of an image."""
    cdef Pixels pixels
    pixels.row, pixels.pixel = cols * pixel, pixel
    pixels.top = pixels.left = 0
    pixels.bottom = min(<Py_ssize_t> 4, rows - 4 * row)
    pixels.right = min(<Py_ssize_t> 4, cols - 4 * col)
    return pixels


cdef inline void transform_back(
    const Problem *p, const Sweep *s, const Images *tiles, const Chunk *chunk,
    Py_ssize_t channel, Py_ssize_t channels, const char *m, Py_ssize_t m_tile,
    Py_ssize_t m_place,
) noexcept nogil:
    """Transform the sums of a chunk back to some channels of y; activate them."""
    cdef Py_ssize_t first = 4 * chunk.row0
    cdef Py_ssize_t last = min(first + 4 * chunk.rows, s.x.rows)
    cdef Py_ssize_t image, row, col
    cdef Pixels pixels
    cdef char *y
    for image in range(chunk.image0, chunk.image0 + chunk.images):
        y = s.y + image * s.y_image + channel * p.size
        for row in range(chunk.row0, chunk.row0 + chunk.rows):
            for col in range(tiles.cols):
                pixels = inside(s.x.rows, s.x.cols, row, col, s.y_pixel)
                p.kernels.winograd_output(
                    channels, m, m_place,
                    y + 4 * (row * s.y_row + col * s.y_pixel), &pixels)
                m += m_tile
        if p.activation:
            activate_channels(
                p.kernels, p.activation, s, (last - first) * s.x.cols, channels,
                y + first * s.y_row)


cdef inline void transform_gradients(
    const Problem *p, const Images *tiles, const Chunk *chunk, char *v,
    Py_ssize_t v_tile, Py_ssize_t v_place, char *m, Py_ssize_t m_tile,
    Py_ssize_t m_place, char *dbias,
) noexcept nogil:
    """Transform x to v and dy to m for the tiles of a chunk; add dy to dbias."""
    cdef Py_ssize_t pixel = p.oc * p.size
    cdef Py_ssize_t image, row, col, windows
    cdef const char *dy
    cdef Pixels pixels
    for image in range(chunk.image0, chunk.image0 + chunk.images):
        dy = p.y + image * p.oh * p.ow * pixel
        windows = min(4 * chunk.rows, p.oh - 4 * chunk.row0) * p.ow
        p.kernels.column_sum(
            windows, p.oc, dy + 4 * chunk.row0 * p.ow * pixel, pixel, dbias)
        for row in range(chunk.row0, chunk.row0 + chunk.rows):
            for col in range(tiles.cols):
                transform_tile(p.kernels, tiles, image, row, col, p.c, v, v_place)
                pixels = inside(p.oh, p.ow, row, col, pixel)
                p.kernels.winograd_output_gradient(
                    p.oc, dy + 4 * (row * p.ow + col) * pixel, &pixels, m, m_place)
                v += v_tile
                m += m_tile
