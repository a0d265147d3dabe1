"""Which algorithm computes a convolution: the only place that decides."""

from fastdl.kernels.conv2d cimport (
    depthwise, direct, direct_weight, planes, scatter, winograd, winograd_weight,
    winograd_wide, winograd_wide_weight,
)
from fastdl.kernels.conv2d.algorithm cimport (
    AUTO, DIRECT, PLAN_WORDS, Algorithm, Rounding,
)
from fastdl.kernels.conv2d.problem cimport Problem
from fastdl.errors import ArgumentError
from fastdl.shapes import CONV_ALGORITHMS, conv_algorithm_index

cdef enum:
    MAX_ROWS = 16

cdef const Algorithm *table[MAX_ROWS]
cdef int rows = 0


cdef add(const Algorithm *algorithm):
    """Give an algorithm the next row of the table."""
    global rows
    if rows == MAX_ROWS:
        raise ImportError("conv2d: MAX_ROWS is too small for the table")
    if algorithm.plan_bytes > PLAN_WORDS * <Py_ssize_t> sizeof(Py_ssize_t):
        raise ImportError("conv2d: PLAN_WORDS is too small for a plan")
    table[rows] = algorithm
    rows += 1


add(&depthwise.algorithm)
add(&direct.algorithm)
add(&scatter.algorithm)
add(&planes.algorithm)
add(&direct_weight.algorithm)
add(&winograd.algorithm)
add(&winograd_wide.algorithm)
add(&winograd_weight.algorithm)
add(&winograd_wide_weight.algorithm)

cdef Rounding chosen = AUTO
cdef int row_alone = -1  # or one row of the table, for tests


cdef const Algorithm *cheapest(const Problem *p, Rounding rounding) noexcept nogil:
    """Return the algorithm that fits and costs least, or NULL; AUTO means of all."""
    cdef const Algorithm *best = NULL
    cdef Py_ssize_t i
    for i in range(rows):
        if rounding in (AUTO, table[i].rounding) and table[i].fits(p):
            if best == NULL or table[i].cost(p) < best.cost(p):
                best = table[i]
    return best


cdef const Algorithm *choose(
    const Problem *p, object name, str operation,
) except NULL:
    """Return the algorithm for a problem; `name` is one of CONV_ALGORITHMS or None."""
    cdef Rounding rounding = (
        chosen if name is None else conv_algorithm_index(name, operation))
    cdef const Algorithm *best
    if row_alone >= 0:
        if not table[row_alone].fits(p):
            raise ArgumentError(f"{operation}: algorithm {row_alone} does not fit")
        return table[row_alone]
    best = cheapest(p, rounding)
    return best if best != NULL else cheapest(p, DIRECT)


def set_conv_algorithm(algorithm):
    """Choose the algorithm of all 3 x 3 convolutions of stride 1.

    "direct" sums products as the equation says; "winograd" needs a quarter of the
    multiplications and rounds 5 to 14 times as much (2e-6 relative in float32);
    "auto", the default, takes the one that a model of their cost finds faster. Other
    convolutions are always direct.
    """
    global chosen
    chosen = conv_algorithm_index(algorithm, "set_conv_algorithm")


def get_conv_algorithm():
    """Return the algorithm set for all convolutions."""
    return CONV_ALGORITHMS[chosen]


def use_row(int row):
    """Let one row of the table compute everything; ArgumentError where it does not fit.

    Tests so reach each algorithm wherever it fits. A row of -1 chooses again.
    """
    global row_alone
    if not -1 <= row < rows:
        raise ArgumentError(f"use_row: the table has rows 0 to {rows - 1}, got {row}")
    row_alone = row
