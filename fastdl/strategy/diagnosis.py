"""Bias, variance, data mismatch, or an overfitted dev set? From the errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from os import PathLike, fspath
from typing import NamedTuple

from fastdl.errors import ArgumentError, suggest
from fastdl.shapes import integer
from fastdl.shapes.numbers import is_number
from fastdl.strategy.knobs import (
    BIAS,
    MISMATCH,
    OPTIMISATION,
    OVERFITTING,
    VARIANCE,
    Remedy,
    Settings,
    remedies,
)
from fastdl.strategy.optimisation import STILL_FALLING, Symptom
from fastdl.strategy.tables import percent

# A gap up to this is small. The book ignores gaps of 1 point and acts on gaps of 2.
SMALL = 0.015
Z = 1.959964  # for intervals that contain the true gap in 95 of 100 cases

SETS = ("human", "train", "train_dev", "dev", "test")
# The name of the gap between a set and the one before it in the table.
_GAP_ABOVE = {
    "train": BIAS,
    "train_dev": VARIANCE,
    "dev": MISMATCH,
    "test": OVERFITTING,
}


class Gap(NamedTuple):
    """The difference of two errors.

    Attributes
    ----------
    size : float
        The second error minus the first, a fraction; negative if the second is smaller.
    low, high : float or None
        The 95 % confidence interval of the true difference; None if the number of
        examples is not known.
    """

    size: float
    low: float | None = None
    high: float | None = None

    def is_problem(self, small: float) -> bool:
        """Return whether it is larger than small, and than noise."""
        return self.size > small and (self.low is None or self.low > 0)


@dataclass(frozen=True)
class Diagnosis:
    """What the errors say; made by `diagnose`. ``print`` shows it as the book's table.

    Attributes
    ----------
    errors : dict of str to float
        Fractions, of "human", "train", "train_dev", "dev", "test", as far as given.
    gaps : dict of str to Gap
        "avoidable bias", "variance", "data mismatch", "overfitting to dev", as far as
        the errors determine them.
    problems : tuple of str
        The gaps to work on, the largest first. "optimisation" replaces "avoidable bias"
        if the loss curve shows that the training went wrong.
    remedies : tuple of Remedy
        What to do, in the order of the problems; each acts on one gap only.
    notes : tuple of str
        Anything else that the reader should know.
    small : float
        The largest gap that is not a problem.
    """

    errors: dict[str, float]
    gaps: dict[str, Gap]
    problems: tuple[str, ...]
    remedies: tuple[Remedy, ...]
    notes: tuple[str, ...]
    small: float

    def summary(self) -> str:
        """Return the diagnosis in one line."""
        errors = ", ".join(
            f"{_title(name)} {_percent(error)}" for name, error in self.errors.items()
        )
        return f"{errors}: {self._verdict()}"

    def cause(self, gap: str) -> str:
        """Return the name of a gap among the problems, if it is one."""
        instead = gap == BIAS and OPTIMISATION in self.problems
        return OPTIMISATION if instead else gap

    def table(self) -> str:
        """Return the errors and, between them, the gaps."""
        above = dict(zip(list(self.errors)[1:], self.gaps.items(), strict=True))
        lines = [f"{'':10}{'error':>8}{'gap':>10}"]
        for name, error in self.errors.items():
            if name in above:
                lines.append(self._gap_line(*above[name]))
            lines.append(f"{_title(name):10}{_percent(error):>8}")
        return "\n".join(lines)

    def _gap_line(self, name: str, gap: Gap) -> str:
        text = f"{'':18}{_percent(gap.size):>10}  {name}"
        if gap.low is not None and gap.high is not None:
            text += f" ({_percent(gap.low)} to {_percent(gap.high)})"
        cause = self.cause(name)
        if cause in self.problems:
            text += f"  <- {self.problems.index(cause) + 1}"
            text += f": {cause}" if cause != name else ""
        return text

    def _verdict(self) -> str:
        if not self.problems:
            return f"no problem: no gap is above {_percent(self.small)} and the noise"
        return f"the problem is {', then '.join(self.problems)}"

    def __str__(self) -> str:
        """Return the table, the problems, the notes and the remedies."""
        parts = [self.table(), self._verdict()]
        if self.notes:
            parts.append("\n".join(f"note: {note}" for note in self.notes))
        if self.remedies:
            parts.append("\n".join(_steps(self.remedies)))
        return "\n\n".join(parts)


def diagnose(
    *,
    train: float,
    dev: float,
    train_dev: float | None = None,
    test: float | None = None,
    human: float = 0.0,
    examples: int | Mapping[str, int] | None = None,
    percent: bool | None = None,
    small: float = SMALL,
    symptoms: Sequence[Symptom] = (),
    settings: Settings | None = None,
    run: str | PathLike[str] | None = None,
) -> Diagnosis:
    """Split the error into its causes, and say what to do about the largest.

    ::

        print(strategy.diagnose(human=4, train=7, train_dev=10, dev=12, test=12))

    Each gap between neighbours in the table has a cause: train - human is avoidable
    bias; dev - train is variance; with a train-dev set (from the distribution of the
    training set, but not trained on) train-dev - train is variance and dev - train-dev
    is data mismatch; test - dev is overfitting to the dev set.

    A gap is a problem if it is larger than `small` and its interval, if there is one,
    lies above 0.

    Parameters
    ----------
    train, dev : float
        The errors: the share of examples with a wrong answer.
    train_dev, test : float, optional
        The errors on these sets, if they exist.
    human : float
        The error of people who are good at it, as an estimate of the smallest possible
        error. (Course 3: to know how well it can be done at all, take the best team.)
    examples : int or dict, optional
        How many examples each error was measured on: one number for all sets, or one
        for each, such as ``{"train": 5000, "dev": 500}``. An error without a number is
        taken to be exact, and so is the human error unless the dict has "human".
    percent : bool, optional
        Whether errors go from 0 to 100 instead of 0 to 1. By default they do if any of
        them is above 1; (0.5, 1) are the fractions one half and one unless
        ``percent=True``.
    small : float
        The largest gap that is not worth an afternoon; always a fraction. For errors of
        tenths of a per cent use 0.001.
    symptoms : sequence of Symptom
        What the loss curve shows, see `symptoms`. With a symptom about the learning
        rate the problem is "optimisation" instead of avoidable bias.
    settings : mapping, optional
        The settings of the run (config.json, `fastdl.train.Job.to_dict`), which make
        the remedies concrete. "available" may say how many training examples there are
        in all.
    run : path, optional
        The folder of the run, for the commands.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ArgumentError
        An error is outside 0 to 1 (0 to 100), or NaN; `small` is outside 0 to 1.
    ShapeError
        A number of examples is not an integer from 1.

    Notes
    -----
    Sources: Ng, Deep Learning Specialization, course 2 week 1, course 3 weeks 1 and 2.
    The interval is from Newcombe 1998, "Interval estimation for the difference
    between independent proportions", method 10 (of Wilson's intervals).
    """
    given = zip(SETS, (human, train, train_dev, dev, test), strict=True)
    errors = _fractions({k: e for k, e in given if e is not None}, percent)
    if not isinstance(small, Real) or not 0 <= small <= 1:
        raise ArgumentError(
            f"diagnose: small is a fraction from 0 to 1, got {small!r:.60}"
        )
    for name in ("train", "dev"):
        if name not in errors:
            raise ArgumentError(f"diagnose: the {name} error is needed, got None")
    counts = _counts(examples)
    gaps = {}
    for before, after in pairwise(errors):
        name = _GAP_ABOVE[after]
        if name == MISMATCH and before == "train":  # dev stands in for train-dev
            name = VARIANCE
        gaps[name] = _gap(before, after, errors, counts)
    problems = sorted(
        (name for name, gap in gaps.items() if gap.is_problem(small)),
        key=lambda name: -gaps[name].size,
    )
    notes = _notes(errors, gaps, small)
    if BIAS in problems:
        notes += [symptom.says for symptom in symptoms]
        if any(symptom.name != STILL_FALLING for symptom in symptoms):
            problems[problems.index(BIAS)] = OPTIMISATION
    if settings is not None and "train" in counts:
        settings = {**settings, "trained_on": counts["train"]}
    return Diagnosis(
        errors,
        gaps,
        tuple(problems),
        remedies(
            problems,
            [symptom.name for symptom in symptoms],
            settings,
            fspath(run) if run is not None else "",
        ),
        tuple(notes),
        float(small),
    )


def _fractions(errors: Mapping[str, float], percent: bool | None) -> dict[str, float]:
    """Return checked errors as fractions."""
    for name, error in errors.items():
        if not is_number(error):
            raise ArgumentError(f"diagnose: {name} must be a number, got {error!r:.60}")
    if percent is None:
        percent = any(error > 1 for error in errors.values())
    most = 100 if percent else 1
    for name, error in errors.items():
        if not 0 <= error <= most:  # also NaN
            meant = "per cent, since one is above 1" if percent else "fractions"
            raise ArgumentError(
                f"diagnose: {name} is {error}; errors are from 0 to {most} ({meant})"
            )
    # Rounded, so that a gap of 3 points is 0.03 and not 0.030000000000000002.
    return {name: round(float(error) / most, 12) for name, error in errors.items()}


def _counts(examples: int | Mapping[str, int] | None) -> dict[str, int]:
    if examples is None:
        return {}
    if not isinstance(examples, Mapping):
        examples = dict.fromkeys(SETS[1:], examples)
    for name in examples:
        if name not in SETS:
            raise ArgumentError(
                f"diagnose: examples of an unknown set {name!r}{suggest(name, SETS)}"
            )
    return {
        name: integer(count, f"diagnose: examples of {name}")
        for name, count in examples.items()
    }


def _gap(
    before: str, after: str, errors: Mapping[str, float], counts: Mapping[str, int]
) -> Gap:
    first, second = errors[before], errors[after]
    size = round(second - first, 12)
    if before not in counts and after not in counts:
        return Gap(size)
    first_low, first_high = _wilson(first, counts.get(before))
    second_low, second_high = _wilson(second, counts.get(after))
    low = size - math.hypot(first_high - first, second - second_low)
    high = size + math.hypot(first - first_low, second_high - second)
    return Gap(size, low, high)


def _wilson(error: float, count: int | None) -> tuple[float, float]:
    """Return the interval of a share (Wilson 1927); a point if it is exact."""
    if count is None:
        return error, error
    square = Z * Z / count
    middle = error + square / 2
    half = math.sqrt(square * (error * (1 - error) + square / 4))
    return (middle - half) / (1 + square), (middle + half) / (1 + square)


def _notes(
    errors: Mapping[str, float], gaps: Mapping[str, Gap], small: float
) -> list[str]:
    notes = []
    if errors["human"] > errors["train"]:
        notes.append(
            f"the training error {_percent(errors['train'])} is below the human error "
            f"{_percent(errors['human'])}: the network is better than these people on "
            f"its training set, so the human error no longer tells how much bias is "
            f"avoidable"
        )
    for (before, after), gap in zip(pairwise(errors), gaps.values(), strict=True):
        turned = Gap(-gap.size, None if gap.high is None else -gap.high)
        if before != "human" and turned.is_problem(small):
            notes.append(
                f"the {_title(after)} error is below the {_title(before)} error: its "
                f"examples are easier, or it had a part in the training or the choice"
            )
    return notes


def _steps(steps: Sequence[Remedy]) -> list[str]:
    lines = ["next:"]
    gap = ""
    for step in steps:
        if step.gap != gap:
            gap = step.gap
            lines.append(f"  against {gap}:")
        lines.append(f"    {step.name}: {step.argument}")
        if step.command:
            lines.append(f"      {step.command}")
    return lines


def _title(name: str) -> str:
    return name.replace("_", "-")


def _percent(share: float) -> str:
    return percent(share, 3)
