"""Tagged examples as files: CSV for spreadsheets, JSON for programs; and back.

A CSV file has a row for each mistake and each tagged example, and a column for each
category, with 1 in the rows of its examples.
"""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.errors import ArgumentError, DataError
from fastdl.files import parse_json
from fastdl.strategy.tags import Members, parse_tags

if TYPE_CHECKING:
    from fastdl.strategy.error_analysis import ErrorAnalysis

_COLUMNS = ("index", "true", "predicted", "confidence", "loss")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute such a cell


def is_csv(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is CSV by its name; ArgumentError unless it is or JSON."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".json"):
        raise ArgumentError(
            f"ErrorAnalysis: the file must be called .csv or .json, got {path}"
        )
    return suffix == ".csv"


def to_csv(analysis: ErrorAnalysis) -> str:
    """Return the mistakes and all tagged examples as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = analysis.tags.categories
    members = [analysis.tags.members(name) for name in names]
    writer.writerow([*_COLUMNS, *map(_harmless, names)])
    for row in _rows(analysis):
        marks = ("1" if row["index"] in has else "" for has in members)
        writer.writerow([*(_harmless(row[name]) for name in _COLUMNS), *marks])
    return text.getvalue()


def to_json(analysis: ErrorAnalysis) -> str:
    """Return the tags, what they cost, and the same rows, as JSON."""
    tags = analysis.tags
    content = {
        **tags.to_dict(),
        "error": analysis.error,
        "ceilings": [row._asdict() for row in analysis.ceilings()],
        "rows": [
            {**row, "tags": list(tags.of(row["index"]))} for row in _rows(analysis)
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def from_csv(
    analysis: ErrorAnalysis, content: bytes, source: object
) -> tuple[set[int], Members]:
    """Return the examples of a CSV file, and those in each category.

    Raises
    ------
    DataError
        It is damaged, or of other examples; the message begins with `source`.
    """
    try:
        text = io.StringIO(content.decode("utf-8-sig"))
        return _parse(analysis, csv.reader(text, strict=True))
    except (ValueError, csv.Error) as error:
        raise DataError(f"{source} cannot be read as CSV: {error}") from error


def from_json(
    analysis: ErrorAnalysis, content: bytes, source: object
) -> tuple[set[int], Members]:
    """Return the same of a JSON file, which may be a file of tags; raises likewise."""
    examples, members = parse_tags(parse_json(content, source), source)
    analysis.tags.check_same_examples(examples, source)
    mistakes = np.flatnonzero(analysis.wrong).tolist()
    return set(mistakes).union(*members.values()), members


def _rows(analysis: ErrorAnalysis) -> list[dict[str, Any]]:
    """Return what is told of each example that is wrong or tagged."""
    chosen = analysis.wrong.copy()
    chosen[list(analysis.tags.tagged())] = True
    return [
        {
            "index": int(index),
            "true": analysis.classes[analysis.y_true[index]],
            "predicted": analysis.classes[analysis.y_pred[index]],
            "confidence": round(float(analysis.confidence[index]), 6),
            "loss": round(float(analysis.loss[index]), 6),
        }
        for index in np.flatnonzero(chosen)
    ]


def _parse(analysis: ErrorAnalysis, lines: Any) -> tuple[set[int], Members]:
    header: list[str] = next(lines, [])
    if tuple(header[: len(_COLUMNS)]) != _COLUMNS:
        raise ValueError(f"its first columns must be {', '.join(_COLUMNS)}")
    names = [_as_it_was(cell) for cell in header[len(_COLUMNS) :]]
    rows: set[int] = set()
    members: Members = {name: set() for name in names}
    for row in filter(None, lines):
        where = f"line {lines.line_num}"
        if len(row) != len(header) or not row[0].isdecimal():
            raise ValueError(f"{where} needs an index and {len(header)} columns")
        index = int(row[0])
        if index >= len(analysis.x):
            raise ValueError(f"{where}: there is no example {index}")
        true = analysis.classes[analysis.y_true[index]]
        if _as_it_was(row[1]) != true:
            raise ValueError(
                f"{where}: example {index} is {row[1]!r} there and {true!r} here; is "
                f"it of other data?"
            )
        rows.add(index)
        for name, mark in zip(names, row[len(_COLUMNS) :], strict=True):
            if mark.strip() not in ("", "0"):
                members[name].add(index)
    return rows, members


def _harmless(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if str(cell).startswith((*_FORMULA, "'")) else cell


def _as_it_was(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell
