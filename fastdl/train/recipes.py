"""How to train, as data: a recipe, and what makes a trainer of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from fastdl import models, optim
from fastdl.autograd import Tensor
from fastdl.data import Augment, DataLike, DataLoader
from fastdl.errors import ArgumentError, suggest
from fastdl.files import naming
from fastdl.models.registry import check_options
from fastdl.nn import CrossEntropyLoss, Module, init
from fastdl.shapes import integer
from fastdl.shapes.numbers import is_number
from fastdl.train.optimizers import OPTIMIZERS
from fastdl.train.schedule import SCHEDULES, Schedule
from fastdl.train.trainer import Trainer
from fastdl.typing import Json

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
    model_options : mapping
        Further arguments of the model by name, such as ``{"hidden": [25, 12]}``.
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
    model_options: Mapping[str, Json] = dataclasses.field(
        default_factory=dict, hash=False
    )

    def __post_init__(self) -> None:
        for option, known in _KNOWN.items():
            name = getattr(self, option)
            if not isinstance(name, str) or name not in known():
                place = "models" if option == "model" else "optim"
                hint = suggest(str(name), known(), place)
                raise ArgumentError(f"unknown {option} {name!r}{hint}")
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
        if not isinstance(self.model_options, Mapping):
            raise ArgumentError(
                f"recipe: model_options must be values by name, got "
                f"{self.model_options!r:.60}"
            )
        check_options(self.model, self.model_options, "recipe: model_options: ")

    def replace(self, **changes: object) -> Recipe:
        """Return a recipe with some settings changed; `augment` may be a mapping.

        An empty mapping means no augmentation. The options of another model do not
        carry over.
        """
        given: dict[str, Any] = {**changes}
        if isinstance(given.get("augment"), Mapping):
            given["augment"] = _augment(given["augment"])
        if given.get("model", self.model) != self.model:
            given.setdefault("model_options", {})
        return dataclasses.replace(self, **given)

    def create_model(self, classes: int) -> Module:
        """Make the model, with fresh weights.

        Raises
        ------
        ArgumentError
            It has no dropout, but the recipe asks for it; or an option does not fit.
        """
        options: dict[str, Any] = {**self.model_options}
        if self.dropout is not None:
            if "dropout" not in models.options(self.model):
                raise ArgumentError(f"the model {self.model!r} has no dropout")
            options["dropout"] = self.dropout
        told = naming("recipe: model_options") if options else nullcontext()
        with told, init.within_memory():
            return models.create(self.model, classes=classes, **options)

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


def recipe_fields() -> list[str]:
    """Return the names of the settings of a recipe."""
    return [field.name for field in dataclasses.fields(Recipe)]


def _augment(settings: Mapping[str, Any]) -> Augment | None:
    known = [field.name for field in dataclasses.fields(Augment)]
    for name in settings:
        if name not in known:
            raise ArgumentError(
                f"recipe: unknown augmentation {name!r}{suggest(name, known)}"
            )
    return Augment(**settings) if settings else None
