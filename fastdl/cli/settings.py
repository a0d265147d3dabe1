"""The settings of a training, from the options of a command and from a file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from fastdl import datasets, models
from fastdl.errors import ArgumentError
from fastdl.files import naming, read_settings
from fastdl.train import OPTIMIZERS, Job, Pretrained

# Options of `fastdl train` that are settings of a job, by the same names.
_SETTINGS = (
    *("dataset", "model", "epochs", "batch_size", "optimizer", "lr", "schedule"),
    *("momentum", "weight_decay", "label_smoothing", "dropout", "augment"),
    *("seed", "size", "examples", "patience", "data_dir", "pretrained", "freeze"),
    "lazy",
)


def given(options: Namespace, names: Iterable[str]) -> dict[str, Any]:
    """Return the settings that options give, by name.

    The run may be opened from elsewhere, so folders have their whole paths.
    """
    found = {name: getattr(options, name) for name in names}
    found = {name: value for name, value in found.items() if value is not None}
    for name in ("dataset", "data_dir"):
        path = found.get(name)
        if path is not None and path not in datasets.names():
            found[name] = str(Path(path).resolve() if Path(path).is_dir() else path)
    return found


def job(options: Namespace) -> Job:
    """Return the job that the options of `fastdl train` and its file describe."""
    chosen = given(options, _SETTINGS)
    settings: dict[str, Any] = {}
    if options.config is not None:
        settings = read_settings(options.config)
    elif "dataset" not in chosen:
        raise ArgumentError(
            "the following arguments are required: DATASET (see fastdl train --help)"
        )
    if options.recipe is not None:
        if options.config is not None:
            raise ArgumentError("--recipe or --config: both say how to train")
        settings["recipe"] = options.recipe
    if "pretrained" in chosen:
        chosen |= _start(chosen["pretrained"], settings | chosen, options.model)
    start = {name: chosen[name] for name in ("dataset", "pretrained") if name in chosen}
    with nullcontext() if options.config is None else naming(options.config):
        before = Job.from_dict(settings | start).pinned()
        if before.recipe.model_options:
            before.recipe.create_model(2)  # only the network knows whether they fit
    optimizer = chosen.get("optimizer", before.recipe.optimizer)
    if optimizer != before.recipe.optimizer and optimizer in OPTIMIZERS:
        chosen.setdefault("lr", OPTIMIZERS[optimizer][1])  # its usual rate
    return before.replace(**chosen).pinned()


def _start(path: str, settings: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    """Return the settings that follow from the weights to start from."""
    source = Pretrained(path)
    # The run may be repeated from elsewhere, and its weights may be others by then.
    found: dict[str, Any] = {
        "pretrained": str(Path(path).resolve()),
        "pretrained_sha256": None,
    }
    if source.describes_model:
        own = source.config.get("model")
        if model not in (None, own):
            raise ArgumentError(
                f"{path} holds a whole network{f', {own}' if own else ''}; leave out "
                f"--model {model}"
            )
        if own in models.names():
            found["model"] = own
    shape = source.input_shape
    of_folder = settings.get("dataset") not in datasets.names()
    if shape and of_folder and settings.get("size") is None:
        found["size"] = shape[:2]
    return found
