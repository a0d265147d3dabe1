"""See what trained weights are worth when there are few examples.

Two networks are trained on much data, and fitted to another task of which there is
little: the digits 0 to 4 of MNIST, then 5 to 9 with 10 pictures of each; ten classes
of CIFAR-10, then six signs of a hand with a tenth of SIGNS, 18 pictures of each.
Four ways are compared, each with five seeds that draw the examples, the new weights and
the order: fresh weights; a new head on a frozen trunk (trained on its features, which
are computed once); the last block learning too; and all layers, with lower rates for
the early ones.

    python examples/transfer.py
    python examples/transfer.py --only digits --seeds 1

It needs the data sets (see `fastdl.datasets.load`) and writes the networks, the
accuracies and a picture to runs/examples/transfer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

import numpy as np

import fastdl
from fastdl import data, datasets, nn, optim, report
from fastdl.data import ArrayDataset
from fastdl.report import style
from fastdl.train import FrozenTrunk, Schedule

Dataset = ArrayDataset | data.Subset


class Task(NamedTuple):
    """What is learned first, and what with few examples."""

    title: str
    source: Dataset
    target: Dataset
    test: Dataset
    examples: int  # of each class of the target
    epochs: int  # on the source
    width: int  # filters of the first block


def digits() -> Task:
    """Return MNIST, cut between 4 and 5."""
    mnist = datasets.load("mnist")

    def part(whole: ArrayDataset, first: int) -> ArrayDataset:
        rows = np.flatnonzero((first <= whole.y) & (whole.y < first + 5))
        return ArrayDataset(whole.x[rows], whole.y[rows] - first)

    return Task(
        "digits 0 to 4, then 5 to 9",
        part(mnist.train, 0),
        part(mnist.train, 5),
        part(mnist.test, 5),
        examples=10,
        epochs=2,
        width=16,
    )


def hands() -> Task:
    """Return CIFAR-10 and SIGNS, whose pictures are halved to 32 x 32 pixels."""
    cifar10, signs = datasets.load("cifar10"), datasets.load("signs")

    def halved(whole: ArrayDataset) -> ArrayDataset:
        x = data.as_float(whole.x).reshape(-1, 32, 2, 32, 2, 3).mean((2, 4))
        return ArrayDataset(x, whole.y)

    return Task(
        "CIFAR-10, then SIGNS",
        cifar10.train,
        halved(signs.train),
        halved(signs.test),
        examples=18,
        epochs=7,
        width=16,
    )


TASKS = {"digits": digits, "hands": hands}


def network(classes: int, width: int) -> nn.Sequential:
    """Return three blocks of convolutions, a global average and a dense layer."""

    def block(filters: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(None, filters, 3, padding="same", bias=False),
            nn.BatchNorm2d(None),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )

    return nn.Sequential(
        {
            "standardize": nn.Standardize(),
            "block1": block(width),
            "block2": block(2 * width),
            "block3": block(4 * width),
            "pool": nn.GlobalAvgPool2d(),
            "fc": nn.Linear(None, classes, weight_init="glorot_normal"),
        }
    )


def learn(
    model: nn.Module,
    train: Dataset,
    lr: float,
    epochs: int,
    batch_size: int,
    seed: int = 0,
    layer_decay: float = 1.0,
) -> None:
    """Train with Adam, whose rates fall along a cosine."""
    model.build(train.x.shape[1:])
    groups = optim.depth_groups(model, lr, layer_decay)
    trainer = fastdl.Trainer(model, optimizer=optim.Adam(groups))
    trainer.fit(
        train,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        callbacks=[Schedule(optim.Cosine(lr))],
    )


def pretrain(task: Task, path: Path) -> nn.Module:
    """Return the network that knows the source task, trained before or now."""
    if not path.exists():
        fastdl.manual_seed(0)
        model = network(int(task.source.y.max()) + 1, task.width)
        model["standardize"].fit(task.source)
        learn(model, task.source, 0.003, task.epochs, batch_size=128)
        nn.save(model, path)
    return nn.load(path)


# The four ways. Each takes the trained network and the few examples, and returns a
# network for them. The rates were chosen on two other seeds.


def from_scratch(trained: nn.Module, few: Dataset, **options) -> nn.Module:
    """Train fresh weights."""
    width = trained["block1"][0].out_channels
    model = network(int(few.y.max()) + 1, width)
    model["standardize"].fit(few)
    learn(model, few, 0.01, **options)
    return model


def new_head(trained: nn.Module, few: Dataset, **options) -> nn.Module:
    """Train a new head on the features of the frozen trunk."""
    model = trained.replace_head(int(few.y.max()) + 1)
    frozen = FrozenTrunk(model, until="fc")
    learn(frozen.head, frozen.features(few), 0.1, **options)
    return model


def last_block(trained: nn.Module, few: Dataset, **options) -> nn.Module:
    """Train the last block too."""
    model = trained.replace_head(int(few.y.max()) + 1).freeze(until="block3")
    learn(model, few, 0.003, **options)
    return model


def all_layers(trained: nn.Module, few: Dataset, **options) -> nn.Module:
    """Train everything, the early layers less."""
    model = trained.replace_head(int(few.y.max()) + 1)
    learn(model, few, 0.01, layer_decay=0.5, **options)
    return model


WAYS = {
    "from scratch": from_scratch,
    "new head, trunk frozen": new_head,
    "last block too": last_block,
    "all layers": all_layers,
}


def compare(
    task: Task, path: Path, seeds: range, epochs: int
) -> dict[str, list[float]]:
    """Return the accuracies on the test set of each way, one for each seed."""
    accuracies: dict[str, list[float]] = {name: [] for name in WAYS}
    pretrain(task, path)
    classes = int(task.target.y.max()) + 1
    for seed in seeds:
        sizes = (task.examples * classes, -1)
        few, _ = data.split(task.target, sizes, seed, stratify=True)
        for name, way in WAYS.items():
            fastdl.manual_seed(seed)
            model = way(nn.load(path), few, epochs=epochs, batch_size=10, seed=seed)
            test = fastdl.Trainer(model).evaluate(task.test)
            accuracies[name].append(test["accuracy"])
    return accuracies


def draw(results: dict[str, dict[str, list[float]]]):
    """Return a figure: a point for each seed, and a line at the mean."""
    with style.new_figure(9, 3.2, "Trained weights against fresh ones") as figure:
        panels = figure.subplots(1, len(results), squeeze=False, sharey=True)[0]
        for axes, (title, accuracies) in zip(panels, results.items(), strict=True):
            for place, (values, colour) in enumerate(
                zip(accuracies.values(), style.PALETTE, strict=False)
            ):
                axes.scatter(values, [place] * len(values), s=14, color=colour)
                axes.plot([mean(values)] * 2, [place - 0.3, place + 0.3], color=colour)
                axes.text(
                    mean(values), place - 0.34, f"{mean(values):.1%}", ha="center"
                )
            axes.set_xlabel("test accuracy, one point a seed")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
            axes.set_title(title, pad=12)
        panels[0].set_yticks(range(len(WAYS)), WAYS)
        panels[0].invert_yaxis()
    return figure


def main(
    only: str | None = None,
    seeds: int = 5,
    first: int = 0,
    epochs: int = 60,
    folder: str = "runs/examples/transfer",
) -> dict[str, dict[str, list[float]]]:
    """Compare, print, draw; return the accuracies by task and way."""
    results = {}
    for key in [only] if only else TASKS:
        task = TASKS[key]()
        path = Path(folder, f"{key}.safetensors")
        accuracies = compare(task, path, range(first, first + seeds), epochs)
        results[task.title] = accuracies
        print(f"{task.title}\n{'':24}    mean  deviation")
        for name, values in accuracies.items():
            spread = stdev(values) if len(values) > 1 else 0.0
            print(f"  {name:22}  {mean(values):6.1%}  {spread:9.1%}")
    Path(folder, "accuracies.json").write_text(json.dumps(results, indent=2) + "\n")
    report.save_figure(draw(results), Path(folder, "transfer.png"))
    print(f"see {Path(folder, 'transfer.png')}")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=TASKS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--folder", default="runs/examples/transfer")
    main(**vars(parser.parse_args()))
