"""The caching allocator behind every array that the library makes.

A training step asks for the same sizes again and again. Fresh pages from the
system cost a page fault for each 4 KiB, often more than the arithmetic done on
them; so freed blocks are kept, sorted by size, and handed out again, still warm
in the cache. All blocks are aligned to a cache line, large ones lie on huge pages
where the system has them: arrays that no cache holds need fewer walks of the page
table (7 % of a step of ResNet-20). The interpreter's lock guards the lists.
"""

from libc.string cimport memset

cimport numpy as cnp

import numpy as np

from fastdl.kernels.engine.sizes cimport CACHE_LINE
from fastdl.kernels.engine.workspace cimport allow, forbid

cnp.import_array()

cdef extern from "aligned.h" nogil:
    void *take_aligned(size_t alignment, size_t bytes)
    void free_aligned(void *memory)
    void advise_huge_pages(void *memory, size_t bytes)
    void return_pages()

cdef enum:
    HUGE_PAGE = 2 << 20  # bytes

# Size classes: 8 to an octave, so at most an eighth of a block is unused.
cdef enum:
    OCTAVE = 8
    CLASSES = 64 * OCTAVE

cdef Py_ssize_t LARGEST = <Py_ssize_t> 1 << 61  # bytes; class_of shifts no farther

cdef struct FreeBlock:  # lies in the free memory itself, which is forbidden
    FreeBlock *next

cdef FreeBlock *free_blocks[CLASSES]
cdef Py_ssize_t bytes_in_use = 0
cdef Py_ssize_t bytes_cached = 0
cdef Py_ssize_t cache_limit = 1 << 30
cdef Py_ssize_t refused_in = 0  # blocks from now; 0: none is refused


