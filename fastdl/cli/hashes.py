"""Whether two machines train to the same bits: hashes of the weights after 50 steps."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fastdl import data, datasets, engine, nn, optim, random
from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.train import Trainer
from fastdl.typing import DtypeLike, StrPath

STEPS = 50
EPOCH = 10  # steps
BATCH = 64
DTYPES = ("float32", "float64")

# By the compiler of the kernels and the machine; for each of DTYPES. They depend on the
# compiler because it is free to contract a product and a sum to one instruction, with
# one rounding less. Other lines here are other results: CHANGELOG.md says so.
PUBLISHED: dict[tuple[str, str], dict[str, tuple[str, str]]] = {
    ("GCC 12.2.0", "x86_64"): {
        "generic": (
            "ad7a44348d6f15126496b5d75acde53b0891ccfc5b7591a9e0dcab4ba8de7ce8",
            "2970e6c671aace536a95cdbc284cf5187cf42fcc46a5a496cee14d2346332e2d",
        ),
        "avx2": (
            "8a286f8d1f69e9c2ac53ebe865b62af7bfd76d8b37110dfd249bd059a7a8d790",
            "cea658201a41129cbfbc3961f7e4ec932cbe8daa384600b23f9928af83cc44d3",
        ),
        "avx512": (
            "7628adf8c7e274604505ea970665118e46c7afd25cbe1b6867393c1485cb98d9",
            "a45212e20c1af3bcf584aabd55fe4ec12a4c786c9908b0917e92439d598c987f",
        ),
    },
}


class Hash(NamedTuple):
    """What the weights are after 50 steps, and what they should be."""

    isa: str
    dtype: str
    found: str
    published: str | None
    """None where nothing is published for this compiler."""

    def __str__(self) -> str:
        verdict = (
            "not published for this compiler" if self.published is None
            else "as published" if self.found == self.published
            else f"NOT AS PUBLISHED: {self.published}"
        )  # fmt: skip
        return f"{self.isa:9}{self.dtype:9}{self.found}  {verdict}"


def measure() -> Iterator[Hash]:
    """Train once for each instruction set of this machine and each real type."""
    from fastdl.kernels.engine import runtime

    table = PUBLISHED.get((runtime.compiler(), platform.machine()), {})
    before = runtime.get_isa()
    try:
        for isa in runtime.available_isas():
            runtime.set_isa(isa)
            published = table.get(isa, [None] * len(DTYPES))
            for dtype, value in zip(DTYPES, published, strict=True):
                yield Hash(isa, dtype, train(dtype), value)
    finally:
        runtime.set_isa(before)


class Attention(nn.Module):
    """Pixels as tokens that look at each other: ``x + softmax(q k^T) v``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.query, self.key, self.value = (
            nn.Linear(channels, channels) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return an array of the shape of `x`, (n, h, w, channels)."""
        n, h, w, c = x.shape
        tokens = x.reshape(n, h * w, c)
        y = self.norm(tokens)
        scores = F.matmul(self.query(y), F.transpose(self.key(y), (0, 2, 1)))
        y = F.matmul(F.softmax(scores), self.value(y))
        return (tokens + y).reshape(n, h, w, c)


def network() -> nn.Module:
    """Return a small network with a layer for nearly every kind of kernel."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),  # by Winograd
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1, groups=32),
        nn.GELU(),
        Attention(32),
        nn.Dropout(0.1),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 32),
        nn.Tanh(),
        nn.Linear(32, 10),
    )


def train(
    dtype: DtypeLike = np.float32,
    steps: int = STEPS,
    *,
    workers: int = 1,
    prefetch: int = 2,
    checkpoint: StrPath | None = None,
) -> str:
    """Train on handwriting and return the SHA-256 of all weights and statistics.

    With a checkpoint, save to it, and go on where it ends if it exists.
    """
    algorithm = engine.get_conv_algorithm()
    engine.set_conv_algorithm("winograd")
    try:
        with random.seeded(0):
            model = network()
            model.build((8, 8, 1))
            model.astype(dtype)
            optimizer = optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
            trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer, clip_norm=1.0)
            x, y = datasets.load("digits").train.take(np.arange(EPOCH * BATCH))
            loader = data.DataLoader(
                data.ArrayDataset(x.astype(dtype), y),
                BATCH,
                shuffle=True,
                transform=data.Augment(translate=1, rotate=10, zoom=1.1),
                workers=workers,
                prefetch=prefetch,
            )
            trainer.fit(
                loader,
                epochs=steps // EPOCH,
                checkpoint=checkpoint,
                resume=checkpoint is not None and os.path.exists(checkpoint),
                progress=False,
            )
    finally:
        engine.set_conv_algorithm(algorithm)
    result = hashlib.sha256()
    for _, array in sorted(model.state_dict().items()):
        result.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return result.hexdigest()
