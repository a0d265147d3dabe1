"""Suspect labels on the page, to be confirmed or corrected; decisions are logged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fastdl.errors import ArgumentError, DataError
from fastdl.strategy import Corrections, ErrorAnalysis, Suspect
from fastdl.strategy.tags import RIGHT_LABEL, WRONG_LABEL
from fastdl.typing import Json


class Step(NamedTuple):
    """A change that can be undone and redone; both return the examples."""

    undo: Callable[[], list[int]]
    redo: Callable[[], list[int]]


class Review:
    """Decisions about the labels of one part of a data set.

    A corrected label goes into the log of `Corrections`, and its example is tagged
    "incorrectly labelled"; if the label is right it is tagged "label confirmed".

    Parameters
    ----------
    analysis : ErrorAnalysis
        Of the part.
    corrections : Corrections
        Of the same part.
    suspects : sequence of Suspect
        Labels in that part that may be wrong, and others for comparison.
    who : str
        Who decides.

    Raises
    ------
    DataError
        The suspects are from other data.
    """

    def __init__(
        self,
        analysis: ErrorAnalysis,
        corrections: Corrections,
        suspects: Sequence[Suspect],
        who: str,
    ) -> None:
        self._analysis, self._corrections, self._who = analysis, corrections, who
        self._suspects = tuple(suspects)
        for each in suspects:
            given = analysis.y_true
            if each.index >= len(given) or given[each.index] != each.given:
                raise DataError(
                    f"the suspect labels are of other data: example {each.index} had "
                    f"the label {each.given}; run `fastdl labels` again"
                )

    def describe(self) -> dict[str, Json]:
        """Return the suspects for the page: index, suggested label, score."""
        labels = [[each.index, each.suggested, each.score] for each in self._suspects]
        return {"labels": labels, "confirmed": RIGHT_LABEL}

    def corrected(self) -> dict[int, int]:
        """Return the labels that differ from the original ones."""
        labels = self._corrections.labels
        changed = (labels != self._analysis.y_true).nonzero()[0]
        return {int(index): int(labels[index]) for index in changed}

    def decide(self, index: int, label: int) -> Step:
        """Give an example this label, or confirm its original one.

        Returns how to undo that. Raises what `fastdl.strategy.Corrections.correct` and
        ``Tags.set`` raise.
        """
        tags, first = self._analysis.tags, self._analysis.y_true
        if type(index) is not int or not 0 <= index < len(first):
            raise ArgumentError(f"there is no example {index!r:.60}")
        before = int(self._corrections.labels[index])
        if label != before:
            self._corrections.correct(index, label, self._who)
        right = label == first[index]
        wanted = {RIGHT_LABEL: {index: right}, WRONG_LABEL: {index: not right}}
        tagged = tags.set(wanted)

        def move(to: int, tag: Callable[[], list[int]], why: str) -> list[int]:
            if label != before:
                self._corrections.correct(index, to, self._who, why)
            return tag() if tagged else [index]

        return Step(
            lambda: move(before, tags.undo, "taken back"),
            lambda: move(label, tags.redo, "made again"),
        )
