"""A long training needs no more memory than a short one."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import nn
from fastdl.train import Trainer

ROOT = Path(__file__).parents[2]
STATM = Path("/proc/self/statm")  # in pages
BATCH_SIZES = (16, 7, 32, 1)


def resident():
    return int(STATM.read_text().split()[1])


def train(steps):
    """Train with batches of all sizes, prefetched, and with validation.

    Prints the resident pages after a fifth of the steps, and after all.
    """
    fastdl.manual_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.random((100, 12, 12, 3), np.float32), rng.integers(0, 4, 100)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.GlobalAvgPool2d(),
        nn.Dropout(0.2),
        nn.Linear(16, 4),
    )
    trainer, done, pages = Trainer(model), 0, 0
    for batch_size in itertools.cycle(BATCH_SIZES):
        trainer.fit(
            (x[:80], y[:80]),
            batch_size=batch_size,
            validation=(x[80:], y[80:]),
            progress=False,
        )
        done += -(-80 // batch_size)
        if not pages and done >= steps / 5 and batch_size == 1:  # all have been
            pages = resident()
        if done >= steps:
            break
    print(pages, resident())


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells its memory")
@pytest.mark.parametrize(
    "steps", [600, pytest.param(10_000, marks=pytest.mark.soak, id="10000")]
)
def test_resident_memory_stays_within_one_per_cent(steps):
    code = f"from tests.train.test_steady_memory import train; train({steps})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    assert after <= 1.01 * before
