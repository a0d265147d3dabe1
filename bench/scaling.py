"""How a training step would share its work on machines with more cores than this one.

On one thread the duration of each task is recorded, and what lies between the loops.
Sharing them among more threads is then simulated: one that is free takes the next task,
which ends as early as shares of which threads take what others have not begun.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heapreplace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.harness import (
    Function,
    Table,
    against,
    copy_bandwidth,
    measure,
    with_runtime,
    with_threads,
)
from bench.networks import NETWORKS, batch, built, training_step
from fastdl import backend, reference
from fastdl.kernels.engine import runtime, schedule

NAMES = ("ResNet-20", "ResNet-18")
THREADS = (2, 4, 8, 16, 32, 64)
GOALS = {8: 0.85, 16: 0.7}  # efficiencies
LIMITING = 10  # operations that are named
LOOPS = 1000  # empty ones
COPIED = 2**26  # reals, more than a cache holds
CAUSES = ("serial", "waking", "idle", "memory")  # of waiting


# What a step does --------------------------------------------------------------------


@dataclass
class Part:
    """A call of a kernel, or what lies before it: its seconds on one thread.

    Attributes
    ----------
    operation
        The kernel and its shapes.
    serial
        What no helper can take: all but `loops`.
    loops
        The tasks of each parallel loop.
    bytes
        What is moved to and from memory.
    """

    operation: str
    serial: float
    loops: list[np.ndarray]
    bytes: float = 0.0


class Cache:
    """Which arrays the last-level cache holds: those that were used last."""

    def __init__(self, capacity: float) -> None:
        self._capacity = capacity
        # By address: bytes, and whether memory has them already.
        self._arrays: dict[int, tuple[int, bool]] = {}
        self._used = 0

    def use(self, array: np.ndarray, writes: bool = False) -> int:
        """Read or write an array; return the bytes moved to and from memory."""
        address, size = array.ctypes.data, array.nbytes
        held, clean = self._arrays.pop(address, (0, True))
        moved = 0 if writes else max(size - held, 0)
        self._arrays[address] = size, clean and not writes
        self._used += size - held
        while self._used > self._capacity:
            oldest = next(iter(self._arrays))
            size, clean = self._arrays.pop(oldest)
            self._used -= size
            moved += 0 if clean else size
        return moved


def last_level_cache() -> int:
    """Return the bytes of the largest cache, 0 where they are not known."""
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    return max((1024 * int(size.read_text().strip()[:-1]) for size in sizes), default=0)


class Call(NamedTuple):
    """A call of a kernel: its nanoseconds, and when the note of it was made."""

    operation: str
    bytes: float
    start: int
    end: int
    noted: int


@contextmanager
def _noted_calls(cache: Cache) -> Iterator[list[Call]]:
    """Note the calls of kernels that the operations make."""
    calls: list[Call] = []

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.monotonic_ns()
            result = function(*arguments, **options)
            end = time.monotonic_ns()
            inputs = _arrays((*arguments, *options.values()))
            # A call without a result changes its arguments.
            results = inputs if result is None else _arrays(result)
            moved = sum(map(cache.use, inputs))
            moved += sum(cache.use(y, writes=True) for y in results)
            shapes = ("x".join(map(str, x.shape)) for x in inputs[:2])
            operation = " ".join([name, *shapes])
            calls.append(Call(operation, moved, start, end, time.monotonic_ns()))
            return result

        return call

    functions = {name: getattr(backend, name) for name in reference.__all__}
    for name, function in functions.items():
        setattr(backend, name, noting(name, function))
    try:
        yield calls
    finally:
        for name, function in functions.items():
            setattr(backend, name, function)


def _arrays(values: Any) -> list[np.ndarray]:
    values = values if isinstance(values, tuple) else (values,)
    return [value for value in values if isinstance(value, np.ndarray)]


def record_once(step: Function, cache: Cache) -> list[Part]:
    """Return the parts of one step, in their order."""
    with _noted_calls(cache) as calls:
        schedule.record_tasks()
        try:
            start = time.monotonic_ns()
            step()
            end = time.monotonic_ns()
        finally:
            record = schedule.take_record()
    loops = [
        np.asarray(times)
        for threads, times in record
        if threads > 1 and len(times) > 2  # else a helper could not take a task
    ]

    def part(operation: str, start: int, end: int, moved: float = 0.0) -> Part:
        """Make the part from `start` to `end`, and take its loops."""
        own = []
        while loops and loops[0][0] < end:
            own.append(1e-9 * np.diff(loops.pop(0)))
        serial = 1e-9 * (end - start) - sum(tasks.sum() for tasks in own)
        return Part(operation, serial, own, moved)

    parts = []
    for call in calls:
        parts.append(part(f"before {call.operation.split()[0]}", start, call.start))
        parts.append(part(call.operation, call.start, call.end, call.bytes))
        start = call.noted
    return [*parts, part("after all", start, end)]


def record(step: Function, repeats: int) -> list[Part]:
    """Return the parts of a step, with the medians of several steps."""
    cache = Cache(last_level_cache())
    steps = [record_once(step, cache) for _ in range(repeats + 1)][1:]
    return [
        Part(
            same[0].operation,
            statistics.median(part.serial for part in same),
            [
                np.median(tasks, axis=0)
                for tasks in zip(*(part.loops for part in same), strict=True)
            ],
            statistics.median(part.bytes for part in same),
        )
        for same in zip(*steps, strict=True)
    ]


# The simulation ----------------------------------------------------------------------


@dataclass(frozen=True)
class Machine:
    """What the tasks share.

    Attributes
    ----------
    waking
        Seconds that a loop takes longer with one helper than without, to wake and to
        join it. T threads are taken to need log2(T) times as long.
    bandwidth
        Bytes per second of memory, for all threads together.
    """

    waking: float
    bandwidth: float = math.inf

    def cost(self, threads: int) -> float:
        """Return what waking and joining takes in a loop of so many threads."""
        return self.waking * math.log2(threads)


def makespan(tasks: Sequence[float], threads: int, cost: float) -> float:
    """Return how long a loop takes whose threads take the next task when they are free.

    Half of `cost` passes before the helpers begin, half after the last task.
    """
    free = [0.0, *[cost / 2] * (threads - 1)]  # a heap
    for seconds in tasks:
        heapreplace(free, free[0] + seconds)
    return max(free) + cost / 2


class Simulated(NamedTuple):
    """A part on several threads: its seconds, and thread-seconds lost by `CAUSES`."""

    seconds: float
    lost: tuple[float, ...]


def simulate(part: Part, threads: int, machine: Machine) -> Simulated:
    """Return how long a part takes on so many threads."""
    work = sum(float(tasks.sum()) for tasks in part.loops)
    if threads == 1:
        return Simulated(part.serial + work, (0.0,) * len(CAUSES))
    cost = machine.cost(threads)
    loops = sum(makespan(tasks, threads, cost) for tasks in part.loops)
    limited = max(loops, part.bytes / machine.bandwidth) if part.loops else 0.0
    waking = threads * cost * len(part.loops)
    lost = (
        (threads - 1) * part.serial,
        waking,
        threads * loops - work - waking,
        threads * (limited - loops),
    )
    return Simulated(part.serial + limited, lost)


def seconds(parts: Sequence[Part], threads: int, machine: Machine) -> float:
    """Return how long a step takes on so many threads."""
    return sum(simulate(part, threads, machine).seconds for part in parts)


# The tables --------------------------------------------------------------------------


def scaling(repeats: int) -> Table:
    """Return the efficiencies of training steps on 2 to 64 threads."""
    table = Table(
        "More cores than here",
        "Milliseconds of training steps on one and on two threads, measured, and the "
        "efficiency on T threads: the time of one / (T x the time of T). **Only that "
        "of 2 threads is measured, the rest is simulated**: each task takes as long as "
        "it took on one thread; a thread that is free takes the next; a loop costs "
        "log2(T) times what waking and joining one helper takes here; what lies "
        "between the loops stays serial; and all is scaled by measured / simulated of "
        "two threads. Memory as here: what a cache as large as this machine's does not "
        "hold is never moved faster than this machine's threads copy; so it is on a "
        "desktop, where two cores can ask for about all that the memory gives. Without "
        "limit: a memory that grows with the cores, as on a server. The goals are for "
        "the first.",
        ("network, batch, memory", "1 thread", "2 threads", "measured / simulated",
         *map(str, THREADS)),
    )  # fmt: skip
    if runtime.get_num_threads() < 2:
        table.after = "This needs two threads: skipped."
        return table
    waking = _waking()
    bandwidth = copy_bandwidth(COPIED)
    limits = {"as here": Machine(waking, bandwidth), "without limit": Machine(waking)}
    table.after = (
        f"One helper costs {1e6 * waking:.2f} µs a loop; {runtime.get_num_threads()} "
        f"threads copy {1e-9 * bandwidth:.0f} GB/s."
    )
    for name in NAMES:
        network = NETWORKS[name]
        step = training_step(built(network), *batch(network))
        sides = {str(t): with_threads(t, with_runtime("openmp", step)) for t in (1, 2)}
        times = table.timings[name] = measure(sides, repeats)
        one, two = (time.median for time in times.values())
        parts = record(with_runtime("openmp", step), repeats)
        for memory, machine in limits.items():
            scale = two / seconds(parts, 2, machine)
            cells = [f"{1e3 * one:.1f}", f"{1e3 * two:.1f}", f"{scale:.2f}"]
            for threads in THREADS:
                efficiency = one / (threads * scale * seconds(parts, threads, machine))
                goal = GOALS.get(threads) if memory == "as here" else None
                cells.append(against(efficiency, goal, ".2f"))
            table.rows.append([f"{name}, {network.batch}, {memory}", *cells])
        table.after += f"\n\n{limiting(name, parts, limits['as here'])}"
    return table


def _waking() -> float:
    """Return what an empty loop takes longer on two threads than on one."""

    def loop(threads: int) -> float:
        measured = with_threads(threads, schedule.measure_loop)
        return statistics.median(measured() for _ in range(LOOPS))

    return with_runtime("openmp", lambda: max(loop(2) - loop(1), 0.0))()


def limiting(name: str, parts: Sequence[Part], machine: Machine) -> str:
    """Return a table of the operations that lose most on several threads."""
    threads = max(GOALS)
    table = Table(
        "",
        f"What {name} loses on {threads} threads, memory as here: the shares of the "
        "time that threads wait, in %, and for what. Before an operation stand Python, "
        "its checks and NumPy.",
        ("operation and shapes", "calls", "tasks", "ms on 1", *CAUSES, "sum %"),
    )
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.operation, []).append(part)
    lost = {
        operation: np.sum([simulate(part, threads, machine).lost for part in group], 0)
        for operation, group in groups.items()
    }
    total = sum(causes.sum() for causes in lost.values())
    for operation in sorted(lost, key=lambda operation: -lost[operation].sum()):
        group = groups[operation]
        counts = [len(tasks) for part in group for tasks in part.loops]
        tasks = f"{min(counts)} to {max(counts)}" if counts else ""
        shares = 100 * lost[operation] / total
        table.rows.append(
            [
                operation,
                str(len(group)),
                tasks,
                f"{1e3 * seconds(group, 1, machine):.1f}",
                *(f"{share:.1f}" for share in shares),
                f"{shares.sum():.1f}",
            ]
        )
    del table.rows[LIMITING:]
    return f"{table.text}\n\n{table.grid()}"
