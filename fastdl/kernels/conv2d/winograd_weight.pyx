"""The gradient of 3 x 3 weights by Winograd: csrc/winograd.c has the equations.

The transformed sums of few channels stay in the cache. So the tiles are cut into
`parts` with sums of their own, and each part into chunks whose transforms stay there
beside them:

    for chunk: transform x and dy; for each of 36 places: sums += x^T dy

The sums of all parts are added in order, and transformed back. Depends on the shape
alone.
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
from fastdl.kernels.engine.sizes cimport MAX_PARTS, MIN_TASKS, ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    SUM_BYTES = 640 << 10  # of one part, at most: about the L2 cache
    CHUNK_BYTES = 600 << 10  # of transformed tiles
    PART_BYTES = 200 << 10  # of sums, of which more copies are made for more threads
    MIN_TILES = 8  # of a chunk, or the sums are fetched too often
    MAX_TILES = 64
    SPAN = 256  # weights of a task that transforms back

cdef struct Plan:
    const Problem *problem
    Images x  # windows of 6 x 6, 4 apart
    Chunks chunks
    # Transformed tiles of a chunk, and the sums: bytes between tiles and places.
    Py_ssize_t v_tile, v_place, m_tile, m_place, sum_place
    Py_ssize_t parts, part_bytes  # 36 sums, then dbias
    char *sums
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *v
    char *m


cdef bint fits(const Problem *p) noexcept nogil:
    return (
        p.wanted == WEIGHT_GRADIENT and has_tiles(p)
        and PLACES * p.c * p.oc * p.size <= SUM_BYTES)


cdef double cost(const Problem *p) noexcept nogil:
    return tiles_cost(p, p.oh, p.ow, p.c, p.oc, WEIGHT_COST)


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef Scratch scratch
    scratch.v = take(memory, PLACES * plan.v_place)
    scratch.m = take(memory, PLACES * plan.m_place)
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Images x = images_of_x(p)
    cdef Py_ssize_t tiles
    cdef Workspace scratch = workspace(NULL)
    plan.problem, plan.x = p, tiles_of(&x)
    plan.v_tile = round_up(p.c, p.kernels.lanes) * p.size
    plan.m_tile = round_up(p.oc, p.kernels.tile_cols) * p.size
    tiles = CHUNK_BYTES // (PLACES * (plan.v_tile + plan.m_tile))
    tiles = min(max(tiles, <Py_ssize_t> MIN_TILES), <Py_ssize_t> MAX_TILES)
    plan.chunks = cut(&plan.x, tiles)
    tiles = chunk_windows(&plan.x, &plan.chunks)
    plan.v_place = odd_vectors(p.kernels, tiles * (plan.v_tile // p.size))
    plan.m_place = odd_vectors(p.kernels, tiles * (plan.m_tile // p.size))
    plan.sum_place = odd_vectors(p.kernels, p.c * p.oc)
    plan.part_bytes = PLACES * plan.sum_place + round_up(p.oc, p.kernels.lanes) * p.size
    plan.parts = MIN_TASKS if plan.part_bytes > PART_BYTES else MAX_PARTS
    plan.parts = max(<Py_ssize_t> 1, min(plan.parts, plan.chunks.count))
    plan.sums = take(memory, plan.parts * plan.part_bytes)
    scratch_of(plan, &scratch)
    plan.scratch_bytes = scratch.bytes
    plan.scratch = take(memory, p.threads * scratch.bytes)


cdef void sum_task(
    const void *arguments, Py_ssize_t part, char *memory,
) noexcept nogil:
    """Add up the products of all chunks of one part."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef char *sums = plan.sums + part * plan.part_bytes
    cdef Py_ssize_t i
    cdef Chunk chunk
    memset(sums, 0, plan.part_bytes)
    for i in range(
            plan.chunks.count * part // plan.parts,
            plan.chunks.count * (part + 1) // plan.parts):
        chunk = chunk_at(&plan.x, &plan.chunks, i)
        transform_gradients(
            p, &plan.x, &chunk, scratch.v, plan.v_tile, plan.v_place, scratch.m,
            plan.m_tile, plan.m_place, sums + PLACES * plan.sum_place)
        add_products(
            plan, chunk.images * chunk.rows * plan.x.cols, i + 1, &scratch, sums)


cdef void add_products(
    const Plan *plan, Py_ssize_t tiles, Py_ssize_t next, const Scratch *scratch,
    char *sums,
) noexcept nogil:
    """Add the products of a chunk; ask for the memory of the next one."""
    cdef const Problem *p = plan.problem
    cdef Later later = in_shares(
        pixels_under(&plan.x, &plan.chunks, next, 1),
        results_under(
            &plan.x, &plan.chunks, next, 1, p.y, p.oh, p.ow * p.oc * p.size, 4),
        PLACES)
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t place, panel
    cdef Product product
    product.rows, product.a_row, product.c_row = p.c, p.size, p.oc * p.size
    product.bias, product.accumulate = NULL, True
    product.k = one_run(tiles, plan.v_tile, plan.m_tile)
    for place in range(PLACES):
        prefetch_next(&later)
        product.a = scratch.v + place * plan.v_place
        for panel in range(ceil_div(p.oc, width)):
            product.cols = min(width, p.oc - panel * width)
            product.b = scratch.m + place * plan.m_place + panel * width * p.size
            product.c = sums + place * plan.sum_place + panel * width * p.size
            p.kernels.product(&product)


cdef void gradient_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Add a span of the sums of all parts, in order, and transform it back."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t weights = p.c * p.oc
    cdef Py_ssize_t first = index * SPAN
    cdef Py_ssize_t n = min(<Py_ssize_t> SPAN, weights - first)
    cdef char *sums = plan.sums + first * p.size
    cdef Py_ssize_t part, place
    for part in range(1, plan.parts):
        for place in range(PLACES):
            p.kernels.add_span(
                n, sums + part * plan.part_bytes + place * plan.sum_place,
                sums + place * plan.sum_place)
    p.kernels.winograd_filter_gradient(
        n, sums, plan.sum_place, p.weight + first * p.size, weights * p.size)


cdef void run(const void *arguments) noexcept nogil:
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t part
    run_tasks(
        sum_task, plan, plan.parts, p.threads, plan.scratch, plan.scratch_bytes)
    run_tasks(gradient_task, plan, ceil_div(p.c * p.oc, SPAN), p.threads, NULL, 0)
    memset(p.bias, 0, p.oc * p.size)
    for part in range(plan.parts):
        p.kernels.add_span(
            p.oc, plan.sums + part * plan.part_bytes + PLACES * plan.sum_place, p.bias)


algorithm = Algorithm(WINOGRAD, fits, cost, plan, run, sizeof(Plan))
