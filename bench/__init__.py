"""How fast fastdl is, next to its peers and to what the machine can do.

``python -m bench`` prints all tables and writes docs/benchmarks.md, ``python -m
bench.compare`` finds what became slower, ``pytest bench --benchmark-only`` times every
kernel against its NumPy reference. `harness` says how time is measured.
"""
