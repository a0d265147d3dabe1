# A batch of images under a moving window: cut into chunks, with zeros around it.

from libc.string cimport memcpy, memset

from fastdl.kernels.conv2d.problem cimport Problem, window_h, window_w
from fastdl.kernels.engine.prefetch cimport Ahead
from fastdl.kernels.engine.sizes cimport ceil_div

cdef struct Images:
    # Row r and column q of the padded image are row r - top and column q - left of
    # the image; top and left may be negative (the first window starts inside).
    const char *data
    Py_ssize_t n, h, w
    Py_ssize_t pixel, row, image  # bytes
    Py_ssize_t top, left
    Py_ssize_t step_h, step_w  # the stride of the window
    Py_ssize_t span_h, span_w  # rows and columns of padded image under a window
    Py_ssize_t rows, cols  # the grid of windows

cdef struct Chunks:
    # The grids of all images, cut into pieces of about `target` windows: some rows
    # of one image, or several whole images. Depends on the shape alone.
    Py_ssize_t images, rows  # of one chunk
    Py_ssize_t per_image  # chunks of rows; 1 when a chunk holds whole images
    Py_ssize_t count

cdef struct Chunk:
    # One of them: its first image and row of windows, and how many.
    Py_ssize_t image0, images, row0, rows

cdef struct View:
    # The pixels under a chunk: in place, or a padded copy. Bytes between them.
    const char *data
    Py_ssize_t pixel, row, image


cdef inline bint is_padded(const Images *x) noexcept nogil:
    """Whether some window reaches beyond the image."""
    return (
        x.top > 0 or x.left > 0
        or (x.rows - 1) * x.step_h + x.span_h - x.top > x.h
        or (x.cols - 1) * x.step_w + x.span_w - x.left > x.w)


cdef inline Images images_of_x(const Problem *p) noexcept nogil:
    """Return x under the windows of the convolution."""
    cdef Images x
    x.data = p.x
    x.n, x.h, x.w = p.n, p.h, p.w
    x.pixel = p.c * p.size
    x.row = p.w * x.pixel
    x.image = p.h * x.row
    x.top, x.left = p.top, p.left
    x.step_h, x.step_w = p.stride_h, p.stride_w
    x.span_h, x.span_w = window_h(p), window_w(p)
    x.rows, x.cols = p.oh, p.ow
    if p.kh == 1 and p.kw == 1 and not is_padded(&x):  # only pixels that are read
        x.row *= p.stride_h
        x.pixel *= p.stride_w
        x.h, x.w, x.step_h, x.step_w = p.oh, p.ow, 1, 1
    return x


