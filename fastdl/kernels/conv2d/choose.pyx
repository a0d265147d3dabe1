"""Which algorithm computes a convolution: the only place that decides."""

from fastdl.kernels.conv2d cimport (
    depthwise, direct, direct_weight, planes, scatter, winograd, winograd_weight,
    winograd_wide, winograd_wide_weight,
)
from fastdl.kernels.conv2d.algorithm cimport PLAN_WORDS, Algorithm
from fastdl.kernels.conv2d.problem cimport Problem
from fastdl.errors import ArgumentError
from fastdl.shapes import CONV_ALGORITHMS, conv_algorithm_index

cdef enum:  # the order of CONV_ALGORITHMS
    AUTO
    DIRECT
    WINOGRAD

cdef enum:
    EXACT = 5  # so many algorithms sum products as the equation says,
    ALL = 9  # the others are Winograd's

cdef Algorithm[ALL] algorithms
algorithms[:] = [
    depthwise.algorithm,
    direct.algorithm,
    scatter.algorithm,
    planes.algorithm,
    direct_weight.algorithm,
    winograd.algorithm,
    winograd_wide.algorithm,
    winograd_weight.algorithm,
    winograd_wide_weight.algorithm,
]
for number in range(ALL):
    if algorithms[number].plan_bytes > PLAN_WORDS * <Py_ssize_t> sizeof(Py_ssize_t):
        raise ImportError("conv2d: PLAN_WORDS is too small for a plan")

cdef int chosen = AUTO
cdef int row_alone = -1  # or one row of the table, for tests


cdef const Algorithm *cheapest(
    const Problem *p, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """Return the one of some algorithms that fits and costs least, or NULL."""
    cdef const Algorithm *best = NULL
    cdef Py_ssize_t i
    for i in range(first, last):
        if algorithms[i].fits(p):
            if best == NULL or algorithms[i].cost(p) < best.cost(p):
                best = &algorithms[i]
    return best


cdef const Algorithm *choose(const Problem *p, object name) except NULL:
    """Return the algorithm for a problem; `name` is one of CONV_ALGORITHMS or None."""
    cdef int choice = chosen if name is None else conv_algorithm_index(name)
    cdef const Algorithm *best = NULL
    if row_alone >= 0:
        best = cheapest(p, row_alone, row_alone + 1)
        if best == NULL:
            raise ArgumentError(f"conv2d: algorithm {row_alone} does not fit")
        return best
    if choice == AUTO:
        return cheapest(p, 0, ALL)
    if choice == WINOGRAD:
        best = cheapest(p, EXACT, ALL)
    return best if best != NULL else cheapest(p, 0, EXACT)


def set_conv_algorithm(algorithm):
    """Choose the algorithm of all 3 x 3 convolutions of stride 1.

    "direct" sums products as the equation says; "winograd" needs a quarter of the
    multiplications and rounds 5 to 14 times as much (2e-6 relative in float32);
    "auto", the default, takes the one that a model of their cost finds faster. Other
    convolutions are always direct.
    """
    global chosen
    chosen = conv_algorithm_index(algorithm if algorithm is not None else "auto")


def get_conv_algorithm():
    """Return the algorithm set for all convolutions."""
    return CONV_ALGORITHMS[chosen]


def use_row(int row):
    """Let one row of the table compute everything; ArgumentError where it does not fit.

    Tests so reach each algorithm wherever it fits. A row of -1 chooses again.
    """
    global row_alone
    if not -1 <= row < ALL:
        raise ArgumentError(f"conv2d: the table has rows 0 to {ALL - 1}, got {row}")
    row_alone = row
