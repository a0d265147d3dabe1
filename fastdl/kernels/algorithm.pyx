"""Which algorithm computes a 3 x 3 convolution: the only place that decides."""

from fastdl.shapes import CONV_ALGORITHMS, conv_algorithm_index

cdef int chosen = 0  # place in CONV_ALGORITHMS

# The cost of Winograd's transforms, in multiply-adds of the register tile for each
# real that is transformed: fitted to timings of 14 shapes from 3 to 512 channels on
# AVX-512, where the model is within 15 % of them.
cdef double PIXEL_COST = 17
cdef double WEIGHT_COST = 34


cdef int choose(algorithm) except -1:
    """Return the place of a name, or of the chosen one for None."""
    return chosen if algorithm is None else conv_algorithm_index(algorithm)


cdef bint winograd_faster(
    Py_ssize_t n, Py_ssize_t rows, Py_ssize_t cols, Py_ssize_t channels_in,
    Py_ssize_t channels_out, Py_ssize_t lanes, int choice,
) noexcept nogil:
    """Whether to use Winograd for a grid of windows where it can be used.

    Products: 36 for each tile of 4 x 4 pixels instead of 9 for each pixel. The
    channels of the result come in whole vectors, those read are transformed so.
    """
    cdef double tiles = n * ((rows + 3) // 4) * ((cols + 3) // 4)
    cdef double c = channels_in
    cdef double padded_c = (channels_in + lanes - 1) // lanes * lanes
    cdef double oc = (channels_out + lanes - 1) // lanes * lanes
    cdef double winograd = 36 * (
        tiles * c * oc + PIXEL_COST * tiles * (padded_c + oc) + WEIGHT_COST * c * oc)
    if choice:
        return choice == 2
    return winograd < 9.0 * n * rows * cols * c * oc


def set_conv_algorithm(algorithm):
    """Choose the algorithm of all 3 x 3 convolutions of stride 1.

    "direct" sums products as the equation says; "winograd" needs a quarter of the
    multiplications and rounds 5 to 14 times as much (2e-6 relative in float32);
    "auto", the default, takes the one that a model of their cost finds faster. Other
    convolutions are always direct.
    """
    global chosen
    chosen = choose(algorithm if algorithm is not None else "auto")


def get_conv_algorithm():
    """Return the algorithm set for all convolutions."""
    return CONV_ALGORITHMS[chosen]
