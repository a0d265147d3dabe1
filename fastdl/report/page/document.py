"""The frame of a page: one HTML document with its style, script and contents."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

import fastdl
from fastdl.report.page.html import Content, Markup, tag


class Section(NamedTuple):
    """A part of a chapter; its id in the page ends with its name."""

    name: str
    heading: str
    content: Iterable[Content]


class Chapter(NamedTuple):
    """What the page says about one run, or about all of them together."""

    name: str
    prefix: str  # of the ids in it
    head: Content
    sections: Sequence[Section]


def document(title: str, chapters: Sequence[Chapter]) -> str:
    """Return the page, with contents, style and script."""
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
    """Return the page's policy: run this script, show its own pictures, no more."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; "
        f"style-src 'unsafe-inline'; img-src data:"
    )


def _header() -> Markup:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    made = f"fastdl {fastdl.__version__} made this page on {now}."
    return tag("header", tag("h1", "Training report"), tag("p", made, class_="made"))


def _contents(chapters: Sequence[Chapter]) -> Markup:
    many = "many" if len(chapters) > 1 else None  # too many lines for a phone
    items = []
    for each in chapters:
        inner = [
            tag("li", tag("a", heading, href=f"#{each.prefix}{name}"))
            for name, heading, _ in each.sections
        ]
        link = tag("a", each.name, href=f"#{each.prefix}top")
        items.append(tag("li", link, tag("ul", inner, class_=many)))
    return tag("nav", tag("ul", items), aria_label="Contents")


def _article(chapter: Chapter) -> Markup:
    top = f"{chapter.prefix}top"
    return tag(
        "article",
        tag("h2", chapter.name, id=top),
        chapter.head,
        [_section(each, chapter.prefix) for each in chapter.sections],
        aria_labelledby=top,
    )


def _section(section: Section, prefix: str) -> Markup:
    identity = f"{prefix}{section.name}"
    title = f"{identity}-title"
    heading = tag("h3", section.heading, id=title)
    return tag("section", heading, section.content, id=identity, aria_labelledby=title)


def _resource(name: str) -> str:
    return (
        files("fastdl.report.page").joinpath("static", name).read_text(encoding="utf-8")
    )
