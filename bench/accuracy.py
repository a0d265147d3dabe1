"""``python -m bench.accuracy``: how exact each kernel is, written to docs/accuracy.md.

Not of speed, but a table like the others: `tests/test_accuracy.py` measures the same
cases and compares.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.exactness import CASES, EXACT, LONG, SHORT, Make, Sizes, as_tuple, exact_type
from bench.harness import Table
from fastdl import reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "accuracy.md"  # a link in CI
DTYPES = ("float32", "float64")
NUMPY = "NumPy"  # the column of the reference
INTRODUCTION = """\
# How exact the kernels are

Written by `python -m bench.accuracy`; `tests/test_accuracy.py` measures it again: a
part in `make test`, all of it in `make soak`. No figure may be exceeded, or be more
than twice what is found.

Each figure is the largest error of a kernel in units in the last place, rounded up:
float32 against the NumPy reference in float64, float64 against the reference in long
double (64 bits of mantissa). The numbers that go in are positive and alike, all equal,
normally distributed, the same times 2^30 and 2^-30, and spread over 30 powers of two;
those of element-wise functions also sweep all that the type can hold, both signs; the
smooth activations but GELU see every number of float32 from 1/16 to 128. Sums have up
to 100,000 terms.

One unit is the distance of two neighbouring numbers of the type

- **at the result**, for functions of single elements: 0.5 is a perfect rounding;
- **at the sum of the absolute values of all terms**, for sums and what consists of
  them: where terms cancel, no sum in the type itself can be exact relative to what is
  left;
- **at the largest result**, for the norms and Winograd's convolutions, which mix
  neighbours, and for warps, whose places are rounded.

Numbers below the smallest normal one are 0 inside kernels. None goes in, and results up
to 1024 times that, which have a factor or a term below it, are left out.

The column {numpy} is the reference itself in float32, for comparison; its products
depend on NumPy's linear algebra. What is large has its reason:

- GELU is as good as the others between -2.5 and 3. Below, its relative error grows as
  x^2, because x^2 / 2 is rounded before it becomes an exponent: in float32 10 units at
  -8, where GELU is -5e-15, and 70 at -13, where it is -1e-37.
- Sums of hundreds or thousands of *equal* numbers round each time in the same
  direction, as in the background of a picture. That is what most figures above 10 are.
