"""``fastdl info``: what computes here."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from fastdl import backend, engine
from fastdl.errors import ArgumentError, FastdlError

HELP = "print versions, instruction set and threads"
DESCRIPTION = """\
Print what computes here; add it to a report of a bug. With --hashes, train a small
network for 50 steps with each instruction set and real type, and compare its weights
with those that are published, bit for bit.
"""
EXAMPLES = """\
examples:
  fastdl info
  FASTDL_ISA=avx2 FASTDL_NUM_THREADS=1 fastdl info
  FASTDL_BACKEND=reference fastdl info
  fastdl info --hashes
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the option."""
    parser.add_argument(
        "--hashes", action="store_true", help="print SHA-256 of trained weights instead"
    )


def run(options: Namespace) -> None:
    """Run the command."""
    if options.hashes:
        print_hashes()
        return
    lines = engine.info()
    width = max(map(len, lines)) + 2
    for name, value in lines.items():
        print(f"{name:{width}}{value}")


def print_hashes() -> None:
    """Print the hash of each training; FastdlError if one is not as published."""
    from fastdl.cli import hashes

    if backend.name != "compiled":
        raise ArgumentError(
            "--hashes: the hashes are of the compiled kernels; set "
            "FASTDL_BACKEND=compiled"
        )
    wrong = 0
    for line in hashes.measure():
        print(line, flush=True)
        wrong += line.published not in (None, line.found)
    if wrong:
        raise FastdlError(
            f"{wrong} of the hashes are not as published: something rounds otherwise "
            "here; please report it with what `fastdl info` prints"
        )
