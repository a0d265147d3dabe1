"""Several outputs of one network."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import functional as F
from fastdl import nn
from fastdl.autograd import Tensor
from fastdl.typing import TensorLike


@nn.register
class ColumnHeads(nn.Module):
    """Cuts the rows that a network returns into parts, named "0", "1", ...

    Parameters
    ----------
    body : Module
        It returns rows (n, sum of sizes).
    sizes : sequence of int
        The size of each part.
    """

    def __init__(self, body: nn.Module, sizes: Sequence[int]) -> None:
        self.body = body
        self.sizes = tuple(sizes)

    def forward(self, x: TensorLike) -> dict[str, Tensor]:
        """Return the parts (n, size) by name."""
        parts = F.split(self.body(x), self.sizes, axis=1)
        return {str(number): part for number, part in enumerate(parts)}
