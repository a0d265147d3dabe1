"""What makes the parts of a split misleading: classes, duplicates, too few examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from fastdl.data import Dataset
from fastdl.data.dataset import take_real
from fastdl.data.strata import are_labels
from fastdl.errors import ArgumentError
from fastdl.progress import progress_bar
from fastdl.strategy.sizes import examples_needed, standard_error
from fastdl.strategy.tables import percent, table
from fastdl.structure import entries, is_several

_BYTES = 2**24  # of examples read at a time
_CLASSES = 20  # rows of the table
_FAR = 5.0  # standard errors; among some hundred comparisons, less is chance


@dataclass(frozen=True)
class SplitReport:
    """What `Split.report` found; ``print`` shows it as a table.

    Attributes
    ----------
    sizes : dict of str to int
        The number of examples of each part.
    classes : ndarray of int, (classes,)
        The labels that occur; empty unless labels are integers (m,).
    counts : dict of str to ndarray of int, (classes,)
        How many examples of each class a part has.
    duplicates : dict of (str, str) to ndarray of int, (n, 2)
        For each pair of parts with any: the places of equal examples x, one row for
        each in the second part: the place of the first one like it in the first part,
        and its own.
    relabelled : dict of (str, str) to int
        How many of these have a different label in the first part.
    difference, error : float
        The arguments of `Split.report`.
    standard_errors : dict of str to float
        The standard error of the error rate `error`, measured on each part but train.
    needed : int
        How many examples it takes to show the difference, see `examples_needed`.
    """

    sizes: dict[str, int]
    classes: np.ndarray
    counts: dict[str, np.ndarray]
    duplicates: dict[tuple[str, str], np.ndarray]
    relabelled: dict[tuple[str, str], int]
    difference: float
    error: float
    standard_errors: dict[str, float]
    needed: int

    @property
    def problems(self) -> list[str]:
        """What to look at, as sentences; empty if there is nothing."""
        return [*self._classes(), *self._duplicates(), *self._too_few()]

    def __str__(self) -> str:
        total = sum(self.sizes.values())
        sizes = self.sizes.values()
        errors = (self.standard_errors.get(name) for name in self.sizes)
        cells = [
            ["", *self.sizes],
            ["examples", *(f"{size:,}" for size in sizes)],
            ["share", *(f"{size / total:.1%}" for size in sizes)],
            [
                f"standard error at {percent(self.error)}",
                *("" if error is None else f"{error:.2%}" for error in errors),
            ],
        ]
        for place, label in enumerate(self.classes[:_CLASSES].tolist()):
            shares = (self.counts[n][place] / size for n, size in self.sizes.items())
            cells.append([f"class {label}", *(f"{share:.1%}" for share in shares)])
        if len(self.classes) > _CLASSES:
            more = f"and {len(self.classes) - _CLASSES} more classes"
            cells.append([more, *("" for _ in self.sizes)])
        return "\n".join([*table(cells), *(self.problems or ["no problem found"])])

    def _classes(self) -> Iterator[str]:
        for name, counts in self.counts.items():
            missing = self.classes[counts == 0].tolist()
            if missing:
                listed = ", ".join(map(str, missing[:_CLASSES]))
                yield f"{name} has no example of class {listed}"
            if name != "train":
                yield from self._other_shares(name)

    def _other_shares(self, name: str) -> Iterator[str]:
        """Compare the shares of the classes in two samples, as a z-test does."""
        n, m = self.sizes[name], self.sizes["train"]
        own, trained = self.counts[name] / n, self.counts["train"] / m
        pooled = (n * own + m * trained) / (n + m)
        spread = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        far = np.abs(own - trained) / np.maximum(spread, 1e-12)
        worst = int(far.argmax())
        if far[worst] > _FAR:
            yield (
                f"{name} has other shares of the classes than train: {own[worst]:.1%} "
                f"of class {self.classes[worst]}, train has {trained[worst]:.1%}"
            )

    def _duplicates(self) -> Iterator[str]:
        for (first, second), pairs in self.duplicates.items():
            other = self.relabelled[first, second]
            labels = f", {other:,} with another label" if other else ""
            yield (
                f"{first} has {len(pairs):,} of the {self.sizes[second]:,} examples of "
                f"{second} too{labels} ({second}[{pairs[0, 1]}] is "
                f"{first}[{pairs[0, 0]}])"
            )

    def _too_few(self) -> Iterator[str]:
        for name in self.standard_errors:
            if self.sizes[name] < self.needed:
                yield (
                    f"{name} is too small to see a difference of "
                    f"{percent(self.difference)} at an error of "
                    f"{percent(self.error)}: that takes {self.needed:,} examples"
                )


def report_on(
    parts: Mapping[str, Dataset], difference: float, error: float
) -> SplitReport:
    """Make the report on parts by name, with the arguments of `Split.report`."""
    needed = examples_needed(difference, error)
    sizes = {name: len(part) for name, part in parts.items()}
    labels = {name: part.y for name, part in parts.items()}
    for name, part in parts.items():
        x, y, *_ = part.take(np.arange(min(1, len(part))))
        for letter, each in (("x", x), ("y", y)):
            if is_several(each):
                raise ArgumentError(
                    f"report: expected one array {letter}, but {name} has "
                    f"{entries(each, letter)}"
                )
    classes, counts = _by_class(labels)
    duplicates = _shared(parts)
    return SplitReport(
        sizes=sizes,
        classes=classes,
        counts=counts,
        duplicates=duplicates,
        relabelled={
            (first, second): _differing(labels[first], labels[second], pairs)
            for (first, second), pairs in duplicates.items()
        },
        difference=difference,
        error=error,
        standard_errors={
            name: standard_error(error, size)
            for name, size in sizes.items()
            if name != "train"
        },
        needed=needed,
    )


def _by_class(
    labels: Mapping[str, np.ndarray | None],
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the classes, and how many examples of each every part has."""
    known: dict[str, np.ndarray] = {}
    for name, y in labels.items():
        if not are_labels(y):
            return np.empty(0, np.int64), {}
        known[name] = y
    classes = np.unique(np.concatenate(list(known.values())))
    return classes, {
        name: np.bincount(np.searchsorted(classes, y), minlength=len(classes))
        for name, y in known.items()
    }


