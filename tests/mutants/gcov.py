"""Which lines of csrc do the tests of kernels run, on all instruction sets there are?

``python -m tests.mutants.gcov`` builds a copy of the tree with counters, at -O1, runs
tests/kernels there, and lets gcovr add up what the instances of each file counted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.mutants.workplace import Workplace
from tests.sanitize import find_compiler

ROOT = Path(__file__).parents[2]


def main(*arguments: str) -> None:
    """Build, run, and print the table; arguments are for pytest."""
    place = Workplace(ROOT, ROOT / "build/gcov").place
    counters = {"FASTDL_DEBUG": "1", "CC": f"{find_compiler()} --coverage"}
    environment = {**os.environ, "PYTHONPATH": str(place)}
    build = ["setup.py", "--quiet", "build_ext", "--inplace", "--force"]
    tests = ["-m", "pytest", "-m", "not soak", "tests/kernels", *arguments]
    for command, more in ((build, counters), (tests, {})):
        subprocess.run(
            [sys.executable, *command],
            cwd=place,
            env=environment | more,
            check=True,
        )
    gcovr = ["-m", "gcovr", "--root", ".", "--filter", "csrc/", "build"]
    merge = ["--merge-mode-functions", "merge-use-line-min", "--merge-lines"]
    # Threads count at the same time, and some counts are lost: whether is what counts.
    merge += ["--gcov-ignore-parse-errors=all"]
    subprocess.run([sys.executable, *gcovr, *merge], cwd=place, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
