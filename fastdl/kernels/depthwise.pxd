cimport numpy as cnp

cdef bint is_depthwise(g)
cdef depthwise_forward(
    g, cnp.ndarray x, cnp.ndarray weight, cnp.ndarray bias, int activation,
    cnp.ndarray y)
cdef depthwise_backward_input(g, cnp.ndarray dy, cnp.ndarray weight, cnp.ndarray dx)
cdef depthwise_backward_weight(g, cnp.ndarray dy, cnp.ndarray x)
