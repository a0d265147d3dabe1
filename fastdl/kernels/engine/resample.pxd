cimport numpy as cnp

cdef cnp.ndarray resample(cnp.ndarray x, object taps)
