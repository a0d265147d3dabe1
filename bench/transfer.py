"""``python -m bench.transfer``: what it saves to compute the features of a trunk once.

An epoch of a new head, 256 pictures in batches of 32: through the frozen network, and
on the features of `fastdl.train.FrozenTrunk`. The medians of several epochs of both, in
turn. Drawn once, the features cost as much as one epoch through the network without its
backward pass; so K copies of augmented pictures pay from K epochs on.
"""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np

from bench.harness import Table, against, measure
from fastdl import Trainer, models, optim
from fastdl.train import FrozenTrunk

GOAL = 10.0
EXAMPLES = 256
# By the name of a network: the shape of a picture.
NETWORKS = {"resnet20": (32, 32, 3), "signs_convnet": (64, 64, 3)}


def head_training(repeats: int) -> Table:
    """Compare an epoch of both."""
    table = Table(
        "Training a new head",
        f"Milliseconds of an epoch: {EXAMPLES} pictures in batches of 32, SGD.",
        ("network", "pictures", "frozen network", "features", "faster"),
    )
    rng = np.random.default_rng(0)
    y = np.arange(EXAMPLES) % 6
    for name, shape in NETWORKS.items():
        x = rng.random((EXAMPLES, *shape), np.float32)
        model = models.create(name, classes=10)
        model.build(shape)
        model.replace_head(6)
        head = list(dict(model.named_modules()))[-1]
        frozen = FrozenTrunk(model, until=head)
        features = frozen.features((x, y))
        sgd = partial(optim.SGD, lr=0.01)
        whole = Trainer(model, optimizer=sgd)
        only_head = Trainer(frozen.head, optimizer=sgd)
        times = measure(
            {
                "network": partial(whole.fit, x, y, progress=False),
                "features": partial(only_head.fit, features, progress=False),
            },
            repeats,
        )
        table.timings[name] = times
        slow, fast = (1e3 * each.median for each in times.values())
        table.rows.append(
            (
                name,
                "x".join(map(str, shape)),
                f"{slow:.1f}",
                f"{fast:.1f}",
                against(slow / fast, GOAL, ".0f"),
            )
        )
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=7)
    print(head_training(parser.parse_args().repeats))
