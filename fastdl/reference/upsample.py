r"""Upsampling: images made larger, by copies of pixels or by bilinear interpolation.

Along each axis, pixel i of the result lies at place u of the input, between the pixels
:math:`a = \lfloor u \rfloor` and a + 1:

.. math::
    y_i = (1 - (u - a)) \, x_a + (u - a) \, x_{a + 1}, \qquad
    u = (i + \tfrac{1}{2}) \, h / o_h - \tfrac{1}{2}

so that both images cover the same square; with `align_corners`
:math:`u = i (h - 1) / (o_h - 1)`, so that the middles of their corner pixels do. The
mode "nearest" copies :math:`y_i = x_{\lfloor i h / o_h \rfloor}`. First the rows are
made, then the columns. Backward, each pixel of the result gives its gradient to the
pixels that it was made of, by their shares.

Shapes: x (n, h, w, c), y (n, oh, ow, c).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastdl import shapes
from fastdl.reference._sums import wide
from fastdl.typing import PairLike, ScaleLike

Sources = tuple[int, np.ndarray, np.ndarray, np.ndarray]


def _sources(
    input_shape: tuple[int, ...],
    size: PairLike | None,
    scale_factor: ScaleLike | None,
    mode: str,
    align_corners: bool,
    operation: str,
) -> Iterator[Sources]:
    """Yield an axis, of each place the pixels before and behind, the latter's share."""
    bilinear = shapes.upsample_mode(mode, align_corners, operation)
    output, scales = shapes.upsample(input_shape, size, scale_factor, operation)
    for axis in (1, 2):
        low, high, share = shapes.upsample_sources(
            input_shape[axis],
            output[axis - 1],
            scales[axis - 1],
            bilinear,
            align_corners,
        )
        yield axis, low, high, share.reshape(-1, 1, 1, 1)


def upsample_forward(
    x: np.ndarray,
    size: PairLike | None = None,
    *,
    scale_factor: ScaleLike | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> np.ndarray:
    """Return images of another size.

    Parameters
    ----------
    x
        Images (n, h, w, c), any float type.
    size, scale_factor
        One of them, see ``shapes.upsample``.
    mode
        "nearest" or "bilinear".
    align_corners
        Of "bilinear": whether the corner pixels of both images lie on each other.

    Returns
    -------
    numpy.ndarray
        (n, oh, ow, c), in the type of `x`.

    Raises
    ------
    ShapeError
        When the sizes do not fit.
    ArgumentError
        For an unknown mode.
    """
    options = (size, scale_factor, mode, align_corners, "upsample")
    y = x
    for axis, low, high, share in _sources(x.shape, *options):
        lines = np.moveaxis(y, axis, 0)
        lines = (1 - share) * lines[low] + share * lines[high]
        y = np.moveaxis(lines, 0, axis)
    return y.astype(x.dtype, order="C")


def upsample_backward(
    dy: np.ndarray,
    input_shape: tuple[int, int, int, int],
    size: PairLike | None = None,
    *,
    scale_factor: ScaleLike | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> np.ndarray:
    """Return the gradient with respect to the images.

    Parameters
    ----------
    dy
        (n, oh, ow, c): the gradient at the output.
    input_shape
        (n, h, w, c).
    size, scale_factor, mode, align_corners
        As in the forward pass.

    Returns
    -------
    numpy.ndarray
        dx (n, h, w, c).
    """
    options = (size, scale_factor, mode, align_corners, "upsample_backward")
    dx = dy
    for axis, low, high, share in _sources(input_shape, *options):
        lines = np.moveaxis(dx, axis, 0)
        sums = np.zeros((input_shape[axis], *lines.shape[1:]), wide(dy.dtype))
        np.add.at(sums, low, (1 - share) * lines)
        np.add.at(sums, high, share * lines)
        dx = np.moveaxis(sums, 0, axis)
    return dx.astype(dy.dtype, order="C")
