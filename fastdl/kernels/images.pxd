# Chunks of a batch of images, and zero padding: shared by the passes of conv2d.

from libc.string cimport memcpy, memset

cdef struct Images:
    # A batch (n, h, w, c) that is read through a window. Row r and column q of the
    # padded image are row r - top and column q - left of the image; top and left
    # may be negative (the window starts inside).
    const char *data
    Py_ssize_t size  # bytes of a real
    Py_ssize_t n, h, w, c
    Py_ssize_t top, left
    Py_ssize_t step_h, step_w  # the stride of the window
    Py_ssize_t span_h, span_w  # rows and columns of padded image under a window
    Py_ssize_t rows, cols  # the grid of windows
    bint padded  # some window reaches beyond the image

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
    # The part of the images under one chunk: in place, or a padded copy.
    const char *data
    Py_ssize_t row, image  # reals between rows, and between images
    Py_ssize_t c  # reals between pixels
    Py_ssize_t image0, images, row0, rows  # as in Chunk


cdef inline void set_padded(Images *x) noexcept nogil:
    x.padded = (
        x.top > 0 or x.left > 0
        or (x.rows - 1) * x.step_h + x.span_h - x.top > x.h
        or (x.cols - 1) * x.step_w + x.span_w - x.left > x.w)


cdef inline Chunks cut(const Images *x, Py_ssize_t target) noexcept nogil:
    cdef Chunks chunks
    cdef Py_ssize_t pixels = x.rows * x.cols
    cdef Py_ssize_t rows
    if pixels == 0 or x.n == 0:
        chunks.images, chunks.rows, chunks.per_image, chunks.count = 1, 1, 1, 0
        return chunks
    if pixels <= target:
        chunks.images = min(x.n, target // pixels)
        chunks.rows = x.rows
        chunks.per_image = 1
        chunks.count = (x.n + chunks.images - 1) // chunks.images
        return chunks
    rows = max(<Py_ssize_t> 1, target // x.cols)
    chunks.per_image = (x.rows + rows - 1) // rows
    chunks.rows = (x.rows + chunks.per_image - 1) // chunks.per_image
    chunks.per_image = (x.rows + chunks.rows - 1) // chunks.rows
    chunks.images = 1
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


cdef inline Py_ssize_t padded_row(const Images *x, Py_ssize_t channels) noexcept nogil:
    """Reals of a row of the padded image."""
    return ((x.cols - 1) * x.step_w + x.span_w) * channels


cdef inline Py_ssize_t padded_rows(const Images *x, Py_ssize_t rows) noexcept nogil:
    """Rows of the padded image under `rows` rows of windows."""
    return (rows - 1) * x.step_h + x.span_h


cdef inline Py_ssize_t scratch_bytes(
    const Images *x, const Chunks *chunks, Py_ssize_t channels,
) noexcept nogil:
    """Bytes that `view` needs, a multiple of a cache line."""
    if not x.padded:
        return 0
    return (chunks.images * padded_rows(x, chunks.rows) * padded_row(x, channels)
            * x.size + 63) // 64 * 64


cdef inline void copy_padded_row(
    const Images *x, const char *row, Py_ssize_t channel, Py_ssize_t channels, char *to,
) noexcept nogil:
    """Copy some channels of a row (NULL: a row of padding), zeros around it."""
    cdef Py_ssize_t pixel = channels * x.size
    cdef Py_ssize_t width = (x.cols - 1) * x.step_w + x.span_w
    cdef Py_ssize_t first = min(max(x.left, <Py_ssize_t> 0), width)
    cdef Py_ssize_t last = min(max(x.left + x.w, first), width)
    cdef Py_ssize_t q
    if row == NULL:
        memset(to, 0, width * pixel)
        return
    memset(to, 0, first * pixel)
    row += ((first - x.left) * x.c + channel) * x.size
    if channels == x.c:
        memcpy(to + first * pixel, row, (last - first) * pixel)
    else:
        for q in range(first, last):
            memcpy(to + q * pixel, row, pixel)
            row += x.c * x.size
    memset(to + last * pixel, 0, (width - last) * pixel)


cdef inline View view(
    const Images *x, const Chunks *chunks, Py_ssize_t index,
    Py_ssize_t channel, Py_ssize_t channels, char *scratch,
) noexcept nogil:
    """Return channels [channel, channel + channels) under a chunk of windows.

    Nothing is copied unless a window somewhere reaches into padding.
    """
    cdef View v
    cdef Py_ssize_t image, r, source, rows
    cdef char *to = scratch
    cdef Chunk chunk = chunk_at(x, chunks, index)
    v.image0, v.images = chunk.image0, chunk.images
    v.row0, v.rows = chunk.row0, chunk.rows
    if not x.padded:
        v.c = x.c
        v.row = x.w * x.c
        v.image = x.h * v.row
        v.data = x.data + (
            v.image0 * v.image + (v.row0 * x.step_h - x.top) * v.row
            - x.left * x.c + channel) * x.size
        return v
    rows = padded_rows(x, v.rows)
    v.c = channels
    v.row = padded_row(x, channels)
    v.image = rows * v.row
    v.data = scratch
    for image in range(v.image0, v.image0 + v.images):
        for r in range(rows):
            source = v.row0 * x.step_h + r - x.top
            copy_padded_row(
                x,
                x.data + (image * x.h + source) * x.w * x.c * x.size
                if 0 <= source < x.h else NULL,
                channel, channels, to)
            to += v.row * x.size
    return v
