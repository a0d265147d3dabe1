"""Images made larger."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl import backend
from fastdl.autograd import Node, Tensor, as_tensor, record
from fastdl.typing import PairLike, ScaleLike, TensorLike


def _upsample_backward(node: Node, dy: np.ndarray) -> tuple:
    shape, size, options = node.arguments
    return (backend.upsample_backward(dy, shape, size, **options),)


def upsample(
    x: TensorLike,
    size: PairLike | None = None,
    scale_factor: ScaleLike | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """Return images of another size, by copies of pixels or by interpolation.

    The values are those of PyTorch's ``interpolate``.

    Parameters
    ----------
    x : Tensor or array_like
        (n, h, w, c).
    size : int or pair of int, optional
        The height and width of the result.
    scale_factor : float or pair of float, optional
        In place of `size`: how many times as high and wide; sizes are rounded down.
    mode : str
        "nearest" copies the pixels. "bilinear" interpolates between the four that lie
        around a place; where the result is smaller it does not smooth before.
    align_corners : bool
        Of "bilinear": whether the middles of the corner pixels of both images lie on
        each other, and not the edges of the images.

    Returns
    -------
    Tensor
        (n, oh, ow, c).

    Raises
    ------
    ShapeError
        The sizes do not fit.
    ArgumentError
        For an unknown mode; unless one of `size` and `scale_factor` is given.
    """
    x = as_tensor(x)
    options: dict[str, Any] = {
        "scale_factor": scale_factor,
        "mode": mode,
        "align_corners": align_corners,
    }
    y = backend.upsample_forward(x.data, size, **options)
    arguments = (x.data.shape, size, options)
    return record(y, _upsample_backward, (x._node,), (), arguments)
