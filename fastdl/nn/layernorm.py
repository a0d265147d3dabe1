"""Layer and group normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError, ShapeError
from fastdl.nn import init
from fastdl.nn.parameter import Parameter
from fastdl.nn.registry import register
from fastdl.nn.typed import Typed
from fastdl.shapes import integer, is_positive
from fastdl.typing import DtypeLike, Shape, TensorLike


class _ExampleNorm(Typed):
    """Base of the layers that normalise each example separately."""

    bias: Parameter
    _parameter_names = ("weight", "bias")

    def __init__(self, eps: float, dtype: DtypeLike) -> None:
        super().__init__(dtype)
        if not is_positive(eps):
            raise ArgumentError(f"{type(self).__name__}: eps must be positive")
        self.eps = eps
        self._pending = True

    def _create(self, shape: Shape) -> None:
        self.weight = Parameter(init.constant(shape, 1.0, self._initial_dtype))
        self.bias = Parameter(init.zeros(shape, self._initial_dtype))
        self._pending = False


@register
class LayerNorm(_ExampleNorm):
    """Normalise the last axes of each example (Ba, Kiros, Hinton 2016).

    ``y = (x - mean) / sqrt(var + eps) * weight + bias`` with the mean and the biased
    variance over the last axes. Training and evaluation are the same, and no batch is
    too small. The preceding layer needs no bias.

    Parameters
    ----------
    normalized_shape : int, sequence of int or None
        The sizes of the axes that share a mean: c or (c,) for each row or pixel, as in
        Keras; (h, w, c) for whole images, like PyTorch's (c, h, w). None means the last
        axis of the first input.
    eps : float
        Added to the variance; positive.
    dtype : numpy.dtype
        Of the parameters and of x: float32 or float64.

    Attributes
    ----------
    weight, bias : Parameter
        gamma and beta, of shape `normalized_shape`.

    Raises
    ------
    ArgumentError, ShapeError
        eps or a size is not positive; x does not end in `normalized_shape`.
    """

    _pytorch_axes = (1, 2, 0)  # of pictures; other shapes stay

    def __init__(
        self,
        normalized_shape: int | Sequence[int] | None = None,
        eps: float = 1e-5,
        dtype: DtypeLike = np.float32,
    ) -> None:
        super().__init__(eps, dtype)
        self.normalized_shape: Shape | None = None
        if normalized_shape is not None:
            sizes = (
                normalized_shape
                if isinstance(normalized_shape, Sequence)
                else [normalized_shape]
            )
            self._create_normalized(sizes)

    def _create_normalized(self, sizes: Sequence[int]) -> None:
        self.normalized_shape = tuple(
            integer(size, "LayerNorm: each size of normalized_shape") for size in sizes
        )
        self._create(self.normalized_shape)

    def _create_parameters(self, input_shape: Shape) -> None:
        if not input_shape:
            raise ShapeError("layer_norm: expected x of shape (n, ..., c), got (n,)")
        self._create_normalized(input_shape[-1:])

    def forward(self, x: TensorLike) -> Tensor:
        """Normalise x, ``(..., *normalized_shape)``; the shape stays the same."""
        shape = self.weight.shape
        return F.layer_norm(x, shape, self.weight, self.bias, self.eps)


@register
class GroupNorm(_ExampleNorm):
    """Normalise groups of channels of each example (Wu, He 2018).

    Like `LayerNorm`, but the mean and variance are over all pixels and the channels of
    one group. With one group it is layer normalisation of the image, with as many as
    channels it is instance normalisation. For batches too small for `BatchNorm2d`.

    Parameters
    ----------
    num_groups : int
        A divisor of the number of channels.
    num_channels : int or None
        With None it is taken from the first input.
    eps : float
        Added to the variance; positive.
    dtype : numpy.dtype
        Of the parameters and of x: float32 or float64.

    Attributes
    ----------
    weight, bias : Parameter
        (num_channels,): gamma and beta.

    Raises
    ------
    ArgumentError, ShapeError
        eps is not positive; the groups do not divide the channels.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int | None = None,
        eps: float = 1e-5,
        dtype: DtypeLike = np.float32,
    ) -> None:
        super().__init__(eps, dtype)
        self.num_groups = integer(num_groups, "GroupNorm: num_groups")
        self.num_channels: int | None = None
        if num_channels is not None:
            self._create_parameters((num_channels,))

    def _create_parameters(self, input_shape: Shape) -> None:
        channels = integer(input_shape[-1], "GroupNorm: num_channels")
        if channels % self.num_groups:
            raise ShapeError(
                f"group_norm: num_groups must divide the channels; got "
                f"{self.num_groups} for {channels}"
            )
        self.num_channels = channels
        self._create((channels,))

    def forward(self, x: TensorLike) -> Tensor:
        """Normalise x (n, ..., num_channels); the shape stays the same."""
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)
