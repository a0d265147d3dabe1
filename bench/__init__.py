"""How fast fastdl is, next to its peers and to what the machine can do.

``python -m bench`` prints all tables and writes docs/benchmarks.md, ``python -m
bench.compare`` finds what became slower, ``pytest bench --benchmark-only`` times every
kernel against its NumPy reference. `harness` says how time is measured.
"""

import os

# NumPy and the peer read these when they are imported, which is later than this.
# Threads of NumPy's products would spin for 25 ms, on cores that the next side needs.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
if os.environ.get("FASTDL_ISA") == "avx2":  # holds for all sides
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"
    os.environ["ATEN_CPU_CAPABILITY"] = "avx2"
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
