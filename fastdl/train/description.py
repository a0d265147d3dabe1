"""Everything that determines a training, as data, to compare two trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fastdl.autograd import no_grad
from fastdl.data import (
    ArrayDataset,
    Concat,
    DataLoader,
    Dataset,
    InTurn,
    MapDataset,
    SparseRows,
    Subset,
)
from fastdl.data.dataset import weights
from fastdl.data.mapped import MapStyle
from fastdl.data.pictures import is_mapped
from fastdl.errors import ArgumentError
from fastdl.nn import Module
from fastdl.nn.module import run
from fastdl.structure import Structure, leaves, map_shapes, tree_map
from fastdl.train.callback import Callback
from fastdl.train.class_weight import ClassWeight
from fastdl.train.fingerprint import (
    describe,
    describe_array,
    described_class,
    text_of,
)
from fastdl.train.learner import Learner
from fastdl.train.schedule import Schedule
from fastdl.train.streams import BatchStream
from fastdl.typing import Json

_SAMPLE = 64  # examples of data that are not in memory
_NAMES = ("names", "files", "paths")  # attributes that may identify the examples
_SHOWN = 10  # lines shown for one name
_LONGEST = 60  # characters shown of a value


class Run:
    """One call of ``fit``: the trainer, its data and its callbacks.

    Made before anything iterates over the loaders: their transforms may change as
    workers prepare batches ahead, and how far ahead differs from run to run.

    Parameters
    ----------
    trainer : Learner
        All sizes of its model are known by the time `describe` is called.
    loader : DataLoader
        What it trains on.
    validation : DataLoader or None
        What it is measured on.
    callbacks : sequence of Callback
        Those of this ``fit``, in order.
    epochs : int
        How many there will be.
    class_weight : ClassWeight, optional
        How much the examples of each class count.
    """

    def __init__(
        self,
        trainer: Learner,
        loader: DataLoader,
        validation: DataLoader | None,
        callbacks: Sequence[Callback],
        epochs: int,
        class_weight: ClassWeight | None = None,
    ) -> None:
        self.trainer, self.loader = trainer, loader
        self.callbacks, self.epochs = callbacks, epochs
        self._class_weight = None if class_weight is None else class_weight.by_class
        self._loader = describe_loader(loader)
        self._validation = None if validation is None else describe_loader(validation)

    def describe(self) -> dict[str, Json]:
        """Return by name everything that determines the weights after each epoch.

        ``fit(allow_changes=)`` takes these names. Each option of the optimiser has its
        own; "lr" includes the schedules.
        """
        trainer, model = self.trainer, self.trainer.model
        frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
        described = {
            **self._loader,
            "validation": self._validation,
            "class_weight": describe(self._class_weight),
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
        for task, parameter in self.trainer._learned_weights().items():
            names[id(parameter)] = f"the weight of task {task!r}"
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
        """Describe the schedules; of the initial rates only the ratios matter.

        Unless one is given by name: it begins with the first of them.
        """
        rates = [group["lr"] for group in self.trainer.optimizer.param_groups]
        by_name = any(isinstance(schedule.schedule, str) for schedule in schedules)
        return {
            **({"first": describe(rates[0])} if by_name else {}),
            "schedules": [describe(schedule.rule) for schedule in schedules],
            "ratios": describe([rate / rates[0] for rate in rates]),
        }


def _describe_model(model: Module) -> Json:
    """Describe the parts of a model that running it does not change.

    A counter, or an output that is kept for inspection, determines nothing.
    """
    before = describe(model)
    # Not zeros, which `build` may have used already.
    dtype = model._dtype()
    x = map_shapes(
        lambda shape: np.full((1, *shape), 0.5, dtype), model.input_shape or ()
    )
    with no_grad(), model.mode(training=False):
        run(model, x)
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
    """Describe everything about a loader that determines its batches.

    Raises
    ------
    ArgumentError
        It is a generator, which nobody can go back to.
    """
    if isinstance(loader, BatchStream):
        raise ArgumentError(
            "fit: a checkpoint needs data that can be read again, not a generator; "
            "give a data set or a DataLoader, or keep the model alone by "
            "callbacks=[ModelCheckpoint(path)]"
        )
    described: dict[str, Json] = {
        "data": describe_data(loader.dataset),
        "batch_size": loader.batch_size,
        "shuffle": bool(loader.shuffle),
        "seed": describe(loader.seed),
        "drop_last": bool(loader.drop_last),
        "transform": describe(loader.transforms),
    }
    for name in ("sampler", "batch_sampler", "collate_fn"):
        part = getattr(loader, name)
        if part is not None:  # as in checkpoints that are older than these
            described[name] = describe(part)
    return described


def describe_data(dataset: Dataset) -> dict[str, Json]:
    """Describe a data set.

    Arrays in memory, and subsets of them, are described by a digest of every example:
    the same examples in the same order look the same, however they are stored. Other
    data (in a file, or made on demand) are described by the number of examples, their
    labels and weights, their names and file sizes if there is an attribute ``names``,
    ``files`` or ``paths``, and 64 examples drawn with a fixed seed, unless these differ
    from one reading to the next. Targets and weights that are known only from reading
    an example are described by those 64. The parts of a `Concat` or an `InTurn` are
    described one by one.
    """
    whole, rows = _whole(dataset)
    described: dict[str, Json] = {"examples": len(dataset)}
    if type(whole) is Concat or type(whole) is InTurn:
        described["rows"] = None if rows is None else describe_array(rows)
        return described | {"parts": [describe_data(part) for part in whole.datasets]}
    if type(whole) is ArrayDataset and not any(map(is_mapped, leaves(whole.x))):
        described["x"] = tree_map(lambda x: describe_array(x, rows), whole.x)
    elif type(whole) is SparseRows:
        x = whole.x if rows is None else whole.x[rows]
        described["x"] = [describe_array(a) for a in (x.data, x.indices, x.indptr)]
    else:
        source = whole.items if isinstance(whole, MapDataset) else whole
        described |= described_class(type(source))
        described["names"] = _names(source, rows)
        described["sample"] = _sample(dataset)
    for name, labels in _labels(dataset, whole).items():
        if labels is not None:
            labels = tree_map(lambda y: describe_array(np.asarray(y)), labels)
        described[name] = labels
    return described


def _labels(dataset: Dataset, whole: Dataset) -> dict[str, Structure]:
    """Return y and weight, unless finding them means reading every example."""
    if isinstance(whole, MapDataset):
        return {"y": dataset.y} if whole.remembers_labels else {}
    return {"y": dataset.y, "weight": weights(dataset)}


def _whole(dataset: Dataset) -> tuple[Dataset, np.ndarray | None]:
    """Return the data set that this is a subset of, and its rows; None means all."""
    if type(dataset) is not Subset:
        return dataset, None
    whole, rows = _whole(dataset.dataset)
    return whole, dataset.indices if rows is None else rows[dataset.indices]


def _names(dataset: Dataset | MapStyle, rows: np.ndarray | None) -> Json:
    """Describe the last two parts of each name, and the sizes of the files."""
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
    except (OSError, ValueError):  # not a file
        return None


def _sample(dataset: Dataset) -> Json:
    rng = np.random.default_rng(0)
    count = len(dataset)
    rows = np.sort(rng.choice(count, min(count, _SAMPLE), replace=False))
    first, second = (describe(dataset.take(rows)) for _ in range(2))
    return first if text_of(first) == text_of(second) else "random"


# Comparing


def differences(saved: Mapping[str, Json], now: Mapping[str, Json]) -> dict[str, str]:
    """Return the differences between two descriptions by name, as lines of text."""
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
        # With another class, dtype or shape, everything else differs too.
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
    """Return items by their position, and their class if they have one."""
    names = [item.get("class", "") if isinstance(item, dict) else "" for item in items]
    return {f"{i} {names[i]}".strip(): item for i, item in enumerate(items)}


def _shown(value: Json) -> str:
    if isinstance(value, list):
        value = [
            i["class"] if isinstance(i, dict) and "class" in i else i for i in value
        ]
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
