# Only blocks that change no order of summation may depend on this: see caches.pyx.
cdef Py_ssize_t l2_cache  # bytes of the second-level cache that a core has for itself