cdef inline Chunks cut(const Images *x, Py_ssize_t target) noexcept nogil:
    cdef Chunks chunks
    cdef Py_ssize_t pixels = x.rows * x.cols
    chunks.images = chunks.rows = chunks.per_image = 1
    if pixels == 0 or x.n == 0:
        chunks.count = 0
    elif pixels <= target:
        chunks.images = min(x.n, target // pixels)
        chunks.rows = x.rows
        chunks.count = ceil_div(x.n, chunks.images)
    else:  # about equal numbers of rows
        chunks.rows = max(<Py_ssize_t> 1, target // x.cols)
        chunks.rows = ceil_div(x.rows, ceil_div(x.rows, chunks.rows))
        chunks.per_image = ceil_div(x.rows, chunks.rows)
        chunks.count = x.n * chunks.per_image
    return chunks


cdef inline Chunk chunk_at(
    const Images *x, const Chunks *chunks, Py_ssize_t index,
) noexcept nogil:
    cdef Chunk chunk
    chunk.image0 = index // chunks.per_image * chunks.images
    chunk.images = min(chunks.images, x.n - chunk.image0)
    chunk.row0 = index % chunks.per_image * chunks.rows
    chunk.rows = min(chunks.rows, x.rows - chunk.row0)
    return chunk


cdef inline Py_ssize_t chunk_windows(
    const Images *x, const Chunks *chunks,
) noexcept nogil:
    """The windows of a chunk, at most."""
    return chunks.images * chunks.rows * x.cols


cdef inline Ahead pixels_under(
    const Images *x, const Chunks *chunks, Py_ssize_t first, Py_ssize_t count,
) noexcept nogil:
    """Return what later chunks read, from the first row to the last."""
    cdef Chunk chunk = chunk_at(x, chunks, first)
    cdef Chunk last = chunk_at(x, chunks, min(first + count, chunks.count) - 1)
    cdef Py_ssize_t row = chunk.row0 * x.step_h - x.top
    cdef Py_ssize_t end = (last.row0 + last.rows - 1) * x.step_h + x.span_h - x.top
    cdef Ahead ahead
    ahead.data = x.data + chunk.image0 * x.image + max(row, <Py_ssize_t> 0) * x.row
    ahead.bytes = 0
    if first < chunks.count:
        ahead.bytes = x.data - ahead.data + min(end, x.h) * x.row + x.image * (
            last.image0 + last.images - 1)
    return ahead


cdef inline Ahead results_under(
    const Images *x, const Chunks *chunks, Py_ssize_t first, Py_ssize_t count,
    const char *y, Py_ssize_t rows, Py_ssize_t row, Py_ssize_t tile,
) noexcept nogil:
    """Return the results of later chunks, in images of so many rows of `row` bytes.

    A window gives tile x tile of them.
    """
    cdef Images results = x[0]
    results.data, results.row, results.image = y, row, rows * row
    results.h, results.step_h, results.span_h, results.top = rows, tile, tile, 0
    return pixels_under(&results, chunks, first, count)


cdef inline View view_of(const Images *x) noexcept nogil:
    """Return the strides of what `look_at` returns."""
    cdef View v
    v.pixel, v.row, v.image = x.pixel, x.row, x.image
    if is_padded(x):
        v.row = ((x.cols - 1) * x.step_w + x.span_w) * x.pixel
    return v


cdef inline Py_ssize_t view_bytes(
    const Images *x, const Chunks *chunks,
) noexcept nogil:
    """Return the memory that `look_at` needs for any chunk."""
    cdef View v = view_of(x)
    if not is_padded(x):
        return 0
    return chunks.images * ((chunks.rows - 1) * x.step_h + x.span_h) * v.row


cdef inline void copy_padded_row(
    const Images *x, const char *row, char *to,
) noexcept nogil:
    """Copy a row (NULL: of padding), with zeros around it."""
    cdef Py_ssize_t pixel = x.pixel
    cdef Py_ssize_t width = (x.cols - 1) * x.step_w + x.span_w
    cdef Py_ssize_t first = min(max(x.left, <Py_ssize_t> 0), width)
    cdef Py_ssize_t last = min(max(x.left + x.w, first), width)
    if row == NULL:
        memset(to, 0, width * pixel)
        return
    memset(to, 0, first * pixel)
    memcpy(
        to + first * pixel, row + (first - x.left) * pixel, (last - first) * pixel)
    memset(to + last * pixel, 0, (width - last) * pixel)


cdef inline View look_at(
    const Images *x, const Chunk *chunk, char *memory,
) noexcept nogil:
    """Return what lies under a chunk.

    Nothing is copied unless a window somewhere reaches into padding.
    """
    cdef View v = view_of(x)
    cdef Py_ssize_t rows = (chunk.rows - 1) * x.step_h + x.span_h
    cdef Py_ssize_t row0 = chunk.row0 * x.step_h - x.top
    cdef Py_ssize_t image, row
    cdef const char *first
    if not is_padded(x):
        v.data = x.data + chunk.image0 * v.image + row0 * v.row - x.left * v.pixel
        return v
    v.image = rows * v.row
    v.data = memory
    for image in range(chunk.image0, chunk.image0 + chunk.images):
        first = x.data + image * x.image
        for row in range(row0, row0 + rows):
            copy_padded_row(
                x, first + row * x.row if 0 <= row < x.h else NULL, memory)
            memory += v.row
    return v
