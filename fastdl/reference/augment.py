r"""Images seen through a map of the plane.

.. math::
    y[n, i, j, k] = \sum_{p, q} (1 - |u - p|)_+ (1 - |v - q|)_+ \, x[n, p, q, k], \qquad
    \binom{u}{v} = M_n \begin{pmatrix} i \\ j \\ 1 \end{pmatrix} + d[n, :, i, j]

Each pixel of the result comes from the point (u, v), a row and a column, of the image:
it is the mean of the four pixels around that point, weighted by closeness. The matrix M
rotates, scales, shears and shifts; the displacement d bends.

Shapes: x and y (n, h, w, c), M (n, 2, 3), d (n, 2, h, w).

Source: Szeliski, "Computer Vision" (2nd edition, 2022), section 3.6 (inverse warping);
Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied to
visual document analysis", 2003 (training on warped images).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastdl import shapes


def _neighbours(
    u: np.ndarray, size: int, fill: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pixels before and after the points `u` along an axis, and their shares.

    If the fill is "constant", pixels outside have no share; other fills move u inside.
    """
    last = size - 1
    if fill == "reflect" and last > 0:
        u = u % (2 * last)
        u = np.minimum(u, 2 * last - u)
    u = np.where(np.isnan(u), -1, u)  # as if it lay before the image
    if fill != "constant":
        u = np.clip(u, 0, last)
    before = np.floor(u)
    share = u - before
    for pixel, part in ((before, 1 - share), (before + 1, share)):
        inside = (pixel >= 0) & (pixel <= last)
        yield np.clip(pixel, 0, last).astype(np.intp), np.where(inside, part, 0)


def affine_warp(
    x: np.ndarray,
    matrix: np.ndarray,
    displacement: np.ndarray | None = None,
    *,
    fill: str = "constant",
) -> np.ndarray:
    """Return the images seen through maps of the plane, by bilinear interpolation.

    Parameters
    ----------
    x
        Images (n, h, w, c), any float type.
    matrix
        (n, 2, 3): pixel (i, j) of the result shows the row and the column
        ``matrix @ (i, j, 1)`` of x.
    displacement
        (n, 2, h, w): added to that row and column.
    fill
        What lies outside an image: "constant" (zeros), "edge" (the nearest pixel) or
        "reflect" (the mirror image, without repeating the border pixel).

    Returns
    -------
    numpy.ndarray
        The shape and type of `x`.

    Raises
    ------
    ShapeError, ArgumentError
        When the sizes do not fit; for an unknown fill.
    """
    n, h, w, _, _ = shapes.affine_warp(
        x.shape,
        matrix.shape,
        None if displacement is None else displacement.shape,
        fill,
    )
    i, j = np.indices((h, w), x.dtype)
    place = np.einsum("nab,bij->naij", matrix, np.stack([i, j, np.ones_like(i)]))
    if displacement is not None:
        place = place + displacement
    image = np.arange(n)[:, np.newaxis, np.newaxis]
    y = np.zeros_like(x)
    for row, row_share in _neighbours(place[:, 0], h, fill):
        for column, column_share in _neighbours(place[:, 1], w, fill):
            y += x[image, row, column] * (row_share * column_share)[..., np.newaxis]
    return y
