"""Examples side by side, each with two labels under its picture."""

from __future__ import annotations

import math

import numpy as np

from fastdl.report.page.html import Attribute, Markup, picture, tag
from fastdl.report.page.pixels import MOST_PIXELS, small_picture

_MOST = 240  # pictures of one kind in a page
_MOST_BYTES = 1_200_000  # so that there are fewer large pictures


def room(shape: tuple[int, ...]) -> int:
    """Return how many examples a page may show, at 4/3 bytes per number."""
    size = math.prod(min(side, MOST_PIXELS) for side in shape)
    return min(_MOST, 3 * _MOST_BYTES // (4 * size))


def example(
    x: np.ndarray,
    name: str,
    labels: tuple[str, str],
    between: str,
    remarks: tuple[str, ...],
    **attributes: Attribute,
) -> Markup:
    """Return an example, its two labels, and remarks.

    Parameters
    ----------
    x : ndarray
        One example; if it is not a picture, its name is shown.
    name : str
        The picture, for screen readers.
    labels : (str, str)
        The given one, and the network's.
    between : str
        What screen readers say between them.
    remarks : tuple of str
        In small print.
    **attributes
        Of the figure.
    """
    pixels = small_picture(x)
    shown = (
        tag("span", name, class_="no-picture")
        if pixels is None
        else picture(pixels, name)
    )
    caption = tag(
        "figcaption",
        tag("span", labels[0], class_="true"),
        tag("span", f" {between} ", class_="hear"),
        tag("span", labels[1], class_="answer"),
        [tag("small", each) for each in remarks],
    )
    return tag("figure", shown, caption, **attributes)
