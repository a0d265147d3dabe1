"""Which mistakes are worth an afternoon: look at them, tag them, count."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from fastdl import shapes
from fastdl.errors import ArgumentError, DataError, ShapeError, suggest
from fastdl.files import SMALL, read_file, write_text
from fastdl.strategy import exchange
from fastdl.strategy.tables import percent, table
from fastdl.strategy.tags import (
    CATEGORIES,
    RIGHT_LABEL,
    Tags,
    check_category,
    check_examples,
)
from fastdl.train import FinishedRun, open_run
from fastdl.train.fingerprint import describe_array
from fastdl.typing import ArrayLike

PARTS = ("dev", "test", "train", "train_dev")
ORDERS = ("loss", "confidence", "random", "index")


class Ceiling(NamedTuple):
    """The most that a category of mistakes can cost.

    Attributes
    ----------
    category : str
    errors, right : int
        How many tagged examples are answered wrongly, and rightly.
    share : float
        Its share of the mistakes that were looked at.
    due : float
        The error (a fraction of all examples) that is due to it.
    left : float
        What the error would be if it were fixed.
    """

    category: str
    errors: int
    right: int
    share: float
    due: float
    left: float


class ErrorAnalysis:
    """The examples of a set with a network's answers, and tags for them.

    ::

        analysis = strategy.ErrorAnalysis.of_run("runs/digits")
        analysis.tag(analysis.order("random")[:3], "blurred")
        print(analysis)

    A mistake counts as looked at once it has a tag; use "other" for what fits no
    category. The share of a category among these, times the error, is the most that
    fixing it can gain: if 6 % of the mistakes behind an error of 10 % are wrong labels,
    that is 0.6 %, and 9.4 % would remain (Ng, "Machine Learning Yearning", chapters 14
    to 19).

    Parameters
    ----------
    x : array_like, (m, ...)
        The examples: pictures, rows of a table, signals.
    y_true : array_like of int, (m,)
        The true labels.
    probabilities : array_like, (m, classes)
        The answers; for two classes also (m,) or (m, 1), of the second one.
    classes : sequence of str
        The name of each class.
    tags : path, optional
        The file for the tags; each change is saved at once. Tags of other examples are
        refused; a damaged file is set aside with a warning.
    categories : iterable of str
        The categories to start with; any new tag makes another.
    columns : sequence of str, optional
        The names of the columns of a table x (m, columns).

    Attributes
    ----------
    x, y_true, probabilities : ndarray
    y_pred : ndarray of int64, (m,)
        The most probable class.
    wrong : ndarray of bool, (m,)
    loss, confidence : ndarray of float64, (m,)
        The cross-entropy, in nats, at most 745; the probability of the answer.
    tags : Tags
        The tags; see its methods ``undo``, ``redo``, ``rename``, ``forget``.

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        The arrays do not fit each other, or are not labels or probabilities.
    DataError
        There are no examples; or the tags belong to others.
    """

    def __init__(
        self,
        x: ArrayLike,
        y_true: ArrayLike,
        probabilities: ArrayLike,
        classes: Sequence[str],
        *,
        tags: str | os.PathLike[str] | None = None,
        categories: Iterable[str] = CATEGORIES,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.x = shapes.array(x, "ErrorAnalysis: x")
        if not isinstance(classes, Iterable):
            raise ArgumentError(
                f"ErrorAnalysis: classes are the names of the classes, got "
                f"{classes!r:.60}"
            )
        self.classes = tuple(classes)
        self.probabilities = _probabilities(probabilities, self.x, self.classes)
        m = len(self.x)
        self.y_true = shapes.labels(y_true, m, len(self.classes), "ErrorAnalysis")
        if self.y_true.ndim != 1:
            raise ShapeError(
                f"ErrorAnalysis: expected one label for each example, y_true ({m},), "
                f"got {self.y_true.shape}; use y_true.argmax(axis=1)"
            )
        self.columns = None if columns is None else tuple(columns)
        if self.columns is not None and self.x.shape != (m, len(self.columns)):
            raise ShapeError(
                f"ErrorAnalysis: {len(self.columns)} columns are named, but x has the "
                f"shape {self.x.shape}"
            )
        self.y_pred = self.probabilities.argmax(axis=1)
        self.wrong = self.y_pred != self.y_true
        rows = np.arange(m)
        smallest = np.nextafter(0.0, 1.0)  # its logarithm is -745
        of_truth = self.probabilities[rows, self.y_true].clip(smallest, 1)
        self.loss = np.abs(np.log(of_truth))
        self.confidence = self.probabilities[rows, self.y_pred]
        examples = {"count": m, **describe_array(self.x)}
        self.tags = Tags(examples, tags, categories)

    @classmethod
    def of_run(
        cls,
        run: FinishedRun | str | os.PathLike[str],
        part: str = "dev",
        categories: Iterable[str] = CATEGORIES,
    ) -> ErrorAnalysis:
        """Analyse the answers of a finished run to a part of its data.

        The tags of the dev set are kept in ``tags.json`` of the run folder, those of
        another part in ``tags-test.json`` and so on.

        Parameters
        ----------
        run : FinishedRun or path
            What `fastdl train` left behind.
        part : str
            ``"dev"``, ``"test"``, ``"train"`` or, if there is one, ``"train_dev"``.
        categories : iterable of str
            Those to begin with.

        Raises
        ------
        ArgumentError, DataError
            There is no such part; or what `fastdl.train.open_run` raises.
        """
        if not isinstance(run, FinishedRun):
            run = open_run(run)
        if part not in PARTS:
            raise ArgumentError(
                f"ErrorAnalysis: unknown part {part!r}{suggest(part, PARTS)}"
            )
        dataset = getattr(run.parts, part)
        if dataset is None:
            raise DataError(
                f"the run {run.folder.path} has no {part} set: its training data are "
                f"of the distribution of the dev set"
            )
        x = dataset.x
        path = run.folder.tags
        if part != "dev":
            path = path.with_name(f"{path.stem}-{part}{path.suffix}")
        return cls(
            x,
            dataset.y,
            run.answers(part),
            run.classes,
            tags=path,
            categories=categories,
        )

    @property
    def error(self) -> float:
        """The fraction of all examples that are answered wrongly."""
        return int(self.wrong.sum()) / len(self.x)

    @property
    def examined(self) -> int:
        """How many mistakes have a tag."""
        return self._count_wrong(self.tags.tagged())

    def order(
        self, by: str = "loss", which: str = "wrong", seed: int = 0
    ) -> np.ndarray:
        """Return the indices of the mistakes, the worst first.

        Parameters
        ----------
        by : str
            ``"loss"``, ``"confidence"`` (the most confident first), ``"random"`` (any
            first n are a fair sample), or ``"index"``.
        which : str
            ``"wrong"`` or ``"all"``.
        seed : int
            Of the random order.
        """
        if by not in ORDERS:
            raise ArgumentError(
                f"ErrorAnalysis.order: unknown order {by!r}{suggest(by, ORDERS)}"
            )
        if which not in ("wrong", "all"):
            raise ArgumentError(
                f"ErrorAnalysis.order: which must be 'wrong' or 'all', got {which!r}"
            )
        rank = {
            "loss": -self.loss,
            "confidence": -self.confidence,
            "random": np.random.default_rng(
                shapes.integer(seed, "ErrorAnalysis.order: seed", 0)
            ).random(len(self.x)),
            "index": np.arange(len(self.x)),
        }[by]
        order = np.argsort(rank, kind="stable")
        return order if which == "all" else order[self.wrong[order]]

    def tag(self, examples: int | Iterable[int], *categories: str) -> None:
        """Put one or more examples into categories, and save that.

        Raises what ``Tags.set`` raises, and then changes nothing.
        """
        self._set(examples, categories, True)

    def untag(self, examples: int | Iterable[int], *categories: str) -> None:
        """Take one or more examples out of categories."""
        for category in categories:
            self.tags.members(category)  # raises if it is misspelt
        self._set(examples, categories, False)

    def counts(self) -> dict[str, int]:
        """Return how many mistakes each category has."""
        return {
            name: self._count_wrong(self.tags.members(name))
            for name in self.tags.categories
        }

    def ceilings(self) -> list[Ceiling]:
        """Return what each category costs, the most expensive first.

        As long as only some mistakes have tags these are estimates, fair ones if the
        mistakes were taken in random order.
        """
        wrong, examined, m = int(self.wrong.sum()), self.examined, len(self.x)
        rows = []
        for category, errors in self.counts().items():
            if category == RIGHT_LABEL:
                continue
            right = len(self.tags.members(category)) - errors
            looked = examined or 1
            due = errors * wrong / (looked * m)
            left = (looked - errors) * wrong / (looked * m)
            rows.append(Ceiling(category, errors, right, errors / looked, due, left))
        return sorted(rows, key=lambda row: -row.errors)

    def __str__(self) -> str:
        """Return the table of ceilings as text."""
        wrong, examined = int(self.wrong.sum()), self.examined
        rows = [
            [row.category, f"{row.errors:,}", *map(percent, row[3:])]
            for row in self.ceilings()
        ]
        lines = [
            f"error {percent(self.error)}: {wrong:,} of {len(self.x):,} wrong, "
            f"{examined:,} of them looked at",
            "",
            *table([["category", "errors", "share", "due", "left"], *rows]),
            "share: of the mistakes looked at; due: the error that it causes;",
            "left: the error if it were fixed",
        ]
        if examined < wrong:
            lines.append(
                f"estimates from {examined:,} of {wrong:,} mistakes; fair when these "
                f"were taken in random order"
            )
        return "\n".join(lines)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the mistakes and all tagged examples as ``.csv`` or ``.json``.

        A CSV file has a row for each example, and a column for each category with 1 in
        the rows of its examples.
        """
        write_text(path, self.to_csv() if exchange.is_csv(path) else self.to_json())

    def to_csv(self) -> str:
        """Return what `export` writes as CSV."""
        return exchange.to_csv(self._rows(), self.tags)

    def to_json(self) -> str:
        """Return what `export` writes as JSON."""
        ceilings = [row._asdict() for row in self.ceilings()]
        return exchange.to_json(self._rows(), self.tags, self.error, ceilings)

    def restore(self, path: str | os.PathLike[str]) -> int:
        """Take the tags from a file of `export`, as one change that can be undone.

        The examples in the file get its tags instead of theirs; others keep what they
        have.

        Returns
        -------
        int
            How many examples changed.

        Raises
        ------
        DataError
            It is damaged, or is for other examples. Nothing is changed.
        """
        csv = exchange.is_csv(path)
        return len(self.take(read_file(path, SMALL), csv, path))

    def take(self, content: bytes, is_csv: bool, source: object) -> list[int]:
        """Take the tags from an exported text; return the examples that changed.

        See `restore`.
        """
        if is_csv:
            true = [self.classes[label] for label in self.y_true.tolist()]
            rows, members = exchange.from_csv(content, source, true)
        else:
            mistakes = np.flatnonzero(self.wrong).tolist()
            rows, members = exchange.from_json(content, source, self.tags, mistakes)
        known = dict.fromkeys([*self.tags.categories, *members])
        return self.tags.set(
            {
                name: {index: index in members.get(name, ()) for index in rows}
                for name in known
            }
        )

    def _set(
        self, examples: int | Iterable[int], categories: Sequence[str], inside: bool
    ) -> None:
        if isinstance(examples, np.ndarray):
            examples = examples.ravel()  # also a single example, of shape ()
        several = examples if isinstance(examples, Iterable) else [examples]
        indices = [i.item() if isinstance(i, np.integer) else i for i in several]
        check_examples(indices, len(self.x))  # before they are keys
        names = [check_category(name) for name in categories]
        self.tags.set({name: dict.fromkeys(indices, inside) for name in names})

    def _rows(self) -> list[exchange.Row]:
        """Describe each example that is wrong or tagged."""
        chosen = self.wrong.copy()
        chosen[list(self.tags.tagged())] = True
        return [
            exchange.Row(
                int(index),
                self.classes[self.y_true[index]],
                self.classes[self.y_pred[index]],
                round(float(self.confidence[index]), 6),
                round(float(self.loss[index]), 6),
            )
            for index in np.flatnonzero(chosen)
        ]

    def _count_wrong(self, members: frozenset[int]) -> int:
        return int(self.wrong[list(members)].sum()) if members else 0


