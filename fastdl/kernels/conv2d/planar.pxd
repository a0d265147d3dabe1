from fastdl.kernels.conv2d.algorithm cimport Algorithm

cdef Algorithm algorithm
