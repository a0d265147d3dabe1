"""Remedies: for each gap the knobs that act on it alone (orthogonalisation).

A knob that moves two gaps at once is not in the table, however useful it is: early
stopping worsens the fit to the training set to improve that to the dev set, and a
search over architectures may change either.

Sources: Ng, Deep Learning Specialization, course 2 week 1 (basic recipe) and course 3
week 1 (orthogonalization).
"""

from __future__ import annotations

import inspect
import math
import shlex
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from fastdl import models
from fastdl.strategy.optimisation import RATE_TOO_LOW, STILL_FALLING
from fastdl.train import OPTIMIZERS, RECIPES
from fastdl.typing import Json

BIAS = "avoidable bias"
VARIANCE = "variance"
MISMATCH = "data mismatch"
OVERFITTING = "overfitting to dev"
OPTIMISATION = "optimisation"

# The settings of a run; "available" may say how many training examples there are, and
# "trained_on" how many it was trained on.
Settings = Mapping[str, Any]
# From the settings of a run, see `fastdl.train.Job`, and the symptoms of its loss, the
# settings to change; None if the knob has been turned already.
Change = Callable[[Settings, Collection[str]], dict[str, Json] | None]

# For each network the next larger one.
_LARGER = {
    "logistic": "mlp",
    "mlp": "convnet",
    "lenet5": "convnet",
    "s41": "convnet",
    "strided_convnet": "convnet",
    "convnet": "deep_convnet",
    "digits_convnet": "deep_convnet",
    "signs_dense": "signs_convnet",
    "signs_convnet": "cifar_resnet18",
    "deep_convnet": "cifar_resnet18",
    "resnet20": "resnet32",
    "resnet32": "cifar_resnet18",
    "resnet44": "cifar_resnet18",
    "resnet56": "cifar_resnet18",
    "resnet110": "cifar_resnet18",
    "cifar_resnet18": "cifar_resnet34",
    "mobilenet_v2": "efficientnet_b0",
    "efficientnet_b0": "efficientnet_b1",
    "efficientnet_b1": "efficientnet_b2",
    "efficientnet_b2": "efficientnet_b3",
    "mobilenet_v1": "resnet18",
    "alexnet": "resnet18",
    "resnet18": "resnet34",
    "resnet34": "resnet50",
    "resnet50": "resnet101",
    "vgg11": "vgg13",
    "vgg13": "vgg16",
    "vgg16": "vgg19",
    "vgg11_bn": "vgg13_bn",
    "vgg13_bn": "vgg16_bn",
    "vgg16_bn": "vgg19_bn",
}


class Remedy(NamedTuple):
    """One thing to do next.

    Attributes
    ----------
    gap : str
        The gap that it makes smaller, and the only one.
    name : str
        In words.
    argument : str
        How to do it in Python.
    changes : dict
        How to do it with settings of a `fastdl.train.Job`; empty if it is not a
        setting.
    command : str
        How to do it on the command line; empty if there is no command.
    """

    gap: str
    name: str
    argument: str
    changes: dict[str, Json]
    command: str


class Knob(NamedTuple):
    """A row of the table; the fields are those of `Remedy`.

    Attributes
    ----------
    change : callable, optional
        Makes ``changes``.
    look : str
        A command that helps with it, if no setting does it.
    urged_by : str
        The symptom of the loss curve that puts this knob first.
    """

    gap: str
    name: str
    argument: str
    change: Change | None = None
    look: str = ""
    urged_by: str = ""


def _bigger(settings: Settings, symptoms: Collection[str]) -> dict[str, Json] | None:
    model = str(settings.get("model"))
    if model in models.CATALOGUE:
        larger = _LARGER.get(model)
        return None if larger is None else {"model": larger}
    usual = RECIPES.get(str(settings.get("dataset")), RECIPES["pictures"]).model
    return {"model": usual}


def _longer(settings: Settings, symptoms: Collection[str]) -> dict[str, Json]:
    return {"epochs": 3 * int(settings.get("epochs", 10))}


def _adam(settings: Settings, symptoms: Collection[str]) -> dict[str, Json] | None:
    if settings.get("optimizer") in ("adam", "adamw"):
        return None
    return {"optimizer": "adam", "lr": OPTIMIZERS["adam"][1]}


def _more(settings: Settings, symptoms: Collection[str]) -> dict[str, Json]:
    examples = settings.get("examples")  # None: all of them
    if not examples:
        return {}
    more = min(4 * examples, settings.get("available", math.inf))
    return {"examples": more} if more > examples else {}


