"""One page of one or more runs, that needs nothing besides itself."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

import fastdl
from fastdl.errors import ArgumentError, suggest
from fastdl.files import write_text
from fastdl.report.page.html import Markup, tag
from fastdl.report.page.results import PARTS, Results, examine
from fastdl.report.page.sections.calibration import calibration
from fastdl.report.page.sections.classes import classes
from fastdl.report.page.sections.comparison import comparison
from fastdl.report.page.sections.confusion import confusion
from fastdl.report.page.sections.curves import curves
from fastdl.report.page.sections.data_curve import data_curve
from fastdl.report.page.sections.diagnosis import diagnosis
from fastdl.report.page.sections.layers import layers
from fastdl.report.page.sections.mistakes import mistakes
from fastdl.report.page.sections.overview import overview
from fastdl.report.page.sections.settings import settings
from fastdl.report.page.sections.suspects import suspects
from fastdl.report.page.sections.tags import tags
from fastdl.report.page.sections.timing import timing
from fastdl.train import FinishedRun, open_run


class _Section(NamedTuple):
    name: str
    heading: str
    content: Iterable[Any]


def page(
    runs: Iterable[FinishedRun | str | os.PathLike[str]],
    *,
    part: str = "test",
    human: float = 0.0,
) -> str:
    """Return one HTML page about finished runs.

    It needs no network and no other file, follows the colour scheme of its reader, and
    can be printed. With several runs their differences in settings and results come
    first.

    Parameters
    ----------
    runs : iterable of FinishedRun or path
        One at least; of a path `fastdl.train.open_run` is read.
    part : {"test", "dev", "train"}
        Whose answers to look at. Whoever wants to make the network better by them takes
        "dev", and keeps "test" unseen.
    human : float
        The error of people, a fraction, see `fastdl.strategy.diagnose`.

    Raises
    ------
    ArgumentError
        There is no run, no such part, or `human` is no error.
    DataError
        A folder is no run, or a file of it is damaged. Data that are not to be had are
        no error: the page says so.
    """
    if part not in PARTS:
        raise ArgumentError(f"report: unknown part {part!r}{suggest(part, PARTS)}")
    opened = [run if isinstance(run, FinishedRun) else open_run(run) for run in runs]
    if not opened:
        raise ArgumentError("report: give one run at least")
    results = examine(opened, part, human)
    if len(results) == 1:
        return _document(results[0].name, [_chapter(results[0], "", 1)])
    chapters = [_comparison(results)]
    chapters += [
        _chapter(each, f"run{i}-", len(results)) for i, each in enumerate(results, 1)
    ]
    return _document(" · ".join(each.name for each in results), chapters)


def write_page(
    runs: Iterable[FinishedRun | str | os.PathLike[str]],
    path: str | os.PathLike[str],
    *,
    part: str = "test",
    human: float = 0.0,
) -> None:
    """Write the `page` of finished runs, whole or not at all; arguments as there."""
    write_text(path, page(runs, part=part, human=human))


class _Chapter(NamedTuple):
    """What the page says of one run, or of all of them together."""

    name: str
    prefix: str  # of the identities in it
    head: Any
    sections: list[_Section]


def _comparison(results: Sequence[Results]) -> _Chapter:
    sections = [
        _Section(name, heading, content)
        for name, heading, content in comparison(results)
    ]
    return _Chapter(f"{len(results)} runs compared", "all-", None, sections)


def _chapter(results: Results, prefix: str, runs: int) -> _Chapter:
    """Return what is known of a run, the most important first."""
    run, answers = results.run, results.answers
    found: list[tuple[str, str, Iterable[Any]]] = []
    if results.diagnosis is not None:
        found.append(("diagnosis", "Diagnosis", diagnosis(results.diagnosis)))
    if results.data_curve is not None:
        heading = "Would more data help?"
        found.append(("data", heading, data_curve(results.data_curve)))
    found.append(("curves", "Learning curves", curves(run.history)))
    if answers is not None:
        found += [
            ("confusion", "Confusion matrix", confusion(answers, prefix)),
            ("mistakes", "Worst mistakes", mistakes(answers, runs)),
        ]
    if results.tagged is not None:
        found.append(("tags", "Kinds of mistakes", tags(results.tagged)))
    if results.review is not None:
        content = suspects(results.review, run.parts, runs)
        found.append(("suspects", "Suspect labels", content))
    if answers is not None:
        found += [
            ("classes", "Classes", classes(answers)),
            ("calibration", "Calibration", calibration(answers)),
        ]
    example = None if answers is None else answers.x[0]
    found += [
        ("layers", "First convolution", layers(run.model, example)),
        ("timing", "Time and cost", timing(results)),
        ("settings", "What was run", settings(run)),
    ]
    sections = [_Section(*each) for each in found]
    return _Chapter(results.name, prefix, overview(results), sections)


def _document(title: str, chapters: Sequence[_Chapter]) -> str:
    css, script = _resource("style.css"), _resource("script.js")
    body = [
        tag("a", "Skip to the results", href="#main", class_="skip"),
        tag(
            "div",
            _contents(chapters),
            tag("main", _header(), map(_article, chapters), id="main"),
            class_="frame",
        ),
        tag("script", Markup(script)),
    ]
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        tag("title", f"{title}: fastdl report"),
        tag("link", rel="icon", href="data:,"),
        tag("style", Markup(css)),
    ]
    html = tag("html", tag("head", head), tag("body", body), lang="en")
    return f"<!doctype html>\n{html}\n"


def _policy(script: str) -> str:
    """Return what the page may do: run this script, show its own pictures, no more."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; "
        f"style-src 'unsafe-inline'; img-src data:"
    )


def _header() -> Markup:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    made = f"fastdl {fastdl.__version__} made this page on {now}."
    return tag("header", tag("h1", "Training report"), tag("p", made, class_="made"))


def _contents(chapters: Sequence[_Chapter]) -> Markup:
    items = []
    for each in chapters:
        inner = [
            tag("li", tag("a", heading, href=f"#{each.prefix}{name}"))
            for name, heading, _ in each.sections
        ]
        link = tag("a", each.name, href=f"#{each.prefix}top")
        items.append(tag("li", link, tag("ul", inner)))
    return tag("nav", tag("ul", items), aria_label="Contents")


def _article(chapter: _Chapter) -> Markup:
    top = f"{chapter.prefix}top"
    return tag(
        "article",
        tag("h2", chapter.name, id=top),
        chapter.head,
        [_section(each, chapter.prefix) for each in chapter.sections],
        aria_labelledby=top,
    )


def _section(section: _Section, prefix: str) -> Markup:
    identity = f"{prefix}{section.name}"
    title = f"{identity}-title"
    heading = tag("h3", section.heading, id=title)
    return tag("section", heading, section.content, id=identity, aria_labelledby=title)


def _resource(name: str) -> str:
    return (
        files("fastdl.report.page").joinpath("static", name).read_text(encoding="utf-8")
    )
