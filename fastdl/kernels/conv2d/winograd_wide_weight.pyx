"""The gradient of many 3 x 3 weights by Winograd: csrc/winograd.c has the equations.

The transformed sums, four times as large as the weights, are too large for a copy in
each cache. So there is one of them, and stretches of tiles, whose transforms are about
as large as the sums, alternate between

    transform x and dy of each chunk of tiles;
    for each of the 36 places: sums += (tiles of x)^T (tiles of dy)

Within each line all threads share the work; the sums grow in one fixed order.
"""

from libc.string cimport memset

from fastdl.kernels.conv2d.algorithm cimport Algorithm
from fastdl.kernels.conv2d.images cimport (
    Chunk, Chunks, Images, chunk_at, chunk_windows, cut, images_of_x,
)
from fastdl.kernels.conv2d.problem cimport WEIGHT_GRADIENT, Problem
from fastdl.kernels.conv2d.tiles cimport (
    PLACES, WEIGHT_COST, has_tiles, odd_vectors, tiles_cost, tiles_of,
    transform_gradients,
)
from fastdl.kernels.engine.operands cimport one_run
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take

cdef enum:
    CHUNK_TILES = 32
    MIN_STRETCH_BYTES = 2 << 20
    SPAN = 4096  # weights of a task that transforms back

cdef double WIDE_COST = 1.1  # of moving stretches of transforms through memory

cdef struct Plan:
    const Problem *problem
    Images x  # windows of 6 x 6, 4 apart
    Chunks chunks
    Py_ssize_t stretch  # chunks of a stretch
    # Transformed tiles of a stretch, and the sums: bytes between tiles and places.
    char *v
    char *m
    char *sums
    Py_ssize_t v_tile, v_place, m_tile, m_place, sum_place
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
    plan.sum_place = odd_vectors(p.kernels, p.c * p.oc)
    tiles = chunk_windows(&plan.x, &plan.chunks)
    plan.stretch = max(<Py_ssize_t> MIN_STRETCH_BYTES, PLACES * plan.sum_place)
    plan.stretch //= PLACES * tiles * (plan.v_tile + plan.m_tile)
    plan.stretch = max(<Py_ssize_t> 1, min(plan.stretch, plan.chunks.count))
    tiles *= plan.stretch
    plan.v_place = odd_vectors(p.kernels, tiles * (plan.v_tile // p.size))
    plan.m_place = odd_vectors(p.kernels, tiles * (plan.m_tile // p.size))
    plan.v = take(memory, PLACES * plan.v_place)
    plan.m = take(memory, PLACES * plan.m_place)
    plan.sums = take(memory, PLACES * plan.sum_place)
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


cdef void sum_task(
    const void *arguments, Py_ssize_t place, char *scratch,
) noexcept nogil:
    """Add the product of all tiles of the stretch at one place."""
    cdef const Stretch *stretch = <const Stretch *> arguments
    cdef const Plan *plan = stretch.plan
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t width = p.kernels.tile_cols
    cdef Py_ssize_t panel
    cdef Product product
    product.rows, product.a_row, product.c_row = p.c, p.size, p.oc * p.size
    product.a = plan.v + place * plan.v_place
    product.bias, product.accumulate = NULL, stretch.first > 0
    product.k = one_run(
        first_tile(plan, stretch.first + stretch.count)
        - first_tile(plan, stretch.first), plan.v_tile, plan.m_tile)
    for panel in range(ceil_div(p.oc, width)):
        product.cols = min(width, p.oc - panel * width)
        product.b = plan.m + place * plan.m_place + panel * width * p.size
        product.c = plan.sums + place * plan.sum_place + panel * width * p.size
        p.kernels.product(&product)


cdef void gradient_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Transform the sums of a span of weights back."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Py_ssize_t taps = p.c * p.oc  # reals between taps
    cdef Py_ssize_t first = index * SPAN
    p.kernels.winograd_filter_gradient(
        min(<Py_ssize_t> SPAN, taps - first), plan.sums + first * p.size,
        plan.sum_place, p.weight + first * p.size, taps * p.size)


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
        run_tasks(sum_task, &stretch, PLACES, p.threads, NULL, 0)
        stretch.first += stretch.count
    run_tasks(gradient_task, plan, ceil_div(p.c * p.oc, SPAN), p.threads, NULL, 0)
    for chunk in range(plan.chunks.count):
        p.kernels.add_span(p.oc, plan.bias_parts + chunk * p.oc * p.size, p.bias)


algorithm = Algorithm(fits, cost, plan, run, sizeof(Plan))
