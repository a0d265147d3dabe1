"""Which model to ship: one measure to optimise, and limits for the others (S28).

Source: Ng, *Machine Learning Yearning*, chapter 9, "Optimizing and satisficing
metrics".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fastdl.errors import ArgumentError, suggest
from fastdl.metrics import lower_is_better
from fastdl.strategy.candidates import Candidates, Measures, as_candidates
from fastdl.strategy.formula import Formula
from fastdl.strategy.limits import Limit, LimitLike, as_limits, shown
from fastdl.strategy.tables import table


@dataclass(frozen=True)
class Candidate:
    """One of the models to choose from.

    Attributes
    ----------
    name : str
    measures : dict of str to float
    fits : bool
        Whether it keeps all limits and its measure to optimise is known.
    why_not : str
        Why it was not chosen; empty for the best.
    value : float, optional
        The value of the formula; None if there is none, or it needs a missing measure.
    """

    name: str
    measures: Measures
    fits: bool
    why_not: str
    value: float | None = None


@dataclass(frozen=True)
class Choice:
    """What `choose` found; ``print`` shows it as a table with the reasons.

    Attributes
    ----------
    best : str or None
        The name of the chosen one; None if none fits.
    candidates : tuple of Candidate
        The best first, those that do not fit last.
    optimise : str
        The measure.
    minimise : bool
        Whether less of it is better.
    limits : tuple of Limit
    nearest : str
        If none fits: which is nearest to its limits, and by how much it misses them.
    by_formula : str or None
        The name of the one that the formula alone would choose.
    formula : str or None
    """

    best: str | None
    candidates: tuple[Candidate, ...]
    optimise: str
    minimise: bool
    limits: tuple[Limit, ...]
    nearest: str = ""
    by_formula: str | None = None
    formula: str | None = None

    @property
    def measures(self) -> Measures:
        """The measures of the chosen one; ArgumentError if none fits."""
        if self.best is None:
            raise ArgumentError(f"choose: {self.nearest}")
        return self.candidates[0].measures

    def __str__(self) -> str:
        rules: dict[str, list[str]] = {self.optimise: [self._most]}
        for limit in self.limits:
            rules.setdefault(limit.name, []).append(limit.rule)
        last = ["formula"] if self.formula else []
        lines = [
            ["", *rules, *last, ""],
            ["", *map(", ".join, rules.values()), *("" for _ in last), ""],
        ]
        for each in self.candidates:
            cells = [shown(each.measures.get(name)) for name in rules]
            cells += [shown(each.value) for _ in last]
            lines.append([each.name, *cells, each.why_not or "<- chosen"])
        return "\n".join([*table(lines, heads=2, remarks=True), *self._ending()])

    @property
    def _most(self) -> str:
        return "lowest" if self.minimise else "highest"

    def _ending(self) -> list[str]:
        if self.best is None:
            ending = [f"none fits: {self.nearest}"]
        else:
            kept = ", ".join(map(str, self.limits))
            where = f" of those with {kept}" if kept else ""
            ending = [f"chosen: {self.best}, the {self._most} {self.optimise}{where}"]
        if self.formula:
            ending.append(
                f"by the formula {self.formula} alone: {self.by_formula or 'none'}"
            )
        return ending


class Wish:
    """What to choose by; the arguments are those of `choose`.

    Raises
    ------
    ArgumentError
        A limit is not valid, or the formula cannot be read.
    """

    def __init__(
        self,
        optimise: str,
        limits: Mapping[str, LimitLike] | None,
        minimise: bool | None,
        formula: str | Callable[[Measures], float] | None,
    ) -> None:
        self.optimise, self.limits = optimise, as_limits(limits)
        self.formula = Formula(formula) if isinstance(formula, str) else formula
        if not (self.formula is None or callable(self.formula)):
            raise ArgumentError(
                f"choose: formula is a text or a function, got {formula!r:.60}"
            )
        self._minimise = lower_is_better(optimise) if minimise is None else minimise

    def check(self, known: Collection[str]) -> bool:
        """Return whether less is better.

        Raises
        ------
        ArgumentError
            A measure is not known, or it is not known which direction is better.
        """
        wanted = [self.optimise, *(limit.name for limit in self.limits)]
        wanted += self.formula.names if isinstance(self.formula, Formula) else ()
        for name in wanted:
            if name not in known:
                hint = (
                    suggest(name, known) if known else ": none has a measure, a number"
                )
                raise ArgumentError(f"choose: no candidate has {name!r}{hint}")
        if self._minimise is None:
            raise ArgumentError(
                f"choose: is more or less of {self.optimise!r} better? Give "
                f"minimise=True or False"
            )
        return self._minimise


def choose(
    candidates: Candidates,
    optimise: str = "accuracy",
    limits: Mapping[str, LimitLike] | None = None,
    *,
    minimise: bool | None = None,
    formula: str | Callable[[Measures], float] | None = None,
) -> Choice:
    """Choose the model that is best at one thing, and good enough at the others.

    ::

        classifiers = {
            "A": {"accuracy": 0.90, "latency_ms": 80},
            "B": {"accuracy": 0.92, "latency_ms": 95},
            "C": {"accuracy": 0.95, "latency_ms": 1500},
        }
        choice = strategy.choose(classifiers, "accuracy", {"latency_ms": 100})
        choice.best  # "B"
        print(choice)  # a table, with the reasons against the others

    Parameters
    ----------
    candidates : dict, sequence or path
        By the name of each candidate its measures by name; or a list of such dicts,
        each with a "name"; or runs, as `fastdl.train.FinishedRun` or folders, which are
        measured, see `fastdl.strategy.compare_runs`; or a CSV file with one candidate
        per row.
    optimise : str
        The measure to optimise. More is better, unless its name says less: losses,
        errors, latencies, sizes, ... (see `fastdl.metrics.lower_is_better`).
    limits : dict of str to number or pair, optional
        What is good enough. A number is the maximum for measures where lower is better
        ("latency_ms": 100), and the minimum where higher is better ("recall": 0.9). A
        pair (low, high) gives both, with None for no limit: (None, 100), (0.9, None),
        (20, 25). Values equal to a limit are good enough.
    minimise : bool, optional
        Whether less of `optimise` is better, if its name does not say, or misleads.
    formula : str or callable, optional
        Another way to choose, shown for comparison only: one number computed from all
        measures, the higher the better, such as "accuracy - 0.5 * latency_ms / 1000"
        (see `fastdl.strategy.Formula`), or a function of the dict.

    Returns
    -------
    Choice
        Ties go to the one that is farther from a limit, in the order of the limits;
        then to the first that was given. A candidate without one of the measures, or
        with NaN, is not chosen.

    Raises
    ------
    ArgumentError
        There are no candidates; none of them has a measure; a limit is not valid, or it
        is not known whether it is a maximum or which direction of `optimise` is better;
        the formula cannot be read.
    DataError
        A file or a run cannot be read, or two candidates have the same name.
    """
    wish = Wish(optimise, limits, minimise, formula)
    found = as_candidates(candidates, wish.check)
    minimise = wish.check({name: None for each in found.values() for name in each})
    chosen_limits, calculated = wish.limits, wish.formula
    sign = -1.0 if minimise else 1.0
    faults = {name: _faults(m, optimise, chosen_limits) for name, m in found.items()}
    fitting = [name for name, why in faults.items() if not why]

    def rank(name: str) -> tuple[float, ...]:
        slack = (limit.slack(found[name][limit.name]) for limit in chosen_limits)
        return sign * found[name][optimise], *slack

    # Sorting is stable: the first of equals stays first in either direction.
    fitting.sort(key=rank, reverse=True)
    order = fitting + [name for name in found if faults[name]]
    best = fitting[0] if fitting else None
    values = {name: _of_formula(calculated, m) for name, m in found.items()}
    listed = []
    for name in order:
        why = faults[name]
        if best is not None and name != best and not why:
            why = _behind(found[name], found[best], optimise, chosen_limits, minimise)
        listed.append(Candidate(name, found[name], not faults[name], why, values[name]))
    return Choice(
        best,
        tuple(listed),
        optimise,
        minimise,
        tuple(chosen_limits),
        "" if fitting else _nearest(found, optimise, chosen_limits),
        _highest(values),
        None if calculated is None else _text(calculated),
    )


def _faults(measures: Measures, optimise: str, limits: list[Limit]) -> str:
    """Say why a candidate does not fit; return an empty text if it does."""
    faults = []
    for name in dict.fromkeys([*(limit.name for limit in limits), optimise]):
        value = measures.get(name)
        if value is None or math.isnan(value):
            faults.append(f"no {name}" if value is None else f"{name} is NaN")
        elif name == optimise and math.isinf(value):
            faults.append(f"{name} is {value}")
    for limit in limits:
        value = measures.get(limit.name, math.nan)
        if limit.missed_by(value) > 0:
            faults.append(f"not {limit}")
    return ", ".join(faults)


def _behind(
    own: Measures, best: Measures, optimise: str, limits: list[Limit], minimise: bool
) -> str:
    """Say why one that fits is not the best."""
    behind = abs(own[optimise] - best[optimise])
    if behind:
        return f"{optimise} is {'higher' if minimise else 'lower'} by {shown(behind)}"
    for limit in limits:
        if limit.slack(own[limit.name]) != limit.slack(best[limit.name]):
            return f"equal {optimise}, but {limit.name} is nearer to its limit"
    return f"equal {optimise}, and named later"


def _nearest(found: Mapping[str, Measures], optimise: str, limits: list[Limit]) -> str:
    """Say which candidate misses its limits by the smallest share."""
    near = []
    for name, measures in found.items():
        needed = [measures.get(limit.name, math.nan) for limit in limits]
        known = math.isfinite(measures.get(optimise, math.nan))
        if known and not any(map(math.isnan, needed)):
            shares = [limit.missed_share(measures[limit.name]) for limit in limits]
            near.append((max(shares), name))
    if not near:
        return "every candidate lacks a measure"
    _, name = min(near, key=lambda pair: pair[0])
    missed = [
        f"{limit} by {shown(limit.missed_by(found[name][limit.name]))} "
        f"({limit.missed_share(found[name][limit.name]):.1%})"
        for limit in limits
        if limit.missed_by(found[name][limit.name]) > 0
    ]
    return f"nearest is {name}, which misses {' and '.join(missed)}"


def _of_formula(
    formula: Callable[[Measures], float] | None, measures: Measures
) -> float | None:
    """Return the value of a formula; None if a measure is missing."""
    if formula is None:
        return None
    try:
        value = formula(dict(measures))
    except KeyError:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"choose: the formula must give one number, got {value!r:.60}"
        ) from None


def _highest(values: Mapping[str, float | None]) -> str | None:
    known = {n: v for n, v in values.items() if v is not None and not math.isnan(v)}
    return max(known, key=lambda name: known[name]) if known else None


def _text(formula: Callable) -> str:
    if isinstance(formula, Formula):
        return str(formula)
    return getattr(formula, "__name__", type(formula).__name__)
