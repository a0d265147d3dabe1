"""The results that a page shows of a run; nothing is drawn here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from fastdl import metrics
from fastdl.errors import DataError, FastdlError
from fastdl.strategy import (
    DataCurve,
    Diagnosis,
    ErrorAnalysis,
    InferenceCost,
    LabelReview,
    inference_costs,
    measure_run,
    read_suspects,
)
from fastdl.strategy.error_analysis import PARTS
from fastdl.strategy.runs import kept
from fastdl.train import FinishedRun

__all__ = ["PARTS", "Answers", "Results", "examine", "run_names", "sign_test"]

_SECONDS = 0.3  # for measuring the cost of one network


class Answers(ErrorAnalysis):
    """The answers of a classifier to a part of the data, counted.

    Attributes
    ----------
    part : str
        A name of `PARTS`.
    """

    part = "dev"

    @cached_property
    def matrix(self) -> np.ndarray:
        """The confusion matrix; rows are the true classes."""
        return metrics.confusion_matrix(self.y_true, self.probabilities)

    @cached_property
    def calibration(self) -> metrics.CalibrationCurve:
        """How far its probabilities can be trusted."""
        return metrics.calibration_curve(self.y_true, self.probabilities)

    @cached_property
    def mistakes(self) -> np.ndarray:
        """The indices of the wrong answers, the highest loss first."""
        return self.order("loss")

    def spread_mistakes(self, most: int) -> np.ndarray:
        """Return at most this many mistakes, with the worst of every confused pair.

        First the worst of each pair (true class, answer), then the second of each, and
        so on; sorted by loss in the end.
        """
        seen: Counter[tuple[int, int]] = Counter()
        ranks = []
        for index in self.mistakes:
            pair = int(self.y_true[index]), int(self.y_pred[index])
            ranks.append(seen[pair])
            seen[pair] += 1
        chosen = np.argsort(ranks, kind="stable")[:most]
        return self.mistakes[np.sort(chosen)]


@dataclass(frozen=True)
class Results:
    """One run, and what is known about it; None means not known.

    Attributes
    ----------
    name : str
        Its name in the page.
    run : FinishedRun
    cost : InferenceCost
        The cost of an answer, measured on this machine.
    diagnosis : Diagnosis or None
    answers : Answers or None
    tagged : ErrorAnalysis or None
        The dev set, if examples of it have tags.
    review : LabelReview or None
        The suspect labels, if they were looked for before.
    data_curve : DataCurve or None
        The curve, if it was measured before.
    missing : str
        Why the data are missing, or empty.
    """

    name: str
    run: FinishedRun
    cost: InferenceCost
    diagnosis: Diagnosis | None = None
    answers: Answers | None = None
    tagged: ErrorAnalysis | None = None
    review: LabelReview | None = None
    data_curve: DataCurve | None = None
    missing: str = ""

    @property
    def times_known(self) -> bool:
        """Whether the run has a record of how long its epochs took."""
        return "seconds" in self.run.history


def examine(runs: Sequence[FinishedRun], part: str, human: float) -> list[Results]:
    """Compute the answers and the errors of several runs.

    The errors are kept in the folders of the runs, and so may be known even if the data
    are missing now.
    """
    names = run_names([run.folder.path for run in runs])
    for run in runs:
        run.model.build(run.input_shape)  # a loaded model does not know it
    models = {name: run.model for name, run in zip(names, runs, strict=True)}
    costs = inference_costs(models, seconds=_SECONDS)
    return [
        _examine(name, run, costs[name], part, human)
        for name, run in zip(names, runs, strict=True)
    ]


def _examine(
    name: str, run: FinishedRun, cost: InferenceCost, part: str, human: float
) -> Results:
    known = Results(name, run, cost, _diagnosis(run, human))
    known = replace(known, data_curve=_data_curve(run))
    try:
        data = getattr(run.parts, part)
        x = getattr(data, "x", None)
    except (FastdlError, OSError) as error:
        return replace(known, missing=str(error))
    if data is None:
        raise DataError(f"report: the run {run.folder.path} has no {part} set")
    answers = Answers(np.asarray(x), data.y, run.answers(part), run.classes)
    answers.part = part
    return replace(known, answers=answers, tagged=_tagged(run), review=_review(run))


def _diagnosis(run: FinishedRun, human: float) -> Diagnosis | None:
    try:
        measured = measure_run(run)
    except (DataError, OSError):
        return None
    return measured.diagnose(human, settings=run.config, run=run.folder.path)


def _data_curve(run: FinishedRun) -> DataCurve | None:
    """Return the curve that `fastdl diagnose --data-curve` kept."""
    content = kept(run.folder, "data_curve")
    with suppress(FastdlError, TypeError):  # of another version
        return None if content is None else DataCurve(**content)
    return None


def _tagged(run: FinishedRun) -> ErrorAnalysis | None:
    if not run.folder.tags.is_file():
        return None
    with suppress(DataError):  # tags of other data
        analysis = ErrorAnalysis.of_run(run)
        return analysis if analysis.examined else None
    return None


def sign_test(won: int, lost: int) -> float:
    """Return the p-value that equally good classifiers differ this much.

    From the examples that only one of them gets right (McNemar 1947, with the
    correction of Edwards 1948); two-sided.
    """
    if won == lost:
        return 1.0
    distance = (abs(won - lost) - 1) / math.sqrt(won + lost)
    return math.erfc(distance / math.sqrt(2))


def _review(run: FinishedRun) -> LabelReview | None:
    review = read_suspects(run.folder.path)
    return review if review is not None and review.fits(run.parts) else None


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return short, unique names: the last folders of the paths."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({i})" for i, path in enumerate(paths, 1)]
