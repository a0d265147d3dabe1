"""The activation with learned slopes."""

from __future__ import annotations

import math

import numpy as np

from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.parameter import Parameter
from fastdl.nn.registry import register
from fastdl.nn.typed import Typed
from fastdl.shapes import integer
from fastdl.shapes.numbers import is_number
from fastdl.typing import DtypeLike, TensorLike


@register
class PReLU(Typed):
    """``x`` where x > 0, else ``weight * x`` (He et al. 2015).

    Parameters
    ----------
    num_parameters : int
        The channels, each of which learns a slope of its own; 1 for one slope.
    init : float
        The slope that training starts with. Weight decay would pull it to ReLU's 0.
    dtype : numpy.dtype
        Of the parameters and of x: float32 or float64.

    Attributes
    ----------
    weight : Parameter
        (num_parameters,)
    """

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        dtype: DtypeLike = np.float32,
    ) -> None:
        super().__init__(dtype)
        self.num_parameters = integer(num_parameters, "PReLU: num_parameters")
        if not (is_number(init) and math.isfinite(init)):
            raise ArgumentError(
                f"PReLU: init must be a finite number, got {init!r:.60}"
            )
        self.init = init
        self.weight = Parameter(np.full(num_parameters, init, self._initial_dtype))

    def forward(self, x: TensorLike) -> Tensor:
        """Map x (..., channels) to the same shape."""
        return F.prelu(x, self.weight)
