"""Operations as people write them: powers, rows by index, joins, borders, norms.

Each case is one expression with its backward pass, on a small array and on a large one:
the tape, and memory for results and gradients, are part of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench import peer
from bench.harness import Function, Table, against, check_equal, measure, normal
from fastdl import Tensor
from fastdl import functional as F

ROWS = ((256, 64), (16384, 128))
IMAGES = ((8, 16, 16, 16), (32, 32, 32, 64))
EXPONENTS = (2, 3, 0.5, -1)
BORDER = ((0, 0), (1, 1), (1, 1), (0, 0))

Expression = Callable[[Any], Any]


def _expressions(shape: tuple[int, ...]) -> dict[str, tuple[Expression, Expression]]:
    """Return expressions of one array, in the words of fastdl and of the peer."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, shape[0], shape[0] // 2)
    mask = rng.random(shape[0]) < 0.5
    other = np.ones(shape, np.float32)
    ones, zeros = np.ones(shape[-1], np.float32), np.zeros(shape[-1], np.float32)
    found = {f"x ** {p}": (lambda x, p=p: x**p,) * 2 for p in EXPONENTS}
    if len(shape) == 2:
        return found | {
            "x[rows]": (lambda x: x[rows], lambda x: x[_same(rows)]),
            "x[mask]": (lambda x: x[mask], lambda x: x[_same(mask)]),
            "layer_norm": (
                lambda x: F.layer_norm(x, ones.shape, ones, zeros),
                lambda x: _torch().nn.functional.layer_norm(
                    x, x.shape[-1:], _same(ones), _same(zeros)
                ),
            ),
        }
    return {
        "concatenate channels": (
            lambda x: F.concatenate([x, other], axis=-1),
            lambda x: _torch().cat([x, _same(other)], -1),
        ),
        "concatenate examples": (
            lambda x: F.concatenate([x, other]),
            lambda x: _torch().cat([x, _same(other)]),
        ),
        "group_norm, 8 groups": (
            lambda x: F.group_norm(x, 8, ones, zeros),
            lambda x: (
                _torch()
                .nn.functional.group_norm(
                    x.permute(0, 3, 1, 2), 8, _same(ones), _same(zeros)
                )
                .permute(0, 2, 3, 1)
            ),
        ),
        "pad by 1": (
            lambda x: F.pad(x, BORDER),
            lambda x: _torch().nn.functional.pad(x, (0, 0, 1, 1, 1, 1)),
        ),
    }


def _torch() -> Any:
    import torch

    return torch


def _same(array: np.ndarray) -> Any:
    return peer.tensor(array)


def _both(expression: Expression, leaf: Any, dy: Any) -> Any:
    """Return the result and the gradient, in the words of both sides."""
    leaf.grad = None
    y = expression(leaf)
    y.backward(dy)
    return y.detach(), leaf.grad


def sides(name: str, shape: tuple[int, ...]) -> dict[str, Function]:
    """Make an array, and return an expression of it with its backward pass."""
    ours, theirs = _expressions(shape)[name]
    x = 1 + np.abs(normal(shape)[0])
    (dy,) = normal(ours(Tensor(x)).shape)
    found = {"fastdl": partial(_both, ours, Tensor(x, requires_grad=True), dy)}
    if peer.available():
        leaf = peer.tensor(x.copy()).requires_grad_()
        found["peer"] = partial(_both, theirs, leaf, peer.tensor(dy))
    return found


def operations(repeats: int) -> Table:
    """Measure all expressions."""
    table = Table(
        "Operations as people write them",
        "Microseconds of an expression and its backward pass.",
        ("expression", "shape of x", "fastdl µs", "peer µs", "ratio"),
    )
    for shapes in (ROWS, IMAGES):
        for name in _expressions(shapes[0]):
            for shape in shapes:
                both = sides(name, shape)
                if "peer" in both:
                    check_equal(name, both["fastdl"](), both["peer"]())
                times = measure(both, repeats)
                size = " x ".join(map(str, shape))
                table.timings[f"{name}, {size}"] = times
                ours = times["fastdl"].median
                row = [name, size, f"{1e6 * ours:.1f}", "", ""]
                if "peer" in times:
                    theirs = times["peer"].median
                    row[3:] = [f"{1e6 * theirs:.1f}", against(theirs / ours, 1, ".2f")]
                table.rows.append(row)
    return table
