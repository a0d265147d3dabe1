"""How time is measured, and the form of what is measured.

All sides of a comparison run in turn in one process, so that a change of the clock or
of the load meets all of them. A figure is the median of its samples, 20 unless
told otherwise; a sample is one call, or as many short ones as fill a millisecond. Each
follows a pause, in which the threads of the other sides stop spinning, and 10 ms of
calls that are not timed.
"""

from __future__ import annotations

import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

import fastdl

SIZES = {"1 MB": 2**18, "8 MB": 2**21}  # reals, in a level 2 cache and in none
CACHES = ("L1d", "L2", "L3")
REPEATS = 20
SAMPLE = 1e-3  # seconds that a sample takes at least
PAUSE = 12e-3  # longer than idle threads spin: OpenMP's do for about 10 ms
WARM = 10e-3  # of calls before a sample, as in a training that goes on and on
LONG = 20e-3  # calls that take longer need none to be warm

Function = Callable[[], Any]


class Timing(NamedTuple):
    """Seconds of one call: the median of the samples and their quartiles."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Work:
    """One computation on arrays that are ready.

    Attributes
    ----------
    ours
        Computes it by the functions of a backend, `fastdl.kernels` or
        `fastdl.reference`.
    peers
        Returns the forms in which the peer can compute it, such as its layouts; the
        fastest counts.
    flops
        Multiplications and additions that are needed, those with padding not counted.
    bytes
        What has to be moved to and from memory when no cache holds it.
    winograd
        Whether Winograd's algorithm can compute it too.
    exact
        Computes it in float64.
    """

    ours: Callable[[ModuleType], Any]
    peers: Callable[[], list[Function]] = list
    flops: float = 0
    bytes: float = 0
    winograd: bool = False
    exact: Function | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """A computation on one shape; ``setup()`` makes its arrays.

    The goals are lower bounds: "ratio" of peer time / fastdl time, "direct" of the
    same without Winograd, "numpy" of NumPy's time / fastdl time, and "percent" of the
    peak, or of the copy bandwidth where memory is the limit; and an upper one,
    "microseconds".
    """

    name: str
    setup: Callable[[], Work]
    goals: dict[str, float] = field(default_factory=dict)


def normal(*shapes: int | Sequence[int]) -> list[np.ndarray]:
    """Return an array of normal numbers for each shape, aligned as fastdl's own are."""
    from fastdl import kernels

    rng = np.random.default_rng(0)
    arrays = [kernels.empty(shape, np.float32) for shape in shapes]
    for array in arrays:
        rng.standard_normal(dtype=np.float32, out=array)
    return arrays


def memory_goals(size: str) -> dict[str, float]:
    """Return the goals of a kernel limited by memory, on arrays of one of `SIZES`."""
    return {"ratio": 1.5} if size == "1 MB" else {"ratio": 1.3, "percent": 80}


