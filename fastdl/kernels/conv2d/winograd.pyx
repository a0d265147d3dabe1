"""A sweep of 3 x 3 windows by Winograd's F(4x4, 3x3): see csrc/winograd.c.

The result is cut into tiles of 4 x 4 pixels, and the tiles into chunks whose
transforms stay in the cache:

    for chunk: transform its inputs; 36 products; transform back
"""

from fastdl.kernels.conv2d.algorithm cimport WINOGRAD, Algorithm
from fastdl.kernels.conv2d.images cimport (
    Chunk, Chunks, Images, chunk_at, chunk_windows, cut, pixels_under,
    results_under,
)
from fastdl.kernels.conv2d.problem cimport Problem
from fastdl.kernels.conv2d.sweep cimport Sweep, is_sweep, sweep_of
from fastdl.kernels.conv2d.tiles cimport (
    BIAS_PLACE, PLACES, WEIGHT_COST, has_tiles, odd_vectors, tiles_cost, tiles_of,
    transform_back, transform_inputs, transform_weights,
)
from fastdl.kernels.engine.caches cimport l2_cache
from fastdl.kernels.engine.operands cimport one_run, pack_row
from fastdl.kernels.engine.prefetch cimport Later, in_shares, prefetch_next
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport ceil_div, round_up
from fastdl.kernels.engine.table cimport Product
from fastdl.kernels.engine.workspace cimport Workspace, take, workspace

cdef enum:
    MIN_TILES = 16  # of a chunk, or the weights are fetched too often
    MAX_TILES = 32
    PACK_CHANNELS = 32  # channels read whose weights are transformed at a time

cdef struct Plan:
    const Problem *problem
    Sweep s
    Images x  # windows of 6 x 6, 4 apart
    Chunks chunks
    Py_ssize_t panels, width  # bytes of a row of a panel
    char *weights  # 36 x panels x channels x width, transformed
    Py_ssize_t weight_place  # bytes between places
    char *bias  # padded to whole panels
    # Transformed tiles of one chunk, 36 x tiles x channels in whole vectors: bytes.
    Py_ssize_t v_tile, v_place, m_tile, m_place
    char *scratch
    Py_ssize_t scratch_bytes

cdef struct Scratch:  # of one thread
    char *v
    char *m


cdef bint fits(const Problem *p) noexcept nogil:
    return is_sweep(p) and has_tiles(p)


cdef double cost(const Problem *p) noexcept nogil:
    cdef Sweep s = sweep_of(p)
    return tiles_cost(p, s.x.rows, s.x.cols, s.group_in, s.group_out, WEIGHT_COST)


cdef char *taps_of(const Plan *plan, Workspace *memory) noexcept nogil:
    """Return the memory for weights, which the tiles have when these are packed."""
    return take(memory, 9 * PACK_CHANNELS * plan.width)


