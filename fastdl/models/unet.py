"""U-Net: a class for each pixel (Ronneberger et al. 2015)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor, as_tensor
from fastdl.errors import ShapeError
from fastdl.models.convolution import convolution_norm
from fastdl.models.registry import register
from fastdl.shapes import integer
from fastdl.typing import TensorLike


def _double(in_channels: int | None, out_channels: int) -> nn.Sequential:
    """Return two 3 x 3 convolutions, each with norm and ReLU."""
    return nn.Sequential(
        *convolution_norm(in_channels, out_channels),
        *convolution_norm(out_channels, out_channels),
    )


@nn.register
class UNet(nn.Module):
    """A network that shrinks the picture and enlarges it again, with skips across.

    On the way down each level has two convolutions, then pooling halves the picture and
    the next level doubles the channels. On the way up a transposed convolution doubles
    the picture, which is joined with that of the same level on the way down. Unlike in
    the paper, the convolutions keep the size and have batch norms.

    Parameters
    ----------
    classes : int
        Channels of the output: logits of each pixel.
    width : int
        Channels of the first level; 64 in the paper.
    depth : int
        How often the picture is halved; 4 in the paper.
    in_channels : int or None
        Channels of the pictures; None takes them from the first input.
    """

    def __init__(
        self,
        classes: int = 1,
        width: int = 32,
        depth: int = 4,
        in_channels: int | None = None,
    ) -> None:
        self.classes = integer(classes, "UNet: classes")
        self.width = integer(width, "UNet: width")
        self.depth = integer(depth, "UNet: depth")
        channels = [width * 2**level for level in range(depth + 1)]
        levels = list(pairwise(channels))
        self.down = nn.ModuleList([_double(in_channels, width)])
        self.down.extend(_double(few, many) for few, many in levels)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(many, few, 2, stride=2) for few, many in levels[::-1]
        )
        self.join = nn.ModuleList(_double(many, few) for few, many in levels[::-1])
        self.head = nn.Conv2d(width, classes, 1, weight_init="glorot_normal")

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this network again."""
        return {
            "classes": self.head.out_channels,  # `replace_head` may have changed it
            "width": self.width,
            "depth": self.depth,
            "in_channels": self.down[0][0].in_channels,
        }

    def forward(self, x: TensorLike) -> Tensor:
        """Map pictures (n, h, w, c) to logits (n, h, w, classes)."""
        x = as_tensor(x)
        self._check_size(x)
        first, *rest = self.down
        x = first(x)
        skips = []
        for block in rest:
            skips.append(x)
            x = block(self.pool(x))
        for up, join in zip(self.up, self.join, strict=True):
            x = join(F.concatenate([skips.pop(), up(x)], axis=-1))
        return self.head(x)

    def _check_size(self, x: Tensor) -> None:
        step = 2**self.depth
        if x.ndim == 4 and (x.shape[1] % step or x.shape[2] % step):
            raise ShapeError(
                f"UNet: height and width must be multiples of 2^depth = {step}, got x "
                f"of shape {x.shape}; pad or resize the pictures, or take a smaller "
                f"depth"
            )


@register
def unet(classes: int = 1, width: int = 32, depth: int = 4) -> UNet:
    """Make a small U-Net, with half of the paper's channels; see `UNet`.

    With one class its output is the logit of the foreground, for
    `fastdl.nn.BCEWithLogitsLoss` and masks (n, h, w, 1).
    """
    return UNet(classes, width, depth)
