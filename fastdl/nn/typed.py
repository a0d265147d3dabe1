"""What layers that own parameters have in common: the type of these."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter
from fastdl.shapes import real_dtype
from fastdl.typing import DtypeLike


class Typed(Module):
    """Base of layers that own a weight of float32 or float64."""

    weight: Parameter

    def __init__(self, dtype: DtypeLike) -> None:
        self._initial_dtype = real_dtype(dtype, type(self).__name__)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the parameters; `astype` changes it."""
        return self._initial_dtype if self._pending else self.weight.dtype

    def config(self) -> dict[str, Any]:
        """Return the arguments that would construct this layer again."""
        config = super().config()
        dtype = config.pop("dtype", None)  # a subclass may not take it
        if dtype is not None and dtype != np.float32:
            config["dtype"] = dtype.name
        return config
