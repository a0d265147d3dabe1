"""The sizes of this machine's caches, for blocks that should stay in them.

A block may depend on them only where its size changes no order of summation: a result
has the same bits on every machine of an instruction set.
"""

import os
import re
from pathlib import Path

from fastdl.errors import FastdlError

cdef extern from *:
    """
    #ifndef _WIN32
    #include <unistd.h>
    #endif

    static long fastdl_cache_bytes(int level) {
    #ifdef _SC_LEVEL1_DCACHE_SIZE
      const int names[] = {
          _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
      return sysconf(names[level - 1]);
    #else
      return 0;
    #endif
    }
    """
    long fastdl_cache_bytes(int level)

LEVELS = (1, 2, 3)
L2_RANGE = range(64 << 10, (64 << 20) + 1)  # what a core of any processor has
L2_ASSUMED = 512 << 10  # where the system does not tell


def _bytes(text):
    """Return the bytes of a size such as 512K, 1M or 65536; 0 for other text."""
    match = re.fullmatch("([0-9]{1,9})([KM]?)", text.strip().upper())
    return int(match[1]) << {"": 0, "K": 10, "M": 20}[match[2]] if match else 0


def _text(size):
    if not size:
        return "unknown"
    return f"{size >> 10}K" if size % (1 << 20) else f"{size >> 20}M"


def _count(cpus):
    """Return the number of processors in a list such as 0-3,8."""
    ends = [part.split("-") for part in cpus.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def _listed(folder):
    """Return the bytes of the caches of each level, as Linux lists them in a folder.

    Cores do not share their L1 caches; who does are threads of one core. Where cores
    share an L2 cache, each counts on its part.
    """
    sizes, sharers = {}, {}
    for cache in Path(folder).glob("index*"):
        try:
            level = int((cache / "level").read_text())
            if (cache / "type").read_text().strip() != "Instruction":
                sizes[level] = _bytes((cache / "size").read_text())
                sharers[level] = _count((cache / "shared_cpu_list").read_text())
        except (OSError, ValueError):  # hidden, as in some containers
            continue
    if 1 in sharers and 2 in sharers:
        sizes[2] = sizes[2] * sharers[1] // sharers[2]
    return sizes


def _system_sizes(folder="/sys/devices/system/cpu/cpu0/cache"):
    """Return the bytes of the caches of each level, 0 where the system tells none."""
    listed = _listed(folder)
    return {
        level: listed.get(level) or max(fastdl_cache_bytes(level), 0)
        for level in LEVELS
    }


def _l2_size(found, name="FASTDL_L2_CACHE"):
    """Return the bytes of a core's L2 cache to count on, and a remark on them."""
    text = os.environ.get(name)
    if text:
        if _bytes(text) not in L2_RANGE:
            raise FastdlError(
                f"{name}: expected a size from {_text(L2_RANGE[0])} to "
                f"{_text(L2_RANGE[-1])}, such as 512K, got {text!r}"
            )
        return _bytes(text), f" ({name})"
    return (found, "") if found in L2_RANGE else (L2_ASSUMED, " (assumed)")


def describe():
    """Return the sizes of all caches, as text."""
    return f"L1 {_text(sizes[1])}, L2 {_text(l2_cache)}{remark}, L3 {_text(sizes[3])}"


sizes = _system_sizes()
l2_cache, remark = _l2_size(sizes[2])
