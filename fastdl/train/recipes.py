"""Settings that train well on the known data sets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from fastdl import models, optim
from fastdl.autograd import Tensor
from fastdl.data import Augment, DataLike, DataLoader
from fastdl.errors import ArgumentError, suggest
from fastdl.nn import CrossEntropyLoss, Module
from fastdl.shapes import integer
from fastdl.shapes.numbers import is_number
from fastdl.train.schedule import Schedule
from fastdl.train.trainer import Trainer

# By name: the optimiser, and a learning rate to start from.
OPTIMIZERS: dict[str, tuple[Callable[..., optim.Optimizer], float]] = {
    "sgd": (optim.SGD, 0.1),
    "momentum": (partial(optim.SGD, momentum=0.9), 0.02),
    "nesterov": (partial(optim.SGD, momentum=0.9, nesterov=True), 0.02),
    "adagrad": (optim.Adagrad, 0.01),
    "rmsprop": (optim.RMSprop, 0.001),
    "adam": (optim.Adam, 0.001),
    "adamw": (optim.AdamW, 0.001),
}


# By name: from the highest learning rate, a schedule over the whole training.
SCHEDULES: dict[str, Callable[[float], Callable[[int], float]]] = {
    "constant": lambda lr: lambda t: lr,
    "cosine": optim.Cosine,
    "one_cycle": optim.OneCycle,
}

# By the name of an optimiser: its argument for the weight of earlier gradients.
_MOMENTUM: dict[str, Callable[[float], dict[str, Any]]] = {
    **dict.fromkeys(
        ("sgd", "momentum", "nesterov", "rmsprop"), lambda beta: {"momentum": beta}
    ),
    **dict.fromkeys(("adam", "adamw"), lambda beta: {"betas": (beta, 0.999)}),
}
_KNOWN: dict[str, Callable[[], Iterable[str]]] = {
    "model": models.names,
    "optimizer": lambda: OPTIMIZERS,
    "schedule": lambda: SCHEDULES,
}
_RANGES = {
    "momentum": (0, 1),
    "weight_decay": (0, math.inf),
    "label_smoothing": (0, 1),
    "dropout": (0, 1),
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
        The highest learning rate.
    schedule : str
        A name of `SCHEDULES`: how the rate changes from step to step.
    momentum : float, optional
        In [0, 1): the weight of earlier gradients, which is beta1 of Adam; by default
        what is usual for the optimiser. Adagrad has none.
    weight_decay : float, optional
        For weights only, see `fastdl.optim.decay_groups`; by default what is usual for
        the optimiser.
    label_smoothing : float
        As in `fastdl.nn.CrossEntropyLoss`.
    dropout : float, optional
        For models that have this argument; by default the model's own.
    augment : Augment, optional
        How to augment the training pictures.
    """

    model: str = "convnet"
    epochs: int = 10
    batch_size: int = 64
    optimizer: str = "adam"
    lr: float = 0.001
    schedule: str = "cosine"
    momentum: float | None = None
    weight_decay: float | None = None
    label_smoothing: float = 0.0
    dropout: float | None = None
    augment: Augment | None = None

    def __post_init__(self) -> None:
        for option, known in _KNOWN.items():
            name = getattr(self, option)
            if name not in known():
                raise ArgumentError(
                    f"unknown {option} {name!r}{suggest(str(name), known())}"
                )
        for option in ("epochs", "batch_size"):
            integer(getattr(self, option), f"recipe: {option}")
        for option, (low, high) in _RANGES.items():
            value = getattr(self, option)
            # Comparisons with NaN are false.
            if value is not None and not (is_number(value) and low <= value < high):
                raise ArgumentError(
                    f"recipe: {option} must be a number from {low:g} to below "
                    f"{high:g}, got {value!r:.60}"
                )
        if not (is_number(self.lr) and 0 < self.lr < math.inf):
            raise ArgumentError(
                f"recipe: lr must be a number above 0, got {self.lr!r:.60}"
            )
        if self.momentum is not None and self.optimizer not in _MOMENTUM:
            raise ArgumentError(f"recipe: {self.optimizer} has no momentum")
        if not (self.augment is None or isinstance(self.augment, Augment)):
            raise ArgumentError(
                f"recipe: augment must be an Augment, got {self.augment!r:.60}"
            )

    def create_model(self, classes: int) -> Module:
        """Make the model, with fresh weights.

        Raises
        ------
        ArgumentError
            It has no dropout, but the recipe asks for it.
        """
        if self.dropout is None:
            return models.create(self.model, classes=classes)
        try:
            return models.create(self.model, classes=classes, dropout=self.dropout)
        except TypeError:
            raise ArgumentError(f"the model {self.model!r} has no dropout") from None

    def trainer(self, model: Module) -> Trainer:
        """Make the trainer."""
        factory, _ = OPTIMIZERS[self.optimizer]
        options: dict[str, Any] = {"lr": self.lr}
        if self.momentum is not None:
            options |= _MOMENTUM[self.optimizer](self.momentum)

        def optimizer(parameters: Iterable[Tensor]) -> optim.Optimizer:
            if self.weight_decay is None:
                return factory(parameters, **options)
            return factory(optim.decay_groups(model, self.weight_decay), **options)

        loss = CrossEntropyLoss(label_smoothing=self.label_smoothing)
        return Trainer(model, loss, optimizer)

    def loader(self, train: DataLike, seed: int) -> DataLoader:
        """Cut training data into batches, augmented."""
        return DataLoader(
            train, self.batch_size, shuffle=True, seed=seed, transform=self.augment
        )

    def create_schedule(self) -> Schedule:
        """Make the callback that changes the learning rate."""
        return Schedule(SCHEDULES[self.schedule](self.lr))


_ACCURATE = Recipe(
    "deep_convnet",
    batch_size=128,
    optimizer="nesterov",
    lr=0.1,
    schedule="one_cycle",
    weight_decay=5e-4,
    label_smoothing=0.1,
)
# By name: those of the data sets, longer ones, and one for folders of pictures.
RECIPES = {
    "digits": Recipe(
        "digits_convnet", epochs=20, lr=0.003, augment=Augment(translate=0.6)
    ),
    "mnist": Recipe(epochs=4, batch_size=128, lr=0.004, augment=Augment(translate=1)),
    "fashion_mnist": Recipe(epochs=5, batch_size=128, lr=0.004),
    "signs": Recipe(
        "signs_convnet",
        epochs=30,
        batch_size=32,
        lr=0.002,
        augment=Augment(translate=6, fill="edge"),
    ),
    "cifar10": Recipe(
        "resnet20", epochs=20, batch_size=128, lr=0.003, augment=Augment(translate=4)
    ),
    "mnist_accurate": dataclasses.replace(
        _ACCURATE,
        epochs=12,
        augment=Augment(translate=2, rotate=10, zoom=1.1, shear=5),
    ),
    "fashion_mnist_accurate": dataclasses.replace(
        _ACCURATE, epochs=20, augment=Augment(flip=0.5, crop=2)
    ),
    "pictures": Recipe(
        "signs_convnet", epochs=30, augment=Augment(translate=2, fill="edge")
    ),
}


def recipe(name: str) -> Recipe:
    """Return a recipe by its name.

    Raises
    ------
    ArgumentError
        The name is unknown.
    """
    if name not in RECIPES:
        raise ArgumentError(f"unknown recipe {name!r}{suggest(name, RECIPES)}")
    return RECIPES[name]
