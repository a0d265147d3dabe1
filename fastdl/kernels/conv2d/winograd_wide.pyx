"""A sweep of 3 x 3 windows by Winograd with many weights for few tiles.

The transformed weights are four times as large as the weights. Where each meets only a
few tiles, writing them to memory and reading them again would take longer than all
products. So they are transformed piece by piece, where they are used:

    transform the inputs of all tiles
    for panel: for some channels read: transform weights; 36 sums += products
               transform back
"""

from fastdl.kernels.conv2d.algorithm cimport WINOGRAD, Algorithm
from fastdl.kernels.conv2d.images cimport Chunk, Chunks, Images, chunk_at, cut
from fastdl.kernels.conv2d.problem cimport Problem
from fastdl.kernels.conv2d.sweep cimport Sweep, is_sweep, sweep_of
from fastdl.kernels.conv2d.tiles cimport (
    BIAS_PLACE, PLACES, has_tiles, odd_vectors, tiles_cost, tiles_of, transform_back,
    transform_inputs, transform_weights,
)
from fastdl.kernels.engine.operands cimport one_run, pack_row
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    MAX_TILES = 64  # in all
    WEIGHT_BYTES = 160 << 10  # of transformed weights, in the L2 cache
    CHUNK_TILES = 8  # of a task that transforms inputs
    WEIGHT_COST = 20  # of a transformed weight, in multiply-adds

cdef struct Plan:
    const Problem *problem
    Sweep s
    Images x  # windows of 6 x 6, 4 apart
    Chunks chunks
    Py_ssize_t tiles
    Py_ssize_t panels, width  # bytes of a row of a panel
    Py_ssize_t channels  # whose weights are transformed at a time
    Py_ssize_t u_place, v_tile, v_place, m_place  # bytes
    char *v  # the transformed inputs of all tiles
    char *bias  # padded to whole panels
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *taps  # of the weights
    char *u  # the weights, transformed
    char *m  # the sums of all tiles, for one panel


cdef bint fits(const Problem *p) noexcept nogil:
    cdef Sweep s = sweep_of(p)
    return is_sweep(p) and has_tiles(p) and (
        p.n * ceil_div(s.x.rows, 4) * ceil_div(s.x.cols, 4) <= MAX_TILES)


cdef double cost(const Problem *p) noexcept nogil:
    cdef Sweep s = sweep_of(p)
    return tiles_cost(p, s.x.rows, s.x.cols, s.group_in, s.group_out, WEIGHT_COST)


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef Scratch scratch
    scratch.taps = take(memory, 9 * plan.channels * plan.width)
    scratch.u = take(memory, PLACES * plan.u_place)
    scratch.m = take(memory, PLACES * plan.m_place)
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Sweep s = sweep_of(p)
    cdef Py_ssize_t lanes = p.kernels.lanes
    cdef Workspace scratch = workspace(NULL)
    plan.problem, plan.s, plan.x = p, s, tiles_of(&s.x)
    plan.chunks = cut(&plan.x, CHUNK_TILES)
    plan.tiles = p.n * plan.x.rows * plan.x.cols
    plan.width = p.kernels.tile_cols * p.size
    plan.panels = ceil_div(s.group_out, p.kernels.tile_cols)
    plan.channels = min(
        s.group_in,
        max(WEIGHT_BYTES // (PLACES * plan.width) // lanes * lanes, lanes))
    plan.u_place = odd_vectors(p.kernels, plan.channels * p.kernels.tile_cols)
    plan.m_place = odd_vectors(p.kernels, plan.tiles * p.kernels.tile_cols)
    plan.v_tile = round_up(s.group_in, lanes) * p.size
    plan.v_place = odd_vectors(p.kernels, plan.tiles * (plan.v_tile // p.size))
    plan.v = take(memory, PLACES * plan.v_place)
    plan.bias = take(memory, plan.panels * plan.width)
    scratch_of(plan, &scratch)
    plan.scratch_bytes = scratch.bytes
    plan.scratch = take(memory, p.threads * scratch.bytes)


cdef void input_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Transform the inputs of a chunk of tiles."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef Chunk chunk = chunk_at(&plan.x, &plan.chunks, index)
    cdef Py_ssize_t first = (
        chunk.image0 * plan.x.rows + chunk.row0) * plan.x.cols
    transform_inputs(
        plan.problem.kernels, &plan.x, &chunk, plan.s.group_in,
        plan.v + first * plan.v_tile, plan.v_tile, plan.v_place)


cdef void panel_task(
    const void *arguments, Py_ssize_t panel, char *memory,
) noexcept nogil:
    """Compute all tiles for one panel of channels."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef Py_ssize_t col = panel * p.kernels.tile_cols
    cdef Py_ssize_t cols = min(p.kernels.tile_cols, plan.s.group_out - col)
    cdef Chunk all_tiles = Chunk(0, p.n, 0, plan.x.rows)
    cdef Py_ssize_t channel = 0
    cdef Py_ssize_t place
    cdef Product product
    product.rows, product.a_row, product.c_row = plan.tiles, plan.v_tile, plan.width
    product.cols = round_up(cols, p.kernels.lanes)  # m has room for whole vectors
    while channel < plan.s.group_in:
        product.k = one_run(
            min(plan.channels, plan.s.group_in - channel), p.size, plan.width)
        product.accumulate = channel > 0
        transform_weights(
            p.kernels, &plan.s, channel, product.k.length, col, scratch.taps, scratch.u,
            plan.u_place)
        for place in range(PLACES):
            product.a = plan.v + place * plan.v_place + channel * p.size
            product.b = scratch.u + place * plan.u_place
            product.c = scratch.m + place * plan.m_place
            product.bias = NULL
            if p.bias != NULL and place == BIAS_PLACE:
                product.bias = plan.bias + panel * plan.width
            p.kernels.product(&product)
        channel += plan.channels
    transform_back(
        p, &plan.s, &plan.x, &all_tiles, col, cols, scratch.m, plan.width, plan.m_place)


cdef void run(const void *arguments) noexcept nogil:
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    if p.bias != NULL:
        pack_row(p.kernels, p.oc, p.bias, plan.bias)
    run_tasks(input_task, plan, plan.chunks.count, p.threads, NULL, 0)
    run_tasks(
        panel_task, plan, plan.panels, p.threads, plan.scratch, plan.scratch_bytes)


algorithm = Algorithm(WINOGRAD, fits, cost, plan, run, sizeof(Plan))
