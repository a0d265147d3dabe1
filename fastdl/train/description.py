"""All that decides a training, as data: to tell whether another one is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fastdl.autograd import no_grad
from fastdl.data import ArrayDataset, Concat, DataLoader, Dataset, MapDataset, Subset
from fastdl.data.dataset import weights
from fastdl.data.mapped import MapStyle
from fastdl.nn import Module
from fastdl.train.callback import Callback
from fastdl.train.fingerprint import (
    describe,
    describe_array,
    described_class,
    text_of,
)
from fastdl.train.learner import Learner
from fastdl.train.schedule import Schedule
from fastdl.typing import Json

_SAMPLE = 64  # examples of data that are not in memory
_NAMES = ("names", "files", "paths")  # attributes that may tell the examples apart
_SHOWN = 10  # lines about one name
_LONGEST = 60  # characters of a value


class Run:
    """One call of ``fit``: who trains, on what, and who looks on.

    Made before anything iterates the loaders, so that what their transforms keep of
    the batches that workers have made ahead, however many, is not a part of it.

    Parameters
    ----------
    trainer : Learner
        Its model has all sizes known when `describe` is called.
    loader : DataLoader
        What it trains on.
    validation : DataLoader or None
        What it is measured on.
    callbacks : sequence of Callback
        Those of this ``fit``, in order.
    epochs : int
        How many there will be.
    """

    def __init__(
        self,
        trainer: Learner,
        loader: DataLoader,
        validation: DataLoader | None,
        callbacks: Sequence[Callback],
        epochs: int,
    ) -> None:
        self.trainer, self.loader = trainer, loader
        self.callbacks, self.epochs = callbacks, epochs
        self._loader = describe_loader(loader)
        self._validation = None if validation is None else describe_loader(validation)

    def describe(self) -> dict[str, Json]:
        """Return by name what decides the weights after each epoch.

        The names are those by which ``fit(allow_changes=)`` lets one differ. An option
        of the optimiser has its own name; "lr" includes the schedules.
        """
        trainer, model = self.trainer, self.trainer.model
        frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
        described = {
            **self._loader,
            "validation": self._validation,
            "model": _describe_model(model),
            "frozen": describe(frozen),
            "dtype": sorted({p.dtype.name for p in model.parameters()}),
            **{name: describe(value) for name, value in trainer._settings.items()},
            "metrics": describe(trainer.metrics),
            "callbacks": [
                described_class(type(callback)) | describe(decides)
                for callback in self.callbacks
                if (decides := callback.decides()) is not None
            ],
            "optimizer": self._optimizer(),
        }
        for name, value in options(trainer.optimizer.param_groups).items():
            described[f"optimizer.{name}" if name in described else name] = value
        schedules = [each for each in self.callbacks if isinstance(each, Schedule)]
        if schedules:
            described["lr"] = self._rates(schedules)
        if any(schedule.spans_fit for schedule in schedules):
            described["epochs"] = self.epochs
        return described

    def _optimizer(self) -> dict[str, Json]:
        """Return the class, and the names of the parameters in each group."""
        named = self.trainer.model.named_parameters()
        names = {id(parameter): name for name, parameter in named}
        optimizer = self.trainer.optimizer
        return {
            **described_class(type(optimizer)),
            "groups": describe(
                [
                    [names.get(id(tensor), "not in the model") for tensor in each]
                    for each in (group["params"] for group in optimizer.param_groups)
                ]
            ),
        }

    def _rates(self, schedules: list[Schedule]) -> dict[str, Json]:
        """Describe schedules; of the rates before they keep the ratios alone."""
        rates = [group["lr"] for group in self.trainer.optimizer.param_groups]
        return {
            "schedules": [describe(schedule.rule) for schedule in schedules],
            "ratios": describe([rate / rates[0] for rate in rates]),
        }


def _describe_model(model: Module) -> Json:
    """Describe a model by what a run of it does not change.

    A counter, or an output that is kept to be looked at, decides nothing.
    """
    before = describe(model)
    # Not zeros, on which `build` may have run it.
    x = np.full((1, *(model.input_shape or ())), 0.5, model._dtype())
    with no_grad(), model.mode(training=False):
        model(x)
    return _common(before, describe(model))


def _common(one: Json, other: Json) -> Json:
    """Return what two descriptions have in common."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            name: _common(value, other[name])
            for name, value in one.items()
            if name in other
        }
    return one if text_of(one) == text_of(other) else None


def options(groups: Sequence[Mapping[str, object]]) -> dict[str, Json]:
    """Describe the options of parameter groups, by name."""
    return {
        name: _one_or_all([group.get(name) for group in groups])
        for name in groups[0]
        if name != "params"
    }


def _one_or_all(values: list[object]) -> Json:
    """Return the value of all groups, or one for each."""
    described = [describe(value) for value in values]
    alike = len(set(map(text_of, described))) == 1
    return described[0] if alike else described


def describe_loader(loader: DataLoader) -> dict[str, Json]:
    """Describe a loader and its data by what decides the batches."""
    return {
        "data": describe_data(loader.dataset),
        "batch_size": loader.batch_size,
        "shuffle": bool(loader.shuffle),
        "seed": describe(loader.seed),
        "drop_last": bool(loader.drop_last),
        "transform": describe(loader.transforms),
    }


