"""What a page says of a run, computed; nothing here draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fastdl import metrics
from fastdl.errors import DataError, FastdlError
from fastdl.strategy import Diagnosis, measure_run
from fastdl.train import FinishedRun

PARTS = ("test", "dev", "train")


@dataclass(frozen=True)
class Answers:
    """What a classifier says about a labelled part of the data.

    Attributes
    ----------
    part : str
        A name of `PARTS`.
    x : ndarray, (m, ...)
    y : ndarray of int, (m,)
        The true labels.
    probabilities : ndarray, (m, classes)
    classes : sequence of str
        Their names.
    """

    part: str
    x: np.ndarray
    y: np.ndarray
    probabilities: np.ndarray
    classes: Sequence[str]

    @cached_property
    def predicted(self) -> np.ndarray:
        """The class of the highest probability, int (m,)."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def matrix(self) -> np.ndarray:
        """The confusion matrix, rows the true class."""
        return metrics.confusion_matrix(self.y, self.probabilities)

    @cached_property
    def mistakes(self) -> np.ndarray:
        """The indices of the wrong answers, the highest loss first."""
        wrong = np.flatnonzero(self.predicted != self.y)
        chance = self.probabilities[wrong, self.y[wrong]]
        return wrong[np.argsort(chance, kind="stable")]

    @cached_property
    def calibration(self) -> metrics.CalibrationCurve:
        """How far the probabilities can be trusted."""
        return metrics.calibration_curve(self.y, self.probabilities)

    @property
    def error(self) -> float:
        """The share of wrong answers."""
        return len(self.mistakes) / len(self.y)

    def spread_mistakes(self, most: int) -> np.ndarray:
        """Return so many mistakes at most, every confused pair having its worst.

        First the worst of each pair (true class, answer), then the second of each, and
        so on; sorted by loss in the end.
        """
        if len(self.mistakes) <= most:
            return self.mistakes
        seen: dict[tuple[int, int], int] = {}
        ranks = []
        for index in self.mistakes:
            pair = int(self.y[index]), int(self.predicted[index])
            seen[pair] = seen.get(pair, -1) + 1
            ranks.append(seen[pair])
        chosen = np.argsort(ranks, kind="stable")[:most]
        return self.mistakes[np.sort(chosen)]


@dataclass(frozen=True)
class Results:
    """One run, and what it answers.

    Attributes
    ----------
    name : str
        How the page calls it.
    run : FinishedRun
    answers : Answers or None
        None when the data are not to be had.
    diagnosis : Diagnosis or None
        None when the errors are not known either.
    missing : str
        Why the data are not to be had.
    """

    name: str
    run: FinishedRun
    answers: Answers | None
    diagnosis: Diagnosis | None
    missing: str = ""


def examine(run: FinishedRun, name: str, part: str, human: float) -> Results:
    """Ask the network of a run about a part of its data, and measure its errors.

    The errors are kept in the folder of the run; without the data they may be known
    from an earlier time.
    """
    answers, missing = None, ""
    try:
        data = getattr(run.parts, part)
    except (FastdlError, OSError) as error:
        missing = str(error)
    else:
        probabilities = run.trainer.predict(data.x, probabilities=True)
        answers = Answers(part, data.x, data.y, probabilities, run.classes)
    found = None
    with suppress(DataError, OSError):
        found = measure_run(run).diagnose(
            human, settings=run.config, run=run.folder.path
        )
    return Results(name, run, answers, found, missing)


def sign_test(won: int, lost: int) -> float:
    """Return how probable it is that equally good classifiers differ so much.

    From the examples that one of them alone gets right (McNemar 1947, with the
    correction of Edwards 1948); two-sided.
    """
    if won == lost:
        return 1.0
    distance = (abs(won - lost) - 1) / math.sqrt(won + lost)
    return math.erfc(distance / math.sqrt(2))


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return short names, each only once: the last folders of the paths."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({i})" for i, path in enumerate(paths, 1)]
