"""Train, dev and test sets from one source or two: sizes and sources (SPEC S24).

Dev and test set are drawn from the data that matter, the target, and stay the same
while models change. A part of the training set, train-dev, is held out: its error,
between those of train and dev, tells variance from data mismatch.

Source: Ng, *Machine Learning Yearning*, 2018, chapters 5 to 12 and 36 to 42.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from fastdl.data import Concat, DataLike, Dataset, Subset, as_dataset, split
from fastdl.data.strata import group_numbers
from fastdl.errors import ArgumentError, DataError
from fastdl.strategy.sizes import counts_of, rule_of_thumb
from fastdl.strategy.split import Split
from fastdl.typing import ArrayLike

Groups: TypeAlias = tuple[ArrayLike | None, ArrayLike | None]


def train_dev_test(
    data: DataLike,
    train: float | None = None,
    dev: float | None = None,
    test: float | None = None,
    train_dev: float | None = None,
    *,
    seed: int = 0,
    stratify: bool = False,
    groups: ArrayLike | None = None,
) -> Split:
    """Split data of one source at random.

    Sizes are fractions of all examples (0.2) or counts (500), and sum to all of them.
    By default they follow `rule_of_thumb`.

    Parameters
    ----------
    data : Dataset, array x or tuple (x, y)
        The whole.
    train : float or int, optional
        By default the rest.
    dev, test : float or int, optional
        None or 0 means no such part, if another size is given.
    train_dev : float or int, optional
        How many to take out of train: a count, or a fraction of train.
    seed : int
        From 0. The same seed gives the same parts.
    stratify, groups
        As in `fastdl.data.split`: the same shares of the classes in all parts; no group
        in two parts, whose sizes are then as close as whole groups allow.

    Raises
    ------
    ArgumentError, DataError, ShapeError, DtypeError
        Sizes do not fit, a part would be empty, or what `fastdl.data.split` raises.
    """
    dataset = as_dataset(data)
    if train is None and dev is None and test is None:
        sizes: dict[str, float | None] = dict(rule_of_thumb(len(dataset)))
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
    other: DataLike,
    target: DataLike,
    target_in_train: float | None = None,
    dev: float | None = None,
    test: float | None = None,
    train_dev: float | None = None,
    *,
    seed: int = 0,
    stratify: bool = False,
    groups: Groups | None = None,
) -> Split:
    """Split two sources: many examples from elsewhere, and fewer of those that matter.

    Dev and test set are from the target alone: they define the goal. All of `other` and
    some of the target are for training ::

        split = strategy.split_sources(web, mobile, 5_000, dev=2_500, test=2_500)

    Sizes are fractions of the target (0.25) or counts, and sum to all of it. By default
    half of it is for training, and a quarter each for dev and test.

    Parameters
    ----------
    other, target : Dataset, array x or tuple (x, y)
        The sources, with examples of one shape.
    target_in_train : float or int, optional
        How many examples of the target are for training; by default the rest. May be 0.
    dev, test : float or int, optional
        By default there is none, when another size is given.
    train_dev : float or int, optional
        How many to take out of train, from both sources at random: a count, or a
        fraction of train.
    seed : int
        From 0. The same seed gives the same parts.
    stratify : bool
        Whether the classes of the target have the same shares in train, dev and test,
        and all classes in train_dev.
    groups : pair of array_like, optional
        The groups of `other` and of the target; none is in two parts.

    Returns
    -------
    Split
        With the sources "other" and "target".

    Raises
    ------
    ArgumentError, DataError, ShapeError, DtypeError
        Sizes do not fit, a part would be empty, a group of `other` is in dev or test,
        or what `fastdl.data.split` and `fastdl.data.Concat` raise.
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
    if of_other is not None and of_target is not None:
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
            if of_other is not None and of_target is not None:
                names = np.concatenate([of_other, of_target[trained]])
        for name, chosen in _aside(both, train_dev, seed, stratify, names).items():
            of_both = {"other": chosen[chosen < m], "target": chosen[chosen >= m] - m}
            parts[name] = of_both | {"target": trained[of_both["target"]]}
    return Split(sources, parts)


def _cut(
    dataset: Dataset,
    counts: dict[str, int],
    seed: int,
    stratify: bool,
    groups: ArrayLike | None,
) -> dict[str, np.ndarray]:
    """Return the indices of each part that has a size."""
    wanted = {name: count for name, count in counts.items() if count}
    parts = split(dataset, list(wanted.values()), seed, stratify, groups)
    return {name: part.indices for name, part in zip(wanted, parts, strict=True)}


def _aside(
    train: Dataset,
    train_dev: float,
    seed: int,
    stratify: bool,
    groups: ArrayLike | None,
) -> dict[str, np.ndarray]:
    """Return which examples of a training set stay in it, and which are train-dev."""
    counts = counts_of("train_dev", {"train": None, "train_dev": train_dev}, len(train))
    return _cut(train, counts, seed, stratify, groups)


def _pair(
    groups: Groups | None,
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    if groups is None:
        return None, None
    if not isinstance(groups, (tuple, list)) or len(groups) != 2:
        raise ArgumentError(
            "split_sources: groups must be a pair, the groups of other and those of "
            "the target"
        )
    return np.asarray(groups[0]), np.asarray(groups[1])
