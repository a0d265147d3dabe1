cimport numpy as cnp

cdef class Block:
    cdef void *data
    cdef Py_ssize_t bytes
    cdef int size_class

cdef Block new_block(Py_ssize_t bytes)
cdef cnp.ndarray new_array(int ndim, cnp.npy_intp *shape, int typenum)
cdef cnp.ndarray new_like(cnp.ndarray array)
