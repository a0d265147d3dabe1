"""``pytest bench --benchmark-only``: every kernel against its NumPy reference.

The cases are those of the files bench_*.py; the two rows of a case form a group. The
geometric mean over all groups stands at the end.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

import pytest

from bench.harness import Case, Work
from bench.kernels import of_one_kernel
from fastdl import kernels, reference


@lru_cache(maxsize=1)
def ready(case: Case) -> Work:
    """Make the arrays of a case once for both rows."""
    return case.setup()


@pytest.mark.benchmark(min_rounds=3, max_time=0.2, warmup=False)
@pytest.mark.parametrize("module", [kernels, reference], ids=["compiled", "reference"])
@pytest.mark.parametrize("case", of_one_kernel(), ids=lambda case: case.name)
def test_time(case: Case, module: ModuleType, benchmark):
    benchmark.group = case.name
    benchmark(ready(case).ours, module)
