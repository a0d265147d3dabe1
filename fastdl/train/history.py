"""What a training run measured."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import ItemsView, Iterator, KeysView, ValuesView

from fastdl.errors import ArgumentError, suggest
from fastdl.files import SMALL, read_file, reading, write_text
from fastdl.typing import StrPath


class History:
    """The measurements of a training run, one row for each complete epoch.

    By column it reads like a dict: ``history["loss"]``, ``"val_loss" in history``,
    ``for name in history``, ``dict(history)``. By epoch, ``history.rows[-1]`` is
    the last one, and ``len(history)`` the number of epochs.

    Attributes
    ----------
    rows : list of dict
        For each epoch: "epoch" (from 1); "loss" and each metric, over the training
        examples as the model learned; the same with the prefix ``val_`` if there are
        validation data; "examples_per_second" and "seconds", of training alone.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    @property
    def columns(self) -> list[str]:
        """The names of everything that was measured, in order."""
        return list({name: None for row in self.rows for name in row})

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> list[float]:
        if name not in self.columns:
            raise ArgumentError(
                f"History: no column {name!r}{suggest(name, self.columns)}"
            )
        return [row.get(name, math.nan) for row in self.rows]

    def keys(self) -> KeysView[str]:
        """Return the names of the columns."""
        return self._table().keys()

    def values(self) -> ValuesView[list[float]]:
        """Return the columns."""
        return self._table().values()

    def items(self) -> ItemsView[str, list[float]]:
        """Return the columns with their names."""
        return self._table().items()

    def _table(self) -> dict[str, list[float]]:
        return {name: self[name] for name in self.columns}

    def write_csv(self, path: StrPath) -> None:
        """Write all rows as CSV, whole or not at all; numbers keep all their digits."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(path, text.getvalue())

    @classmethod
    def read_csv(cls, path: StrPath) -> History:
        """Return what `write_csv`, or `CSVLog`, has written.

        Raises
        ------
        DataError
            The file is missing, or is something else.
        """
        history = cls()
        with reading(path, "as a table of numbers"):
            lines = read_file(path, SMALL).decode().splitlines()
            for row in csv.DictReader(lines, strict=True):
                history.rows.append(
                    {name: float(text) for name, text in row.items() if text}
                )
        return history

    def __repr__(self) -> str:
        last = f": {describe(self.rows[-1])}" if self.rows else ""
        epochs = "1 epoch" if len(self) == 1 else f"{len(self)} epochs"
        return f"History({epochs}{last})"


def describe(row: dict[str, float]) -> str:
    """Return one row as a line of text."""
    measured = "  ".join(
        f"{name} {value:.4f}"
        if abs(value) >= 1e-3 or not value
        else f"{name} {value:.1e}"
        for name, value in row.items()
        if name not in ("epoch", "examples_per_second", "seconds")
    )
    return (
        f"{measured}  {row['examples_per_second']:,.0f} examples/s  "
        f"{row['seconds']:.1f} s"
    )
