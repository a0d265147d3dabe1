"""Products: y = x w + b, and the two products of its gradients."""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import Case, Function, Work, normal

SHAPES = {  # rows, in, out; the goal in % of the peak
    "64x784 784x128": (64, 784, 128, 75),
    "64x12288 12288x25": (64, 12288, 25, None),
    "256x512 512x512": (256, 512, 512, 80),
    "256^3": (256, 256, 256, 80),
    "512^3": (512, 512, 512, 80),
    "1024^3": (1024, 1024, 1024, 88),
    # The windows of layers of ResNet-18 and ResNet-50: 64 and 512 channels; 1 x 1.
    "32768x576 576x64": (32768, 576, 64, 80),
    "512x4608 4608x512": (512, 4608, 512, 80),
    "3136x256 256x1024": (3136, 256, 1024, 80),
}
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


def stack(s: int, m: int, k: int, n: int) -> Work:
    """Make two stacks of matrices, and return their products."""
    a, b = normal((s, m, k), (s, k, n))

    def ours(kernels: ModuleType) -> Any:
        return kernels.stacked_matmul(a, b)

    def peers() -> list[Function]:
        import torch

        return [partial(torch.bmm, peer.tensor(a), peer.tensor(b))]

    return Work(ours, peers, 2.0 * s * m * k * n)


CASES = [
    Case(
        f"{name} {direction}",
        partial(work, direction, *shape),
        {"ratio": 1.0, "numpy": 1.0} | ({"percent": goal} if goal else {}),
    )
    for name, (*shape, goal) in SHAPES.items()
    for direction in PASSES
] + [
    Case(f"{s} of {m}x{k} {k}x{n}", partial(stack, s, m, k, n), {"ratio": 1.0})
    for s, m, k, n in ((512, 16, 16, 16), (128, 64, 32, 64), (64, 128, 64, 128))
]
