"""What layers with a weight and a bias have in common."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from fastdl.nn import init
from fastdl.nn.parameter import Parameter
from fastdl.nn.typed import Typed
from fastdl.shapes import flag
from fastdl.typing import DtypeLike, Shape

_DEFAULT = "he_normal"  # of weight_init


class Affine(Typed):
    """Base of `Linear` and `Conv2d`.

    Weights are made as `weight_init` says, see `fastdl.nn.init`; biases start at zero.
    Of a function or an array, nothing but the weights that it made is saved. A layer
    cannot know what follows it, so the default is the right one before ReLU;
    `fastdl.models.dense_block` and `conv_block` choose according to their activation.

    The forward method takes ``activation=``, with which `Sequential` lets the kernel
    apply the activation that follows.
    """

    weight: Parameter
    bias: Parameter | None = None
    _parameter_names = ("weight", "bias")
    _outputs: ClassVar[str]  # the argument that says how many there are
    _resized: int | None = None  # the tick of `_resize`; 0 before the layer is built

    def __init__(
        self, use_bias: bool, weight_init: init.WeightInit, dtype: DtypeLike
    ) -> None:
        super().__init__(dtype)
        self.weight_init = init.checked(weight_init, type(self).__name__)
        self._use_bias = flag(use_bias, f"{type(self).__name__}: bias")
        self._pending = True

    def _set_weight(self, shape: Shape) -> None:
        self._set_parameters(self._drawn(shape), shape[-1:])

    def _drawn(self, shape: Shape) -> np.ndarray:
        return init.weight(self.weight_init, shape, self.dtype, type(self).__name__)

    def _set_parameters(self, weight: np.ndarray, outputs: Shape) -> None:
        bias = init.zeros(outputs, weight.dtype) if self._use_bias else None
        self.weight = Parameter(weight)
        self.bias = None if bias is None else Parameter(bias)
        self._pending = False

    def _resize(self, outputs: int) -> None:
        """Draw new weights for so many outputs, see `Module.replace_head`.

        The parameters stay the same objects, so that an optimiser that has them notices
        at its next step that they no longer fit.
        """
        setattr(self, self._outputs, outputs)
        self._resized = 0
        if self._pending:
            return
        parameters = self.weight, self.bias
        self._set_weight((*self.weight.shape[:-1], outputs))
        for parameter, new in zip(parameters, (self.weight, self.bias), strict=True):
            if parameter is not None and new is not None:
                parameter.data = new.data
                parameter.grad = parameter._grad_view = None
                parameter.mark_changed()
        self.weight, self.bias = parameters
        self._resized = self.weight._changed[0]

    @property
    def _is_fresh(self) -> bool:
        """Whether `_resize` drew the weights, and nothing has changed them since."""
        if self._resized is None or self._pending:
            return self._resized is not None
        return self.weight._changed[0] == self._resized

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this layer again."""
        config = super().config() | {"bias": self._use_bias}
        if not isinstance(config.get("weight_init", ""), str):
            config["weight_init"] = _DEFAULT
        return config

    def multiply_adds(self, output_shape: Shape) -> int:
        """Count one multiply-add for each weight and output position."""
        return self.weight.size * math.prod(output_shape[:-1])
