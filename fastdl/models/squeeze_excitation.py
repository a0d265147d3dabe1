"""Squeeze-and-excitation (Hu et al. 2018): channels that switch each other."""

from __future__ import annotations

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor, as_tensor
from fastdl.shapes import integer
from fastdl.typing import TensorLike


@nn.register
class SqueezeExcitation(nn.Module):
    """Multiply each channel by a number in (0, 1) that depends on the whole picture.

    ::

        y = x * sigmoid(fc2(silu(fc1(mean of x over all pixels))))

    SiLU instead of the paper's ReLU, as in EfficientNet.

    Parameters
    ----------
    channels : int
        Channels of x and of y.
    squeezed : int
        Channels between fc1 and fc2, which are 1 x 1 convolutions on one pixel.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        self.channels = integer(channels, "SqueezeExcitation: channels")
        self.squeezed = integer(squeezed, "SqueezeExcitation: squeezed")
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1, weight_init="glorot_normal")

    def forward(self, x: TensorLike) -> Tensor:
        """Map (n, h, w, channels) to the same shape."""
        x = as_tensor(x)
        mean = F.reshape(F.global_avg_pool2d(x), (x.shape[0], 1, 1, self.channels))
        scale = F.sigmoid(self.fc2(F.silu(self.fc1(mean))))
        return F.scale(x, scale)
