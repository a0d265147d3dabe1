"""Corrected labels, with a log of who changed what to what."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from fastdl.data import ArrayDataset, DataLike, as_dataset
from fastdl.data.dataset import weights
from fastdl.data.strata import class_labels
from fastdl.errors import ArgumentError, DataError
from fastdl.files import (
    as_path,
    keep_aside,
    locked,
    parse_json,
    read_file,
    reading,
    write_tensors,
    write_text,
)
from fastdl.shapes import integer
from fastdl.train.description import describe_data
from fastdl.train.fingerprint import text_of

_FORMAT = 1
_LARGEST = 2**27  # bytes of a log: a million corrections
_LONGEST = 1000  # characters of a name or a reason
_WAIT = 5.0  # seconds to wait for another process that writes


@dataclass(frozen=True)
class Correction:
    """One line of the log.

    Attributes
    ----------
    index : int
        The example.
    before, after : int
        Its label.
    who, why : str
        Who changed it; the reason, or empty.
    when : str
        In UTC, as in "2026-01-31T12:00:00+00:00".
    undoes : int, optional
        The line of the log, from 0, that this one takes back.
    """

    index: int
    before: int
    after: int
    who: str
    why: str
    when: str
    undoes: int | None = None


class Corrections:
    """Corrections of the labels of one data set, kept in a file.

    ::

        corrections = strategy.Corrections(parts.dev, "dev_corrections.json")
        corrections.correct(17, 3, who="ann", why="a 3 with a long tail")
        better = corrections.apply()

    Nothing is ever removed from the log: taking back a correction adds a line. Each
    line is saved at once, as a whole or not at all. Several processes may work on one
    file, and none loses a line that another saved.

    Parameters
    ----------
    dataset : Dataset or tuple (x, y)
        The examples with their original labels, integers (m,).
    path : path
        The file of the log; made at the first correction.
    classes : int or sequence of str, optional
        How many there are, or their names; by default inferred from the labels.

    Raises
    ------
    DataError
        The log was made for other data, for more classes or by a newer fastdl; or it is
        damaged: then it is kept as ``NAME.damaged-1`` (2, ...), so that a new one can
        be started.
    OSError
        The file may not be read.
    """

    def __init__(
        self,
        dataset: DataLike,
        path: str | os.PathLike[str],
        classes: int | Sequence[str] | None = None,
    ) -> None:
        self.dataset = as_dataset(dataset)
        self.path = as_path(path)
        self._first = class_labels(self.dataset, "Corrections").astype(np.int64)
        if classes is None:
            self.classes = int(self._first.max()) + 1 if len(self._first) else 0
        elif isinstance(classes, Sequence):
            self.classes = len(classes)
        else:
            self.classes = integer(classes, "Corrections: classes")
        described = describe_data(self.dataset)
        described.pop("code", None)  # that reads the data, which may change
        self._data = json.loads(text_of(described))
        self._log = self._read()

    @property
    def log(self) -> tuple[Correction, ...]:
        """All lines of the log, oldest first."""
        return self._log

    @property
    def labels(self) -> np.ndarray:
        """The labels as they are now, int64 (m,)."""
        labels = self._first.copy()
        for line in self._log:
            labels[line.index] = line.after
        return labels

    def __len__(self) -> int:
        """Return how many labels differ from the original ones."""
        return int(np.count_nonzero(self.labels != self._first))

    def correct(self, index: int, label: int, who: str, why: str = "") -> Correction:
        """Change the label of an example, and save the log.

        Parameters
        ----------
        index : int
            The row of the data set.
        label : int
            From 0 to classes - 1.
        who, why : str
            Who says so, and why.

        Raises
        ------
        ArgumentError, ShapeError
            There is no such example or class, it already has this label, or `who` is
            empty.
        DataError
            Another process has damaged the log, or does not release it.
        OSError
            The log cannot be written: then nothing is changed.
        """
        index = integer(index, "correct: index", 0)
        label = integer(label, "correct: label", 0)
        if index >= len(self._first):
            raise ArgumentError(
                f"correct: there are {len(self._first)} examples, got index {index}"
            )
        if label >= self.classes:
            raise ArgumentError(
                f"correct: expected a label from 0 to {self.classes - 1}, got {label}"
            )
        with self._alone():
            before = int(self.labels[index])
            if label == before:
                raise ArgumentError(f"correct: example {index} has label {label} now")
            return self._add(index, before, label, who, why, None)

    def undo(self, who: str, why: str = "") -> Correction:
        """Take back the last correction that still holds, and save the log.

        Called again, it takes back the one before.

        Raises
        ------
        ArgumentError
            There is none; or as `correct`.
        """
        with self._alone():
            undone = {line.undoes for line in self._log}
            holding = [
                number
                for number, line in enumerate(self._log)
                if line.undoes is None and number not in undone
            ]
            if not holding:
                raise ArgumentError("undo: there is no correction that still holds")
            last = self._log[holding[-1]]
            return self._add(last.index, last.after, last.before, who, why, holding[-1])

    def apply(self) -> ArrayDataset:
        """Return a new data set with the labels as they are now; x is shared."""
        source = self.dataset
        if not isinstance(source, ArrayDataset):
            x = source.take(np.arange(len(source)))[0]
            return ArrayDataset(x, self.labels, weights(source))
        return ArrayDataset(source.x, self.labels, source.weight)

    def save_dataset(self, path: str | os.PathLike[str]) -> None:
        """Write the corrected data, with the log, as one safetensors file.

        It has the tensors "x" and "y", and the log as JSON in its metadata, under
        "corrections".

        Raises
        ------
        OSError
            It cannot be written.
        """
        corrected = self.apply()
        write_tensors(
            {"x": corrected.x, "y": self.labels},
            path,
            {"corrections": json.dumps(list(map(asdict, self._log)))},
        )

    # The file

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other writers out, and read what they have added."""
        lock = self.path.with_name(f".{self.path.name}.lock")
        with locked(lock, f"is writing {self.path}", _WAIT):
            self._log = self._read()
            yield

    def _add(
        self,
        index: int,
        before: int,
        after: int,
        who: str,
        why: str,
        undoes: int | None,
    ) -> Correction:
        for name, text in (("who", who), ("why", why)):
            if not isinstance(text, str) or len(text) > _LONGEST:
                raise ArgumentError(
                    f"correct: {name} must be a text of at most {_LONGEST} characters, "
                    f"got {text!r:.60}"
                )
        if not who.strip():
            raise ArgumentError("correct: who says so? The log keeps a name")
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        line = Correction(index, before, after, who, why, when, undoes)
        log = (*self._log, line)
        content = {
            "format": _FORMAT,
            "data": self._data,
            "log": list(map(asdict, log)),
        }
        text = json.dumps(content, indent=1) + "\n"
        if len(text) > _LARGEST:
            raise DataError(f"{self.path} would have more than {_LARGEST:,} bytes")
        write_text(self.path, text)
        self._log = log
        return line

    def _read(self) -> tuple[Correction, ...]:
        if not self.path.is_file():
            return ()
        try:
            content = parse_json(read_file(self.path, _LARGEST), self.path)
            with reading(self.path):
                data, log = self._parse(content)
                if data == self._data:
                    self._check(log)
        except _Refused:
            raise
        except DataError as damage:
            kept = keep_aside(self.path)
            raise DataError(f"{damage}; it is kept as {kept}") from damage
        if data != self._data:
            raise DataError(
                f"{self.path} has corrections of other data: "
                f"{data.get('examples')} examples, here {len(self._first)}; labels "
                f"or pictures may differ"
            )
        return log

    def _parse(self, content: Any) -> tuple[dict[str, Any], tuple[Correction, ...]]:
        version = content["format"]
        if type(version) is int and version > _FORMAT:
            raise _Refused(f"{self.path} was written by a newer fastdl")
        if version != _FORMAT or not isinstance(content["data"], dict):
            raise ValueError("it is no log of corrections")
        return content["data"], tuple(Correction(**line) for line in content["log"])

    def _check(self, log: Sequence[Correction]) -> None:
        """Raise unless each line follows from the lines before it."""
        labels = self._first.copy()
        for number, line in enumerate(log):
            numbers = line.index, line.before, line.after, line.undoes or 0
            if not all(type(each) is int and each >= 0 for each in numbers):
                raise ValueError(f"line {number} needs integers from 0")
            if labels[line.index] != line.before:
                raise ValueError(f"line {number} does not go on from those before it")
            if line.after >= self.classes:  # more likely a wrong argument
                raise _Refused(
                    f"{self.path} gives example {line.index} the label {line.after}, "
                    f"but there are {self.classes} classes; give "
                    f"classes={line.after + 1} or more"
                )
            if line.undoes is not None and log[line.undoes].index != line.index:
                raise ValueError(f"line {number} undoes another example")
            if not all(isinstance(t, str) for t in (line.who, line.why, line.when)):
                raise ValueError(f"line {number} does not tell who, why and when")
            labels[line.index] = line.after


class _Refused(DataError):
    """A file that is not damaged but cannot be used here."""
