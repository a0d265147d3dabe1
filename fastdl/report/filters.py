"""The filters of a convolution, and what they find."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.data import as_float
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn import Conv2d, Module
from fastdl.nn.module import check_module
from fastdl.report.layers import (
    find_layer,
    first_conv2d,
    layer_outputs,
)
from fastdl.report.style import GREY, SIGNED, new_figure, visible
from fastdl.shapes import integer
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def filters(model: Module, layer: str | None = None) -> Figure:
    """Show the filters of a convolution with one or three input channels.

    A filter of one channel is blue where its weights are positive and vermilion where
    they are negative; one of three channels has the colours that it responds to, and
    grey means zero. All share one scale.

    Parameters
    ----------
    model : Module
        With known sizes: built, or run once.
    layer : str, optional
        The name of the convolution, as in ``model.named_modules()``; by default the
        first one.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        There is no such layer, or it is not a convolution.
    GraphError
        The sizes of the convolution are still open.
    ShapeError
        It has another number of input channels.
    FastdlError
        matplotlib is missing.
    """
    check_module(model, "filters")
    name = first_conv2d(model, "filters") if layer is None else layer
    convolution = find_layer(model, name, "filters")
    if not isinstance(convolution, Conv2d):
        kind = type(convolution).__name__
        raise ArgumentError(f"filters: layer {name!r} must be a Conv2d, it is a {kind}")
    weight = dict(convolution.named_parameters())["weight"].numpy()  # (kh, kw, c, oc)
    height, width, channels, count = weight.shape
    if channels not in (1, 3):
        raise ShapeError(
            f"filters: expected filters of 1 or 3 channels, those of layer {name!r} "
            f"have shape {(height, width, channels)}; take feature_maps instead"
        )
    limit = float(np.abs(weight).max()) or 1.0
    columns = _columns(count)
    rows = math.ceil(count / columns)
    title = f"{count} filters of {height} x {width}, layer {name}"
    note = (
        scale_note(weight, limit)
        if channels == 1
        else f"grey: 0; colours: up to {limit:.2g}"
    )
    with new_figure(max(0.8 * columns, 4.6), 0.8 * rows + 1.0, title) as figure:
        _note(figure, note)
        grid = _grid(figure, rows, columns, count)
        for axes, each in zip(grid, weight.transpose(3, 0, 1, 2), strict=False):
            if channels == 1:
                _signed(axes, each[..., 0], limit)
            else:
                axes.imshow(0.5 + 0.5 * each / limit)
    return figure


def feature_maps(
    model: Module, picture: ArrayLike, layer: str | None = None, count: int = 16
) -> Figure:
    """Show the output of a layer for a picture, channel by channel.

    Parameters
    ----------
    model : Module
        It runs in evaluation mode.
    picture : array_like, (h, w, 1) or (h, w, 3)
        One picture, uint8 or real numbers, as the model is trained on.
    layer : str, optional
        The name of the layer, as in ``model.named_modules()``; by default the first
        convolution.
    count : int
        The most channels to show, from 1.

    Returns
    -------
    matplotlib.figure.Figure
        The picture, then the channels; all share one scale.

    Raises
    ------
    ArgumentError
        There is no such layer.
    ShapeError
        `picture` is not a picture, or the output of the layer has no height and width.
    FastdlError
        The picture does not fit the model, or matplotlib is missing.
    """
    check_module(model, "feature_maps")
    picture = as_float(np.asarray(picture))
    if picture.ndim != 3 or picture.shape[-1] not in (1, 3):
        raise ShapeError(
            f"feature_maps: expected one picture of shape (h, w, 1) or (h, w, 3), got "
            f"{picture.shape}"
        )
    count = integer(count, "feature_maps: count")
    name = first_conv2d(model, "feature_maps") if layer is None else layer
    output = layer_outputs(model, picture[np.newaxis], [name], "feature_maps")[name][0]
    if output.ndim != 3:
        raise ShapeError(
            f"feature_maps: layer {name!r} gives shape {output.shape}, no maps (h, w, "
            f"c); take a layer before Flatten"
        )
    maps = output.transpose(2, 0, 1)[:count]
    limit = float(np.abs(maps).max()) or 1.0
    columns = _columns(len(maps))
    rows = math.ceil(len(maps) / columns)
    height, width = maps.shape[1:]
    kind = type(find_layer(model, name, "feature_maps")).__name__
    channels = f"{len(maps)} of {output.shape[-1]} channels"
    title = f"Layer {name} ({kind}): {channels}, {height} x {width}"
    with new_figure(columns + 2.6, max(rows, 1.8) + 1.0, title) as figure:
        _note(figure, scale_note(maps, limit))
        sides: Any = figure.subfigures(1, 2, width_ratios=[2.4, columns])
        left, right = sides
        shown = _grid(left, 1, 1, 1)[0]
        shown.imshow(visible(picture), cmap="gray", vmin=0, vmax=1)
        for axes, each in zip(
            _grid(right, rows, columns, len(maps)), maps, strict=False
        ):
            _signed(axes, each, limit)
    return figure


def _columns(count: int) -> int:
    return min(count, max(8, math.ceil(math.sqrt(count))))


def _grid(figure: Any, rows: int, columns: int, count: int) -> Any:
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, wspace=0, hspace=0)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=GREY, linewidth=0.5)
    for axes in grid[count:]:
        axes.set_visible(False)
    return grid


def _signed(axes: Axes, values: np.ndarray, limit: float) -> None:
    """Draw numbers in the colours of `SIGNED`."""
    from matplotlib.colors import LinearSegmentedColormap

    shades = [((place + 1) / 2, colour) for place, colour in SIGNED]
    cmap = LinearSegmentedColormap.from_list("signed", shades)
    axes.imshow(values, cmap=cmap, vmin=-limit, vmax=limit)


def scale_note(values: np.ndarray, limit: float) -> str:
    """Return what the colours of `SIGNED` mean."""
    below = f"; vermilion: down to -{limit:.2g}" if values.min() < 0 else ""
    return f"white: 0; blue: up to {limit:.2g}{below}"


def _note(figure: Figure, text: str) -> None:
    figure.supxlabel(text, x=0.01, ha="left", fontsize=9, color=GREY)