def describe_data(dataset: Dataset) -> dict[str, Json]:
    """Describe a data set.

    Arrays in memory, and parts of them, by a digest of every example: the same examples
    in the same order look alike, however they are kept. Other data (of a file, or made
    when asked for) by the number of examples, their labels and weights, their names and
    sizes when there is an attribute ``names``, ``files`` or ``paths``, and 64 examples
    drawn by a fixed seed; these are left out when they come out differently each time.
    Targets and weights that only the examples themselves tell stand in those 64 alone.
    Of a `Concat` each data set is described on its own.
    """
    whole, rows = _whole(dataset)
    described: dict[str, Json] = {"examples": len(dataset)}
    if type(whole) is Concat:
        described["rows"] = None if rows is None else describe_array(rows)
        return described | {"parts": [describe_data(part) for part in whole.datasets]}
    if type(whole) is ArrayDataset and not _is_mapped(whole.x):
        described["x"] = describe_array(whole.x, rows)
    else:
        source = whole.items if isinstance(whole, MapDataset) else whole
        described |= described_class(type(source))
        described["names"] = _names(source, rows)
        described["sample"] = _sample(dataset)
    for name, array in _labels(dataset, whole).items():
        described[name] = None if array is None else describe_array(np.asarray(array))
    return described


def _labels(dataset: Dataset, whole: Dataset) -> dict[str, np.ndarray | None]:
    """Return y and weight, unless each would take a pass through all the examples."""
    if isinstance(whole, MapDataset):
        return {"y": dataset.y} if whole.remembers_labels else {}
    return {"y": dataset.y, "weight": weights(dataset)}


def _whole(dataset: Dataset) -> tuple[Dataset, np.ndarray | None]:
    """Return the data set of which this is a part, and which rows; None for all."""
    if type(dataset) is not Subset:
        return dataset, None
    whole, rows = _whole(dataset.dataset)
    return whole, dataset.indices if rows is None else rows[dataset.indices]


def _is_mapped(array: object) -> bool:
    """Whether the values lie in a file that is mapped into memory."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def _names(dataset: Dataset | MapStyle, rows: np.ndarray | None) -> Json:
    """Return a digest of the last two parts of each name, and the sizes of files."""
    for attribute in _NAMES:
        names = getattr(dataset, attribute, None)
        if isinstance(names, Sequence) and len(names) == len(dataset):
            chosen = range(len(names)) if rows is None else rows.tolist()
            paths = [Path(str(names[row])) for row in chosen]
            return describe([["/".join(p.parts[-2:]), _size(p)] for p in paths])
    return None


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except (OSError, ValueError):  # not a file, or no name of one
        return None


def _sample(dataset: Dataset) -> Json:
    rng = np.random.default_rng(0)
    count = len(dataset)
    rows = np.sort(rng.choice(count, min(count, _SAMPLE), replace=False))
    first, second = (describe(dataset.take(rows)) for _ in range(2))
    return first if text_of(first) == text_of(second) else "random"


# Comparing


def differences(saved: Mapping[str, Json], now: Mapping[str, Json]) -> dict[str, str]:
    """Return by name what differs between two descriptions, as lines for people."""
    found = {}
    for name in {**saved, **now}:
        if text_of(saved.get(name)) != text_of(now.get(name)):
            lines = list(_lines(name, saved.get(name), now.get(name)))
            more = len(lines) - _SHOWN
            if more > 0:
                lines[_SHOWN:] = [f"{name}: {more} more differences"]
            found[name] = "\n".join(f"  {line}" for line in lines)
    return found


def _lines(place: str, saved: Json, now: Json) -> list[str]:
    if text_of(saved) == text_of(now):
        return []
    if isinstance(saved, list) and isinstance(now, list) and len(saved) == len(now):
        saved, now = _labelled(saved), _labelled(now)
    if isinstance(saved, dict) and isinstance(now, dict):
        # What has another class, type or shape differs in all the rest as well.
        for name in ("class", "dtype", "shape"):
            if name in saved and name in now and saved[name] != now[name]:
                return [f"{place}: {_shown(saved[name])}, now {_shown(now[name])}"]
        return [
            line
            for name in {**saved, **now}
            for line in _lines(f"{place}.{name}", saved.get(name), now.get(name))
        ]
    if place.endswith((".digest", ".code")):
        what, _, kind = place.rpartition(".")
        return [f"{what}: other {'values' if kind == 'digest' else 'code'}"]
    return [f"{place}: {_shown(saved)}, now {_shown(now)}"]


def _labelled(items: list[Json]) -> dict[str, Json]:
    """Return items by their places, and their classes if they have any."""
    names = [item.get("class", "") if isinstance(item, dict) else "" for item in items]
    return {f"{i} {names[i]}".strip(): item for i, item in enumerate(items)}


def _shown(value: Json) -> str:
    if isinstance(value, list):
        value = [
            i["class"] if isinstance(i, dict) and "class" in i else i for i in value
        ]
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
