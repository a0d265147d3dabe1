"""Pictures that are larger than the memory: what training from files waits and takes.

::

    python -m bench.pictures FOLDER            # 20 GB of decoded pictures, hours
    python -m bench.pictures FOLDER --count 2000 --epochs 3

Writes pictures of 224 x 224 pixels into FOLDER, made by enlarging those of SIGNS, and
many names for each (hard links), trains ResNet-18 on them as `image_folder(lazy=True)`
has them, and prints for each epoch the share of the time that the training waited for
the loader, and the anonymous memory. The first epoch decodes; the others read what it
kept. Delete FOLDER afterwards.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from fastdl import datasets, models, optim
from fastdl.data import DataLoader
from fastdl.functional import cross_entropy

SIZE = 224


def make(folder: Path, count: int) -> None:
    """Write `count` pictures, as hard links to those of SIGNS, enlarged."""
    from PIL import Image

    signs = datasets.load("signs").train
    x, y = signs[:]
    files = []
    for number, (picture, label) in enumerate(zip(x, y, strict=True)):
        path = folder / "train" / str(label) / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).resize((256, 256)).save(path, quality=90)
        files.append(path)
    for number in range(len(files), count):
        path = files[number % len(files)]
        os.link(path, path.with_name(f"{number:06}.jpg"))


def anonymous() -> float:
    """Return the anonymous memory of this process, in MB."""
    with open("/proc/self/status") as lines:
        return next(int(s.split()[1]) for s in lines if s.startswith("RssAnon")) / 1024


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=140_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, help="the most steps of an epoch")
    options = parser.parse_args()
    pictures = options.folder / "pictures"
    if not pictures.exists():
        make(pictures, options.count)
    train = datasets.image_folder(
        pictures, SIZE, lazy=True, cache=options.folder / "decoded"
    ).train
    model = models.create("resnet18", classes=6)
    model.build((SIZE, SIZE, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    loader = DataLoader(train, options.batch_size, shuffle=True)
    steps = min(len(loader), options.steps or len(loader))
    print(f"{len(train):,} pictures, {len(train) * SIZE**2 * 3 / 1e9:.1f} GB decoded")
    for epoch in range(options.epochs):
        loader.seconds_waited, most, start = 0.0, 0.0, time.perf_counter()
        # Every epoch uses the same pictures, if not all of them.
        batches = loader.batches(epoch if steps == len(loader) else 0)
        for _, (x, y) in zip(range(steps), batches, strict=False):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
            most = max(most, anonymous())
        seconds = time.perf_counter() - start
        print(
            f"epoch {epoch + 1}: {steps} steps, {seconds:.0f} s, waited "
            f"{loader.seconds_waited / seconds:.1%}, anonymous memory {most:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
