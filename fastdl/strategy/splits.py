"""Train, dev and test set: how large, of which source, and kept for good (SPEC S24).

Dev and test set are drawn from the data that count, the target, and stay the same while
models change. A part of the training set, train-dev, is put aside without being trained
on: its error, between those of train and dev, tells variance from data mismatch.

Source: Ng, *Machine Learning Yearning*, 2018, chapters 5 to 12 and 36 to 42.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastdl.data import Concat, Dataset, Subset, as_dataset, split
from fastdl.data.strata import group_numbers
from fastdl.errors import ArgumentError, DataError, suggest
from fastdl.files import parse_json, read_tensors, reading, write_tensors
from fastdl.shapes import rows
from fastdl.strategy.sizes import counts_of, rule_of_thumb
from fastdl.strategy.split_report import SplitReport, report_on
from fastdl.train.description import describe_data, differences

PARTS = ("train", "train_dev", "dev", "test")
_FORMAT = "fastdl.split"  # a text in the file, whose value is the version


class Split:
    """A training set, and the parts that tell how good a model is; none overlap.

    Made by `train_dev_test` and `split_sources`, or from indices of your own ::

        split = strategy.Split(data, {"train": range(800), "dev": range(800, 1000)})
        trainer.fit(split.train, validation=split.dev)

    Parts are data sets. They are found by name (``split["dev"]``, ``split.dev``) or
    place (``split[1]``), and unpacked: ``train, dev, test = split``.

    Parameters
    ----------
    data : Dataset, array x, tuple (x, y), or mapping of str to these
        The whole, or several sources by name.
    parts : mapping of str to indices
        What is in "train", and in any of "train_dev", "dev" and "test": indices of the
        whole, integers (n,); of several sources, a mapping of their names to indices.

    Attributes
    ----------
    sources : dict of str to Dataset
        The sources by name; of one alone it is "data".
    indices : dict of str to dict of str to ndarray
        The indices of each part in each source that it has examples of.

    Raises
    ------
    DataError, ArgumentError, ShapeError, DtypeError
        A part is empty, an example stands twice, an index is out of range or no
        integer, or a name is unknown.
    """

    def __init__(self, data: Any, parts: Mapping[str, Any]) -> None:
        one = not isinstance(data, Mapping)
        named = {"data": data} if one else data
        self.sources = {name: as_dataset(source) for name, source in named.items()}
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
        """Data like the training set's that are not trained on, or None."""
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

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self._parts.values())

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.sizes.items())
        return f"Split({sizes})"

    def report(self, difference: float = 0.01, error: float = 0.05) -> SplitReport:
        """Look for what makes parts misleading; ``print`` shows it as a table.

        It takes a pass through all the examples.

        Parameters
        ----------
        difference : float
            The difference between two error rates that dev and test set should show,
            such as 0.01, one per cent.
        error : float
            About how many errors are expected, as a fraction.

        Raises
        ------
        ArgumentError
            One of them is no fraction between 0 and 1.
        """
        return report_on(self._parts, difference, error)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keep the indices, with a fingerprint of the data, in a safetensors file.

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
    def load(cls, path: str | os.PathLike[str], data: Any) -> Split:
        """Return a split that was saved, of the same data.

        Parameters
        ----------
        path : path
            The file.
        data : Dataset, array x, tuple (x, y), or mapping of str to these
            As the constructor takes it; those of `split_sources` are "other" and
            "target".

        Raises
        ------
        DataError
            The data are others than when it was saved; or the file is damaged, or no
            split.
        OSError
            The file may not be read.
        """
        tensors, texts = read_tensors(path)
        if texts.get(_FORMAT) != "1":
            raise DataError(f"{path} holds no split that this version of fastdl reads")
        given = data if isinstance(data, Mapping) else {"data": data}
        parts: dict[str, dict[str, np.ndarray]] = {}
        with reading(path, "as a split"):
            saved = parse_json(texts["data"], path)
            for key, indices in tensors.items():
                part, _, source = key.partition("/")
                parts.setdefault(part, {})[source] = indices
            if set(given) != set(saved):
                raise DataError(
                    f"{path} is a split of {', '.join(saved)}, got {', '.join(given)}"
                )
            for name, source in given.items():
                now = _fingerprint(as_dataset(source))
                if other := differences(saved[name], now):
                    lines = "\n".join(other.values())
                    raise DataError(
                        f"{path} is a split of other data ({name}):\n{lines}"
                    )
        return cls(given, parts)

    def _checked(self, part: str, given: Any) -> dict[str, np.ndarray]:
        """Return the indices of a part as arrays, without sources that it has not."""
        if not isinstance(given, Mapping):
            raise ArgumentError(
                f"Split: {part} needs a mapping of the names of sources to indices, "
                f"got {type(given).__name__}"
            )
        checked = {}
        for name, indices in given.items():
            if name not in self.sources:
                raise ArgumentError(
                    f"Split: no source {name!r}{suggest(name, self.sources)}"
                )
            count = len(self.sources[name])
            indices = np.asarray(indices)
            if indices.size:  # an empty list has no type
                checked[name] = rows(indices, count, f"Split: {part} of {name}")
        if not checked:
            raise DataError(f"Split: the part {part!r} is empty")
        return checked

    def _check_apart(self, source: str) -> None:
        """Raise unless each example of a source stands in one part, once."""
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


