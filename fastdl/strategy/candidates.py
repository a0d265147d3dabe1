"""The candidates of a choice: measures by name, from dicts, runs or a CSV file."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from fastdl.errors import ArgumentError, DataError
from fastdl.files import SMALL, read_file
from fastdl.shapes.numbers import is_number
from fastdl.strategy.inference import MEASURES, compare_runs
from fastdl.train import FinishedRun
from fastdl.typing import StrPath

_NAMES = ("name", "run", "model", "candidate")  # columns that name a row

Measures = dict[str, float]
Candidate: TypeAlias = Mapping[str, object] | StrPath | FinishedRun
Candidates: TypeAlias = (
    StrPath | FinishedRun | Mapping[str, Mapping[str, object]] | Iterable[Candidate]
)
"""A CSV file, a run, measures by name, or several runs or dicts of measures."""


def as_candidates(
    given: Candidates, check: Callable[[Collection[str]], object]
) -> dict[str, Measures]:
    """Return measures by candidate, from whatever `fastdl.strategy.choose` takes.

    Parameters
    ----------
    given
        As in `choose`.
    check : callable
        Called with the names of what will be measured, before runs are measured.

    Raises
    ------
    ArgumentError, DataError
        There are no candidates, two have the same name, or a file cannot be read.
    """
    if isinstance(given, FinishedRun):
        given = [given]
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        is_csv = path.suffix.lower() == ".csv"
        found = read_csv(path) if is_csv else _runs([path], check)
    elif isinstance(given, Mapping):
        found = {str(name): _measures(str(name), each) for name, each in given.items()}
    elif isinstance(given, Iterable):
        found = _listed(list(given), check)
    else:
        raise ArgumentError(
            f"choose: candidates are dicts of measures, runs, or a CSV file, got "
            f"{given!r:.60}"
        )
    if not found:
        raise ArgumentError("choose: there are no candidates")
    return found


def read_csv(path: str | os.PathLike[str]) -> dict[str, Measures]:
    """Return the candidates of a CSV file: a line of names, then one row for each.

    The name of a candidate is in the column "name", "run", "model" or "candidate",
    otherwise in the first one. Cells without a number, such as settings, are left out.

    Raises
    ------
    DataError
        The file is not such a table, or names a candidate twice.
    OSError
        It may not be read.
    """
    try:
        text = read_file(path, SMALL).decode("utf-8-sig")
        header, *rows = [row for row in csv.reader(io.StringIO(text)) if any(row)]
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is no CSV file with a line of names") from None
    columns = [column.strip() for column in header]
    if len(set(columns)) < len(columns):
        raise DataError(f"{path}: two columns have the same name: {', '.join(columns)}")
    lower = [column.lower() for column in columns]
    place = next((lower.index(name) for name in _NAMES if name in lower), 0)
    pairs = []
    for number, row in enumerate(rows, 2):
        if len(row) > len(columns) or len(row) <= place:
            raise DataError(
                f"{path}, row {number}: expected {len(columns)} cells, got {len(row)}"
            )
        cells = zip(columns, row, strict=False)
        measures = {name: float(cell) for name, cell in cells if _is_float(cell)}
        measures.pop(columns[place], None)
        pairs.append((row[place].strip(), measures))
    return _by_name(pairs)


def _is_float(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _listed(
    given: list[Candidate], check: Callable[[Collection[str]], object]
) -> dict[str, Measures]:
    dicts = [each for each in given if isinstance(each, Mapping)]
    if not dicts:
        return _runs(given, check)
    if len(dicts) < len(given):
        raise ArgumentError("choose: candidates are all dicts, or all runs")
    pairs = []
    for number, each in enumerate(dicts, 1):
        measures = dict(each)
        name = str(measures.pop("name", number))
        pairs.append((name, _measures(name, measures)))
    return _by_name(pairs)


def _runs(
    given: Iterable[Candidate], check: Callable[[Collection[str]], object]
) -> dict[str, Measures]:
    runs: list[StrPath | FinishedRun] = []
    for each in given:
        if not isinstance(each, (str, os.PathLike, FinishedRun)):
            raise ArgumentError(
                f"choose: a candidate is a dict of measures, or a run or its folder, "
                f"got {each!r:.60}"
            )
        runs.append(each)
    if runs:
        check(MEASURES)
    return compare_runs(runs)


def _by_name(pairs: list[tuple[str, Measures]]) -> dict[str, Measures]:
    found: dict[str, Measures] = {}
    for name, measures in pairs:
        if name in found:
            raise DataError(f"choose: two candidates are called {name!r}")
        found[name] = measures
    return found


def _measures(name: str, given: object) -> Measures:
    """Return the numbers in a dict; None becomes NaN, and texts are left out."""
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f"choose: the measures of {name!r} are a dict such as "
            f"{{'accuracy': 0.9}}, got {given!r:.60}"
        )
    return {
        str(measure): math.nan if value is None else float(value)
        for measure, value in given.items()
        if value is None or is_number(value)
    }
