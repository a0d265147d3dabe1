"""Dense layers: y = x w + b, and the two products of its gradients."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import Case, Function, Work, normal

SHAPES = {  # rows, in, out
    "64x784 784x128": (64, 784, 128),
    "64x12288 12288x25": (64, 12288, 25),
    "256x512 512x512": (256, 512, 512),
    "1024^3": (1024, 1024, 1024),
}
LARGE = ("256x512 512x512", "1024^3")  # these are to come near the peak
PASSES = ("forward", "dx", "dweight")


def work(direction: str, m: int, k: int, n: int) -> Work:
    """Make the arrays of a dense layer, and return one of its products."""
    x, weight, bias, dy = normal((m, k), (k, n), n, (m, n))

    def ours(kernels: ModuleType) -> Any:
        if direction == "forward":
            return kernels.matmul(x, weight, bias)
        if direction == "dx":
            return kernels.matmul(dy, weight, transpose_b=True)
        return kernels.matmul(x, dy, transpose_a=True)

    def peers() -> list[Function]:
        import torch

        a, b, c, d = map(peer.tensor, (x, weight, bias, dy))
        stored = b.T.contiguous()  # as the peer's Linear keeps it: (out, in)
        return {
            "forward": [
                lambda: torch.nn.functional.linear(a, stored, c),
                lambda: torch.addmm(c, a, b),
            ],
            "dx": [lambda: d @ stored, lambda: d @ b.T],
            "dweight": [lambda: d.T @ a, lambda: a.T @ d],
        }[direction]

    return Work(ours, peers, 2.0 * m * k * n)


CASES = [
    Case(
        f"{name} {direction}",
        partial(work, direction, *shape),
        {"ratio": 1.0} | ({"percent": 80} if name in LARGE else {}),
    )
    for name, shape in SHAPES.items()
    for direction in PASSES
]
