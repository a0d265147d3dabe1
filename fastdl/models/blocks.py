"""Blocks of layers that belong together: each choice follows from the others.

A convolution or dense layer before a normalisation has no bias, because beta takes its
place (Ioffe, Szegedy 2015, section 3.2). Weights start as the activation that follows
needs it, see `fastdl.nn.init.for_activation`. A block is a list, so that a Sequential
of several stays flat::

    nn.Sequential(
        *conv_block(32, norm="batch", pool=2),
        *conv_block(64, norm="batch", pool=2, dropout=0.1),
        nn.Flatten(),
        *dense_block(128, activation="tanh"),
        nn.Linear(None, 10, weight_init="glorot_normal"),
    )
"""

from __future__ import annotations

from collections.abc import Callable

from fastdl import nn
from fastdl.errors import ArgumentError, suggest
from fastdl.nn.activation import LAYERS
from fastdl.typing import PaddingLike, PairLike

Norm = str | Callable[[], nn.Module] | None


def dense_block(
    units: int,
    *,
    activation: str | None = "relu",
    norm: Norm = None,
    dropout: float = 0.0,
) -> list[nn.Module]:
    """Make a dense layer with what follows it: norm, activation, dropout.

    Parameters
    ----------
    units : int
        Size of the output.
    activation : str or None
        One of ``fastdl.shapes.ACTIVATIONS``; None and "identity" for no such layer.
    norm : str, callable or None
        "batch", "layer", or what makes a layer: ``lambda: nn.GroupNorm(8)``. With one,
        the dense layer has no bias.
    dropout : float
        Probability to drop; 0 for no such layer.

    Returns
    -------
    list of Module
        Sizes of the input are open.

    Raises
    ------
    ArgumentError
        A name is unknown; the probability is out of range.
    """
    layer = nn.Linear(
        None,
        units,
        bias=norm is None,
        weight_init=nn.init.for_activation(activation),
    )
    return [
        layer,
        *_normalisation(norm, nn.BatchNorm1d),
        *_activation(activation),
        *([nn.Dropout(dropout)] if dropout else []),
    ]


def conv_block(
    filters: int,
    kernel_size: PairLike = 3,
    *,
    stride: PairLike = 1,
    padding: PaddingLike = "same",
    activation: str | None = "relu",
    norm: Norm = None,
    pool: int | None = None,
    dropout: float = 0.0,
) -> list[nn.Module]:
    """Make a convolution with what follows: norm, activation, max pooling, dropout.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, stride, padding
        As in `fastdl.nn.Conv2d`.
    activation, norm
        As in `dense_block`.
    pool : int, optional
        Window and stride of the pooling.
    dropout : float
        Probability to drop a whole channel; 0 for no such layer.

    Returns
    -------
    list of Module
        Sizes of the input are open.

    Raises
    ------
    ArgumentError, ShapeError
        A name is unknown; a size or probability is out of range.
    """
    layer = nn.Conv2d(
        None,
        filters,
        kernel_size,
        stride=stride,
        padding=padding,
        bias=norm is None,
        weight_init=nn.init.for_activation(activation),
    )
    return [
        layer,
        *_normalisation(norm, nn.BatchNorm2d),
        *_activation(activation),
        *([nn.MaxPool2d(pool)] if pool is not None else []),
        *([nn.Dropout2d(dropout)] if dropout else []),
    ]


def _activation(kind: str | None) -> list[nn.Module]:
    return [] if kind is None or kind == "identity" else [LAYERS[kind]()]


def _normalisation(norm: Norm, batch_norm: type[nn.Module]) -> list[nn.Module]:
    if norm is None:
        return []
    if callable(norm):
        return [norm()]
    known = {"batch": lambda: batch_norm(None), "layer": nn.LayerNorm}  # type: ignore[call-arg]
    if not isinstance(norm, str) or norm not in known:
        raise ArgumentError(f"block: unknown norm {norm!r:.60}{suggest(norm, known)}")
    return [known[norm]()]
