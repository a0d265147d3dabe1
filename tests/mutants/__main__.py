"""Do the tests notice a fault? Put one in, run what should notice it, and again.

``python -m tests.mutants --seed 1 --python 200 --c 100`` draws so many changes of one
line over all of fastdl, and of the kernels' C and Cython, and prints those that no test
found. It needs a map of which test runs which line, which ``make mutants`` records
first. A run that was interrupted goes on where it was; ``--again`` tries more tests on
those that survived, among them those that were written since.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants.build import NO_CODE
from tests.mutants.changes import Change, python_changes
from tests.mutants.native import native_changes, native_tests
from tests.mutants.selection import Selection
from tests.mutants.workplace import Workplace, wait, warm_up

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build/mutants"
MAP = ROOT / "build/map"
PICTURES = "fastdl/report/"  # whose layout is not tested
LEFT_OUT = (
    "fastdl/report/diagram/layout.py",  # that is all layout
    "fastdl/datasets/_make_digits.py",  # made the digits of the package, once
)
workplace: Workplace  # of this process


def sample(seed: int, python: int, native: int) -> list[Change]:
    """Return the changes of a seed."""
    changes: list[Change] = []
    for patterns, number in (
        (["fastdl/**/*.py"], python),
        (["csrc/*.[ch]", "fastdl/kernels/**/*.pyx", "fastdl/kernels/**/*.pxd"], native),
    ):
        paths = sorted(
            str(path.relative_to(ROOT)) for each in patterns for path in ROOT.glob(each)
        )
        every: list[Change] = []
        for path in paths:
            if path.endswith(".py") and path not in LEFT_OUT:
                layout = path.startswith(PICTURES)
                every += python_changes(ROOT, path, layout=layout)
            elif not path.endswith(".py"):
                every += native_changes(ROOT, path)
        changes += random.Random(seed).sample(sorted(set(every)), number)
    return changes


def prepare(folder: str) -> None:
    """Make the workplace of a process of the pool."""
    global workplace
    workplace = Workplace(ROOT, Path(folder, f"{os.getpid()}"))
    warm_up()
    built = workplace.build("--link")
    if built.returncode:  # no change could be, either
        raise RuntimeError(f"build the kernels in {ROOT} first\n{built.stderr}")
    verdict = wait(workplace.start(["tests/test_structure.py"], 60), 60)
    if verdict != "survived":
        raise RuntimeError(f"without a change: {verdict}; see {workplace.place}")


def judge(change: Change, tests: list[str], seconds: float) -> tuple[str, str, float]:
    """Return what became of a change, its diff, and how long that took."""
    start = time.monotonic()
    diff = workplace.change(change)
    try:
        if change.path.endswith(".py"):
            if not tests:
                return "survived", diff, 0
            verdict = wait(workplace.start(tests, seconds), seconds)
        else:
            verdict = judge_native(change, tests, seconds)
    finally:
        workplace.restore()
    return verdict, diff, time.monotonic() - start


def judge_native(change: Change, tests: list[str], seconds: float) -> str:
    """Build the kernels with a change and run their tests, then build them as before.

    A change of csrc is tried with the first instruction set and real type for which
    its machine code is another one.
    """
    built = workplace.build(change.path)
    if built.returncode == NO_CODE:
        workplace.restore()
        return "found by the compiler"
    if built.returncode:
        raise RuntimeError(built.stderr)
    if built.stdout.strip() == "same":
        return "equivalent"
    isa, others = "avx2", ["generic", "avx512"]
    if built.stdout:
        table, *files = built.stdout.split()
        isa, _, bits = table.partition("_f")
        others = sorted({"generic", "avx2", "avx512"} - {isa})
        others.append({"32": "float64", "64": "float32"}[bits])
        tests = native_tests(*files)
    tests = [*tests, "-k", " and ".join(f"not {each}" for each in others)]
    try:
        return wait(workplace.start(tests, seconds, FASTDL_ISA=isa), seconds)
    finally:
        workplace.restore()
        is_c = change.path.startswith("csrc/")
        workplace.build("--link" if is_c else change.path)


def main() -> None:
    """Judge the changes of a seed and print the survivors."""
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", type=int, default=200, help="changes of fastdl")
    parser.add_argument("--c", type=int, default=100, help="changes of the kernels")
    parser.add_argument("--again", action="store_true", help="only those that survived")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument(
        "--seconds",
        type=float,
        default=40.0,
        help="of tests for one change, as long as they took while the map was recorded",
    )
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / f"seed{arguments.seed}.jsonl"
    known = read(log)
    if arguments.again:
        changes = list(known)
        wanted = [each for each in changes if known[each]["verdict"] == "survived"]
    else:
        changes = sample(arguments.seed, arguments.python, arguments.c)
        wanted = [each for each in changes if each not in known]
    tests = {}
    selection = None
    for change in wanted:
        if not change.path.endswith(".py"):
            tests[change] = native_tests(change.path)
            continue
        selection = selection or Selection(ROOT, MAP)
        if arguments.again:
            tests[change] = selection.more(change)
        else:
            tests[change] = selection.of(change, arguments.seconds)
    run(wanted, tests, arguments, log)
    report(changes, read(log))


def read(log: Path) -> dict[Change, dict[str, str]]:
    """Return the verdicts and diffs that were written so far."""
    rows = {}
    for line in log.read_text().splitlines() if log.exists() else []:
        row = json.loads(line)
        change = row.pop("change")
        rows[Change(**change | {"names": tuple(change["names"])})] = row
    return rows


def run(
    changes: list[Change],
    tests: dict[Change, list[str]],
    arguments: argparse.Namespace,
    log: Path,
) -> None:
    """Judge changes in processes side by side; write each verdict at once."""
    context = multiprocessing.get_context("fork")
    jobs = min(arguments.jobs, len(changes))
    if not jobs:
        return
    with (
        TemporaryDirectory(dir=FOLDER) as folder,
        ProcessPoolExecutor(jobs, context, prepare, (folder,)) as pool,
        log.open("a") as file,
    ):
        seconds = arguments.seconds
        futures = {pool.submit(judge, c, tests[c], seconds): c for c in changes}
        for done, future in enumerate(as_completed(futures), 1):
            change, (verdict, diff, took) = futures[future], future.result()
            row = {"change": dataclasses.asdict(change), "verdict": verdict}
            print(json.dumps(row | {"diff": diff}), file=file, flush=True)
            where = diff.partition("\n")[0]
            progress = f"{done}/{len(changes)} {verdict} {where}"
            print(f"{progress} ({len(tests[change])} tests, {took:.0f} s)", flush=True)


def report(changes: list[Change], rows: dict[Change, dict[str, str]]) -> None:
    """Print the survivors as differences, and how many changes were found."""
    judged = {change: rows[change] for change in changes if change in rows}
    for row in judged.values():
        if row["verdict"] == "survived":
            print("\n" + row["diff"])
    for name, is_python in (("Python", True), ("C and Cython", False)):
        counts = Counter(
            row["verdict"]
            for change, row in judged.items()
            if change.path.endswith(".py") == is_python
        )
        tried = counts.total() - counts["equivalent"]
        if tried:
            found = tried - counts["survived"]
            share = f"{100 * found / tried:.1f} %"
            print(f"\n{name}: {found} of {tried} found ({share}); {dict(counts)}")


if __name__ == "__main__":
    main()
