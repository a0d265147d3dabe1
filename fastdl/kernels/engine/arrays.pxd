cimport numpy as cnp

ctypedef fused real:
    float
    double

cdef cnp.ndarray as_real(object x, str operation, str name, cnp.ndarray like=*)
cdef cnp.ndarray as_output(
    object out, int ndim, cnp.npy_intp *shape, int typenum, str operation)
cdef char *in_place(
    object array, str operation, str name, cnp.ndarray like) except NULL
cdef int check_same_shape(
    cnp.ndarray array, cnp.ndarray like, str operation, str name) except -1
cdef bint overlaps(cnp.ndarray a, cnp.ndarray b)
cdef int check_apart(
    str operation, tuple names, tuple arrays, Py_ssize_t written) except -1
