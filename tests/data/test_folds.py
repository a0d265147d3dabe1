"""data.folds: every example is held out once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl.data import ArrayDataset, Subset, folds, split
from fastdl.errors import ArgumentError, DataError, ShapeError


def held_out_once(pairs, m):
    """Whether the folds cover all the examples, and each trains on all others."""
    everyone = np.arange(m)
    return sorted(np.concatenate([held.indices for _, held in pairs])) == list(
        everyone
    ) and all(
        np.array_equal(train.indices, np.setdiff1d(everyone, held.indices))
        for train, held in pairs
    )


@pytest.mark.parametrize(
    ("m", "k", "sizes"),
    [
        (10, 5, [2] * 5),
        (11, 3, [4, 4, 3]),
        (4, 4, [1] * 4),
        (2, 2, [1, 1]),
    ],
)
def test_sizes(m, k, sizes):
    pairs = folds(np.zeros(m), k)
    assert all(isinstance(part, Subset) for pair in pairs for part in pair)
    assert [len(held) for _, held in pairs] == sizes
    assert held_out_once(pairs, m)


def test_five_folds_by_default():
    assert len(folds(np.zeros(100))) == 5


def test_seed_fixes_the_folds_and_they_keep_the_order_of_the_data():
    x = np.arange(100)
    first, again, other = (folds(x, 4, seed)[2][1].x for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (np.diff(first) > 0).all()


def test_which_examples_are_held_out_together_is_random():
    """The first example meets each of the others about as often."""
    met = np.zeros(20)
    for seed in range(500):
        held = next(h for _, h in folds(met, 4, seed) if 0 in h.indices)
        met[held.indices] += 1
    assert met[1:].min() > 70
    assert met[1:].max() < 150


@settings(max_examples=60, deadline=None)
@given(
    y=st.lists(st.integers(-2, 4), min_size=6, max_size=80),
    k=st.integers(2, 6),
    seed=st.integers(0, 2**63),
)
def test_stratified_counts_differ_by_one_at_most(y, k, seed):
    y = np.array(y)
    pairs = folds((y, y), k, seed, stratify=True)
    assert held_out_once(pairs, len(y))
    assert np.ptp([len(held) for _, held in pairs]) <= 1
    for label in np.unique(y):
        assert np.ptp([np.sum(held.y == label) for _, held in pairs]) <= 1


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.integers(-3, 9), min_size=12, max_size=80),
    k=st.integers(2, 4),
    seed=st.integers(0, 2**63),
    stratify=st.booleans(),
)
def test_groups_are_never_divided(groups, k, seed, stratify):
    groups = np.array(groups)
    if len(np.unique(groups)) < k:
        return
    y = np.arange(len(groups)) % 3
    pairs = folds((y, y), k, seed, stratify, groups)
    assert held_out_once(pairs, len(y))
    for train, held in pairs:
        assert len(held)
        assert not set(groups[train.indices]) & set(groups[held.indices])


def test_groups_balance_the_sizes():
    groups = np.repeat(np.arange(40), np.arange(1, 41))  # 820 examples
    sizes = [len(held) for _, held in folds(np.zeros(820), 4, groups=groups)]
    assert np.ptp(sizes) <= 4


def test_stratified_groups_balance_the_classes():
    """Writers of whom each writes mostly one letter."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 20)
    y = np.where(rng.random(1200) < 0.8, groups % 3, rng.integers(0, 3, 1200))
    for _, held in folds((y, y), 5, stratify=True, groups=groups):
        shares = np.bincount(held.y, minlength=3) / len(held)
        np.testing.assert_allclose(shares, np.bincount(y) / 1200, atol=0.05)
        assert len(held) == 240


def test_groups_may_be_texts():
    names = np.array(["ann", "bob", "ann", "cid", "bob", "dee"])
    for each in (names, names.astype(object), list(names)):
        pairs = folds(np.zeros(6), 2, groups=each)
        assert held_out_once(pairs, 6)
        assert not any(
            set(names[train.indices]) & set(names[held.indices])
            for train, held in pairs
        )


def test_a_part_can_be_divided():
    whole = ArrayDataset(np.arange(20), np.arange(20) % 2)
    train, _ = split(whole, (12, 8), stratify=True)
    for _, held in folds(train, 3, stratify=True):
        assert np.bincount(held.y).tolist() == [2, 2]


@pytest.mark.parametrize("k", [1, 0, -2, 2.0, "five", True])
def test_bad_k(k):
    with pytest.raises(ShapeError, match="folds: k must be an integer >= 2"):
        folds(np.zeros(10), k)


def test_bad_seed():
    with pytest.raises(ShapeError, match="folds: seed"):
        folds(np.zeros(10), seed=-1)


@pytest.mark.parametrize("m", [0, 1, 4])
def test_more_folds_than_examples(m):
    with pytest.raises(ArgumentError, match=f"as many examples, there are {m}"):
        folds(np.zeros(m))


def test_more_folds_than_groups():
    with pytest.raises(ArgumentError, match="3 folds need as many groups, there are 2"):
        folds(np.zeros(10), 3, groups=np.arange(10) % 2)


@pytest.mark.parametrize("groups", [np.zeros(9, int), np.zeros((10, 1), int), 3])
def test_groups_need_one_for_each_example(groups):
    with pytest.raises(ShapeError, match=r"folds: expected groups of shape \(10,\)"):
        folds(np.zeros(10), 2, groups=groups)


@pytest.mark.parametrize(
    "groups", [np.linspace(0, 1, 10), [None] * 10, ["ann", 1, *"abcdefgh", None][:10]]
)
def test_groups_are_integers_or_texts(groups):
    if isinstance(groups, list):
        groups = np.array(groups, object)
    with pytest.raises(DataError, match="groups must be integers or texts"):
        folds(np.zeros(10), 2, groups=groups)


@pytest.mark.parametrize(
    "y",
    [None, np.linspace(0, 1, 10), np.zeros((10, 1), int)],
    ids=["none", "float", "two axes"],
)
def test_stratify_needs_labels(y):
    data = ArrayDataset(np.zeros(10), y)
    with pytest.raises(DataError, match="folds: stratify needs integer labels"):
        folds(data, 2, stratify=True)
