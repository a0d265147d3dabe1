"""Assigns whole groups to parts: all pictures of a writer stay together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_ALL_WAYS = 2**14  # of assigning the groups: up to this many are all tried
_TOGETHER = 100  # groups of a part that are tried; chosen at random among more
_GAIN = 1e-9  # of chi-square: a smaller one is not worth a move


def deal(
    group: np.ndarray,
    labels: np.ndarray | None,
    sizes: Sequence[float],
    rng: np.random.Generator,
) -> np.ndarray:
    """Assign each group to a part, so that the parts come close to the wanted sizes.

    Closeness is Pearson's chi-square: the sum of (count - wanted)^2 / wanted over parts
    and classes. With few groups every assignment is tried. With more, a random one is
    improved until no move of a group and no exchange of two helps; of a part with more
    than 100 groups, 100 random ones are considered.

    Parameters
    ----------
    group : ndarray of int, (m,)
        The group of each example, numbered from 0 without gaps.
    labels : ndarray of int, (m,), or None
        The classes, whose shares should be the same in all parts.
    sizes : sequence of float
        How many examples each part should have, above 0. There are at least as many
        groups as parts.
    rng : Generator
        Chooses among equally good assignments.

    Returns
    -------
    ndarray of int, (m,)
        The part of each example. Every part has at least one group.
    """
    table = _table(group, labels)
    groups, parts = len(table), len(sizes)
    wanted = np.outer(sizes, table.sum(axis=0) / table.sum())
    order = rng.permutation(groups)
    # Not parts**groups: that number may have as many digits as there are groups.
    few = groups * np.log(parts) <= np.log(_ALL_WAYS)
    part = np.empty(groups, np.intp)
    part[order] = (_best_of_all if few else _improved)(table[order], wanted, rng)
    return part[group]


def _table(group: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Return how many examples of each class each group has, (groups, classes)."""
    if labels is None:
        return np.bincount(group)[:, np.newaxis]
    classes, label = np.unique(labels, return_inverse=True)
    shape = (int(group.max()) + 1, len(classes))
    counts = np.bincount(group * len(classes) + label, minlength=math.prod(shape))
    return counts.reshape(shape)


def _best_of_all(
    table: np.ndarray, wanted: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    groups, parts = len(table), len(wanted)
    ways = np.arange(parts**groups)[:, np.newaxis] // parts ** np.arange(groups) % parts
    cost = np.zeros(len(ways))
    for part in range(parts):
        members = ways == part
        cost += ((members @ table - wanted[part]) ** 2 / wanted[part]).sum(axis=1)
        cost[~members.any(axis=1)] = np.inf
    return ways[rng.choice(np.flatnonzero(cost <= cost.min() + _GAIN))]


def _improved(
    table: np.ndarray, wanted: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return a random assignment that no move or exchange improves."""
    table = table.astype(np.float64)  # which NumPy multiplies fast
    part = _cut(table.sum(axis=1), wanted.sum(axis=1))
    off = -wanted
    np.add.at(off, part, table)
    better = True
    while better:
        mixed = rng.permutation(len(table))
        # As many from each part: otherwise most would be from the largest one.
        some = np.concatenate(
            [mixed[part[mixed] == each][:_TOGETHER] for each in range(len(wanted))]
        )
        better = _exchange(table[some], part, some, off, wanted)
    return part


def _exchange(
    table: np.ndarray,
    part: np.ndarray,
    some: np.ndarray,
    off: np.ndarray,
    wanted: np.ndarray,
) -> bool:
    """Move and exchange some groups while that helps; return whether it did.

    `part`, of all groups, and `off`, the surplus of examples in each part, are changed
    in place.
    """
    rows = np.arange(len(some))
    own = part[some]
    squares = table**2 @ (1 / wanted).T  # (some, parts)
    # (d + v)^2 - d^2 = 2 d v + v^2, for a surplus d before v more arrive.
    slopes = 2 * table @ (off / wanted).T
    # One leaves before the other arrives: the two changes are not independent.
    shared = (table / wanted[own]) @ table.T
    better = False
    while True:
        leaves = squares[rows, own] - slopes[rows, own]
        enters = squares + slopes
        enters[rows, own] = np.inf
        alone = np.bincount(part, minlength=len(wanted))[own] == 1
        moves = np.where(alone, np.inf, leaves)[:, np.newaxis] + enters
        swaps = leaves[:, np.newaxis] + enters[:, own]
        swaps += swaps.T - 2 * (shared + shared.T)
        if min(moves.min(), swaps.min()) > -_GAIN:
            return better
        better = True
        if moves.min() <= swaps.min():
            first, to = np.unravel_index(moves.argmin(), moves.shape)
            changed, parts = [first], [to]
        else:
            first, second = np.unravel_index(swaps.argmin(), swaps.shape)
            changed, parts = [first, second], [own[second], own[first]]
        for group, to in zip(changed, parts, strict=True):
            off[own[group]] -= table[group]
            off[to] += table[group]
            part[some[group]] = to
        # With many classes these products are slow: recompute only what has changed.
        touched = [*own[changed], *parts]
        slopes[:, touched] = 2 * table @ (off[touched] / wanted[touched]).T
        own = part[some]
        shared[changed] = (table[changed] / wanted[own[changed]]) @ table.T


def _cut(sizes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Cut the groups, in their order, into one run for each part."""
    middles = np.cumsum(sizes) - sizes / 2
    part = np.searchsorted(np.cumsum(wanted)[:-1], middles)
    for empty in np.setdiff1d(np.arange(len(wanted)), part):
        counts = np.bincount(part, minlength=len(wanted))
        part[np.flatnonzero(counts[part] > 1)[-1]] = empty
    return part