cdef int class_of(Py_ssize_t bytes) noexcept nogil:
    """Smallest class that holds `bytes` <= LARGEST: 2**e * (8 + part) / 8."""
    cdef int exponent = 6
    cdef Py_ssize_t eighth
    while (<Py_ssize_t> 1 << (exponent + 1)) <= bytes:
        exponent += 1
    eighth = <Py_ssize_t> 1 << (exponent - 3)
    return exponent * 8 + <int> ((bytes - 8 * eighth + eighth - 1) // eighth)


cdef Py_ssize_t class_bytes(int size_class) noexcept nogil:
    return (<Py_ssize_t> 1 << (size_class // 8 - 3)) * (8 + size_class % 8)


cdef void *fresh_memory(Py_ssize_t bytes) noexcept nogil:
    """Return memory from the system, or NULL."""
    cdef bint large = bytes >= HUGE_PAGE
    cdef void *data = take_aligned(HUGE_PAGE if large else CACHE_LINE, bytes)
    if large and data != NULL:
        advise_huge_pages(data, bytes)
    return data


cdef class Block:
    """Aligned memory that goes back to the cache when the last array is gone."""

    def __dealloc__(self):
        global bytes_in_use, bytes_cached
        cdef FreeBlock *block = <FreeBlock *> self.data
        if block == NULL:
            return
        bytes_in_use -= self.bytes
        if bytes_cached + self.bytes > cache_limit:
            allow(block, self.bytes)
            free_aligned(block)
            return
        allow(block, self.bytes)
        block.next = free_blocks[self.size_class]
        forbid(block, self.bytes)
        free_blocks[self.size_class] = block
        bytes_cached += self.bytes


cdef FreeBlock *first_free(int size_class) noexcept:
    """Take the first free block of a class off its list."""
    global bytes_cached
    cdef FreeBlock *block = free_blocks[size_class]
    cdef Py_ssize_t bytes = class_bytes(size_class)
    allow(block, bytes)
    free_blocks[size_class] = block.next
    bytes_cached -= bytes
    return block


cdef bint is_refused() noexcept:
    """Whether this is the block that a test wants refused."""
    global refused_in
    if refused_in == 0:
        return False
    refused_in -= 1
    return refused_in == 0


cdef Block new_block(Py_ssize_t bytes):
    """Return a block for the time of one kernel: of at least `bytes`, undefined.

    It goes back at once, so a much larger one will do, rather than fresh memory.
    """
    return block_of(bytes, 3 * OCTAVE)


cdef Block block_of(Py_ssize_t bytes, int larger):
    """Return a free block, at most `larger` classes larger than need be, or a new one.

    To take a larger one wastes less than fresh memory beside blocks that lie idle.
    """
    global bytes_in_use
    if bytes > LARGEST or is_refused():
        raise MemoryError(f"fastdl: no memory for {bytes:,} bytes")
    cdef Block block = Block.__new__(Block)
    cdef int smallest = class_of(max(bytes, <Py_ssize_t> CACHE_LINE))
    cdef int size_class = smallest
    cdef void *data = NULL
    while free_blocks[size_class] == NULL:
        size_class += 1
        if size_class > smallest + larger or size_class == CLASSES:
            size_class = smallest
            break
    block.size_class = size_class
    block.bytes = class_bytes(size_class)
    if free_blocks[size_class] != NULL:
        data = first_free(size_class)
    else:
        data = fresh_memory(block.bytes)
        if data == NULL:
            empty_cache()
            data = fresh_memory(block.bytes)
        if data == NULL:
            raise MemoryError(f"fastdl: no memory for {bytes:,} bytes")
    block.data = data
    forbid(<char *> data + bytes, block.bytes - bytes)
    bytes_in_use += block.bytes
    return block


cdef no_memory(shape, int typenum):
    dtype = cnp.PyArray_DescrFromType(typenum)
    return MemoryError(f"fastdl: no memory for an array of shape {shape} of {dtype}")


cdef cnp.ndarray new_array(int ndim, cnp.npy_intp *shape, int typenum):
    """Return an uninitialised C-contiguous array in a block of its own."""
    cdef Py_ssize_t bytes = cnp.PyArray_DescrFromType(typenum).itemsize
    cdef int i
    for i in range(ndim):
        if shape[i] and bytes > LARGEST // shape[i]:
            raise no_memory(tuple(shape[i] for i in range(ndim)), typenum)
        bytes *= shape[i]
    cdef Block block = block_of(bytes, OCTAVE // 2)
    cdef cnp.ndarray array = cnp.PyArray_SimpleNewFromData(
        ndim, shape, typenum, block.data)
    cnp.set_array_base(array, block)
    return array


cdef cnp.ndarray new_like(cnp.ndarray array):
    """Return an uninitialised array of the shape and type of another."""
    return new_array(
        cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array), cnp.PyArray_TYPE(array))


def empty(shape, dtype=np.float32):
    """Return an uninitialised array of `shape` (an int or a sequence) from the cache.

    dtype is any plain (bool, integer, float) NumPy type.
    """
    cdef cnp.npy_intp sizes[32]
    cdef int ndim = 0
    cdef cnp.dtype kind = np.dtype(dtype)
    if not isinstance(shape, (tuple, list)):
        shape = (shape,)
    if len(shape) > 32 or kind.kind not in "biuf":
        return np.empty(shape, dtype)
    for size in shape:
        try:
            sizes[ndim] = size
        except OverflowError:
            raise no_memory(tuple(shape), kind.num) from None
        if sizes[ndim] < 0:
            raise ValueError(f"empty: negative size in shape {tuple(shape)}")
        ndim += 1
    return new_array(ndim, sizes, kind.num)


def zeros(shape, dtype=np.float32):
    """Return an array of zeros of `shape` from the cache."""
    cdef cnp.ndarray array = empty(shape, dtype)
    memset(cnp.PyArray_DATA(array), 0, cnp.PyArray_NBYTES(array))
    return array


def memory_stats():
    """Return the bytes in use by arrays and the bytes kept for reuse."""
    return {
        "in_use": bytes_in_use, "cached": bytes_cached, "cache_limit": cache_limit,
    }


def refuse_block(number):
    """Refuse one block, as a full system does: the `number`-th from now; 0: none.

    Returns how many were left to that of the call before, 0 if it was refused. Tests
    try by it what happens where memory ends.
    """
    global refused_in
    left, refused_in = refused_in, number
    return left


def empty_cache():
    """Give all unused blocks back to the system."""
    cdef int size_class
    for size_class in range(CLASSES):
        while free_blocks[size_class] != NULL:
            free_aligned(first_free(size_class))
    return_pages()
