"""The gradient of many 3 x 3 weights by Winograd: csrc/winograd.c has the equations.

The transformed sums, four times as large as the weights, are too large for a copy in
each cache. So there is one of them, in blocks of some channels by a panel, and
stretches of tiles, whose transforms are about as large as all sums, alternate between

    transform x and dy of each chunk of tiles;
    for each block, for each of the 36 places: sums += (tiles of x)^T (tiles of dy)

Within each line all threads share the work; the sums grow in one fixed order. After
the last stretch a block is transformed back while it is in the cache; where there is
only one, the sums never leave it.
"""

from libc.string cimport memset

from fastdl.kernels.conv2d.algorithm cimport WINOGRAD, Algorithm
from fastdl.kernels.conv2d.images cimport (
    Chunk, Chunks, Images, chunk_at, chunk_windows, cut, images_of_x, pixels_under,
    results_under,
)
from fastdl.kernels.conv2d.problem cimport WEIGHT_GRADIENT, Problem
from fastdl.kernels.conv2d.tiles cimport (
    PLACES, WEIGHT_COST, has_tiles, odd_vectors, tiles_cost, tiles_of,
    transform_gradients,
)
from fastdl.kernels.engine.operands cimport one_run
from fastdl.kernels.engine.prefetch cimport Later, in_shares, prefetch_next
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take

cdef enum:
    CHUNK_TILES = 32
    MIN_STRETCH_BYTES = 2 << 20
    BLOCK = 1024  # sums of a block at one place: 36 places take 150 KB

cdef double WIDE_COST = 1.1  # of moving stretches of transforms through memory

cdef struct Plan:
    const Problem *problem
    Images x  # windows of 6 x 6, 4 apart
    Chunks chunks
    Py_ssize_t stretch  # chunks of a stretch
    # Transformed tiles of a stretch: bytes between tiles and places.
    char *v
    char *m
    Py_ssize_t v_tile, v_place, m_tile, m_place
    Py_ssize_t panels, width  # bytes of a row of a panel
    Py_ssize_t channels, blocks, sum_place  # of a block; bytes between its places
    char *sums  # of all blocks, or of one for each thread
    char *bias_parts  # one for each chunk

cdef struct Stretch:
    const Plan *plan
    Py_ssize_t first, count  # chunks


cdef bint fits(const Problem *p) noexcept nogil:
    return p.wanted == WEIGHT_GRADIENT and has_tiles(p)


