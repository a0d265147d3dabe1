"""The last line of ``pytest bench --benchmark-only``."""

from __future__ import annotations

import pytest

from bench.harness import geometric_mean


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config):
    """Print how much faster the compiled kernels are, over all groups."""
    session = getattr(config, "_benchmarksession", None)
    medians: dict[str, dict[str, float]] = {}
    for row in session.benchmarks if session else ():
        if not row.has_error:
            side = row.name.split("-")[-1].rstrip("]")
            medians.setdefault(row.group, {})[side] = row.stats.median
    ratios = [
        times["reference"] / times["compiled"]
        for times in medians.values()
        if len(times) == 2
    ]
    if ratios:
        terminalreporter.write_line(
            f"the compiled kernels are {geometric_mean(ratios):.1f} times as fast as "
            f"the NumPy reference (geometric mean of {len(ratios)} medians)"
        )
