"""Would more data help? The error against the number of training examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastdl.report.page import svg
from fastdl.report.page.html import Content, tag
from fastdl.strategy import DataCurve

_AHEAD = 4  # times the largest training set: how far the law is drawn


def data_curve(curve: DataCurve) -> Iterator[Content]:
    """Show the errors for growing training sets, and the law that extends them."""
    sizes = np.geomspace(curve.sizes[0], _AHEAD * curve.sizes[-1], 40)
    law = [curve.expected(size).value for size in sizes]
    lines = [
        svg.Line("training error", curve.sizes, curve.train),
        svg.Line("dev error", curve.sizes, curve.dev),
        svg.Line("law of the dev error", sizes, law),
    ]
    errors = np.concatenate([curve.train, curve.dev, law])
    drawing = svg.line_chart(
        lines,
        svg.axis("training examples", sizes, log=True),
        svg.axis("error", errors, zero=True),
        curve.summary(),
        "{:.2%}".format,
    )
    yield tag("p", curve.summary())
    yield svg.figure("error", drawing, [line.name for line in lines])
