"""The tables by name, and how each is measured.

Not in `__main__`: the processes that measure one instruction set import this.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import fastdl
from bench import bench_augment, bench_gather, kernels, peer, search, steps
from bench.beside import beside
from bench.diagnosis import diagnosis
from bench.harness import Table
from bench.instructions import instructions
from bench.operations import operations
from bench.overhead import overhead
from bench.scaling import scaling
from fastdl.kernels.engine import runtime

# Measured with each instruction set above generic, unless FASTDL_ISA says which.
OF_EACH_ISA = (
    "steps",
    "classic",
    "latency",
    "conv2d",
    "dense",
    "memory",
    "operations",
    "scaling",
)


def tables(repeats: int, compiled: bool) -> dict[str, Callable[[], Table]]:
    """Return the functions that measure, by the name that asks for them."""
    return {
        "steps": partial(steps.training, repeats, compiled),
        "classic": partial(steps.classic, repeats),
        "latency": partial(steps.latency, repeats),
        "conv2d": partial(kernels.conv2d, repeats),
        "isa": partial(kernels.instruction_sets, repeats),
        "dense": partial(kernels.dense, repeats),
        "memory": partial(kernels.memory, repeats),
        "operations": partial(operations, repeats),
        "overhead": partial(overhead, repeats),
        "scaling": partial(scaling, repeats),
        "load": partial(steps.under_load, repeats),
        "beside": partial(beside, repeats),
        "resident": steps.resident,
        "augment": partial(bench_augment.augmentation, repeats),
        "waiting": partial(bench_gather.waiting, repeats),
        "reference": partial(kernels.against_reference, repeats),
        "instructions": instructions,
        "search": search.methods,
        "caviar": search.caviar,
        "diagnosis": diagnosis,
    }


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


def make_table(name: str, options: Namespace) -> Table:
    """Measure one table, as the command's options say."""
    set_threads(options.threads)
    return tables(options.repeats, options.compiled)[name]()


def set_threads(count: int) -> None:
    """Let all sides use so many threads."""
    fastdl.set_num_threads(count)
    peer.set_threads(count)
