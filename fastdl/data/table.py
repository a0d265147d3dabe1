"""Tables of named columns, those of pandas, Polars and Arrow, as arrays.

None of these libraries is imported here: a table is known by what it has, and NumPy
turns its columns into arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from fastdl.errors import ArgumentError, DataError, DtypeError

_MOST = 1000  # categories of a column; more are names or free text
_CATEGORIES = ("category", "categorical", "enum", "dictionary")  # types of columns
_ENCODE = (
    "fastdl.data.TableEncoder(table) turns texts and categories into numbers; or leave "
    "it out"
)


def columns_of(table: object) -> list[tuple[Hashable, Any]] | None:
    """Return the columns of a table with their names, or None if it is no table."""
    given: Any = table
    if hasattr(given, "column_names"):  # Arrow
        return list(zip(given.column_names, given.columns, strict=True))
    if hasattr(given, "get_columns"):  # Polars
        return list(zip(given.columns, given.get_columns(), strict=True))
    if hasattr(given, "iloc") and hasattr(given, "columns"):  # pandas
        return list(given.items())
    return None


def as_array(
    columns: list[tuple[Hashable, Any]], name: str, hint: str = _ENCODE
) -> np.ndarray:
    """Return a table of numbers as an array (m, columns).

    Parameters
    ----------
    columns : list of (name, column)
        From `columns_of`.
    name : str
        "x" or "y", for the messages. In y a NaN marks what is missing.
    hint : str
        What to do about a column that is not of numbers.

    Raises
    ------
    DtypeError
        A column has texts, categories or dates; the message names it.
    DataError
        There is no column, or a value of x is missing.
    """
    if not columns:
        raise DataError(f"{name} is a table without columns")
    arrays = []
    for label, column in columns:
        array = _values(column)
        if array.dtype.kind not in "biuf" or _is_category(column):
            raise DtypeError(
                f"column {label!r} of {name} has {_kind(column, array)}; {hint}"
            )
        if name != "y":
            _check_complete(array, label, name)
        arrays.append(array)
    return np.stack(arrays, axis=1)


class TableEncoder:
    """Makes arrays of numbers from tables with texts and categories.

    ::

        encode = data.TableEncoder(train)
        trainer.fit(encode(train), y)
        trainer.predict(encode(test))

    Numbers and booleans stay as they are. A column of texts, or one that is declared
    to hold categories, becomes as many columns of 0 and 1 as it has values; all are 0
    where the value is missing or new. Columns are found by their names, so those of a
    later table may come in another order, beside others.

    Parameters
    ----------
    table : table of pandas, Polars or Arrow
        The training data: it says which columns and values there are.

    Attributes
    ----------
    names : list of str
        What each column of the result is: "age", "city=Rome".

    Raises
    ------
    ArgumentError
        It is no table.
    DtypeError, DataError
        Two columns have one name; a column has dates or other values, numbers beside
        texts, or too many different texts; a number is missing; in a later table: a
        column is missing, or has texts in place of numbers. The message names the
        column.
    """

    def __init__(self, table: object) -> None:
        self.categories: dict[Hashable, list[Any] | None] = {
            label: _categories(column, label) for label, column in _columns(table)
        }

    @property
    def names(self) -> list[str]:
        """What each column of the result is."""
        return [
            str(label) if value is _NUMBER else f"{label}={value}"
            for label, values in self.categories.items()
            for value in ([_NUMBER] if values is None else values)
        ]

    def __call__(self, table: object) -> np.ndarray:
        """Return a table as an array of float32, (m, len(names))."""
        columns = dict(_columns(table))
        return np.concatenate(list(self._parts(columns)), axis=1, dtype=np.float32)

    def _parts(self, columns: dict[Hashable, Any]) -> Iterator[np.ndarray]:
        for label, categories in self.categories.items():
            if label not in columns:
                raise DataError(
                    f"TableEncoder: there is no column {label!r}, which the training "
                    f"table had"
                )
            array = _values(columns[label])
            if categories is not None:
                yield np.stack([array == value for value in categories], axis=1)
            else:
                yield as_array([(label, columns[label])], "the table", _AS_LEARNED)


_NUMBER = object()
_AS_LEARNED = "the training table had numbers there: turn them into numbers"


def _columns(table: object) -> list[tuple[Hashable, Any]]:
    columns = columns_of(table)
    if not columns:
        raise ArgumentError(
            f"TableEncoder: expected a table of named columns, such as a DataFrame, "
            f"got {type(table).__name__}"
        )
    label, count = Counter(label for label, _ in columns).most_common(1)[0]
    if count > 1:
        raise DataError(
            f"TableEncoder: {count} columns are called {label!r}; rename them"
        )
    return columns


def _categories(column: Any, label: Hashable) -> list[Any] | None:
    """Return the different values of a column, or None if they are numbers."""
    array = _values(column)
    if array.dtype.kind in "biuf" and not _is_category(column):
        as_array([(label, column)], "the table")  # complete
        return None
    values = [value for value in array.tolist() if not _is_missing(value)]
    known = set(values)
    if not (_is_category(column) or all(isinstance(value, str) for value in known)):
        if all(isinstance(value, (Real, str)) for value in known):
            number, text = (
                next(value for value in values if isinstance(value, kind))
                for kind in (Real, str)
            )
            raise DtypeError(
                f"column {label!r} has numbers and texts, such as {number} and "
                f"{text!r:.40}; turn all of them into one or the other"
            )
        raise DtypeError(
            f"column {label!r} has {_kind(column, array)}, which are neither numbers "
            f"nor texts; leave it out, or turn it into one of them"
        )
    if len(known) > _MOST:
        raise DataError(
            f"column {label!r} has {len(known):,} different texts; at most {_MOST:,} "
            f"can be categories; leave it out"
        )
    return sorted(known, key=lambda value: (type(value).__name__, value))


def _values(column: Any) -> np.ndarray:
    """Return a column as an array; of numbers, if it holds nothing else."""
    array = np.asarray(column)
    if array.dtype.kind != "O":
        return array
    values = array.tolist()
    if all(isinstance(value, Real) or _is_missing(value) for value in values):
        return np.array([np.nan if _is_missing(v) else v for v in values], float)
    return array


def _is_missing(value: object) -> bool:
    """Whether it is None, NaN, or a mark such as pandas.NA, which equals nothing."""
    return value is None or type(value).__name__ == "NAType" or value != value


def _is_category(column: Any) -> bool:
    declared = getattr(column, "dtype", None) or getattr(column, "type", "")
    return str(declared).lower().startswith(_CATEGORIES)


def _kind(column: Any, array: np.ndarray) -> str:
    """Say what a column holds that is no number."""
    example = next((v for v in array.tolist() if not _is_missing(v)), None)
    if _is_category(column):
        return f"categories such as {example!r:.40}"
    if isinstance(example, str):
        return f"texts such as {example!r:.40}"
    return f"values such as {example!s:.40} ({type(example).__name__})"


def _check_complete(array: np.ndarray, label: Hashable, name: str) -> None:
    missing = np.flatnonzero(np.isnan(array))
    if missing.size:
        raise DataError(
            f"column {label!r} of {name} has {missing.size} missing values, the first "
            f"in row {missing[0]}; fill them (fillna, fill_null) or leave out such rows"
        )
