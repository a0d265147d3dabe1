"""The dense layer: y = x W + b."""

from __future__ import annotations

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.affine import Affine
from fastdl.nn.init import WeightInit
from fastdl.nn.registry import register
from fastdl.shapes import integer
from fastdl.typing import DtypeLike, Shape, TensorLike


@register
class Linear(Affine):
    """Dense layer: ``y = x @ weight + bias``.

    Parameters
    ----------
    in_features : int or None
        Size of an input row; with None it is taken from the first input.
    out_features : int
        Size of an output row.
    bias : bool
        Whether to add a bias; leave it out before a batch norm.
    weight_init : str, callable or array_like
        The function of `fastdl.nn.init` that draws the weight: "he_normal" before a
        ReLU, "xavier_normal" before a tanh, "glorot_normal" for the last layer, ...; or
        a function of the weight's shape that returns an array, or the array itself.
    dtype : numpy.dtype
        Of the parameters and of x: float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (in_features, out_features): transposed compared with PyTorch.
    bias : Parameter or None
        (out_features,)
    """

    _pytorch_axes = (1, 0)
    _outputs = "out_features"

    def __init__(
        self,
        in_features: int | None,
        out_features: int,
        bias: bool = True,
        weight_init: WeightInit = "he_normal",
        dtype: DtypeLike = np.float32,
    ) -> None:
        super().__init__(bias, weight_init, dtype)
        self.in_features = in_features
        self.out_features = integer(out_features, "Linear: out_features")
        if in_features is not None:
            self._create_parameters((in_features,))

    def _create_parameters(self, input_shape: Shape) -> None:
        if len(input_shape) != 1:
            raise ShapeError(
                f"linear: expected rows (n, in_features), got examples of shape "
                f"{input_shape}; put a Flatten layer before, or give in_features to "
                f"apply the layer to the last axis"
            )
        self.in_features = integer(input_shape[0], "Linear: in_features")
        self._set_weight((self.in_features, self.out_features))

    def _is_head(self) -> bool:
        return True

    def forward(self, x: TensorLike, activation: str | None = None) -> Tensor:
        """Map x (..., in_features) to (..., out_features)."""
        return F.linear(x, self.weight, self.bias, activation=activation)
