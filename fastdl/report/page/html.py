"""HTML from Python calls: everything but `Markup` is escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

import numpy as np

from fastdl.report.png import encode_png

Content: TypeAlias = "str | float | Iterable[Content] | None"
"""What an element holds: text, `Markup`, numbers, and iterables of all these."""
Attribute: TypeAlias = str | float | None

_VOID = {"img", "link", "meta"}  # elements without content
_MOST_ROWS = 30  # of a table on the screen; more are scrolled


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


def tag(name: str, /, *children: Content, **attributes: Attribute) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
        Such as "p".
    *children
        Text, which is escaped, `Markup`, numbers, or iterables of all these; None is
        left out.
    **attributes
        ``class_`` stands for class, and ``aria_label`` for aria-label; True is an
        attribute without a value, None and False are left out.
    """
    written = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Content) -> Markup:
    """Return text, `Markup`, numbers and iterables of them as one piece."""
    if isinstance(children, Markup):
        return children
    if children is None:
        return Markup()
    if isinstance(children, Iterable) and not isinstance(children, str):
        return Markup("".join(map(join, children)))
    return Markup(escape(str(children)))


def table(
    head: Iterable[Content] | None,
    rows: Iterable[Iterable[Content]],
    caption: str,
    class_: str | None = None,
) -> Markup:
    """Return a table whose first column names the rows; it scrolls if it must."""
    rows = list(rows)
    body = [
        tag("tr", tag("th", first, scope="row"), [tag("td", cell) for cell in rest])
        for first, *rest in rows
    ]
    content = tag(
        "table",
        tag("caption", caption),
        _head(head),
        tag("tbody", body),
        class_=class_,
    )
    return scrolling(content, caption, tall=len(rows) > _MOST_ROWS)


def _head(names: Iterable[Content] | None) -> Markup | None:
    if names is None:
        return None
    cells = [tag("th", each, scope="col") if each else tag("td") for each in names]
    return tag("thead", tag("tr", cells))


def note(*text: Content) -> Markup:
    """Return a remark."""
    return tag("p", text, class_="note")


def scrolling(content: Markup, label: str, tall: bool = False) -> Markup:
    """Return what may be wider than a phone, in a frame that scrolls by keyboard too.

    In print it is shown in full.
    """
    return tag(
        "div",
        content,
        class_="scroll tall" if tall else "scroll",
        tabindex=0,
        role="region",
        aria_label=label,
    )


def picture(pixels: np.ndarray, alt: str, **attributes: Attribute) -> Markup:
    """Return a picture, uint8 (h, w) or (h, w, 3), embedded in the page."""
    data = b64encode(encode_png(pixels)).decode()
    height, width = pixels.shape[:2]
    return tag(
        "img",
        src=f"data:image/png;base64,{data}",
        alt=alt,
        width=width,
        height=height,
        **attributes,
    )


def _attribute(name: str, value: Attribute) -> str:
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
