"""The transposed convolutional layer."""

from __future__ import annotations

import math

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.affine import Affine
from fastdl.nn.init import WeightInit
from fastdl.nn.registry import register
from fastdl.shapes import conv2d, integer, padding2d, pair
from fastdl.typing import DtypeLike, PaddingLike, PairLike, Shape, TensorLike


@register
class ConvTranspose2d(Affine):
    """Transposed convolution: makes images larger by learned filters.

    Each pixel of the input is spread over a window, weighted by a filter. With
    kernel_size = stride the windows lie side by side; kernel_size=2, stride=2 doubles
    height and width.

    Parameters
    ----------
    in_channels : int or None
        Channels of the input; with None they are taken from the first input.
    out_channels : int
        Channels of the output.
    kernel_size : int or pair of int
        Height and width of a window.
    stride, dilation : int or pair of int
        Steps between the windows of neighbouring pixels, and between the pixels of a
        window.
    padding : int, pair or pair of pairs
        Pixels that are cut off at the edges of the output.
    output_padding : int or pair of int
        Rows and columns more at the bottom and right, below the stride.
    groups : int
        Independent groups of channels.
    bias : bool
        Whether to add a bias; leave it out before a batch norm.
    weight_init : str, callable or array_like
        What makes the filters, see `Linear`. A function that is named draws them as for
        a `Conv2d` between the same channels.
    dtype : numpy.dtype
        Of the parameters and of x: float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (kh, kw, out_channels / groups, in_channels); PyTorch has the reverse order.
    bias : Parameter or None
        (out_channels,)
    """

    _takes_pictures = True
    _pytorch_axes = (2, 3, 1, 0)
    _outputs = "out_channels"

    def __init__(
        self,
        in_channels: int | None,
        out_channels: int,
        kernel_size: PairLike,
        stride: PairLike = 1,
        padding: PaddingLike = 0,
        output_padding: PairLike = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: PairLike = 1,
        weight_init: WeightInit = "he_normal",
        dtype: DtypeLike = np.float32,
    ) -> None:
        super().__init__(bias, weight_init, dtype)
        name = "ConvTranspose2d"
        self.in_channels = in_channels
        self.out_channels = integer(out_channels, f"{name}: out_channels")
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.output_padding = output_padding
        self.groups = integer(groups, f"{name}: groups")
        self.dilation = dilation
        # So that a mistake raises here, not in the first forward pass.
        pair(kernel_size, f"{name}: kernel_size")
        pair(stride, f"{name}: stride")
        pair(output_padding, f"{name}: output_padding", 0)
        pair(dilation, f"{name}: dilation")
        padding2d(padding, name)
        if in_channels is not None:
            self._create_parameters((0, 0, in_channels))

    def _create_parameters(self, input_shape: Shape) -> None:
        if len(input_shape) != 3:
            raise ShapeError(
                f"conv_transpose2d: expected images (n, h, w, c), got examples of "
                f"shape {input_shape}; grey images need a channel axis: "
                f"x[..., np.newaxis]"
            )
        channels, outputs = input_shape[2], self.out_channels
        channels = integer(channels, "ConvTranspose2d: in_channels")
        groups = self.groups
        if channels % groups or outputs % groups:
            raise ShapeError(
                f"conv_transpose2d: groups must divide in_channels and out_channels; "
                f"got {groups} for {channels} and {outputs}"
            )
        self.in_channels = channels
        kh, kw = pair(self.kernel_size, "ConvTranspose2d: kernel_size")
        shape = (kh, kw, outputs // groups, channels)
        if isinstance(self.weight_init, str):
            # Drawn as for a convolution between the same channels, then turned round.
            drawn = self._drawn((kh, kw, channels // groups, outputs))
            by_group = drawn.reshape(kh, kw, channels // groups, groups, -1)
            weight = by_group.transpose(0, 1, 4, 3, 2).reshape(shape)
        else:
            weight = self._drawn(shape)
        self._set_parameters(weight, (outputs,))

    def _is_head(self) -> bool:
        return False

    def multiply_adds(self, output_shape: Shape) -> int:
        """Count one multiply-add for each weight and input position."""
        inputs = conv2d(
            (1, *output_shape),
            self.weight.shape,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return self.weight.size * math.prod((inputs.oh, inputs.ow))

    def forward(self, x: TensorLike, activation: str | None = None) -> Tensor:
        """Map x (n, h, w, in_channels) to (n, oh, ow, out_channels)."""
        return F.conv_transpose2d(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=self.groups,
            dilation=self.dilation,
            activation=activation,
        )
