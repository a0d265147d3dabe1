"""k-fold parts: every example is held out once."""

from __future__ import annotations

import numpy as np

from fastdl.data.dataset import DataLike, Subset, as_dataset
from fastdl.data.groups import deal
from fastdl.data.strata import class_labels, group_numbers
from fastdl.errors import ArgumentError
from fastdl.shapes import integer
from fastdl.typing import ArrayLike


def folds(
    data: DataLike,
    k: int = 5,
    seed: int = 0,
    stratify: bool = False,
    groups: ArrayLike | None = None,
) -> list[tuple[Subset, Subset]]:
    """Divide a data set into k folds, each held out once from the others.

    ::

        for train, held_out in data.folds(digits.train, 5, stratify=True):
            ...

    Parameters
    ----------
    data : Dataset, array x or tuple (x, y)
        The whole, m examples.
    k : int
        How many folds: from 2 to m, or to the number of groups.
    seed : int
        From 0. The same seed gives the same folds.
    stratify : bool
        Give every fold the same share of each class; needs integer labels y (m,). The
        counts of a class in two folds differ by at most one.
    groups : array_like, (m,), optional
        What the examples of one group have in common, integers or texts, such as the
        writer. No group is divided: its examples are held out together. The sizes of
        the folds, and with `stratify` the counts of each class, are then as equal as
        whole groups allow, as in `split`.

    Returns
    -------
    list of (Subset, Subset)
        k pairs (train, held_out). Each keeps the order of the data. Without groups the
        sizes of the held-out parts differ by at most one.

    Raises
    ------
    ArgumentError
        There are fewer examples, or groups, than folds.
    DataError
        Labels cannot be stratified, or groups are neither integers nor texts.
    ShapeError
        k is not an integer >= 2, the seed not an integer >= 0, or the number of groups
        is not the number of examples.
    """
    dataset = as_dataset(data)
    m, k = len(dataset), integer(k, "folds: k", 2)
    rng = np.random.default_rng(integer(seed, "folds: seed", 0))
    labels = class_labels(dataset, "folds: stratify") if stratify else np.zeros(m, int)
    numbers = None if groups is None else group_numbers(groups, m, "folds")
    units, what = (
        (m, "examples") if numbers is None else (len(np.unique(numbers)), "groups")
    )
    if units < k:
        raise ArgumentError(f"folds: {k} folds need as many {what}, there are {units}")
    if numbers is None:
        fold = _deal(labels, k, rng)
    else:
        fold = deal(numbers, labels, [m / k] * k, rng)
    return [
        (Subset(dataset, fold != number), Subset(dataset, fold == number))
        for number in range(k)
    ]


def _deal(labels: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each example: dealt out like cards, one class at a time."""
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), int)
    fold[order] = np.arange(len(labels)) % k
    return fold