cdef Scratch scratch_of(const Plan *plan, Workspace *memory) noexcept nogil:
    cdef Scratch scratch
    scratch.v = take(memory, PLACES * plan.v_place)
    scratch.m = take(memory, PLACES * plan.m_place)
    return scratch


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Sweep s = sweep_of(p)
    cdef Py_ssize_t tiles
    cdef Workspace packing = workspace(NULL)
    cdef Workspace scratch = workspace(NULL)
    plan.problem, plan.s, plan.x = p, s, tiles_of(&s.x)
    plan.v_tile = round_up(s.group_in, p.kernels.lanes) * p.size
    plan.m_tile = round_up(s.group_out, p.kernels.lanes) * p.size
    # Transformed, they take about half of L2, beside weights and pixels.
    tiles = l2_cache * 9 // 16 // (PLACES * (plan.v_tile + plan.m_tile))
    tiles = min(max(tiles, <Py_ssize_t> MIN_TILES), <Py_ssize_t> MAX_TILES)
    plan.chunks = cut(&plan.x, tiles)
    tiles = chunk_windows(&plan.x, &plan.chunks)
    plan.v_place = odd_vectors(p.kernels, tiles * (plan.v_tile // p.size))
    plan.m_place = odd_vectors(p.kernels, tiles * (plan.m_tile // p.size))
    plan.width = p.kernels.tile_cols * p.size
    plan.panels = ceil_div(s.group_out, p.kernels.tile_cols)
    plan.weight_place = odd_vectors(
        p.kernels, plan.panels * s.group_in * p.kernels.tile_cols)
    plan.weights = take(memory, PLACES * plan.weight_place)
    plan.bias = take(memory, plan.panels * plan.width)
    taps_of(plan, &packing)
    scratch_of(plan, &scratch)
    plan.scratch_bytes = max(packing.bytes, scratch.bytes)
    plan.scratch = take(memory, p.threads * plan.scratch_bytes)


cdef void pack_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Transform the weights of some channels that are read, for one panel."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef const Sweep *s = &plan.s
    cdef Workspace lines = workspace(memory)
    cdef Py_ssize_t panel = index % plan.panels
    cdef Py_ssize_t channel = index // plan.panels * PACK_CHANNELS
    transform_weights(
        p.kernels, s, channel,
        min(<Py_ssize_t> PACK_CHANNELS, s.group_in - channel),
        panel * p.kernels.tile_cols, taps_of(plan, &lines),
        plan.weights + (panel * s.group_in + channel) * plan.width, plan.weight_place)


cdef void tiles_task(
    const void *arguments, Py_ssize_t index, char *memory,
) noexcept nogil:
    """Compute one chunk of tiles."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    cdef Workspace lines = workspace(memory)
    cdef Scratch scratch = scratch_of(plan, &lines)
    cdef Chunk chunk = chunk_at(&plan.x, &plan.chunks, index)
    transform_inputs(
        p.kernels, &plan.x, &chunk, plan.s.group_in, scratch.v, plan.v_tile,
        plan.v_place)
    multiply_places(
        plan, chunk.images * chunk.rows * plan.x.cols, index + 1, &scratch)
    transform_back(
        p, &plan.s, &plan.x, &chunk, 0, plan.s.group_out, scratch.m, plan.m_tile,
        plan.m_place)


cdef void multiply_places(
    const Plan *plan, Py_ssize_t tiles, Py_ssize_t next, const Scratch *scratch,
) noexcept nogil:
    """Multiply the transforms of a chunk; ask for the memory of the next one."""
    cdef const Problem *p = plan.problem
    cdef Later later = in_shares(
        pixels_under(&plan.x, &plan.chunks, next, 1),
        results_under(
            &plan.x, &plan.chunks, next, 1, plan.s.y, plan.s.x.rows, plan.s.y_row, 4),
        PLACES)
    cdef Py_ssize_t place, panel
    cdef Product product
    product.rows, product.a_row, product.c_row = tiles, plan.v_tile, plan.m_tile
    product.accumulate = False
    product.k = one_run(plan.s.group_in, p.size, plan.width)
    for place in range(PLACES):
        prefetch_next(&later)
        product.a = scratch.v + place * plan.v_place
        for panel in range(plan.panels):
            # Whole vectors: m has room for them, the weights are padded with zeros.
            product.cols = min(
                p.kernels.tile_cols,
                plan.m_tile // p.size - panel * p.kernels.tile_cols)
            product.bias = NULL
            if p.bias != NULL and place == BIAS_PLACE:
                product.bias = plan.bias + panel * plan.width
            product.b = (
                plan.weights + place * plan.weight_place
                + panel * plan.s.group_in * plan.width)
            product.c = scratch.m + place * plan.m_place + panel * plan.width
            p.kernels.product(&product)


cdef void run(const void *arguments) noexcept nogil:
    """Transform the weights, then compute all chunks."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Problem *p = plan.problem
    if p.bias != NULL:
        pack_row(p.kernels, p.oc, p.bias, plan.bias)
    run_tasks(
        pack_task, plan, ceil_div(plan.s.group_in, PACK_CHANNELS) * plan.panels,
        p.threads, plan.scratch, plan.scratch_bytes)
    run_tasks(
        tiles_task, plan, plan.chunks.count, p.threads, plan.scratch,
        plan.scratch_bytes)


algorithm = Algorithm(WINOGRAD, fits, cost, plan, run, sizeof(Plan))
