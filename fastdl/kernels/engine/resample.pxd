cimport numpy as cnp

cdef cnp.ndarray resample(cnp.ndarray x, rows, cols)
