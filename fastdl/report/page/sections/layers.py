"""The filters of the first convolution, and what they find."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastdl.errors import ArgumentError
from fastdl.nn import Module
from fastdl.report.filters import scale_note
from fastdl.report.layers import find_layer, first_conv2d, layer_outputs
from fastdl.report.page.html import Content, Markup, note, picture, tag
from fastdl.report.page.pixels import coloured, shrunk, small_picture
from fastdl.report.style import signed

_MOST = 32  # filters or maps


def layers(model: Module, x: np.ndarray | None) -> Iterator[Content]:
    """Show the filters of the first convolution, and its maps for one example."""
    try:
        name = first_conv2d(model, "report")
    except ArgumentError:
        yield note("The network has no convolution.")
        return
    layer = find_layer(model, name, "report")
    yield from _filters(name, dict(layer.named_parameters())["weight"].numpy())
    if x is not None:
        yield from _maps(name, model, x)


def _filters(name: str, weight: np.ndarray) -> Iterator[Content]:
    height, width, channels, count = weight.shape
    if channels not in (1, 3):
        yield note(
            f"The filters of layer {name} see {channels} channels and have no colours."
        )
        return
    limit = float(np.abs(weight).max()) or 1.0
    filters = weight.transpose(3, 0, 1, 2)[:_MOST]
    if channels == 1:
        drawn = [signed(each[..., 0], limit) for each in filters]
        scale = scale_note(weight, limit)
    else:
        drawn = [coloured(each, limit) for each in filters]
        scale = f"grey: 0; colours: up to {limit:.2g}"
    yield tag(
        "h4",
        f"{_some(len(filters), count)} filters of {height} x {width}, layer {name}",
    )
    yield note(f"One scale for all; {scale}.")
    yield _tiles(drawn, "filter")


def _maps(name: str, model: Module, x: np.ndarray) -> Iterator[Content]:
    output = layer_outputs(model, x[np.newaxis], [name], "report")[name][0]
    maps = output.transpose(2, 0, 1)[:_MOST]
    limit = float(np.abs(maps).max()) or 1.0
    height, width = maps.shape[1:]
    yield tag("h4", f"{_some(len(maps), output.shape[-1])} maps of {height} x {width}")
    yield note(
        f"What the filters make of the first picture; {scale_note(maps, limit)}."
    )
    pixels = small_picture(x)
    source = None if pixels is None else picture(pixels, "the picture", class_="source")
    tiles = _tiles([signed(shrunk(each), limit) for each in maps], "map")
    yield tag("div", source, tiles, class_="maps")


def _tiles(pictures: list[np.ndarray], kind: str) -> Markup:
    images = [picture(each, f"{kind} {i}") for i, each in enumerate(pictures, 1)]
    return tag("div", images, class_="tiles")


def _some(shown: int, total: int) -> str:
    return f"{total}" if shown == total else f"{shown} of {total}"
