"""``python -m bench``: all tables, printed and written to docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

import fastdl
from bench import peer
from bench.harness import REPEATS, Table, describe_load, describe_machine
from bench.harness import __doc__ as method
from bench.tables import make_table, of_each_isa, set_threads, tables

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
# They take minutes, and stand in no page.
ON_REQUEST = ("beside", "search", "caviar", "diagnosis")
INTRODUCTION = """\
# Benchmarks

Written by `make bench`; every figure was measured in that run. `python -m bench NAME`
prints one table, `python -m bench.compare` finds what a change made slower. Tables that
name an instruction set are measured with each that the processor has above generic; the
peer and NumPy are held to it too. [limits.md](limits.md) says why goals are missed.

{method}
{install}
"""


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

    set_threads(options.threads)
    start = time.monotonic()
    machine = describe_machine() | {"peer": peer.describe(), "before": describe_load()}
    print(_lines(machine))
    measured: dict[str, Table] = {}
    for name in names:
        if name in (options.tables or page_tables):
            for key, table in of_each_isa(name, partial(make_table, name, options)):
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


def _lines(machine: dict[str, str]) -> str:
    return "\n".join(f"- {key}: {value}" for key, value in machine.items()) + "\n"


def _paragraphs(docstring: str | None) -> str:
    """Return what follows the first line of a docstring."""
    return (docstring or "").partition("\n\n")[2]


if __name__ == "__main__":
    main()
