"""Mini-batches: rows of bytes gathered as floats, and how long training waits."""

from __future__ import annotations

import math
import time
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from bench import peer
from bench.harness import Case, Function, Table, Work, against, normal
from fastdl import models, nn, optim
from fastdl.data import ArrayDataset, Augment, DataLoader

EXAMPLES, BATCH = 4096, 128
PICTURE = (32, 32, 3)
MODELS = ("convnet", "lenet5")  # a slow step starves least
WAITING = 3  # % of the time at most


def work(dtype: str) -> Work:
    """Make many pictures, and return the gathering of a shuffled batch."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (EXAMPLES, *PICTURE)).astype(dtype)
    batch = rng.permutation(EXAMPLES)[:BATCH]
    size = BATCH * int(np.prod(PICTURE))

    def ours(k: ModuleType) -> Any:
        return k.gather(x, batch)

    return Work(ours, bytes=size * (x.itemsize + 4))


def backward(shape: tuple[int, int], n: int) -> Work:
    """Make gradients of rows, and return that of what they were taken from."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, shape[0], n)
    (dy,) = normal((n, shape[1]))

    def ours(k: ModuleType) -> Any:
        return k.gather_backward(dy, rows, shape[0])

    def peers() -> list[Function]:
        import torch

        indices, gradients = peer.tensor(rows), peer.tensor(dy)
        return [lambda: torch.zeros(shape).index_add_(0, indices, gradients)]

    return Work(ours, peers, bytes=3 * dy.nbytes + 4 * math.prod(shape))


CASES = [
    Case(f"gather {dtype}", partial(work, dtype)) for dtype in ("uint8", "float32")
] + [
    Case(f"gather_backward, {rows} rows of {n}", partial(backward, (rows, n), rows))
    for rows, n in ((1024, 64), (16384, 128))
]


def waiting(repeats: int) -> Table:
    """How long the training loop waits for its next batch."""
    steps = 5 * repeats
    table = Table(
        "Waiting for data",
        f"Per cent of the time of {steps} steps that the training loop waits for a "
        f"batch of {BATCH} pictures of 32x32x3 (bytes), augmented by flip, crop, "
        f"rotation and colours.",
        ("model", "step ms", "made when asked for", "1 worker", "2 workers"),
    )
    rng = np.random.default_rng(0)
    data = ArrayDataset(
        rng.integers(0, 256, (EXAMPLES, *PICTURE)).astype(np.uint8),
        rng.integers(0, 10, EXAMPLES),
    )
    augment = Augment(flip=0.5, crop=4, rotate=10, brightness=0.1, contrast=0.1)
    for name in MODELS:
        model = models.create(name, classes=10)
        model.build(PICTURE)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        cells = [name, ""]
        for options in ({"prefetch": 0}, {"workers": 1}, {"workers": 2}):
            loader = DataLoader(data, BATCH, shuffle=True, transform=augment, **options)
            seconds = _train(loader, model, optimizer, steps)
            cells[1] = f"{1e3 * seconds / steps:.1f}"
            share = 100 * loader.seconds_waited / seconds
            goal = WAITING if options == {"workers": 1} else None  # the default
            cells.append(against(share, goal, ".2f", at_most=True))
        table.rows.append(cells)
    return table


def _train(
    loader: DataLoader, model: nn.Module, optimizer: optim.Optimizer, steps: int
) -> float:
    """Train for some steps; return the seconds of them and of what they waited."""
    loss = nn.CrossEntropyLoss()
    done = 0
    start = time.perf_counter()
    while True:
        for x, y in loader:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
            done += 1
            if done == steps:
                return time.perf_counter() - start