cdef double cost(const Problem *p) noexcept nogil:
    return WIDE_COST * tiles_cost(p, p.oh, p.ow, p.c, p.oc, WEIGHT_COST)


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Images x = images_of_x(p)
    cdef Py_ssize_t tiles
    plan.problem, plan.x = p, tiles_of(&x)
    plan.chunks = cut(&plan.x, CHUNK_TILES)
    plan.v_tile = odd_vectors(p.kernels, p.c)
    plan.m_tile = odd_vectors(p.kernels, round_up(p.oc, p.kernels.tile_cols))
    plan.width = p.kernels.tile_cols * p.size
    plan.panels = ceil_div(p.oc, p.kernels.tile_cols)
    plan.channels = BLOCK // p.kernels.tile_cols
    plan.blocks = plan.panels * ceil_div(p.c, plan.channels)
    plan.sum_place = odd_vectors(p.kernels, BLOCK)
    tiles = chunk_windows(&plan.x, &plan.chunks)
    plan.stretch = ceil_div(
        max(<Py_ssize_t> MIN_STRETCH_BYTES, plan.blocks * PLACES * plan.sum_place),
        PLACES * tiles * (plan.v_tile + plan.m_tile))
    plan.stretch = min(plan.stretch, plan.chunks.count)
    tiles *= plan.stretch
    plan.v_place = odd_vectors(p.kernels, tiles * (plan.v_tile // p.size))
    plan.m_place = odd_vectors(p.kernels, tiles * (plan.m_tile // p.size))
    plan.v = take(memory, PLACES * plan.v_place)
    plan.m = take(memory, PLACES * plan.m_place)
    plan.sums = take(memory, PLACES * plan.sum_place * (
        p.threads if plan.stretch >= plan.chunks.count else plan.blocks))
    plan.bias_parts = take(memory, plan.chunks.count * p.oc * p.size)


cdef Py_ssize_t first_tile(const Plan *plan, Py_ssize_t chunk) noexcept nogil:
    """Return the number of tiles before a chunk."""
    cdef const Chunks *chunks = &plan.chunks
    cdef Py_ssize_t image = min(chunk // chunks.per_image * chunks.images, plan.x.n)
    return (image * plan.x.rows + chunk % chunks.per_image * chunks.rows) * plan.x.cols


cdef void transform_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Transform x and dy of one chunk; sum up dy for the bias."""
    cdef const Stretch *stretch = <const Stretch *> arguments
    cdef const Plan *plan = stretch.plan
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t number = stretch.first + index
    cdef Chunk chunk = chunk_at(&plan.x, &plan.chunks, number)
    cdef Py_ssize_t tile = first_tile(plan, number) - first_tile(plan, stretch.first)
    cdef char *dbias = plan.bias_parts + number * p.oc * p.size
    memset(dbias, 0, p.oc * p.size)
    transform_gradients(
        p, &plan.x, &chunk, plan.v + tile * plan.v_tile, plan.v_tile, plan.v_place,
        plan.m + tile * plan.m_tile, plan.m_tile, plan.m_place, dbias)


cdef void block_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Add the products of all tiles of the stretch for one block; ask for a share of
    the memory of the next stretch."""
    cdef const Stretch *stretch = <const Stretch *> arguments
    cdef const Plan *plan = stretch.plan
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t col = index % plan.panels * p.kernels.tile_cols
    cdef Py_ssize_t channel = index // plan.panels * plan.channels
    cdef Py_ssize_t next = stretch.first + stretch.count
    cdef Later later = in_shares(
        pixels_under(&plan.x, &plan.chunks, next, plan.stretch),
        results_under(
            &plan.x, &plan.chunks, next, plan.stretch, p.y, p.oh,
            p.ow * p.oc * p.size, 4),
        plan.blocks * PLACES)
    cdef Py_ssize_t place
    cdef char *sums = scratch
    cdef Product product
    if plan.stretch < plan.chunks.count:
        sums = plan.sums + index * PLACES * plan.sum_place
    product.rows = min(plan.channels, p.c - channel)
    product.cols = round_up(min(p.kernels.tile_cols, p.oc - col), p.kernels.lanes)
    product.a_row, product.c_row = p.size, plan.width
    product.bias, product.accumulate = NULL, stretch.first > 0
    product.k = one_run(
        first_tile(plan, next) - first_tile(plan, stretch.first), plan.v_tile,
        plan.m_tile)
    later.share = index * PLACES
    for place in range(PLACES):
        prefetch_next(&later)
        product.a = plan.v + place * plan.v_place + channel * p.size
        product.b = plan.m + place * plan.m_place + col * p.size
        product.c = sums + place * plan.sum_place
        p.kernels.product(&product)
    if next == plan.chunks.count:
        transform_back(plan, sums, channel, product.rows, col)


cdef void transform_back(
    const Plan *plan, const char *sums, Py_ssize_t channel, Py_ssize_t channels,
    Py_ssize_t col,
) noexcept nogil:
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t c
    for c in range(channels):
        p.kernels.winograd_filter_gradient(
            min(p.kernels.tile_cols, p.oc - col), sums + c * plan.width,
            plan.sum_place, p.weight + ((channel + c) * p.oc + col) * p.size,
            p.c * p.oc * p.size)


cdef void run(const void *arguments) noexcept nogil:
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Stretch stretch
    cdef Py_ssize_t chunk
    memset(p.bias, 0, p.oc * p.size)
    if plan.chunks.count == 0:
        memset(p.weight, 0, 9 * p.c * p.oc * p.size)
        return
    stretch.plan, stretch.first = plan, 0
    while stretch.first < plan.chunks.count:
        stretch.count = min(plan.stretch, plan.chunks.count - stretch.first)
        run_tasks(transform_task, &stretch, stretch.count, p.threads, NULL, 0)
        run_tasks(
            block_task, &stretch, plan.blocks, p.threads, plan.sums,
            PLACES * plan.sum_place if plan.stretch >= plan.chunks.count else 0)
        stretch.first += stretch.count
    for chunk in range(plan.chunks.count):
        p.kernels.add_span(p.oc, plan.bias_parts + chunk * p.oc * p.size, p.bias)


algorithm = Algorithm(WINOGRAD, fits, cost, plan, run, sizeof(Plan))
