"""Make the pictures of docs/gallery.md: what `fastdl.report` draws, and the examples.

    python examples/gallery.py

Takes two minutes on two cores. The pictures are small: few colours, at most 1,000
pixels wide.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

import augmentation
import batch_norm
import initialisation
import minibatches
import numpy as np
import optimisers
import pipeline
import regularisation
from PIL import Image

import fastdl
from fastdl import data, datasets, metrics, models, optim, report
from fastdl.train import LearningRateLog, Schedule, lr_range_test

PAGE = Path(__file__).parents[1] / "docs" / "gallery"


@cache
def trained(epochs: int = 12) -> fastdl.Trainer:
    """Return a trainer of a ConvNet that knows digits."""
    fastdl.manual_seed(0)
    train, dev = data.split(digits().train, (0.9, 0.1), seed=0, stratify=True)
    trainer = fastdl.Trainer(models.create("digits_convnet"))
    schedule = Schedule(optim.Cosine(0.002))
    callbacks = [LearningRateLog(), schedule]
    trainer.fit(
        train, epochs=epochs, batch_size=64, validation=dev, callbacks=callbacks
    )
    return trainer


@cache
def digits() -> datasets.Splits:
    """Return the digits that ship with fastdl."""
    return datasets.load("digits")


def range_test():
    """Return the curve of a learning-rate range test."""
    fastdl.manual_seed(0)
    trainer = fastdl.Trainer(models.mlp(10, hidden=(64, 64)), optimizer=optim.SGD)
    test = lr_range_test(trainer, digits().train, 1e-4, 20.0, steps=150)
    return report.learning_rate_curve(test.rates, test.losses)


def confusion():
    """Return the confusion matrix of the test set."""
    test = digits().test
    matrix = metrics.confusion_matrix(test.y, trained().predict(test))
    return report.confusion_matrix(matrix, digits().classes)


def mistakes():
    """Return the surest mistakes on the test set."""
    test = digits().test
    answers = trained().predict(test, probabilities=True)
    return report.mistakes(test.x, test.y, answers, digits().classes, count=12)


def reliability():
    """Return how right the network is on the test set, by how sure it is."""
    test = digits().test
    answers = trained().predict(test, probabilities=True)
    return report.reliability_diagram(metrics.calibration_curve(test.y, answers, 10))


def roc():
    """Return how well softmax regression finds three of the digits."""
    fastdl.manual_seed(0)
    trainer = fastdl.Trainer(models.create("logistic"))
    trainer.fit(digits().train, epochs=2, batch_size=64)
    test = digits().test
    scores = trainer.predict(test, probabilities=True)
    return report.roc_curve(
        {
            digit: metrics.roc_curve(test.y == int(digit), scores[:, int(digit)])
            for digit in "018"
        }
    )


def variants():
    """Return what each augmentation does to digits."""
    changes = {
        "translate": data.Augment(translate=1.5),
        "rotate": data.Augment(rotate=25),
        "zoom": data.Augment(zoom=1.4),
        "shear": data.Augment(shear=25),
        "elastic": data.Augment(elastic=1.0),
        "cutout": data.Augment(cutout=3),
    }
    return report.augmentations(digits().train.x[:6], changes, variants=6)


FIGURES = {
    "curves": lambda: report.learning_curves(trained().history),
    "learning_rate": range_test,
    "activations": lambda: report.activation_histograms(
        trained().model, digits().test.x[:256]
    ),
    "filters": lambda: report.filters(trained().model),
    "feature_maps": lambda: report.feature_maps(
        trained().model, digits().test.x[3], "2"
    ),
    "confusion": confusion,
    "mistakes": mistakes,
    "reliability": reliability,
    "roc": roc,
    "augmentations": variants,
}
# Each takes the path of its picture; the optimisers have three, in a folder.
EXAMPLES = {
    "initialisation": initialisation.main,
    "regularisation": regularisation.main,
    "minibatches": minibatches.main,
    "batch_norm": batch_norm.main,
    "augmentation": partial(augmentation.main, dataset="digits"),
    "pipeline": pipeline.main,
}
OPTIMISERS = ("optimisers_saddle", "optimisers_moons", "optimisers_losses")
NAMES = (*FIGURES, *EXAMPLES, *OPTIMISERS)


def main(names: Iterable[str] = NAMES, folder: str | Path = PAGE) -> list[Path]:
    """Make the pictures of these names; return their paths."""
    names = list(names)
    made = []
    scratch = Path(tempfile.mkdtemp())
    try:
        for name in names:
            path = scratch / f"{name}.png"
            if name in FIGURES:
                report.save_figure(FIGURES[name](), path)
            elif name in EXAMPLES:
                EXAMPLES[name](path=str(path))
            elif not path.exists():
                optimisers.main(folder=str(scratch))
            made.append(shrink(path, Path(folder, path.name)))
    finally:
        shutil.rmtree(scratch)
    return made


def shrink(source: Path, target: Path, width: int = 1000, colours: int = 200) -> Path:
    """Save a small copy of a picture; return its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as picture:
        scale = min(0.6, width / picture.width)
        size = np.round(np.multiply(picture.size, scale)).astype(int)
        small = picture.convert("RGB").resize(size.tolist(), Image.Resampling.LANCZOS)
    # Not the median cut: it gives up the few blue pixels for one more grey.
    few = small.quantize(colours, method=Image.Quantize.FASTOCTREE)
    few.save(target, format="PNG", optimize=True)
    return target


if __name__ == "__main__":
    for picture in main():
        print(f"{picture.stat().st_size / 1024:5.0f} KB  {picture}")
