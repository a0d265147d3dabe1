"""Learn from a tenth of the data, with and without augmentation.

Every epoch shows the network each picture moved, turned and zoomed anew; what a sign
means does not depend on that. So a few pictures teach as if they were many. (Deep
Learning Specialization, course 2, week 1.) The accuracies are means over three draws of
the pictures and of the weights: one alone says little about so few.

The pictures are those of SIGNS, hands that show 0 to 5, in $FASTDL_DATA_DIR/signs;
without them the digits that ship with fastdl.

    python examples/augmentation.py
"""

from __future__ import annotations

import numpy as np

import fastdl
from fastdl import data, datasets, models, optim, report
from fastdl.report import style
from fastdl.train import History, Schedule

# The network, the changes, epochs and batch size for each data set.
SETTINGS = {
    "signs": (
        "signs_convnet",
        data.Augment(translate=6, rotate=10, zoom=1.15, fill="edge"),
        60,
        16,
    ),
    "digits": (
        "digits_convnet",
        data.Augment(translate=0.6, rotate=8, zoom=1.1),
        20,
        32,
    ),
}


def load() -> datasets.Splits:
    """Return SIGNS, or digits where SIGNS is not at hand."""
    try:
        return datasets.load("signs", download=False)
    except fastdl.errors.DataError:
        print("no SIGNS here (set FASTDL_DATA_DIR): digits instead\n")
        return datasets.load("digits")


def learn(
    splits: datasets.Splits, transform: data.Augment | None, epochs: int, seed: int
) -> History:
    """Train on a tenth, measure on another fifth, of the training pictures."""
    network, _, _, batch_size = SETTINGS[splits.name]
    fastdl.manual_seed(seed)
    train, dev, _ = data.split(splits.train, (0.1, 0.2, 0.7), seed, stratify=True)
    trainer = fastdl.Trainer(
        models.create(network, classes=len(splits.classes)), optimizer=optim.Adam
    )
    loader = data.DataLoader(train, batch_size, True, seed, transform=transform)
    schedule = Schedule(optim.Cosine(0.002))
    return trainer.fit(loader, epochs=epochs, validation=dev, callbacks=[schedule])


def main(
    dataset: str | None = None,
    epochs: int | None = None,
    seeds: int = 3,
    path: str = "runs/examples/augmentation.png",
) -> dict[str, float]:
    """Train with and without; draw and return the dev accuracies, means over seeds."""
    splits = load() if dataset is None else datasets.load(dataset)
    _, augment, default, _ = SETTINGS[splits.name]
    epochs = default if epochs is None else epochs
    title = f"{splits.name}: a tenth of {len(splits.train)} training pictures"
    print(title)
    curves, accuracies = {}, {}
    for name, transform in (("as they are", None), ("augmented", augment)):
        runs = [learn(splits, transform, epochs, seed) for seed in range(seeds)]
        curves[name] = tuple(
            np.mean([run[column] for run in runs], axis=0)
            for column in ("accuracy", "val_accuracy")
        )
        accuracies[name] = float(curves[name][1][-1])
        each = ", ".join(f"{run['val_accuracy'][-1]:.1%}" for run in runs)
        print(f"{name:11}  dev accuracy {accuracies[name]:.1%}  ({each})")
    draw(curves, title, path)
    print(f"\nsee {path}")
    return accuracies


def draw(curves: dict, title: str, path: str) -> None:
    """Save the picture."""
    with style.new_figure(6.8, 4.2, title) as figure:
        axes = figure.subplots()
        for (name, (train, dev)), colour in zip(
            curves.items(), (style.VERMILION, style.BLUE), strict=True
        ):
            epochs = np.arange(1, len(train) + 1)
            axes.plot(epochs, train, "--", color=colour, label=f"{name}, training")
            axes.plot(
                epochs,
                dev,
                color=colour,
                linewidth=2,
                label=f"{name}, dev: {dev[-1]:.1%}",
            )
        axes.set(xlabel="epoch", ylabel="accuracy", ylim=(None, 1.01))
        axes.grid(axis="y", color=style.GREY, alpha=0.2)
        axes.legend(frameon=False, loc="lower right")
    report.save_figure(figure, path)


if __name__ == "__main__":
    main()