def _augment(settings: Settings, symptoms: Collection[str]) -> dict[str, Json] | None:
    if settings.get("augment"):
        return None
    height = (*settings.get("input_shape", ()), 28)[0]
    return {"augment": {"translate": max(1, height // 14), "rotate": 10}}


def _decay(settings: Settings, symptoms: Collection[str]) -> dict[str, Json]:
    usual = 0.05 if settings.get("optimizer") == "adamw" else 5e-4
    return {"weight_decay": 3 * (settings.get("weight_decay") or usual / 3)}


def _dropout(settings: Settings, symptoms: Collection[str]) -> dict[str, Json] | None:
    factory = getattr(models, str(settings.get("model")), None)
    if factory is None:
        return {"dropout": 0.5}
    option = inspect.signature(factory).parameters.get("dropout")
    if option is None:
        return {}  # only by a layer in a network of one's own
    now = settings.get("dropout")
    return None if (option.default if now is None else now) >= 0.5 else {"dropout": 0.5}


def _rate(settings: Settings, symptoms: Collection[str]) -> dict[str, Json]:
    factor = 10 if RATE_TOO_LOW in symptoms else 0.1
    return {"lr": float(f"{settings.get('lr', 0.001) * factor:.6g}")}


def _schedule(settings: Settings, symptoms: Collection[str]) -> dict[str, Json] | None:
    if settings.get("schedule") == "one_cycle" or _steps(settings) == 1:
        return None
    return {"schedule": "one_cycle"}  # needs two steps, up and down


def _steps(settings: Settings) -> float:
    """Return how many steps the training has; NaN if the settings do not say."""
    examples = settings.get("examples") or settings.get("trained_on")
    batch_size = settings.get("batch_size")
    if not examples or not batch_size:
        return math.nan
    return settings.get("epochs", 1) * math.ceil(examples / batch_size)


KNOBS = (
    Knob(BIAS, "a bigger network", "models.create(...)", _bigger),
    Knob(
        BIAS, "longer training", "trainer.fit(epochs=...)", _longer, "", STILL_FALLING
    ),
    Knob(BIAS, "a better optimiser", "Trainer(optimizer=optim.Adam)", _adam),
    Knob(
        VARIANCE,
        "more training data",
        "strategy.learning_curve(...) says how many help",
        _more,
        "fastdl diagnose RUN --data-curve",
    ),
    Knob(
        VARIANCE,
        "augmented pictures",
        "DataLoader(transform=data.Augment(...))",
        _augment,
    ),
    Knob(VARIANCE, "weight decay (L2)", "Trainer(regularization=nn.L2(...))", _decay),
    Knob(VARIANCE, "dropout", "nn.Dropout(0.5)", _dropout),
    Knob(
        MISMATCH,
        "training data like those of dev",
        "strategy.split_sources(target_in_train=...)",
        look="fastdl errors RUN",
    ),
    Knob(
        MISMATCH,
        "synthesis of what is peculiar to dev",
        "strategy.Mix(...), data.Augment(...)",
        look="fastdl errors RUN",
    ),
    Knob(OVERFITTING, "a larger dev set", "data.split(...)"),
    Knob(OVERFITTING, "a new dev set, and fewer choices by it", "data.folds(...)"),
    Knob(OPTIMISATION, "another learning rate", "optim.Adam(lr=...)", _rate),
    Knob(
        OPTIMISATION,
        "a rate that rises and falls",
        "train.Schedule(optim.OneCycle(...))",
        _schedule,
    ),
    Knob(OPTIMISATION, "clipped gradients", "Trainer(clip_norm=1.0)"),
    Knob(OPTIMISATION, "standardised inputs", "nn.Standardize()"),
    Knob(
        OPTIMISATION,
        "right gradients, if the layers are your own",
        "train.gradcheck(...)",
        look="fastdl gradcheck RUN",
    ),
)
"""What acts on one gap alone, in the order in which to try it."""


def remedies(
    problems: Collection[str],
    symptoms: Collection[str] = (),
    settings: Settings | None = None,
    run: str = "",
) -> tuple[Remedy, ...]:
    """Return the knobs of some gaps, in their order.

    Parameters
    ----------
    problems : sequence of str
        Names of gaps.
    symptoms : collection of str
        What the loss curve shows.
    settings : mapping, optional
        The settings of the run (config.json), to make the commands concrete.
    run : path, optional
        The folder of the run.
    """
    found = []
    for problem in problems:
        rows = [knob for knob in KNOBS if knob.gap == problem]
        rows.sort(key=lambda knob: not (knob.urged_by and knob.urged_by in symptoms))
        for knob in rows:
            changes = knob.change(settings or {}, symptoms) if knob.change else {}
            if changes is None:
                continue
            if changes:
                command = _command(changes, settings, run)
            else:
                command = knob.look.replace("RUN", shlex.quote(run or "RUN"))
            found.append(
                Remedy(knob.gap, knob.name, knob.argument, dict(changes), command)
            )
    return tuple(found)


def _command(changes: dict[str, Json], settings: Settings | None, run: str) -> str:
    options = [
        part
        for name, value in changes.items()
        for part in (f"--{name.replace('_', '-')}", _option(value))
    ]
    if run:
        new = f"{run.rstrip('/')}-{next(iter(changes))}"
        words = ["--config", f"{run}/config.json", *options, "--out", new]
    else:
        words = [str((settings or {}).get("dataset", "DATASET")), *options]
    return shlex.join(["fastdl", "train", *words])


def _option(value: Json) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={each:g}" for name, each in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
