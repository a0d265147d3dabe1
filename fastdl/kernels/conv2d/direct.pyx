"""Windows times weights, as the equation says: every forward pass, and the input
gradient of stride 1.

The pixels under a window are runs of reals that lie together: one row of a 3 x 3
kernel is 3 c reals of the NHWC image. So each window is a row of a matrix that is never
built (no im2col), and the register tile of csrc/matmul.c multiplies these rows by the
weights, packed into panels of its width.
"""

from fastdl.kernels.conv2d.algorithm cimport DIRECT, Algorithm
from fastdl.kernels.conv2d.images cimport (
    Chunk, Chunks, View, chunk_at, cut, look_at, pixels_under, results_under,
    view_bytes, view_of,
)
from fastdl.kernels.conv2d.problem cimport Problem
from fastdl.kernels.conv2d.sweep cimport (
    Sweep, activate_channels, is_sweep, sweep_of,
)
from fastdl.kernels.engine.operands cimport pack_row
from fastdl.kernels.engine.prefetch cimport Later, in_shares, prefetch_next
from fastdl.kernels.engine.runtime cimport run_tasks
from fastdl.kernels.engine.sizes cimport (
    CACHE_LINE, MIN_TASKS, ceil_div, round_up,
)
from fastdl.kernels.engine.table cimport MicroKernels, Product, Reduction
from fastdl.kernels.engine.workspace cimport Workspace, take

cdef enum:
    # Windows of a task: enough that a panel of weights, fetched from the L2 cache, is
    # used often; few enough that the pixels under them stay there too.
    CHUNK_WINDOWS = 256
    MIN_CHUNKS = 4  # of few windows, or a lone image would keep one thread busy
    MIN_WINDOWS = 64  # of these
    # Products that are added up at a time, about: a long chain loses digits, and the
    # weights of a short one stay in the L2 cache for all windows of a task.
    CHAIN = 1024

cdef struct Plan:
    const MicroKernels *kernels
    Sweep s
    Chunks chunks
    Py_ssize_t size  # bytes of a real
    int activation, threads
    const char *bias
    Py_ssize_t width  # bytes of a row of a panel
    Py_ssize_t group_panels, panel_bytes
    Py_ssize_t panel_groups, panels_per_group  # how tasks share the panels
    char *panels
    char *padded_bias
    ptrdiff_t *offset
    Reduction taps
    Py_ssize_t chain  # runs of taps whose products are added up at a time
    char *views
    Py_ssize_t view_bytes


cdef bint fits(const Problem *p) noexcept nogil:
    return is_sweep(p)


cdef double cost(const Problem *p) noexcept nogil:
    cdef Sweep s = sweep_of(p)
    cdef double products = s.x.n * s.x.rows * s.x.cols * s.kh * s.kw
    return products * s.groups * s.group_in * round_up(s.group_out, p.kernels.lanes)


