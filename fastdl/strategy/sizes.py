"""How many examples a part gets, and how many it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from fastdl.errors import ArgumentError
from fastdl.shapes import integer
from fastdl.shapes.numbers import is_number

_MOST = 10_000  # examples of a dev or test set, by the rule of thumb
_ROUNDING = 1e-6  # share of all examples by which fractions may miss their sum
_Z = 1.959964  # standard errors to each side hold 95 % of a normal distribution


def rule_of_thumb(m: int, dev: bool = True) -> dict[str, int]:
    """Return how to divide m examples, by the usual rule of thumb.

    A fifth each for dev and test, or 30 % for test without a dev set, but not more than
    10,000 examples, which are enough to show small differences: 70/30 or 60/20/20 for a
    few thousand examples, 98/1/1 for a million.

    Parameters
    ----------
    m : int
        The number of all examples, from 3 (from 2 without a dev set).
    dev : bool
        Whether models are compared before one is tested.

    Returns
    -------
    dict of str to int
        "train", "dev" (if there is one) and "test"; they sum to m.

    Raises
    ------
    ShapeError
        `m` is not an integer, or is too small.

    Notes
    -----
    Source: Ng, *Deep Learning Specialization*, course 2, week 1.
    """
    m = integer(m, "rule_of_thumb: m", minimum=3 if dev else 2)
    held = max(1, min(round((0.2 if dev else 0.3) * m), _MOST))
    sizes = {"dev": held, "test": held} if dev else {"test": held}
    return {"train": m - sum(sizes.values()), **sizes}


def counts_of(
    operation: str, sizes: Mapping[str, float | None], total: int
) -> dict[str, int]:
    """Return the sizes of parts as counts that sum to `total`.

    Parameters
    ----------
    operation : str
        The name for the messages.
    sizes : mapping of str to float, int or None
        Fractions of `total` below 1, or counts; one may be None, which means the rest.
        0 makes no part.
    total : int
        The number of all examples.

    Raises
    ------
    ArgumentError
        They are neither, do not sum to `total`, or leave a part empty.
    """
    wanted = {
        name: _wanted(f"{operation}: {name}", size, total)
        for name, size in sizes.items()
        if size is not None
    }
    given = math.fsum(wanted.values())
    missing = total - given
    rest = dict.fromkeys(sizes.keys() - wanted.keys(), missing)
    if missing < -_ROUNDING * total or (not rest and missing > _ROUNDING * total):
        raise ArgumentError(
            f"{operation}: {_listed(sizes)} make {given:,.10g} of {total:,} examples"
        )
    wanted |= rest
    # Rounding the running sums keeps the total, and each size within one of its share.
    ends = np.floor(np.cumsum([wanted[name] for name in sizes]) + 0.5).astype(int)
    counts = dict(zip(sizes, np.diff(ends, prepend=0).tolist(), strict=True))
    for name, size in sizes.items():
        if counts[name] == 0 and size != 0:
            raise ArgumentError(
                f"{operation}: {name} would be empty: {_listed(sizes)} of {total:,} "
                f"examples"
            )
    return counts


def standard_error(error: float, examples: int) -> float:
    """Return the typical error of an error rate measured on this many examples.

    sqrt(p (1 - p) / n), the standard deviation of a share of n independent examples.

    Parameters
    ----------
    error : float
        The error rate p, from 0 to 1.
    examples : int
        Their number n, from 1.

    Raises
    ------
    ArgumentError, ShapeError
        One of them is out of range.
    """
    examples = integer(examples, "standard_error: examples")
    p = _fraction("standard_error: error", error)
    return math.sqrt(p * (1 - p) / examples)


def examples_needed(difference: float, error: float) -> int:
    """Return how many examples it takes to show a difference of two error rates.

    With this many, the 95 % interval of the error extends by no more than the
    difference, 1.96 standard errors, to each side: n = 1.96^2 p (1 - p) / d^2 ::

        examples_needed(0.001, error=0.01)  # 38,031: to see 0.1 % at 1 % error

    Parameters
    ----------
    difference : float
        The smallest difference d to be seen, above 0, up to 1.
    error : float
        The error rate p around which it is, from 0 to 1.

    Raises
    ------
    ArgumentError
        One of them is out of its range.
    """
    p = _fraction("examples_needed: error", error)
    d = _fraction("examples_needed: difference", difference)
    if d**2 == 0:
        raise ArgumentError(f"examples_needed: difference must be above 0, got {d}")
    return max(1, math.ceil(_Z**2 * p * (1 - p) / d**2))


def _wanted(name: str, size: object, total: int) -> float:
    """Return a size as a number of examples, not yet rounded."""
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
        if size >= 0:
            return float(size)
    elif isinstance(size, (float, np.floating)) and 0 <= size < 1:
        return float(size * total)
    raise ArgumentError(
        f"{name} must be a fraction such as 0.2 or a count such as 500, got {size!r}"
    )


def _fraction(name: str, value: object) -> float:
    if not is_number(value) or not 0 <= value <= 1:
        raise ArgumentError(f"{name} must be a fraction from 0 to 1, got {value!r}")
    return float(value)


def _listed(sizes: Mapping[str, float | None]) -> str:
    return ", ".join(
        f"{name} {size}" for name, size in sizes.items() if size is not None
    )
