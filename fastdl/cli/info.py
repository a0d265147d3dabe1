"""``fastdl info``: what computes here."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from fastdl import engine

HELP = "print versions, instruction set and threads"
DESCRIPTION = """\
Print what computes here; add it to a report of a bug.
"""
EXAMPLES = """\
examples:
  fastdl info
  FASTDL_ISA=avx2 FASTDL_NUM_THREADS=1 fastdl info
  FASTDL_BACKEND=reference fastdl info
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def run(options: Namespace) -> None:
    """Run the command."""
    lines = engine.info()
    width = max(map(len, lines)) + 2
    for name, value in lines.items():
        print(f"{name:{width}}{value}")
