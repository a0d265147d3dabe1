"""Layer normalisation of rows, and group normalisation of images."""

from __future__ import annotations

import math
from functools import partial
from types import ModuleType
from typing import Any

from bench import peer
from bench.harness import SIZES, Case, Function, Work, memory_goals, normal
from fastdl import kernels

# The name, the shape of an example and the number of groups.
LAYERS = [
    ("layernorm", (64,), 1),
    ("layernorm", (768,), 1),
    ("groupnorm", (16, 16, 64), 32),
    ("groupnorm", (16, 16, 256), 1),
]
# The arrays of the size of x that a pass reads and writes.
PASSES = {"forward": 2, "backward": 3}


def work(direction: str, shape: tuple[int, ...], groups: int, size: int) -> Work:
    """Make the arrays of a layer, and return one of its passes."""
    c = shape[-1]
    whole = (size // math.prod(shape), *shape)
    x, dy, gamma, beta = normal(whole, whole, c, c)
    _, mean, rstd = kernels.layernorm_forward(x, gamma, beta, groups=groups)

    def ours(k: ModuleType) -> Any:
        if direction == "forward":
            return k.layernorm_forward(x, gamma, beta, groups=groups)
        return k.layernorm_backward(dy, x, gamma, mean, rstd)

    def peers() -> list[Function]:
        form = partial(_peer, direction, x, dy, gamma, beta, mean, rstd)
        return peer.in_both_layouts(form) if len(shape) > 1 else [form(None)]

    return Work(ours, peers, bytes=x.nbytes * PASSES[direction])


def _peer(direction, x, dy, gamma, beta, mean, rstd, layout) -> Function:
    import torch

    aten = torch.ops.aten
    g, b = map(peer.tensor, (gamma, beta))
    m, r = map(peer.tensor, (mean, rstd))
    c = x.shape[-1]
    if layout is None:
        a, da = map(peer.tensor, (x, dy))
        if direction == "forward":
            return lambda: aten.native_layer_norm(a, [c], g, b, 1e-5)
        return lambda: aten.native_layer_norm_backward(
            da, a, [c], m, r, g, b, [True, True, True]
        )
    a, da = (peer.images(z, layout) for z in (x, dy))
    n, h, w, _ = x.shape
    sizes = (n, c, h * w, mean.shape[1])
    if direction == "forward":
        return lambda: aten.native_group_norm(a, g, b, *sizes, 1e-5)
    return lambda: aten.native_group_norm_backward(
        da, a, m, r, g, *sizes, [True, True, True]
    )


CASES = [
    Case(
        f"{name} {direction}, {' x '.join(map(str, shape))}, {groups} groups, {size}",
        partial(work, direction, shape, groups, SIZES[size]),
        memory_goals(size),
    )
    for name, shape, groups in LAYERS
    for direction in PASSES
    for size in SIZES
]