@dataclass
class Table:
    """Cells as text, under a title and a paragraph, and the timings behind them."""

    title: str
    text: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    after: str = ""
    timings: dict[str, dict[str, Timing]] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the table as Markdown that is also readable as plain text."""
        parts = (f"## {self.title}", self.text, self.grid(), self.after)
        return "\n\n".join(part for part in parts if part) + "\n"

    def grid(self) -> str:
        """Return the header and the rows."""
        lines = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        cells = [
            [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]
            for line in (self.header, rule, *self.rows)
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def against(value: float, goal: float | None, form: str, at_most: bool = False) -> str:
    """Return a figure with its goal; bold when it misses."""
    text = format(value, form)
    if goal is None:
        return text
    if value > goal if at_most else value < goal:
        text = f"**{text}**"
    return f"{text} ({'≤' if at_most else '≥'} {goal:g})"


def geometric_mean(values: Iterable[float]) -> float:
    """Return the n-th root of the product; NaN for none."""
    logs = [math.log(value) for value in values]
    return math.exp(statistics.fmean(logs)) if logs else math.nan


# Time --------------------------------------------------------------------------------


def _spend(seconds: float, function: Function) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        function()


def _sample(function: Function, calls: int, warm: bool) -> float:
    _spend(PAUSE, lambda: None)  # awake: a core that slept is slow for a while
    if warm:
        _spend(WARM, function)
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def measure(sides: dict[str, Function], repeats: int = REPEATS) -> dict[str, Timing]:
    """Time all sides in turn, each as often as the others."""
    calls, warm = {}, {}
    for name, function in sides.items():
        function()  # compiles, fills caches, takes memory
        seconds = min(_sample(function, 1, warm=False) for _ in range(2))
        calls[name] = max(1, math.ceil(SAMPLE / seconds))
        warm[name] = seconds < LONG
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats):
        # Alternate the order: no side always runs after the same one.
        for name in list(sides)[:: -1 if turn % 2 else 1]:
            samples[name].append(_sample(sides[name], calls[name], warm[name]))
    return {name: timing(values) for name, values in samples.items()}


def timing(samples: Sequence[float]) -> Timing:
    """Return the median and the quartiles of samples."""
    low, median, high = np.percentile(samples, (25, 50, 75))
    return Timing(float(median), float(low), float(high))


def fastest(forms: Sequence[Function]) -> Function:
    """Return the fastest of several ways to compute the same."""
    if len(forms) == 1:
        return forms[0]
    times = measure({str(i): form for i, form in enumerate(forms)}, repeats=3)
    return forms[int(min(times, key=lambda name: times[name].median))]


def with_algorithm(name: str, function: Function) -> Function:
    """Return `function` with this algorithm for all 3 x 3 convolutions."""
    return _with(fastdl.set_conv_algorithm, name, "auto", function)


def with_runtime(name: str, function: Function) -> Function:
    """Return `function` with its threads run by "openmp" or "pool"."""
    return _with(fastdl.set_runtime, name, "auto", function)


def with_threads(count: int, function: Function) -> Function:
    """Return `function` on up to this many threads."""
    return _with(fastdl.set_num_threads, count, fastdl.get_num_threads(), function)


def _with(
    choose: Callable[[Any], None], choice: Any, usual: Any, function: Function
) -> Function:
    def run() -> Any:
        choose(choice)
        try:
            return function()
        finally:
            choose(usual)

    return run


def check_equal(name: str, ours: Any, theirs: Any) -> None:
    """Raise unless two sides computed the same, whatever the layout of the result.

    Compares the norms of the floating arrays that both return; the masks of dropout,
    which differ, are the reason for as much as 1 %.
    """
    for a, b in zip(_norms(ours), _norms(theirs), strict=False):
        if not math.isclose(a, b, rel_tol=0.01, abs_tol=1e-6):
            raise AssertionError(f"{name}: the sides disagree, norms {a} and {b}")


def error(actual: Any, expected: Any) -> float:
    """Return the norm of what the first array of a result is off."""
    a, e = _first(actual), _first(expected)
    return float(np.linalg.norm((a - e).ravel()))


def _first(result: Any) -> np.ndarray:
    results = result if isinstance(result, tuple) else (result,)
    return next(array for array in results if array is not None)


def _norms(result: Any) -> list[float]:
    results = result if isinstance(result, (tuple, list)) else (result,)
    arrays = [np.asarray(array) for array in results if array is not None]
    return [
        float(np.linalg.norm(array.astype(np.float64).ravel()))
        for array in arrays
        if array.dtype.kind == "f"
    ]


# The machine -------------------------------------------------------------------------


class Peak:
    """The multiply-add units of all threads, as one more side of a comparison."""

    def __init__(self) -> None:
        self._found: list[float] = []

    def __call__(self) -> None:
        """Measure once."""
        from fastdl.kernels.engine import runtime

        self._found.append(runtime.measure_peak())

    @property
    def flops(self) -> float:
        """The median so far, in FLOP/s."""
        return statistics.median(self._found)


@lru_cache
def copy_bandwidth(reals: int) -> float:
    """Return the bytes per second, read and written, of copying an array of float32.

    Each thread copies its own share a few times, so little time goes into waking them.
    """
    from concurrent.futures import ThreadPoolExecutor

    threads = fastdl.get_num_threads()
    rounds = 4
    source = np.ones(reals, np.float32)
    pairs = [
        (share, share.copy()) for share in np.array_split(source, threads) if share.size
    ]

    def copy(pair: tuple[np.ndarray, np.ndarray]) -> None:
        for _ in range(rounds):
            np.copyto(pair[1], pair[0])

    with ThreadPoolExecutor(threads) as pool:
        times = measure({"copy": lambda: list(pool.map(copy, pairs))})
    return 2 * source.nbytes * rounds / times["copy"].median


def load_of_others(seconds: float = 1.0) -> float | None:
    """Return how many cores other processes keep busy while this one sleeps."""

    def busy() -> float:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        user, nice, system, _, _, irq, softirq, steal = map(int, fields)
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

    try:
        before = busy()
        time.sleep(seconds)
        return (busy() - before) / seconds
    except (OSError, ValueError):  # no Linux
        return None


def describe_load() -> str:
    """Say whether the machine is quiet enough for its figures to mean something."""
    load = load_of_others()
    if load is None:
        return "the load of other processes is not known on this system"
    if load < 0.1:
        return f"quiet: other processes kept {load:.2f} cores busy"
    return f"NOT QUIET: other processes kept {load:.2f} cores busy; measure again"


def _processor() -> str:
    """Return the processor's name, its cores, and its caches, as lscpu knows them."""
    cores = f"{os.cpu_count()} cores"
    try:
        text = subprocess.run(
            ["lscpu"], env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True,
            check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):  # no Linux
        return f"{platform.processor() or platform.machine()}, {cores}"
    lines = (line.partition(":") for line in text.splitlines())
    known = {name.strip(): value.strip() for name, _, value in lines}
    model = known.get("Model name", platform.machine())
    if "CPU family" in known:  # some hosts hide the rest of the name
        model += f" (family {known['CPU family']}, model {known['Model']})"
    caches = [f"{c} {known[f'{c} cache']}" for c in CACHES if f"{c} cache" in known]
    return ", ".join([model, cores, *caches])


def describe_machine() -> dict[str, str]:
    """Return what a reader must know to compare figures."""
    prefixes = ("FASTDL_", "OMP_", "MKL_", "GOMP_", "KMP_", "OPENBLAS_")
    flags = [f"{k}={v}" for k, v in os.environ.items() if k.startswith(prefixes)]
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        **fastdl.info(),
        "environment": " ".join(sorted(flags)) or "no variable set",
    }
