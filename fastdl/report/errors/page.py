"""The page of the mistakes: its addresses, and what they answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import resources
from typing import Any

import numpy as np

from fastdl.report.errors.examples import Examples
from fastdl.report.errors.review import Review, Step
from fastdl.report.errors.server import Answer, Request, Route, json_answer
from fastdl.strategy import ErrorAnalysis

_STATIC = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(
        (
            "main.js",
            "store.js",
            "server.js",
            "list.js",
            "detail.js",
            "panel.js",
            "pictures.js",
        ),
        "text/javascript; charset=utf-8",
    ),
}
_MOST_PICTURES = 100  # in one sheet
_MOST_ANSWERS = 10  # of one example, that are shown


class ErrorPage:
    """Answers the requests of the page, one after another.

    Parameters
    ----------
    analysis : ErrorAnalysis
        What is shown, and tagged.
    title : str
        What the page is called, such as ``"runs/digits, dev"``.
    which : str
        What to show first: ``"wrong"``, ``"all"`` or, with a review, ``"labels"``.
    review : Review, optional
        Suspect labels, to be confirmed or corrected on the same page.
    """

    def __init__(
        self,
        analysis: ErrorAnalysis,
        title: str,
        which: str = "wrong",
        review: Review | None = None,
    ) -> None:
        self._analysis, self._review = analysis, review
        self._title, self._which = title, which
        self._examples = Examples(analysis.x, analysis.columns)
        self._lock = threading.Lock()  # one change at a time
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._revision = 0  # counts changes, so that a page notices those of others

    def routes(self) -> dict[tuple[str, str], Route]:
        """Return the route of each address."""
        return {
            **{("GET", f"/{name}"): _file(name) for name in _STATIC},
            ("GET", "/"): _file("index.html"),
            ("GET", "/state"): self._state,
            ("GET", "/sheet"): self._sheet,
            ("GET", "/picture"): self._picture,
            ("GET", "/values"): self._values,
            ("GET", "/answers"): self._answers,
            ("GET", "/errors.csv"): self._csv,
            ("GET", "/errors.json"): self._json,
            ("POST", "/tag"): self._changing(self._tag),
            ("POST", "/label"): self._changing(self._label),
            ("POST", "/undo"): self._changing(self._undo),
            ("POST", "/redo"): self._changing(self._redo),
            ("POST", "/rename"): self._changing(self._rename),
            ("POST", "/forget"): self._changing(self._forget),
            ("POST", "/restore"): self._changing(self._restore),
        }

    def _state(self, _: Request) -> Answer:
        analysis = self._analysis
        with self._lock:
            tagged = sorted(analysis.tags.tagged())
            return json_answer(
                {
                    "title": self._title,
                    "which": self._which,
                    "classes": analysis.classes,
                    "examples": self._examples.describe(),
                    "true": analysis.y_true.tolist(),
                    "predicted": analysis.y_pred.tolist(),
                    "confidence": _rounded(analysis.confidence),
                    "loss": _rounded(analysis.loss),
                    "file": str(analysis.tags.path or ""),
                    "notice": analysis.tags.notice,
                    "review": self._review and self._review.describe(),
                    **self._changes(tagged),
                }
            )

    def _changes(self, indices: list[int]) -> dict[str, Any]:
        """Return the tags of examples, and everything that depends on tags."""
        analysis, tags = self._analysis, self._analysis.tags
        return {
            "revision": self._revision,
            "categories": tags.categories,
            "tags": {index: tags.of(index) for index in indices},
            "ceilings": [row._asdict() for row in analysis.ceilings()],
            "counts": analysis.counts(),
            "error": analysis.error,
            "wrong": int(analysis.wrong.sum()),
            "examined": analysis.examined,
            "undo": bool(self._done),
            "redo": bool(self._undone),
            "corrected": self._review.corrected() if self._review else {},
        }

    def _changing(self, change: Callable[[Request], list[int]]) -> Route:
        def route(request: Request) -> Answer:
            with self._lock:
                changed = change(request)
                self._revision += 1
                return json_answer(self._changes(changed))

        return route

    def _tag(self, request: Request) -> list[int]:
        wanted = request.json()
        examples, inside = wanted["examples"], wanted["inside"]
        if not isinstance(examples, list) or not isinstance(inside, bool):
            raise TypeError("a tag needs a list of examples, and whether it is set")
        of_examples = dict.fromkeys(examples, inside)
        return self._tagged(self._analysis.tags.set({wanted["category"]: of_examples}))

    def _rename(self, request: Request) -> list[int]:
        wanted, tags = request.json(), self._analysis.tags
        return self._tagged(tags.rename(wanted["category"], wanted["name"]))

    def _forget(self, request: Request) -> list[int]:
        self._analysis.tags.forget(request.json()["category"])
        return []

    def _restore(self, request: Request) -> list[int]:
        is_csv = request.kind == "text/csv"
        return self._tagged(self._analysis.take(request.body, is_csv, "the file"))

    def _label(self, request: Request) -> list[int]:
        if self._review is None:
            raise ValueError("there are no suspect labels")
        wanted = request.json()
        self._note(self._review.decide(wanted["example"], wanted["label"]))
        return [wanted["example"]]

    def _tagged(self, changed: list[int]) -> list[int]:
        if changed:
            tags = self._analysis.tags
            self._note(Step(tags.undo, tags.redo))
        return changed

    def _note(self, step: Step) -> None:
        self._done.append(step)
        self._undone.clear()

    def _undo(self, _: Request) -> list[int]:
        return _move(self._done, self._undone, lambda step: step.undo)

    def _redo(self, _: Request) -> list[int]:
        return _move(self._undone, self._done, lambda step: step.redo)

    def _csv(self, _: Request) -> Answer:
        with self._lock:
            body = self._analysis.to_csv().encode()
        return Answer(body, "text/csv; charset=utf-8", "errors.csv")

    def _json(self, _: Request) -> Answer:
        with self._lock:
            body = self._analysis.to_json().encode()
        return Answer(body, "application/json", "errors.json")

    def _sheet(self, request: Request) -> Answer:
        self._check_pictures()
        indices = self._indices(request)
        return Answer(self._examples.sheet(indices), "image/png")

    def _picture(self, request: Request) -> Answer:
        self._check_pictures()
        return Answer(self._examples.picture(self._indices(request)[0]), "image/png")

    def _values(self, request: Request) -> Answer:
        if self._examples.kind == "picture":
            raise ValueError("these are pictures")
        indices = self._indices(request)
        return json_answer([self._examples.values(index) for index in indices])

    def _answers(self, request: Request) -> Answer:
        """Answer with the likeliest classes of an example and their probabilities."""
        row = self._analysis.probabilities[self._indices(request)[0]]
        likeliest = np.argsort(-row, kind="stable")[:_MOST_ANSWERS]
        return json_answer([[int(i), round(float(row[i]), 6)] for i in likeliest])

    def _check_pictures(self) -> None:
        if self._examples.kind != "picture":
            raise ValueError("these are no pictures")

    def _indices(self, request: Request) -> list[int]:
        """Return the examples of an address such as ``?i=3.17``."""
        indices = [int(text) for text in request.fields["i"].split(".", _MOST_PICTURES)]
        if not all(0 <= index < len(self._examples) for index in indices):
            raise ValueError("there is no such example")
        return indices


def _move(
    source: list[Step], target: list[Step], way: Callable[[Step], Callable]
) -> list[int]:
    if not source:
        return []
    changed = way(source[-1])()
    target.append(source.pop())
    return changed


def _file(name: str) -> Route:
    """Return a route that answers with a file of the page."""
    content = resources.files(__package__).joinpath("static", name).read_bytes()
    answer = Answer(content, _STATIC[name])
    return lambda _: answer


def _rounded(values: np.ndarray) -> list[float]:
    return [round(value, 4) for value in values.tolist()]
