from fastdl.kernels.conv2d.algorithm cimport Algorithm
from fastdl.kernels.conv2d.problem cimport Problem

cdef const Algorithm *choose(const Problem *p, object name, str operation) except NULL