cdef void plan(const Problem *p, Workspace *memory, void *result) noexcept nogil:
    cdef Plan *plan = <Plan *> result
    cdef Sweep s = sweep_of(p)
    cdef Py_ssize_t windows = s.x.n * s.x.rows * s.x.cols
    cdef Py_ssize_t panels
    plan.kernels, plan.s, plan.size = p.kernels, s, p.size
    plan.activation, plan.threads, plan.bias = p.activation, p.threads, p.bias
    plan.chunks = cut(&s.x, min(
        <Py_ssize_t> CHUNK_WINDOWS,
        max(windows // MIN_CHUNKS, <Py_ssize_t> MIN_WINDOWS)))

    plan.width = p.kernels.tile_cols * p.size
    plan.group_panels = ceil_div(s.group_out, p.kernels.tile_cols)
    plan.panel_bytes = s.kh * s.kw * s.group_in * plan.width
    panels = s.groups * plan.group_panels
    plan.panel_groups = min(
        panels, ceil_div(MIN_TASKS, max(plan.chunks.count, <Py_ssize_t> 1)))
    plan.panels_per_group = ceil_div(panels, plan.panel_groups)
    plan.panel_groups = ceil_div(panels, plan.panels_per_group)

    plan.taps.offset = plan.offset = <ptrdiff_t *> take(
        memory, s.kh * s.kw * sizeof(ptrdiff_t))
    plan.panels = take(memory, panels * plan.panel_bytes)
    plan.padded_bias = take(memory, panels * plan.width)
    plan.view_bytes = round_up(view_bytes(&s.x, &plan.chunks), CACHE_LINE)
    plan.views = take(memory, p.threads * plan.view_bytes)
    if memory.memory != NULL:
        walk_taps(plan)


cdef void walk_taps(Plan *plan) noexcept nogil:
    """Say how the pixels under a window are walked: a row of taps in one run, or each
    tap in a run of its own."""
    cdef const Sweep *s = &plan.s
    cdef View v = view_of(&s.x)
    cdef bint whole_rows = (
        s.groups == 1 and s.dilation_w == 1 and s.kw * s.group_in <= CHAIN)
    cdef Py_ssize_t row_runs = 1 if whole_rows else s.kw
    cdef Py_ssize_t ky, run
    plan.taps.step, plan.taps.b_stride = plan.size, plan.width
    plan.taps.length = s.kw // row_runs * s.group_in
    plan.taps.runs = s.kh * row_runs
    for ky in range(s.kh):
        for run in range(row_runs):
            plan.offset[ky * row_runs + run] = (
                ky * s.dilation_h * v.row + run * s.dilation_w * v.pixel)
    plan.chain = max(<Py_ssize_t> 1, CHAIN // plan.taps.length)


cdef void pack_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Pack one panel: for each tap, the channels read x those of a tile."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Sweep *s = &plan.s
    cdef Py_ssize_t col = index % plan.group_panels * plan.kernels.tile_cols
    cdef const char *weight = (
        s.weight + index // plan.group_panels * s.weight_group + col * s.weight_out)
    cdef char *panel = plan.panels + index * plan.panel_bytes
    cdef Py_ssize_t ky, kx
    for ky in range(s.kh):
        for kx in range(s.kw):
            plan.kernels.pack_panel(
                s.group_in, min(plan.kernels.tile_cols, s.group_out - col),
                weight + ky * s.tap_row + kx * s.tap_col, s.weight_in, s.weight_out,
                plan.kernels.tile_cols, panel)
            panel += s.group_in * plan.width


cdef Py_ssize_t first_channel(const Plan *plan, Py_ssize_t panel) noexcept nogil:
    """Return the channel of the result where a panel begins."""
    return (panel // plan.group_panels * plan.s.group_out
            + panel % plan.group_panels * plan.kernels.tile_cols)


cdef void windows_task(
    const void *arguments, Py_ssize_t index, char *scratch,
) noexcept nogil:
    """Compute a chunk of windows for some of the panels; ask for the memory of the
    next one."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Sweep *s = &plan.s
    cdef Py_ssize_t number = index % plan.chunks.count  # a thread packed its own panels
    cdef Py_ssize_t panel0 = index // plan.chunks.count * plan.panels_per_group
    cdef Py_ssize_t panel1 = min(
        panel0 + plan.panels_per_group, s.groups * plan.group_panels)
    cdef Chunk chunk = chunk_at(&s.x, &plan.chunks, number)
    cdef View v = look_at(&s.x, &chunk, scratch)
    cdef Py_ssize_t row_bytes = s.x.step_h * v.row
    cdef Py_ssize_t images = chunk.images, rows = chunk.rows
    cdef char *y = s.y + chunk.image0 * s.y_image + chunk.row0 * s.y_row
    cdef Py_ssize_t panel, run, image, row, channel
    cdef Later later
    cdef const char *x
    cdef const char *weights
    cdef Product product
    product.rows, product.a_row, product.c_row = (
        s.x.cols, s.x.step_w * v.pixel, s.y_pixel)
    product.k = plan.taps
    # Windows that lie one step apart are one line: the more, the fuller the tiles.
    if row_bytes == s.x.cols * product.a_row:
        product.rows *= rows
        rows = 1
        if v.image == product.rows * product.a_row:
            product.rows *= images
            images = 1
    later = in_shares(
        pixels_under(&s.x, &plan.chunks, number + 1, 1),
        results_under(&s.x, &plan.chunks, number + 1, 1, s.y, s.x.rows, s.y_row, 1),
        (panel1 - panel0) * ceil_div(plan.taps.runs, plan.chain) * images * rows)
    for panel in range(panel0, panel1):
        channel = first_channel(plan, panel)
        product.cols = min(
            plan.kernels.tile_cols,
            s.group_out - panel % plan.group_panels * plan.kernels.tile_cols)
        product.bias = NULL
        if plan.bias != NULL:
            product.bias = plan.padded_bias + panel * plan.width
        x = v.data + panel // plan.group_panels * s.group_in * plan.size
        weights = plan.panels + panel * plan.panel_bytes
        run = 0
        while run < plan.taps.runs:
            product.k.runs = min(plan.chain, plan.taps.runs - run)
            product.k.offset = plan.offset + run
            product.b = weights + run * plan.taps.length * plan.width
            product.accumulate = run > 0
            for image in range(images):
                for row in range(rows):
                    prefetch_next(&later)
                    product.a = x + image * v.image + row * row_bytes
                    product.c = (
                        y + image * s.y_image + row * s.y_row + channel * plan.size)
                    plan.kernels.product(&product)
            run += plan.chain
    if plan.activation:
        channel = first_channel(plan, panel0)
        activate_channels(
            plan.kernels, plan.activation, s, chunk.images * chunk.rows * s.x.cols,
            first_channel(plan, panel1) - channel, y + channel * plan.size)


cdef void run(const void *arguments) noexcept nogil:
    """Pack the weights, then compute all windows."""
    cdef const Plan *plan = <const Plan *> arguments
    cdef const Sweep *s = &plan.s
    cdef Py_ssize_t panels = s.groups * plan.group_panels
    cdef Py_ssize_t group
    run_tasks(pack_task, plan, panels, plan.threads, NULL, 0)
    if plan.bias != NULL:
        for group in range(s.groups):
            pack_row(
                plan.kernels, s.group_out, plan.bias + group * s.group_out * plan.size,
                plan.padded_bias + group * plan.group_panels * plan.width)
    run_tasks(
        windows_task, plan, plan.chunks.count * plan.panel_groups, plan.threads,
        plan.views, plan.view_bytes)


algorithm = Algorithm(DIRECT, fits, cost, plan, run, sizeof(Plan))