def train_dev_test(
    data: Any,
    train: float | None = None,
    dev: float | None = None,
    test: float | None = None,
    train_dev: float | None = None,
    *,
    seed: int = 0,
    stratify: bool = False,
    groups: Any = None,
) -> Split:
    """Split data of one source at random.

    Sizes are fractions of all examples (0.2) or counts (500), together all of them.
    Without any, `rule_of_thumb` says them.

    Parameters
    ----------
    data : Dataset, array x or tuple (x, y)
        The whole.
    train : float or int, optional
        By default the rest.
    dev, test : float or int, optional
        By default there is none, when another size is given; nor with 0.
    train_dev : float or int, optional
        How many are taken out of train: a count, or a fraction of train.
    seed : int
        From 0. The same seed gives the same parts.
    stratify, groups
        As in `fastdl.data.split`: the share of each class alike in all parts; no group
        in two parts, whose sizes are then as near as whole groups allow.

    Raises
    ------
    ArgumentError, DataError, ShapeError, DtypeError
        Sizes do not fit, a part would be empty, or as `fastdl.data.split` raises.
    """
    dataset = as_dataset(data)
    if train is None and dev is None and test is None:
        sizes: dict[str, Any] = dict(rule_of_thumb(len(dataset)))
    else:
        sizes = {"train": train, "dev": dev or 0, "test": test or 0}
    counts = counts_of("train_dev_test", sizes, len(dataset))
    parts = _cut(dataset, counts, seed, stratify, groups)
    if train_dev:
        own = parts["train"]
        names = None if groups is None else np.asarray(groups)[own]
        aside = _aside(Subset(dataset, own), train_dev, seed, stratify, names)
        parts |= {name: own[chosen] for name, chosen in aside.items()}
    return Split(dataset, parts)