- Means and losses are added up in float64, which is no help to float64 itself.
"""

# Errors -------------------------------------------------------------------------------


def columns(dtype: str) -> list[str]:
    """Return what computes: each instruction set, and NumPy in float32."""
    from fastdl.kernels.engine import runtime

    return [*runtime.available_isas(), *([NUMPY] if dtype == "float32" else [])]


def measure(
    name: str,
    dtype: str,
    sizes: Sizes,
    computers: Iterable[str] = (),
    kinds: Iterable[str | int] = (),
) -> dict[str, float]:
    """Return the largest error of a case, by what computes it (default: all)."""
    one = CASES[name]
    kernel = name.partition(" ")[0]
    exact = EXACT.get(kernel, getattr(reference, kernel))
    found = dict.fromkeys(computers or columns(dtype), 0.0)
    for kind in kinds or one.kinds:
        make = partial(Make, kind, dtype, sizes)
        wide = partial(make, exact_type(dtype))
        for call in one.calls:
            with np.errstate(all="ignore"):
                wanted = as_tuple(call(exact, wide()))
                scales = one.scale(exact, call, wide, wanted)
                units = [unit(scale, dtype) for scale in scales]
                for computer in found:
                    given = as_tuple(call(of(computer, kernel), make()))
                    here = error(given, wanted, units)
                    found[computer] = max(found[computer], here)
    return found


def worst(name: str, dtype: str, computers: Iterable[str] = ()) -> dict[str, float]:
    """Return the largest error of a case on small and on large arrays.

    A smooth function of one float32 is tried on every number of the `BLOCKS` too.
    """
    found = [measure(name, dtype, sizes, computers) for sizes in (SHORT, LONG)]
    if dtype == "float32" and name in SMOOTH:
        found.append(measure(name, dtype, LONG, computers, BLOCKS))
    return {computer: max(each[computer] for each in found) for computer in found[0]}


def of(computer: str, kernel: str) -> Callable:
    """Return a kernel that runs with an instruction set, or the reference."""
    if computer == NUMPY:
        return getattr(reference, kernel)
    from fastdl import kernels
    from fastdl.kernels.engine import runtime

    def run(*arguments: Any, **options: Any) -> Any:
        before = runtime.get_isa()
        runtime.set_isa(computer)
        try:
            return getattr(kernels, kernel)(*arguments, **options)
        finally:
            runtime.set_isa(before)

    return run


def unit(scale: np.ndarray, dtype: str) -> np.ndarray:
    """Return the distance of neighbours of a type at magnitudes."""
    info = np.finfo(dtype)
    scale = np.clip(np.abs(scale), info.smallest_normal, info.max)
    _, exponent = np.frexp(scale)
    return np.ldexp(np.ones_like(scale), exponent - 1 - info.nmant)


# Two to an octave: all float32 numbers from 1/16 to 128, of both signs.
BLOCKS = range(2 * (127 - 4), 2 * (127 + 7))
SMOOTH = [  # not GELU, whose exact value takes a call of Python for each number
    f"activation_forward {kind}"
    for kind in ("sigmoid", "tanh", "silu", "elu", "softplus")
]
TINY = 1024  # times the smallest normal number: a factor may be below it


def error(given: tuple, wanted: tuple, units: list[np.ndarray]) -> float:
    """Return the largest error in units."""
    worst = 0.0
    for g, w, u in zip(given, wanted, units, strict=True):
        info = np.finfo(g.dtype)
        if not g.shape == w.shape == u.shape:
            raise AssertionError(f"shapes {g.shape}, {w.shape} and {u.shape}")
        g, w = np.atleast_1d(g.astype(w.dtype), w)
        off = np.abs(g - w) / u
        tiny = np.maximum(np.abs(w), np.abs(g)) < TINY * info.smallest_normal
        huge = (np.abs(w) >= info.max) & (np.abs(g) >= info.max) & (g * w > 0)
        off[tiny | huge | (np.isnan(g) & np.isnan(w)) | (g == w)] = 0
        if off.size:
            worst = max(worst, float(np.where(np.isnan(off), np.inf, off).max()))
    return worst


def published(found: float) -> float:
    """Return a figure that holds, and is at most half as much again."""
    if found in (0, math.inf):
        return found
    if found <= 0.5:
        return 0.5
    found *= 1.1  # for other compilers
    power = 10.0 ** math.floor(math.log10(found))
    steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next(power * value for value in steps if power * value >= found * 0.9999)


# The page -----------------------------------------------------------------------------


def tables(names: Iterable[str]) -> list[Table]:
    """Measure some cases; take what is published of the others."""
    known = read() if set(names) < set(CASES) else {}
    found = []
    for dtype in DTYPES:
        table = Table(dtype, "", ("kernel", *columns(dtype)))
        for name in CASES:
            if name in names:
                figures = [published(value) for value in worst(name, dtype).values()]
                print(dtype, name, *figures, flush=True)
            else:
                figures = [known[dtype, name, each] for each in columns(dtype)]
            table.rows.append((name, *(f"{figure:g}" for figure in figures)))
        found.append(table)
    return found


def read() -> dict[tuple[str, str, str], float]:
    """Return the figures of the page, by type, kernel and what computes."""
    figures = {}
    text = PAGE.read_text(encoding="utf-8")
    for dtype, grid in re.findall(r"^## (float\d\d)$\n+((?:\|.*\n)+)", text, re.M):
        header, _, *rows = (
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in grid.splitlines()
        )
        for name, *cells in rows:
            for column, cell in zip(header[1:], cells, strict=True):
                figures[dtype, name, column] = float(cell)
    return figures


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.accuracy", description=f"Measure errors; write {PAGE}."
    )
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help="rows to measure; default: all"
    )
    names = parser.parse_args().cases or list(CASES)
    for name in names:
        if name not in CASES:
            parser.error(f"unknown case {name!r}; there are {', '.join(CASES)}")
    text = INTRODUCTION.format(numpy=NUMPY)
    PAGE.write_text("\n".join([text, *map(str, tables(names))]), encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
