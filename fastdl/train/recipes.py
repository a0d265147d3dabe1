"""Settings with which the known data sets are learned well."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from fastdl import models, optim
from fastdl.autograd import Tensor
from fastdl.data import Augment, DataLoader
from fastdl.errors import ArgumentError, suggest
from fastdl.nn import Module
from fastdl.train.schedule import Schedule
from fastdl.train.trainer import Trainer

# By name: the optimiser, and a learning rate to begin with.
OPTIMIZERS: dict[str, tuple[Callable[..., optim.Optimizer], float]] = {
    "sgd": (optim.SGD, 0.1),
    "momentum": (partial(optim.SGD, momentum=0.9), 0.02),
    "rmsprop": (optim.RMSprop, 0.001),
    "adam": (optim.Adam, 0.001),
    "adamw": (optim.AdamW, 0.001),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train on one data set.

    Attributes
    ----------
    model : str
        A name of `fastdl.models.names`.
    epochs, batch_size : int
        As in `fastdl.Trainer.fit`.
    optimizer : str
        A name of `OPTIMIZERS`.
    lr : float
        The highest learning rate; it falls to 0 along half a cosine.
    shift : float
        Training pictures are shifted by up to so many pixels; 0 for not at all.
    border : str
        What a shift brings in, the `fill` of `fastdl.data.Augment`.
    """

    model: str = "convnet"
    epochs: int = 10
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float = 0.001
    shift: float = 0.0
    border: str = "constant"

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ArgumentError(
                f"unknown optimizer {self.optimizer!r}"
                f"{suggest(self.optimizer, OPTIMIZERS)}"
            )

    def create_model(self, classes: int) -> Module:
        """Make the model, with fresh weights."""
        return models.create(self.model, classes=classes)

    def trainer(self, model: Module) -> Trainer:
        """Make the trainer."""
        factory, _ = OPTIMIZERS[self.optimizer]

        def optimizer(parameters: Iterable[Tensor]) -> optim.Optimizer:
            return factory(parameters, lr=self.lr)

        return Trainer(model, optimizer=optimizer)

    def loader(self, train: Any, seed: int) -> DataLoader:
        """Cut training data into batches, augmented."""
        augment = Augment(translate=self.shift, fill=self.border)
        return DataLoader(
            train,
            self.batch_size,
            shuffle=True,
            seed=seed,
            transform=augment if self.shift else None,
        )

    def schedule(self) -> Schedule:
        """Make the callback that lowers the learning rate."""
        return Schedule(optim.Cosine(self.lr))


RECIPES = {
    "digits": Recipe("digits_convnet", epochs=20, lr=0.003, shift=0.6),
    "mnist": Recipe(epochs=4, batch_size=128, lr=0.004, shift=1),
    "fashion_mnist": Recipe(epochs=5, batch_size=128, lr=0.004),
    "signs": Recipe(
        "signs_convnet", epochs=30, batch_size=32, lr=0.002, shift=6, border="edge"
    ),
    "cifar10": Recipe("resnet20", epochs=20, batch_size=128, lr=0.003, shift=4),
}


def recipe(dataset: str) -> Recipe:
    """Return the recipe of a data set; of a folder of pictures, a general one."""
    return RECIPES.get(
        dataset, Recipe("signs_convnet", epochs=30, shift=2, border="edge")
    )