def split_sources(
    other: Any,
    target: Any,
    target_in_train: float | None = None,
    dev: float | None = None,
    test: float | None = None,
    train_dev: float | None = None,
    *,
    seed: int = 0,
    stratify: bool = False,
    groups: tuple[Any, Any] | None = None,
) -> Split:
    """Split two sources: many examples from elsewhere, and fewer of those that count.

    Dev and test set are of the target alone: they say what is aimed at. All of `other`
    and some of the target are trained on ::

        split = strategy.split_sources(web, mobile, 5_000, dev=2_500, test=2_500)

    Sizes are fractions of the target (0.25) or counts, together all of it. Without any,
    half of it is trained on, and a quarter each is dev and test set.

    Parameters
    ----------
    other, target : Dataset, array x or tuple (x, y)
        The sources, with examples of one shape.
    target_in_train : float or int, optional
        How many of the target are trained on; by default the rest. May be 0.
    dev, test : float or int, optional
        By default there is none, when another size is given.
    train_dev : float or int, optional
        How many are taken out of train, of both sources as they come: a count, or a
        fraction of train.
    seed : int
        From 0. The same seed gives the same parts.
    stratify : bool
        Keep the share of each class of the target alike in train, dev and test, and of
        all in train_dev.
    groups : pair of array_like, optional
        The groups of `other` and of the target: none is in two parts.

    Returns
    -------
    Split
        Of the sources "other" and "target".

    Raises
    ------
    ArgumentError, DataError, ShapeError, DtypeError
        Sizes do not fit, a part would be empty, a group of `other` is in dev or test,
        or as `fastdl.data.split` and `fastdl.data.Concat` raise.
    """
    sources = {"other": as_dataset(other), "target": as_dataset(target)}
    m = len(sources["other"])
    sizes = {"train": target_in_train, "dev": dev or 0, "test": test or 0}
    if target_in_train is None and dev is None and test is None:
        sizes |= {"dev": 0.25, "test": 0.25}
    counts = counts_of("split_sources", sizes, len(sources["target"]))
    of_other, of_target = _pair(groups)
    cut = _cut(sources["target"], counts, seed, stratify, of_target)
    trained = cut.pop("train", np.arange(0))
    if groups is not None:
        group_numbers(of_other, m, "split_sources: other")  # for its checks
        held = np.concatenate([of_target[indices] for indices in cut.values()])
        shared = np.intersect1d(of_other, held).tolist()
        if shared:
            raise DataError(
                f"split_sources: {len(shared)} groups of other are in dev or test too, "
                f"such as {shared[0]!r}; leave their examples out of other"
            )
    parts: dict[str, dict[str, np.ndarray]] = {
        "train": {"other": np.arange(m), "target": trained},
        **{name: {"target": indices} for name, indices in cut.items()},
    }
    if train_dev:
        both, names = sources["other"], of_other
        if len(trained):
            both = Concat(both, Subset(sources["target"], trained))
            if groups is not None:
                names = np.concatenate([of_other, of_target[trained]])
        for name, chosen in _aside(both, train_dev, seed, stratify, names).items():
            of_both = {"other": chosen[chosen < m], "target": chosen[chosen >= m] - m}
            parts[name] = of_both | {"target": trained[of_both["target"]]}
    return Split(sources, parts)


def _cut(
    dataset: Dataset, counts: dict[str, int], seed: int, stratify: bool, groups: Any
) -> dict[str, np.ndarray]:
    """Return the indices of each part that has a size."""
    wanted = {name: count for name, count in counts.items() if count}
    parts = split(dataset, list(wanted.values()), seed, stratify, groups)
    return {name: part.indices for name, part in zip(wanted, parts, strict=True)}


def _aside(
    train: Dataset, train_dev: float, seed: int, stratify: bool, groups: Any
) -> dict[str, np.ndarray]:
    """Return which examples of a training set stay in it, and which are train-dev."""
    counts = counts_of("train_dev", {"train": None, "train_dev": train_dev}, len(train))
    return _cut(train, counts, seed, stratify, groups)


def _pair(groups: Any) -> tuple[Any, Any]:
    if groups is None:
        return None, None
    if not isinstance(groups, (tuple, list)) or len(groups) != 2:
        raise ArgumentError(
            "split_sources: groups must be a pair, the groups of other and those of "
            "the target"
        )
    return np.asarray(groups[0]), np.asarray(groups[1])


def _fingerprint(dataset: Dataset) -> dict[str, Any]:
    """Describe data by what they are: the code that gives them may be another."""
    described = describe_data(dataset)
    described.pop("code", None)
    return described
