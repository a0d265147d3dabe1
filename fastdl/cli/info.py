"""``fastdl info``: what computes here."""

from __future__ import annotations

import platform
from argparse import ArgumentParser, Namespace

import numpy as np

import fastdl
from fastdl import backend

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


def info() -> dict[str, str]:
    """Return versions, backend, instruction set, threads and compiler, as text."""
    lines = {"fastdl": fastdl.__version__, "backend": backend.name}
    if backend.name == "compiled":
        import fastdl.kernels.runtime as runtime

        lines |= {
            "instruction set": runtime.get_isa(),
            "available": ", ".join(runtime.available_isas()),
            "threads": str(fastdl.get_num_threads()),
            "runtime": str(fastdl.get_runtime()),
            "compiler": runtime.compiler(),
        }
    return lines | {
        "NumPy": np.__version__,
        "Python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()}",
    }


def add_arguments(parser: ArgumentParser) -> None:
    """Declare no options."""


def run(options: Namespace) -> None:
    """Run the command."""
    lines = info()
    width = max(map(len, lines)) + 2
    for name, value in lines.items():
        print(f"{name:{width}}{value}")
