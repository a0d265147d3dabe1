"""data.split (SPEC S24)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl.data import ArrayDataset, Subset, split
from fastdl.errors import ArgumentError, DataError, ShapeError


def sizes(parts):
    return [len(part) for part in parts]


def covers(parts, m):
    return sorted(np.concatenate([part.indices for part in parts])) == list(range(m))


@pytest.mark.parametrize(
    ("m", "fractions", "expected"),
    [
        (10, (0.7, 0.3), [7, 3]),
        (10, (0.6, 0.2, 0.2), [6, 2, 2]),
        (1_000_000, (0.98, 0.01, 0.01), [980_000, 10_000, 10_000]),
        (7, (1 / 3, 1 / 3, 1 / 3), [2, 3, 2]),
        (5, [1.0], [5]),
    ],
    ids=str,
)
def test_fractions(m, fractions, expected):
    """S24: 70/30, 60/20/20, 98/1/1."""
    parts = split(np.zeros(m), fractions)
    assert sizes(parts) == expected
    assert covers(parts, m)


@pytest.mark.parametrize("counts", [(6, 3, 1), (6, -1, 1), np.array([6, 3, 1])])
def test_counts(counts):
    """S24: absolute sizes."""
    parts = split(np.zeros(10), counts)
    assert sizes(parts) == [6, 3, 1]
    assert covers(parts, 10)


def test_seed_fixes_the_parts_and_they_keep_the_order_of_the_data():
    x = np.arange(100)
    first, again, other = (split(x, (0.5, 0.5), seed)[0].x for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (np.diff(first) > 0).all()


def test_which_examples_go_where_is_random():
    """Each example comes into the smaller part as often as its share says."""
    hits = np.zeros(20)
    for seed in range(500):
        hits[split(hits, (15, 5), seed)[1].indices] += 1
    assert hits.min() > 80
    assert hits.max() < 170


def test_stratified_keeps_the_shares():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    for part, m in zip(
        split((np.zeros(1000), y), (0.6, 0.2, 0.2), stratify=True),
        (600, 200, 200),
        strict=True,
    ):
        np.testing.assert_array_equal(np.bincount(part.y), [0.6 * m, 0.3 * m, 0.1 * m])


@settings(max_examples=60, deadline=None)
@given(
    y=st.lists(st.integers(-2, 4), min_size=12, max_size=80),
    weights=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    seed=st.integers(0, 2**63),
)
def test_stratified_sizes_are_exact_and_shares_near(y, weights, seed):
    y = np.array(y)
    counts = [len(y) * weight // sum(weights) for weight in weights[:-1]] + [-1]
    if 0 in counts:
        return
    parts = split((y, y), counts, seed, stratify=True)
    assert sizes(parts)[:-1] == counts[:-1]
    assert covers(parts, len(y))
    for label in np.unique(y):
        for part in parts:
            share = np.mean(y == label) * len(part)
            assert abs(np.sum(part.y == label) - share) < len(parts) - 1


def test_stratified_choice_within_a_class_is_random():
    data = ArrayDataset(np.arange(40), np.repeat([0, 1], 20))
    chosen = {tuple(split(data, (30, 10), seed, True)[1].indices) for seed in range(9)}
    assert len(chosen) == 9


def test_a_part_can_be_split_again():
    whole = ArrayDataset(np.arange(20), np.arange(20) % 2)
    train, dev = split(split(whole, (16, 4))[0], (12, 4), stratify=True)
    assert isinstance(train, Subset)
    assert np.bincount(dev.y).tolist() == [2, 2]


@pytest.mark.parametrize(
    ("given_sizes", "message"),
    [
        ((0.5, 0.4), "sum to 1"),
        ((0.5, np.nan), "sum to 1"),
        ((1.5, -0.5), "every part needs an example"),
        ((0.99, 0.01), "every part needs an example"),
        ((6, 5), "sum to 11"),
        ((-1, -1), "sum to -2"),
        ((-1, 10), "every part needs an example"),
        ((10, 0), "every part needs an example"),
        (0.2, "such as"),
        ((), "such as"),
        ("half", "such as"),
        (((1, 2), 3), "such as"),
        ((True, False), "such as"),
    ],
    ids=str,
)
def test_bad_sizes(given_sizes, message):
    with pytest.raises(ArgumentError, match=message):
        split(np.zeros(10), given_sizes)


def test_bad_seed():
    with pytest.raises(ShapeError, match="split: seed"):
        split(np.zeros(10), (5, 5), seed=-1)


@pytest.mark.parametrize(
    "y",
    [None, np.linspace(0, 1, 10), np.zeros((10, 1), int)],
    ids=["none", "float", "two axes"],
)
def test_stratify_needs_labels(y):
    data = ArrayDataset(np.zeros(10), y)
    with pytest.raises(DataError, match="stratify needs integer labels"):
        split(data, (5, 5), stratify=True)
