"""The convolutional layer."""

from __future__ import annotations

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.affine import Affine
from fastdl.nn.init import WeightInit
from fastdl.nn.registry import register
from fastdl.shapes import flag, integer, padding2d, pair
from fastdl.typing import DtypeLike, PaddingLike, PairLike, Shape, TensorLike


@register
class Conv2d(Affine):
    """Convolution (cross-correlation) over images (n, h, w, c).

    Parameters
    ----------
    in_channels : int or None
        Channels of the input; with None they are taken from the first input.
    out_channels : int
        Number of filters.
    kernel_size : int or pair of int
        Height and width of a filter.
    stride, dilation : int or pair of int
        Steps between outputs, and between the pixels that a filter reads.
    padding : int, pair, pair of pairs, "same" or "valid"
        Zeros around the image: (vertical, horizontal) or ((top, bottom), (left,
        right)). "same" gives ceil(size / stride) outputs.
    groups : int
        Independent groups of channels; groups = in_channels makes it depthwise.
    bias : bool
        Whether to add a bias; leave it out before a batch norm.
    weight_init : str, callable or array_like
        What makes the filters, see `Linear`.
    flip : bool
        Whether each filter is turned upside down and left to right before it is
        applied: the convolution of mathematics. Nothing is lost without it, as the
        filters are learned.
    dtype : numpy.dtype
        Of the parameters and of x: float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (kh, kw, in_channels / groups, out_channels); PyTorch has the reverse order.
    bias : Parameter or None
        (out_channels,)
    """

    _takes_pictures = True
    _newer_arguments = ("flip",)
    _pytorch_axes = (2, 3, 1, 0)
    _outputs = "out_channels"

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: PairLike,
        stride: PairLike = 1,
        padding: PaddingLike = 0,
        dilation: PairLike = 1,
        groups: int = 1,
        bias: bool = True,
        weight_init: WeightInit = "he_normal",
        flip: bool = False,
        dtype: DtypeLike = np.float32,
    ) -> None:
        super().__init__(bias, weight_init, dtype)
        self.in_channels = in_channels
        self.out_channels = integer(out_channels, "Conv2d: out_channels")
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = integer(groups, "Conv2d: groups")
        self.flip = flag(flip, "Conv2d: flip")
        # So that a mistake raises here, not in the first forward pass.
        pair(kernel_size, "Conv2d: kernel_size")
        pair(stride, "Conv2d: stride")
        pair(dilation, "Conv2d: dilation")
        padding2d(padding, "Conv2d")
        if in_channels is not None:
            self._create_parameters((0, 0, in_channels))

    def _create_parameters(self, input_shape: Shape) -> None:
        if len(input_shape) != 3:
            raise ShapeError(
                f"conv2d: expected images (n, h, w, c), got examples of shape "
                f"{input_shape}; grey images need a channel axis: x[..., np.newaxis]"
            )
        channels = integer(input_shape[2], "Conv2d: in_channels")
        if channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(
                f"conv2d: groups must divide in_channels and out_channels; got "
                f"{self.groups} for {channels} and {self.out_channels}"
            )
        self.in_channels = channels
        kh, kw = pair(self.kernel_size, "Conv2d: kernel_size")
        self._set_weight((kh, kw, channels // self.groups, self.out_channels))

    def _is_head(self) -> bool:
        kernel_size = pair(self.kernel_size, "Conv2d: kernel_size")
        return kernel_size == (1, 1) and self.groups == 1

    def forward(self, x: TensorLike, activation: str | None = None) -> Tensor:
        """Map x (n, h, w, in_channels) to (n, oh, ow, out_channels)."""
        return F.conv2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            activation=activation,
            flip=self.flip,
        )
