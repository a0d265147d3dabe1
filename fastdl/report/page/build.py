"""One page about one or more runs: its contents, in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from fastdl.errors import ArgumentError, suggest
from fastdl.files import write_text
from fastdl.report.page import sections
from fastdl.report.page.document import Chapter, Section, document
from fastdl.report.page.results import PARTS, Results, examine
from fastdl.train import FinishedRun, open_run

Run = FinishedRun | str | os.PathLike[str]


def page(
    runs: Run | Iterable[Run],
    *,
    part: str = "test",
    human: float = 0.0,
) -> str:
    """Return one HTML page about finished runs.

    It is self-contained, follows the reader's colour scheme, and can be printed. With
    several runs, their differences in settings and results come first.

    Parameters
    ----------
    runs : FinishedRun or path, or iterable of them
        One at least; a path is opened by `fastdl.train.open_run`.
    part : {"test", "dev", "train", "train_dev"}
        The part whose answers to show. To improve the network by them take "dev", and
        keep "test" unseen.
    human : float
        The error of people, a fraction, see `fastdl.strategy.diagnose`.

    Raises
    ------
    ArgumentError
        There is no run, no such part, or `human` is not an error.
    DataError
        A folder is not a run, a file in it is damaged, or it has no such part. Missing
        data are not an error: the page says so.
    """
    if part not in PARTS:
        raise ArgumentError(f"report: unknown part {part!r}{suggest(part, PARTS)}")
    if isinstance(runs, (FinishedRun, str, os.PathLike)):
        runs = [runs]
    opened = [run if isinstance(run, FinishedRun) else open_run(run) for run in runs]
    if not opened:
        raise ArgumentError("report: give one run at least")
    results = examine(opened, part, human)
    if len(results) == 1:
        return document(results[0].name, [_of_run(results[0], "", 1)])
    chapters = [_comparison(results)]
    chapters += [
        _of_run(each, f"run{i}-", len(results)) for i, each in enumerate(results, 1)
    ]
    return document(" · ".join(each.name for each in results), chapters)


def write_page(
    runs: Run | Iterable[Run],
    path: str | os.PathLike[str],
    *,
    part: str = "test",
    human: float = 0.0,
) -> None:
    """Write the `page` of finished runs, whole or not at all; arguments as there."""
    write_text(path, page(runs, part=part, human=human))


def _comparison(results: Sequence[Results]) -> Chapter:
    found = [Section(*each) for each in sections.comparison(results)]
    return Chapter(f"{len(results)} runs compared", "all-", None, found)


def _of_run(results: Results, prefix: str, runs: int) -> Chapter:
    """Return the chapter of a run, the most important sections first."""
    run, answers = results.run, results.answers
    found: list[Section] = []

    def add(name: str, heading: str, content: Iterable) -> None:
        found.append(Section(name, heading, content))

    if results.diagnosis is not None:
        add("diagnosis", "Diagnosis", sections.diagnosis(results.diagnosis))
    if results.data_curve is not None:
        add("data", "Would more data help?", sections.data_curve(results.data_curve))
    add("curves", "Learning curves", sections.curves(run.history))
    if answers is not None:
        add("confusion", "Confusion matrix", sections.confusion(answers, prefix))
        add("mistakes", "Worst mistakes", sections.mistakes(answers, runs))
    if results.tagged is not None:
        add("tags", "Kinds of mistakes", sections.tags(results.tagged))
    if results.review is not None:
        content = sections.suspects(results.review, run.parts, runs)
        add("suspects", "Suspect labels", content)
    if answers is not None:
        add("classes", "Classes", sections.classes(answers))
        add("calibration", "Calibration", sections.calibration(answers))
    if steps := list(sections.more(results)):
        add("more", "What else to find out", steps)
    example = None if answers is None else answers.x[0]
    add("layers", "First convolution", sections.layers(run.model, example))
    add("timing", "Time and cost", sections.timing(results))
    add("settings", "What was run", sections.settings(run))
    return Chapter(results.name, prefix, sections.overview(results), found)
