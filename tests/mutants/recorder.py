"""A plugin for pytest: which test ran which line of fastdl, and how long it took.

``COVERAGE_PROCESS_START=pyproject.toml pytest -p tests.mutants.recorder`` starts
coverage.py in every process; here each test becomes a context of its own. A process
that a test starts has the name of the test by ``PYTEST_CURRENT_TEST``, as
``pyproject.toml`` says. Of a test with many parameters the map needs a few:
``FASTDL_FEW=3`` leaves out all others.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from coverage import Coverage

_seconds: Counter[str] = Counter()
_others: set[str] = set()  # failed or skipped


def pytest_collection_modifyitems(items):
    few = int(os.environ.get("FASTDL_FEW", 0))
    if few:
        alike = defaultdict(list)
        for item in items:
            alike[item.nodeid.partition("[")[0]].append(item)
        for name, all_ in alike.items():
            alike[name] = all_[:: -(-len(all_) // few)]
        items[:] = [item for each in alike.values() for item in each]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    measured = Coverage.current()
    if measured is not None:
        measured.switch_context(item.nodeid)
    result = yield
    if measured is not None:
        measured.switch_context("")
    return result


def pytest_runtest_logreport(report):
    _seconds[report.nodeid] += report.duration
    if report.outcome != "passed":
        _others.add(report.nodeid)


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):  # the process that hears of all
        path = Path(os.environ["COVERAGE_FILE"]).with_name("seconds.json")
        passed = {k: s for k, s in _seconds.items() if k not in _others}
        path.write_text(json.dumps(passed))
