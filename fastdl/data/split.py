"""Train, dev and test sets from one source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastdl.data.dataset import DataLike, Subset, as_dataset
from fastdl.data.groups import deal
from fastdl.data.strata import class_labels, group_numbers
from fastdl.errors import ArgumentError
from fastdl.shapes import integer
from fastdl.typing import ArrayLike


def split(
    data: DataLike,
    sizes: Sequence[float] | Sequence[int],
    seed: int = 0,
    stratify: bool = False,
    groups: ArrayLike | None = None,
) -> tuple[Subset, ...]:
    """Split a data set at random into parts that share no example.

    Parameters
    ----------
    data : Dataset, array x or tuple (x, y)
        The whole, m examples.
    sizes : sequence of float or of int
        Fractions that sum to 1, such as ``(0.6, 0.2, 0.2)``, or counts that sum
        to m, such as ``(50_000, 10_000)``; one count may be -1, "the rest".
        Fractions are rounded so that the parts sum to m.
    seed : int
        From 0. The same seed gives the same parts.
    stratify : bool
        Give every part the same share of each class. Needs integer labels y (m,).
        The sizes stay exact; the count of a class in a part differs from its share
        by less than ``len(sizes) - 1``: with two parts, by less than one example.
    groups : array_like, (m,), optional
        What the examples of one group have in common, integers or texts, such as the
        writer. No group is divided. The sizes are then as close as whole groups allow,
        or, for many groups, such that moving one group or exchanging two brings them no
        closer. With `stratify` the same goes for the count of each class in each part.

    Returns
    -------
    tuple of Subset
        One for each size. Each keeps the order of the data.

    Raises
    ------
    ArgumentError
        For sizes that do not fit the data or leave a part empty, or for fewer groups
        than parts.
    DataError
        For labels that cannot be stratified, or groups that are neither integers nor
        texts.
    ShapeError
        For a seed that is not an integer >= 0, or when the number of groups is not the
        number of examples.
    """
    dataset = as_dataset(data)
    counts = _counts(sizes, len(dataset), "split: sizes")
    rng = np.random.default_rng(integer(seed, "split: seed", 0))
    labels = class_labels(dataset, "split: stratify") if stratify else None
    if groups is None:
        parts = _single(len(dataset), labels, counts, rng)
    else:
        parts = _whole_groups(groups, len(dataset), labels, counts, rng)
    return tuple(Subset(dataset, np.sort(part)) for part in parts)


def random_split(
    dataset: DataLike, lengths: Sequence[float] | Sequence[int], seed: int = 0
) -> tuple[Subset, ...]:
    """Split a data set at random: `split` by its name in PyTorch.

    Parameters
    ----------
    dataset : Dataset, array x or tuple (x, y)
        The whole, m examples.
    lengths : sequence of float or of int
        Fractions that sum to 1, or counts that sum to m.
    seed : int
        From 0. The same seed gives the same parts.

    Returns
    -------
    tuple of Subset
        One for each length. Each keeps the order of the data.

    Raises
    ------
    ArgumentError, ShapeError, DataError
        As `split`.
    """
    whole = as_dataset(dataset)
    counts = _counts(lengths, len(whole), "random_split: lengths")
    return split(whole, counts, integer(seed, "random_split: seed", 0))


def _single(
    m: int, labels: np.ndarray | None, counts: list[int], rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the examples of each part, drawn one by one."""
    rest = rng.permutation(m)
    if labels is not None:
        # Stable: within its class every example keeps its random place.
        rest = rest[np.argsort(labels[rest], kind="stable")]
    parts = []
    for count in counts[:-1]:
        # `count` picks at even steps: each class, a run in `rest`, gets its share.
        steps = np.arange(len(rest) + 1) * count // len(rest)
        chosen = np.diff(steps) > 0
        parts.append(rest[chosen])
        rest = rest[~chosen]
    return [*parts, rest]


def _whole_groups(
    groups: ArrayLike,
    m: int,
    labels: np.ndarray | None,
    counts: list[int],
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Return the examples of each part, keeping every group whole."""
    group = group_numbers(groups, m, "split")
    if group.max() + 1 < len(counts):
        raise ArgumentError(
            f"split: {len(counts)} parts need as many groups, there are "
            f"{group.max() + 1}"
        )
    part = deal(group, labels, counts, rng)
    return [np.flatnonzero(part == number) for number in range(len(counts))]


def _counts(sizes: Sequence[float] | Sequence[int], total: int, name: str) -> list[int]:
    try:
        array = np.asarray(sizes)
    except ValueError:  # rows of different lengths
        array = np.empty(())
    if array.ndim != 1 or array.dtype.kind not in "iuf" or array.size == 0:
        raise ArgumentError(
            f"{name} must be fractions such as (0.8, 0.2) or counts such as "
            f"(-1, 500), got {sizes!r}"
        )
    if array.dtype.kind == "f":
        if not abs(array.sum() - 1) < 1e-6:  # also for NaN
            raise ArgumentError(f"{name}: fractions must sum to 1, got {sizes!r}")
        # Rounding the cumulative sums keeps the total and errs by at most one.
        ends = np.rint(np.cumsum(array / array.sum()) * total).astype(int)
        counts = np.diff(ends, prepend=0)
    else:
        counts = array.astype(int)
        if np.count_nonzero(counts == -1) == 1:
            counts[counts == -1] = total - (counts.sum() + 1)
        elif counts.sum() != total:
            raise ArgumentError(
                f"{name}: counts {sizes!r} sum to {counts.sum()}, but there are "
                f"{total} examples; -1 stands for the rest"
            )
    if counts.min() < 1:
        raise ArgumentError(
            f"{name}: every part needs an example, but {sizes!r} of {total} examples "
            f"gives {counts.tolist()}"
        )
    return counts.tolist()
