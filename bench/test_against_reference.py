"""``pytest bench --benchmark-only``: every kernel against its NumPy reference.

The cases are those of the files bench_*.py; the two rows of a case form a group.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from bench.harness import Case
from fastdl import kernels, reference

CASES = [
    case
    for path in sorted(Path(__file__).parent.glob("bench_*.py"))
    for case in import_module(f"bench.{path.stem}").CASES
]


@pytest.mark.parametrize("module", [kernels, reference], ids=["compiled", "reference"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_time(case: Case, module: ModuleType, benchmark):
    work = case.setup()
    benchmark.group = case.name
    benchmark(work.ours, module)
