"""Sizes and names of the warp of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastdl.errors import ArgumentError, ShapeError, suggest
from fastdl.shapes.arguments import check_shape, sizes
from fastdl.shapes.images import check_images

# What lies outside an image: zeros, its nearest pixel, or its mirror image. The order
# is that of the enum in csrc/augment.c.
FILLS = ("constant", "edge", "reflect")


class WarpShape(NamedTuple):
    """Every size of one warp, and the place of its fill in `FILLS`."""

    n: int
    h: int
    w: int
    c: int
    fill: int


def affine_warp(
    x_shape: Sequence[int],
    matrix_shape: Sequence[int],
    displacement_shape: Sequence[int] | None,
    fill: str,
    operation: str = "affine_warp",
) -> WarpShape:
    """Return every size of a warp, after checking them.

    Parameters
    ----------
    x_shape
        (n, h, w, c); n may be 0.
    matrix_shape
        (n, 2, 3).
    displacement_shape
        (n, 2, h, w) or None.
    fill
        One of `FILLS`.
    operation
        The name for the messages.

    Raises
    ------
    ShapeError
        When a size does not fit, or a side has more than 2**31 - 1 pixels.
    ArgumentError
        For another fill.
    """
    n, h, w, c = check_images(operation, sizes(operation, "x", x_shape))
    if max(h, w) >= 2**31:
        raise ShapeError(
            f"{operation}: pixels are counted with 31 bits along a side, got x of "
            f"shape {tuple(x_shape)}"
        )
    check_shape(operation, "matrix", matrix_shape, (n, 2, 3))
    if displacement_shape is not None:
        check_shape(operation, "displacement", displacement_shape, (n, 2, h, w))
    return WarpShape(n, h, w, c, fill_index(fill, operation))


def fill_index(fill: str, operation: str) -> int:
    """Return the place of `fill` in `FILLS`; ArgumentError for other names."""
    if fill not in FILLS:
        raise ArgumentError(
            f"{operation}: unknown fill {fill!r}{suggest(str(fill), FILLS)}"
        )
    return FILLS.index(fill)
