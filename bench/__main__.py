"""``python -m bench``: all tables, printed and written to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import fastdl
from bench import bench_augment, bench_gather, kernels, peer, search, steps
from bench.diagnosis import diagnosis
from bench.harness import REPEATS, Table, describe_load, describe_machine
from bench.harness import __doc__ as method
from bench.instructions import instructions
from bench.overhead import overhead
from bench.scaling import scaling
from fastdl.kernels.engine import runtime

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
# Of strategy, not of speed; they take minutes, and stand in no page.
ON_REQUEST = ("search", "caviar", "diagnosis")
# Measured with each instruction set above generic, unless FASTDL_ISA says which.
OF_EACH_ISA = ("steps", "latency", "conv2d", "dense", "memory", "scaling")
INTRODUCTION = """\
# Benchmarks

Written by `make bench`; every figure was measured in that run. `python -m bench NAME`
prints one table, `python -m bench.compare` finds what a change made slower. Tables that
name an instruction set are measured with each that the processor has above generic; the
peer and NumPy are held to it too. [limits.md](limits.md) says why goals are missed.

{method}
{install}
"""


def tables(repeats: int, compiled: bool) -> dict[str, Callable[[], Table]]:
    """Return the functions that measure, by the name that asks for them."""
    return {
        "steps": partial(steps.training, repeats, compiled),
        "latency": partial(steps.latency, repeats),
        "conv2d": partial(kernels.conv2d, repeats),
        "isa": partial(kernels.instruction_sets, repeats),
        "dense": partial(kernels.dense, repeats),
        "memory": partial(kernels.memory, repeats),
        "overhead": partial(overhead, repeats),
        "scaling": partial(scaling, repeats),
        "load": partial(steps.under_load, repeats),
        "resident": steps.resident,
        "augment": partial(bench_augment.augmentation, repeats),
        "waiting": partial(bench_gather.waiting, repeats),
        "reference": partial(kernels.against_reference, repeats),
        "instructions": instructions,
        "search": search.methods,
        "caviar": search.caviar,
        "diagnosis": diagnosis,
    }


def main() -> None:
    """Run the command."""
    names = list(tables(0, False))
    page_tables = [name for name in names if name not in ON_REQUEST]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure fastdl against its peers and the machine's limits.",
    )
    parser.add_argument("tables", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--repeats", type=int, default=REPEATS, help="samples a figure")
    parser.add_argument("--threads", type=int, default=fastdl.get_num_threads())
    parser.add_argument(
        "--compiled", action="store_true", help="also the peer's compiler (minutes)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="save all timings")
    parser.add_argument("--page", type=Path, metavar="FILE", help=f"default: {PAGE}")
    options = parser.parse_args()
    for name in options.tables:
        if name not in names:
            parser.error(f"unknown table {name!r}; there are {', '.join(names)}")

    _set_threads(options.threads)
    start = time.monotonic()
    machine = describe_machine() | {"peer": peer.describe(), "before": describe_load()}
    print(_lines(machine))
    measured: dict[str, Table] = {}
    for name in names:
        if name in (options.tables or page_tables):
            for key, table in of_each_isa(name, partial(_table, name, options)):
                measured[key] = table
                print(table, flush=True)
    machine["after"] = describe_load()
    machine["samples"] = str(options.repeats)
    machine["duration"] = f"{(time.monotonic() - start) / 60:.0f} minutes"
    print(_lines(machine))

    if options.json:
        content = {
            "machine": machine,
            "tables": {name: table.timings for name, table in measured.items()},
        }
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    page = options.page or (None if options.tables else PAGE)
    if page:
        text = INTRODUCTION.format(method=_paragraphs(method), install=peer.INSTALL)
        page.write_text(
            "\n".join([text, _lines(machine), *map(str, measured.values())]),
            encoding="utf-8",
        )
        print(f"written: {page}")


def of_each_isa(name: str, make: Callable[[], Table]) -> Iterator[tuple[str, Table]]:
    """Measure a table, or one for each instruction set, named in its title."""
    isas = [isa for isa in runtime.available_isas()[:0:-1] if name in OF_EACH_ISA]
    if "FASTDL_ISA" in os.environ or len(isas) < 2:
        yield name, make()
        return
    for isa in isas:
        os.environ["FASTDL_ISA"] = isa  # read once, when fastdl and peers are imported
        try:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                table = process.submit(make).result()
        finally:
            del os.environ["FASTDL_ISA"]
        table.title += f", {isa.upper()}"
        yield f"{name} {isa}", table


def _table(name: str, options: argparse.Namespace) -> Table:
    _set_threads(options.threads)
    return tables(options.repeats, options.compiled)[name]()


def _set_threads(count: int) -> None:
    fastdl.set_num_threads(count)
    peer.set_threads(count)


def _lines(machine: dict[str, str]) -> str:
    return "\n".join(f"- {key}: {value}" for key, value in machine.items()) + "\n"


def _paragraphs(docstring: str | None) -> str:
    """Return what follows the first line of a docstring."""
    return (docstring or "").partition("\n\n")[2]


if __name__ == "__main__":
    main()
