"""What became slower: ``--save a.json`` before a change, ``--against a.json`` after.

Times fastdl alone, every kernel of the tables and every training step. A row counts
as slower, or faster, when the medians differ by more than 5 % and by more than three
times the spread of both; what seems slower is timed twice again, and its best counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.harness import (
    REPEATS,
    Case,
    Function,
    Timing,
    describe_load,
    describe_machine,
    measure,
)
from bench.kernels import CASES, of_one_kernel
from bench.networks import NETWORKS, Network, batch, built, training_step
from fastdl import kernels
from fastdl.kernels.engine import runtime

LEAST = 0.05  # a difference that is worth a word
SPREADS = 3
AGAIN = 2


def _step(network: Network) -> Function:
    return training_step(built(network), *batch(network))


def _kernel(case: Case) -> Function:
    return partial(case.setup().ours, kernels)


ROWS: dict[str, Callable[[], Function]] = {
    **{
        case.name: partial(_kernel, case)
        for case in (*of_one_kernel(), *CASES["bench_between"])
    },
    **{f"{name} step": partial(_step, network) for name, network in NETWORKS.items()},
}


def time_row(name: str, repeats: int) -> Timing:
    """Time one row."""
    return measure({name: ROWS[name]()}, repeats)[name]


def change(before: Timing, after: Timing) -> float:
    """Return the relative change of the median, or 0 where it may be noise."""
    difference = after.median / before.median - 1
    spread = sum((t.high - t.low) / 2 / t.median for t in (before, after))
    return difference if abs(difference) > max(LEAST, SPREADS * spread) else 0.0


def compare(old: dict[str, Timing], repeats: int) -> tuple[list[str], list[str]]:
    """Time the saved rows again; return lines about slower and faster ones."""
    slower: list[str] = []
    faster: list[str] = []
    for name in old:
        new = time_row(name, repeats)
        for _ in range(AGAIN):
            if change(old[name], new) > 0:
                new = min(new, time_row(name, repeats))
        difference = change(old[name], new)
        line = (
            f"  {name}: {1e3 * old[name].median:.4f} -> {1e3 * new.median:.4f} ms "
            f"({100 * difference:+.0f} %)"
        )
        if difference:
            (slower if difference > 0 else faster).append(line)
    return sorted(slower), sorted(faster)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return 1 when something became slower."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare", description=__doc__.split("\n", 1)[0]
    )
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--save", type=Path, metavar="FILE")
    group.add_argument("--against", type=Path, metavar="FILE")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with TEXT")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args(arguments)

    names = [name for name in ROWS if options.only in name]
    if not names:
        parser.error(f"no row contains {options.only!r}")
    peak = max(runtime.measure_peak() for _ in range(5))
    machine = describe_machine() | {"peak GFLOP/s": f"{peak / 1e9:.0f}"}
    print(describe_load())
    if options.save:
        rows = {name: time_row(name, options.repeats) for name in names}
        content = {"machine": machine, "rows": rows}
        options.save.write_text(json.dumps(content, indent=1) + "\n")
        print(f"{len(rows)} rows saved in {options.save}")
        return 0

    saved = json.loads(options.against.read_text())
    for key, value in saved["machine"].items():
        if machine.get(key) != value:
            print(f"{key}: {value} -> {machine.get(key)}")
    rows = saved["rows"]
    old = {name: Timing(*rows[name]) for name in names if name in rows}
    slower, faster = compare(old, options.repeats)
    print("\n".join([f"{len(old)} rows: {len(slower)} slower", *slower]))
    print("\n".join([f"{len(faster)} faster", *faster]))
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
