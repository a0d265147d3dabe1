# What a way to compute a convolution consists of: a row in the table of choose.pyx.

from fastdl.kernels.conv2d.problem cimport Problem
from fastdl.kernels.engine.workspace cimport Workspace

cdef enum:
    PLAN_WORDS = 128  # room for the plan of any algorithm

cdef enum Rounding:  # the order of shapes.CONV_ALGORITHMS
    AUTO
    DIRECT  # products are summed as the equation says
    WINOGRAD  # there are fewer of them, which rounds more

cdef struct Algorithm:
    Rounding rounding  # DIRECT or WINOGRAD
    # Whether it computes this pass of this convolution.
    bint (*fits)(const Problem *p) noexcept nogil
    # For how long, in multiply-adds of the register tile.
    double (*cost)(const Problem *p) noexcept nogil
    # Fill in the plan, a struct of `plan_bytes`, with memory from the workspace: it is
    # called twice, the first time to learn how much.
    void (*plan)(const Problem *p, Workspace *memory, void *plan) noexcept nogil
    void (*run)(const void *plan) noexcept nogil
    Py_ssize_t plan_bytes