def _shared(parts: Mapping[str, Dataset]) -> dict[tuple[str, str], np.ndarray]:
    """Return for each pair of parts the places of equal examples."""
    firsts = [take_real(part, np.arange(1))[0] for part in parts.values()]
    dtype = np.result_type(*(first.dtype for first in firsts))
    step = max(1, _BYTES // max(1, firsts[0].size * dtype.itemsize))
    found: dict[tuple[str, str], np.ndarray] = {}
    places: dict[str, dict[bytes, int]] = {}
    total = sum(map(len, parts.values()))
    with progress_bar(total=total, desc="duplicates", unit=" examples") as bar:
        for name, part in parts.items():
            keys: list[bytes] = []
            for start in range(0, len(part), step):
                chosen = np.arange(start, min(start + step, len(part)))
                keys += _digests(take_real(part, chosen)[0].astype(dtype, copy=False))
                bar.update(len(chosen))
            for other, known in places.items():
                pairs = [(known[key], i) for i, key in enumerate(keys) if key in known]
                if pairs:
                    found[other, name] = np.array(pairs)
            # The first of equals stays, as it comes last here.
            places[name] = {key: i for i, key in reversed(list(enumerate(keys)))}
    return found


def _digests(x: np.ndarray) -> list[bytes]:
    """Return a digest of each example; those of equal examples are equal."""
    x = np.ascontiguousarray(x + x.dtype.type(0))  # -0.0 becomes 0.0
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in x]


def _differing(
    first: np.ndarray | None, second: np.ndarray | None, pairs: np.ndarray
) -> int:
    """Return how many pairs of examples have different labels."""
    if first is None or second is None:
        return 0
    differ = first[pairs[:, 0]] != second[pairs[:, 1]]
    return int(differ.reshape(len(pairs), -1).any(axis=1).sum())
