"""The caching allocator."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastdl.kernels.engine import memory

HAS_ASAN = hasattr(ctypes.CDLL(None), "__asan_init")
STATUS = Path("/proc/self/status")
SIZES = [0, 1, 63, 64, 65, 1000, 4096, 4097, 100_000, 1 << 20, (1 << 20) + 1]


@pytest.mark.parametrize("size", SIZES)
def test_arrays_are_aligned_writable_and_large_enough(size):
    array = memory.empty(size, np.uint8)
    array[:] = 7
    assert array.ctypes.data % 64 == 0
    assert array.shape == (size,)
    assert (array == 7).all()


def test_memory_is_used_again_only_when_the_last_view_is_gone():
    memory.empty_cache()
    array = memory.empty((100, 100), np.float32)
    address, view = array.ctypes.data, array[5:, 3]
    del array
    other = memory.empty((100, 100), np.float32)
    assert other.ctypes.data != address
    view[:] = 1
    del view
    again = memory.empty((100, 100), np.float32)
    assert again.ctypes.data == address


def test_statistics_follow_the_arrays():
    memory.empty_cache()
    before = memory.memory_stats()
    assert before["cached"] == 0
    array = memory.empty(1_000_000, np.float32)
    used = memory.memory_stats()["in_use"] - before["in_use"]
    assert 4_000_000 <= used <= 4_500_000  # an eighth more at most
    del array
    after = memory.memory_stats()
    assert after["in_use"] == before["in_use"]
    assert after["cached"] == used
    memory.empty_cache()
    assert memory.memory_stats()["cached"] == 0


@pytest.mark.skipif(not HAS_ASAN, reason="a build with the address sanitizer finds it")
@pytest.mark.parametrize(
    "wrong", ["place = a.ctypes.data + a.nbytes", "place = a.ctypes.data; del a"]
)
def test_what_is_not_given_out_may_not_be_touched(wrong):
    """Neither the rest of a block, nor a block that waits for its next use."""
    code = f"""
import ctypes
from fastdl.kernels.engine import memory
a = memory.empty(100)
{wrong}
ctypes.memset(place, 0, 1)
"""
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert "ERROR: AddressSanitizer" in done.stderr


@pytest.mark.skipif(not STATUS.exists(), reason="the system does not tell")
@pytest.mark.skipif(HAS_ASAN, reason="the sanitizer keeps what is freed")
def test_what_is_not_used_goes_back_to_the_system():
    """Also what lay between blocks in use, after many of all sizes came and went."""

    def resident():
        return int(re.search(r"VmRSS:\s*(\d+)", STATUS.read_text())[1]) << 10

    memory.empty_cache()
    before = resident()
    rng = np.random.default_rng(0)
    held = [None] * 8
    for place in range(160):
        held[place % 8] = None
        held[place % 8] = memory.empty(int(rng.integers(1 << 20, 1 << 25)), np.uint8)
        held[place % 8][:] = 1
        if place % 7 == 0:
            memory.empty_cache()
    assert resident() > before + (64 << 20)
    held.clear()
    memory.empty_cache()
    assert resident() < before + (32 << 20)


def test_zeros_are_zero_in_used_memory():
    memory.empty(1000, np.float64)[:] = np.nan
    assert not memory.zeros(1000, np.float64).any()


@pytest.mark.parametrize("dtype", [np.float32, "float64", np.int64, np.uint8, bool])
def test_shapes_and_types(dtype):
    array = memory.empty((2, 0, 3), dtype)
    assert array.shape == (2, 0, 3)
    assert array.dtype == dtype
    assert memory.empty((), dtype).shape == ()
    assert memory.empty([4, 5], dtype).shape == (4, 5)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="negative"):
        memory.empty((3, -1))
    with pytest.raises(MemoryError, match="no memory for 281,474,976,710,656 bytes"):
        memory.empty(1 << 45, np.float64)


@pytest.mark.parametrize("size", [1 << 60, (1 << 61) - 1, 1 << 62, 1 << 63, 10**30])
@pytest.mark.parametrize("shape", [(0, 1), (1, 2), (3, 1, 2)])
def test_a_product_that_wraps_is_refused(size, shape):
    """The search for a class of sizes went on for ever."""
    shape = tuple(n * size if n > 1 else n for n in shape)
    if 0 in shape:
        assert memory.empty((*shape, 3)).size == 0
        return
    with pytest.raises(MemoryError, match=rf"array of shape \({shape[0]}, .* float32"):
        memory.empty(shape)
