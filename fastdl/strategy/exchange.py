"""Tagged examples as files: CSV for spreadsheets, JSON for programs; and back.

A CSV file has a row for each mistake and each tagged example, and a column for each
category, with 1 in the rows of its examples.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from fastdl.errors import ArgumentError, DataError
from fastdl.files import parse_json
from fastdl.strategy.tags import Members, Tags, parse_tags

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how formulas start


@dataclass(frozen=True)
class Row:
    """What a file says about an example that is wrong or tagged.

    Attributes
    ----------
    index : int
    true, predicted : str
        The classes.
    confidence, loss : float
    """

    index: int
    true: str
    predicted: str
    confidence: float
    loss: float


_COLUMNS = tuple(field.name for field in fields(Row))


def is_csv(path: str | os.PathLike[str]) -> bool:
    """Return whether the name is of a CSV file; ArgumentError if not even of JSON."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".json"):
        raise ArgumentError(
            f"ErrorAnalysis: the file must be called .csv or .json, got {path}"
        )
    return suffix == ".csv"


def to_csv(rows: Iterable[Row], tags: Tags) -> str:
    """Return rows and their tags as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = tags.categories
    members = [tags.members(name) for name in names]
    writer.writerow([*_COLUMNS, *map(_harmless, names)])
    for row in rows:
        marks = ("1" if row.index in has else "" for has in members)
        writer.writerow([*map(_harmless, astuple(row)), *marks])
    return text.getvalue()


def to_json(
    rows: Iterable[Row],
    tags: Tags,
    error: float,
    ceilings: Sequence[Mapping[str, str | float]],
) -> str:
    """Return the tags, what they cost, and the rows, as JSON."""
    content = {
        **tags.to_dict(),
        "error": error,
        "ceilings": ceilings,
        "rows": [{**asdict(row), "tags": list(tags.of(row.index))} for row in rows],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def from_csv(
    content: bytes, source: object, true: Sequence[str]
) -> tuple[set[int], Members]:
    """Return the examples in a CSV file, and those in each category.

    Parameters
    ----------
    content : bytes
        Of the file.
    source : object
        Where it is from, for the messages.
    true : sequence of str
        The class of each example of the set.

    Raises
    ------
    DataError
        It is damaged, or is for other examples; the message starts with `source`.
    """
    try:
        text = io.StringIO(content.decode("utf-8-sig"))
        return _parse(text, true)
    except (ValueError, csv.Error) as error:
        raise DataError(f"{source} cannot be read as CSV: {error}") from error


def from_json(
    content: bytes, source: object, tags: Tags, mistakes: Iterable[int]
) -> tuple[set[int], Members]:
    """Return the same for a JSON file, which may be a file of tags; raises likewise.

    The examples include all mistakes, named in the file or not.
    """
    examples, members = parse_tags(parse_json(content, source), source)
    tags.check_same_examples(examples, source)
    return set(mistakes).union(*members.values()), members


def _parse(text: Iterator[str], classes: Sequence[str]) -> tuple[set[int], Members]:
    lines = csv.reader(text, strict=True)
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
        if index >= len(classes):
            raise ValueError(f"{where}: there is no example {index}")
        true = classes[index]
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


def _harmless(cell: object) -> object:
    """Return a cell that no spreadsheet mistakes for a formula."""
    return f"'{cell}" if str(cell).startswith((*_FORMULA, "'")) else cell


def _as_it_was(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell
