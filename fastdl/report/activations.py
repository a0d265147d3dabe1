"""The distribution of the activations of each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastdl.errors import ArgumentError, DataError
from fastdl.nn import Module
from fastdl.nn.activation import Activation
from fastdl.nn.module import check_module
from fastdl.report.layers import find_layer, layer_outputs
from fastdl.report.style import BLUE, GREY, new_figure
from fastdl.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 40
_COLUMNS = 4


def activation_histograms(
    model: Module, x: ArrayLike, layers: Sequence[str] | None = None
) -> Figure:
    """Draw a histogram of each layer's outputs, and the share that is exactly zero.

    Healthy layers look alike. A width that shrinks or grows from layer to layer means
    vanishing or exploding activations; nothing but zeros, dead ReLU units; two peaks at
    the ends, saturated sigmoid or tanh units (Glorot, Bengio 2010).

    Parameters
    ----------
    model : Module
        It runs in evaluation mode.
    x : array_like, (m, ...)
        A batch of inputs, m >= 1.
    layers : sequence of str, optional
        The names of the layers, as in ``model.named_modules()``. By default all
        activation layers; in a model without them, all layers with parameters. An
        activation that a block computes together with another layer, as in a ResNet,
        is no layer of its own: name the layer that it belongs to, such as the last norm
        of a block, ``"3.norm2"``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each layer.

    Raises
    ------
    ArgumentError
        `model` is not a Module, has no layer of that name, or no layer to show.
    DataError
        An output is not finite; the message names the layer.
    FastdlError
        `x` does not fit the model, or matplotlib is missing.
    """
    check_module(model, "activation_histograms")
    if layers is None:
        layers = _interesting(model)
    if not layers:
        raise ArgumentError("activation_histograms: there is no layer to show")
    outputs = layer_outputs(model, x, layers, "activation_histograms")
    columns = min(_COLUMNS, len(outputs))
    rows = math.ceil(len(outputs) / columns)
    with new_figure(max(2.6 * columns, 5.2), 2.3 * rows + 0.9, "Activations") as figure:
        figure.supxlabel(
            "the bars leave out exact zeros; their share stands above",
            x=0.01,
            ha="left",
            fontsize=9,
            color=GREY,
        )
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(outputs) :]:
            axes.set_visible(False)
        for axes, (name, values) in zip(grid, outputs.items(), strict=False):
            kind = type(find_layer(model, name, "activation_histograms")).__name__
            _histogram(axes, f"{name}  {kind}".strip(), values.ravel())
    return figure


def _interesting(model: Module) -> list[str]:
    modules = dict(model.named_modules())
    activations = [
        name for name, each in modules.items() if isinstance(each, Activation)
    ]
    return activations or [
        name
        for name, each in modules.items()
        if not any(each.children()) and any(True for _ in each.parameters())
    ]


def _histogram(axes: Axes, title: str, values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise DataError(f"activation_histograms: layer {title} gives NaN or infinity")
    axes.set_title(title, pad=18)
    zero = float(np.mean(values == 0))
    axes.text(
        0,
        1.03,
        f"mean {values.mean():.2g}, std {values.std():.2g}, {zero:.0%} zero",
        transform=axes.transAxes,
        fontsize=8,
        color=GREY,
    )
    axes.hist(values[values != 0], _BINS, color=BLUE)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
