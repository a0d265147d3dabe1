"""Learn from a tenth of the data, with and without augmentation.

Every epoch shows the network each picture moved, turned and zoomed anew; what a sign
means does not depend on that. So a few pictures teach as if they were many. (Deep
Learning Specialization, course 2, week 1.)

The pictures are those of SIGNS, hands that show 0 to 5, in $FASTDL_DATA_DIR/signs;
without them the digits that ship with fastdl.

    python examples/augmentation.py
"""

from __future__ import annotations

import numpy as np

import fastdl
from fastdl import data, datasets, models, optim, report
from fastdl.report import style
from fastdl.train import Schedule

# The network, the changes, epochs and batch size for each data set.
SETTINGS = {
    "signs": (
        "signs_convnet",
        data.Augment(translate=4, rotate=8, zoom=1.1, fill="edge"),
        40,
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


def main(
    dataset: str | None = None,
    epochs: int | None = None,
    path: str = "runs/examples/augmentation.png",
) -> dict[str, float]:
    """Train with and without; draw and return the test accuracies."""
    splits = load() if dataset is None else datasets.load(dataset)
    network, augment, default, batch_size = SETTINGS[splits.name]
    epochs = default if epochs is None else epochs
    small, _ = data.split(splits.train, (0.1, 0.9), seed=0, stratify=True)
    print(f"{splits.name}: {len(small)} of {len(splits.train)} training pictures")
    curves, accuracies = {}, {}
    for name, transform in (("as they are", None), ("augmented", augment)):
        fastdl.manual_seed(0)
        loader = data.DataLoader(small, batch_size, shuffle=True, transform=transform)
        trainer = fastdl.Trainer(
            models.create(network, classes=len(splits.classes)),
            optimizer=lambda parameters: optim.Adam(parameters, lr=0.002),
        )
        schedule = Schedule(optim.Cosine(0.002))
        history = trainer.fit(
            loader, epochs, validation=splits.test, callbacks=[schedule]
        )
        curves[name] = history["accuracy"], history["val_accuracy"]
        accuracies[name] = history["val_accuracy"][-1]
        print(f"{name:11}  test accuracy {accuracies[name]:.1%}")
    title = f"{splits.name}: {len(small)} training pictures"
    draw(curves, title, path)
    print(f"\nsee {path}")
    return accuracies


def draw(curves: dict, title: str, path: str) -> None:
    """Save the picture."""
    with style.new_figure(6.8, 4.2, title) as figure:
        axes = figure.subplots()
        for (name, (train, test)), colour in zip(
            curves.items(), (style.VERMILION, style.BLUE), strict=True
        ):
            epochs = np.arange(1, len(train) + 1)
            axes.plot(epochs, train, "--", color=colour, label=f"{name}, training")
            axes.plot(
                epochs,
                test,
                color=colour,
                linewidth=2,
                label=f"{name}, test: {test[-1]:.1%}",
            )
        axes.set(xlabel="epoch", ylabel="accuracy", ylim=(None, 1.01))
        axes.grid(axis="y", color=style.GREY, alpha=0.2)
        axes.legend(frameon=False, loc="lower right")
    report.save_figure(figure, path)


if __name__ == "__main__":
    main()
