cimport numpy as cnp

cdef cnp.ndarray as_real(object x, str operation, str name, cnp.ndarray like=*)
cdef cnp.ndarray as_output(
    object out, int ndim, cnp.npy_intp *shape, int typenum, str operation)
cdef bint overlaps(cnp.ndarray a, cnp.ndarray b)
