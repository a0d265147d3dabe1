"""Augmentation: the warp of images, and whole transforms in images a second a core."""

from __future__ import annotations

import time
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

import fastdl
from bench.harness import Case, Table, Work, against, timing
from fastdl.data import Augment
from fastdl.data.seeds import example_seeds

BATCH = 128
IMAGES = {"32x32x3": (32, 32, 3), "28x28x1": (28, 28, 1), "224x224x3": (224, 224, 3)}
AFFINE: dict[str, Any] = {
    "rotate": 15,
    "zoom": 1.2,
    "shear": 10,
    "translate": 2,
    "flip": 0.5,
}
COLORS = {"brightness": 0.2, "contrast": 0.2, "color": 0.1}
TRANSFORMS = {
    # images a second of 32x32x3 that one core should reach
    "flip, crop": (Augment(flip=0.5, crop=4), 20_000),
    "affine": (Augment(**AFFINE), 5_000),
    "affine, elastic": (Augment(**AFFINE, elastic=3), None),
    "colours": (Augment(**COLORS), None),
    "cutout": (Augment(cutout=8), None),
    "all": (Augment(**AFFINE, **COLORS, crop=4, elastic=3, cutout=8), None),
}


def work(shape: tuple[int, int, int]) -> Work:
    """Make images that are turned by 10 degrees and enlarged a little."""
    n = max(1, BATCH * 3072 // int(np.prod(shape)))
    x = np.random.default_rng(0).random((n, *shape), np.float32)
    turn = np.array([[0.9, -0.16, 2.0], [0.16, 0.9, -1.0]], np.float32)
    matrix = np.tile(turn, (n, 1, 1))

    def ours(k: ModuleType) -> Any:
        return k.affine_warp(x, matrix, fill="reflect")

    return Work(ours, bytes=2 * x.nbytes)


CASES = [
    Case(f"affine_warp {name}", partial(work, shape)) for name, shape in IMAGES.items()
]


def augmentation(repeats: int) -> Table:
    """Images a second that one core augments, parameters drawn anew for each."""
    table = Table(
        "Augmentation",
        f"Thousands of images a second of one core's time (time.thread_time), in "
        f"batches of {BATCH} float32 images, with all that is drawn for them.",
        ("transform", *IMAGES),
    )
    threads = fastdl.get_num_threads()
    fastdl.set_num_threads(1)
    try:
        for name, (augment, goal) in TRANSFORMS.items():
            cells = [name]
            for size, shape in IMAGES.items():
                x = np.random.default_rng(0).random((BATCH, *shape), np.float32)
                samples = []
                for epoch in range(repeats + 1):
                    start = time.thread_time()
                    augment(x, None, example_seeds(0, epoch, np.arange(BATCH)))
                    samples.append(time.thread_time() - start)
                measured = timing(samples[1:])  # the first takes memory
                table.timings[f"{name} {size}"] = {"fastdl": measured}
                rate = 1e-3 * BATCH / measured.median
                wanted = goal and 1e-3 * goal if size == "32x32x3" else None
                cells.append(against(rate, wanted, ".3g"))
            table.rows.append(cells)
    finally:
        fastdl.set_num_threads(threads)
    return table
