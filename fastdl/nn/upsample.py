"""The layer that makes images larger."""

from __future__ import annotations

from typing import Any

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.nn.module import Module
from fastdl.nn.registry import register
from fastdl.shapes import check_one_size, pair, scale_pair, upsample_mode
from fastdl.typing import PairLike, ScaleLike, TensorLike


@register
class Upsample(Module):
    """Images of another size, by copies of pixels or by bilinear interpolation.

    Parameters
    ----------
    size : int or pair of int, optional
        The height and width of the output.
    scale_factor : float or pair of float, optional
        In place of `size`: how many times as high and wide.
    mode : str
        "nearest" or "bilinear".
    align_corners : bool
        Of "bilinear": whether the middles of the corner pixels of input and output lie
        on each other, and not the edges of the images.
    """

    def __init__(
        self,
        size: PairLike | None = None,
        scale_factor: ScaleLike | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        self.size = size
        self.scale_factor = scale_factor
        self._mode = mode  # Module.mode is a method
        self.align_corners = align_corners
        check_one_size(size, scale_factor, "Upsample")
        if size is not None:
            pair(size, "Upsample: size")
        else:
            scale_pair(scale_factor, "Upsample: scale_factor")
        upsample_mode(mode, align_corners, "Upsample")

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this layer again."""
        return super().config() | {"mode": self._mode}

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (n, h, w, c) to (n, oh, ow, c)."""
        return F.upsample(
            x, self.size, self.scale_factor, self._mode, self.align_corners
        )
