"""A split: named parts of data that do not overlap and can be saved (SPEC S24)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np

from fastdl.data import Concat, DataLike, Dataset, Subset, as_dataset
from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.files import parse_json, read_tensors, reading, write_tensors
from fastdl.shapes import array, rows
from fastdl.strategy.split_report import SplitReport, report_on
from fastdl.train.description import describe_data, differences
from fastdl.typing import ArrayLike, Json

PARTS = ("train", "train_dev", "dev", "test")
Sources: TypeAlias = DataLike | Mapping[str, DataLike]
Indices: TypeAlias = ArrayLike | Mapping[str, ArrayLike]
_FORMAT = "fastdl.split"  # a text in the file, whose value is the version


class Split:
    """A training set, and the parts to measure models by; they do not overlap.

    Made by `train_dev_test` and `split_sources`, or from indices of your own ::

        split = strategy.Split(data, {"train": range(800), "dev": range(800, 1000)})
        trainer.fit(split.train, validation=split.dev)

    Parts are data sets. Take them by name (``split["dev"]``, ``split.dev``) or place
    (``split[1]``), or unpack them: ``train, dev, test = split``.

    Parameters
    ----------
    data : Dataset, array x, tuple (x, y), or mapping of str to these
        The whole, or several sources by name.
    parts : mapping of str to indices
        What is in "train", and in any of "train_dev", "dev" and "test": indices into
        the whole, integers (n,); for several sources, a mapping of their names to
        indices.

    Attributes
    ----------
    sources : dict of str to Dataset
        The sources by name; a single one is called "data".
    indices : dict of str to dict of str to ndarray
        The indices of each part in each source that it has examples of.

    Raises
    ------
    DataError, ArgumentError, ShapeError, DtypeError
        A part is empty, an example is in two parts or twice in one, an index is out of
        range or not an integer, or a name is unknown.
    """

    def __init__(self, data: Sources, parts: Mapping[str, Indices]) -> None:
        if not isinstance(parts, Mapping):
            raise ArgumentError(
                f"Split: expected indices by part, such as {{'train': range(800)}}, "
                f"got {parts!r:.60}"
            )
        one = not isinstance(data, Mapping)
        self.sources = _sources(data)
        for name in parts:
            if name not in PARTS:
                raise ArgumentError(f"Split: no part {name!r}{suggest(name, PARTS)}")
        if "train" not in parts:
            raise ArgumentError("Split: there is no part 'train'")
        self.indices = {
            name: self._checked(name, {"data": parts[name]} if one else parts[name])
            for name in PARTS
            if name in parts
        }
        for name in self.sources:
            self._check_apart(name)
        self._parts = {name: self._part(name) for name in self.indices}

    @property
    def train(self) -> Dataset:
        """What a model is trained on."""
        return self._parts["train"]

    @property
    def train_dev(self) -> Dataset | None:
        """Data like the training set's but not trained on, or None."""
        return self._parts.get("train_dev")

    @property
    def dev(self) -> Dataset | None:
        """What models are compared by, or None."""
        return self._parts.get("dev")

    @property
    def test(self) -> Dataset | None:
        """What the chosen model is measured by, or None."""
        return self._parts.get("test")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts, in the order of ``PARTS``."""
        return tuple(self._parts)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of examples of each part."""
        return {name: len(part) for name, part in self._parts.items()}

    def __getitem__(self, part: str | int) -> Dataset:
        if not isinstance(part, str):
            return tuple(self)[part]
        if part not in self._parts:
            hint = suggest(part, self._parts)
            raise ArgumentError(f"Split: there is no part {part!r}{hint}")
        return self._parts[part]

    def __contains__(self, part: object) -> bool:
        return part in self._parts

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self._parts.values())

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.sizes.items())
        return f"Split({sizes})"

    def report(self, difference: float = 0.01, error: float = 0.05) -> SplitReport:
        """Look for what makes parts misleading; ``print`` shows it as a table.

        It reads all the examples once.

        Parameters
        ----------
        difference : float
            The difference between two error rates that dev and test set should show,
            such as 0.01 for one per cent.
        error : float
            Roughly the error rate to be expected, as a fraction.

        Raises
        ------
        ArgumentError
            One of them is not a fraction between 0 and 1.
        """
        return report_on(self._parts, difference, error)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the indices, with a fingerprint of the data, in a safetensors file.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        tensors = {
            f"{part}/{source}": indices
            for part, sources in self.indices.items()
            for source, indices in sources.items()
        }
        prints = {name: _fingerprint(source) for name, source in self.sources.items()}
        write_tensors(tensors, path, {_FORMAT: "1", "data": json.dumps(prints)})

    @classmethod
    def load(cls, path: str | os.PathLike[str], data: Sources) -> Split:
        """Return a saved split of the same data.

        Parameters
        ----------
        path : path
            The file.
        data : Dataset, array x, tuple (x, y), or mapping of str to these
            As for the constructor; for `split_sources` they are "other" and "target".

        Raises
        ------
        DataError
            The data differ from those when it was saved; or the file is damaged, or not
            a split.
        OSError
            The file may not be read.
        """
        tensors, texts = read_tensors(path)
        if texts.get(_FORMAT) != "1":
            raise DataError(f"{path} holds no split that this version of fastdl reads")
        sources = _sources(data)
        now = {name: _fingerprint(source) for name, source in sources.items()}
        parts: dict[str, dict[str, np.ndarray]] = {}
        with reading(path, "as a split"):
            saved = parse_json(texts["data"], path)
            if set(now) != set(saved):
                raise DataError(
                    f"{path} is a split of {', '.join(saved)}, got {', '.join(now)}"
                )
            for name in saved:
                if other := differences(saved[name], now[name]):
                    lines = "\n".join(other.values())
                    raise DataError(
                        f"{path} is a split of other data ({name}):\n{lines}"
                    )
            for key, indices in tensors.items():
                part, _, source = key.partition("/")
                parts.setdefault(part, {})[source] = indices
        # In the original order, which determines the order of the examples in a part.
        return cls({name: sources[name] for name in saved}, parts)

    def _checked(self, part: str, given: object) -> dict[str, np.ndarray]:
        """Return the indices of a part as arrays, for the sources that it has."""
        if not isinstance(given, Mapping):
            raise ArgumentError(
                f"Split: {part} needs a mapping of the names of sources to indices, "
                f"got {type(given).__name__}"
            )
        for name in given:
            if name not in self.sources:
                raise ArgumentError(
                    f"Split: no source {name!r}{suggest(name, self.sources)}"
                )
        checked = {}
        for name, source in self.sources.items():
            indices = array(given.get(name, ()), f"Split: {part} of {name}")
            if indices.size:  # an empty list has no type
                checked[name] = rows(indices, len(source), f"Split: {part} of {name}")
        if not checked:
            raise DataError(f"Split: the part {part!r} is empty")
        return checked

    def _check_apart(self, source: str) -> None:
        """Raise if an example of a source is in two parts, or twice in one."""
        parts = [part for part, own in self.indices.items() if source in own]
        if not parts:
            return
        each = [self.indices[part][source] for part in parts]
        counts = np.bincount(np.concatenate(each))
        if counts.max() > 1:
            example = int(counts.argmax())
            where = [p for p, own in zip(parts, each, strict=True) if example in own]
            if len(where) == 1:
                where *= 2
            raise DataError(
                f"Split: parts must not overlap, but example {example} of {source} is "
                f"in {where[0]} and again in {where[1]}"
            )

    def _part(self, name: str) -> Dataset:
        own = self.indices[name].items()
        subsets = [Subset(self.sources[source], indices) for source, indices in own]
        return subsets[0] if len(subsets) == 1 else Concat(*subsets)


def _sources(data: Sources) -> dict[str, Dataset]:
    named = data if isinstance(data, Mapping) else {"data": data}
    return {name: as_dataset(source) for name, source in named.items()}


def _fingerprint(dataset: Dataset) -> dict[str, Json]:
    """Describe data by their contents; the code that reads them may change."""
    described = describe_data(dataset)
    described.pop("code", None)
    return described