def _probabilities(
    given: ArrayLike, x: np.ndarray, classes: Sequence[str]
) -> np.ndarray:
    """Return the answers as float64 (m, classes), checked against the examples."""
    if x.ndim == 0 or len(x) == 0:
        raise DataError(f"ErrorAnalysis: there is no example in x {x.shape}")
    array = shapes.array(given, "ErrorAnalysis: probabilities")
    m = len(x)
    if len(classes) == 2 and array.shape in ((m,), (m, 1)):
        second = array.reshape(m).astype(np.float64)
        array = np.stack([1 - second, second], axis=1)
    if array.shape != (m, len(classes)) or not len(classes):
        raise ShapeError(
            f"ErrorAnalysis: for {m} examples and {len(classes)} classes expected "
            f"probabilities ({m}, {len(classes)}), got {array.shape}"
        )
    if array.dtype.kind not in "fiub":
        raise ShapeError(
            f"ErrorAnalysis: expected probabilities, got the type {array.dtype}"
        )
    shapes.check_probabilities(array, "ErrorAnalysis", missing=False)
    array = array.astype(np.float64)
    sums = array.sum(axis=1)
    off = int(np.argmax(np.abs(sums - 1)))
    if abs(sums[off] - 1) > 1e-2:  # more than float16's rounding
        raise ArgumentError(
            f"ErrorAnalysis: the probabilities of an example must sum to 1, those of "
            f"example {off} sum to {sums[off]:g}"
        )
    return array
