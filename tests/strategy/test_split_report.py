"""What makes the parts of a split misleading (SPEC S24)."""

import math

import numpy as np
import pytest

from fastdl.data import ArrayDataset
from fastdl.errors import ArgumentError, ShapeError
from fastdl.strategy import (
    Split,
    examples_needed,
    split_sources,
    standard_error,
    train_dev_test,
)


class Given:
    """A data set that nobody knows anything of but what `take` gives."""

    def __init__(self, x, y):
        self.data, self.y = ArrayDataset(x, y), y
        self.most = 0

    def __len__(self):
        return len(self.data)

    def take(self, indices):
        self.most = max(self.most, len(indices))
        return self.data.take(indices)


def noise(m, *shape, seed=0):
    return np.random.default_rng(seed).random((m, *shape)).astype(np.float32)


def test_class_balance_of_each_part():
    y = np.repeat([0, 1, 5], [600, 300, 100])
    split = train_dev_test((noise(1000, 3), y), dev=200, test=100, stratify=True)
    report = split.report(difference=0.2)
    assert report.classes.tolist() == [0, 1, 5]
    assert {name: counts.tolist() for name, counts in report.counts.items()} == {
        "train": [420, 210, 70],
        "dev": [120, 60, 20],
        "test": [60, 30, 10],
    }
    assert report.problems == []
    lines = str(report).splitlines()
    assert [line.split() for line in (lines[0], lines[2], lines[-3])] == [
        ["train", "dev", "test"],
        ["examples", "700", "200", "100"],
        ["class", "5", "10.0%", "10.0%", "10.0%"],
    ]
    assert lines[-1] == "no problem found"
    assert len({len(line) for line in lines[:-1]}) == 1


def test_classes_that_are_missing_or_shared_otherwise():
    y = np.arange(1000) % 2
    y[:3] = 7
    parts = {"train": np.arange(500), "dev": np.arange(501, 1000, 2)}
    report = Split((noise(1000, 3), y), parts).report(difference=0.5)
    assert report.problems == [
        "dev has no example of class 0, 7",
        "dev has other shares of the classes than train: 100.0% of class 1, train has "
        "49.8%",
    ]


def test_shares_differ_from_five_standard_errors():
    """S24: as a z-test of two shares counts them."""
    train = np.repeat([1, 0], [100, 300])

    def far(ones):
        share, pooled = ones / 200, (100 + ones) / 600
        return (share - 0.25) / math.sqrt(pooled * (1 - pooled) * (1 / 400 + 1 / 200))

    first = next(ones for ones in range(50, 200) if far(ones) > 5)
    for ones, found in ((first - 1, 0), (first, 1)):
        y = np.concatenate([train, np.repeat([1, 0], [ones, 200 - ones])])
        parts = {"train": np.arange(400), "dev": np.arange(400, 600)}
        report = Split((noise(600, 3), y), parts).report(difference=0.5)
        assert len(report.problems) == found


def test_shares_that_differ_by_chance_are_no_problem():
    """S24: of 50 random splits none is blamed, but for what is said of it."""
    y = np.random.default_rng(0).integers(0, 10, 2000)
    x = noise(2000, 2)
    for seed in range(50):
        split = train_dev_test((x, y), dev=300, test=300, seed=seed)
        assert split.report(difference=0.1).problems == []


@pytest.mark.parametrize("kind", ["arrays", "given"])
def test_exact_duplicates_across_parts(kind):
    """S24: by content, also of data that only `take` gives, in small batches."""
    x, y = noise(3000, 70, 70, 1), np.arange(3000) % 3
    x[[2000, 2500, 2501]] = x[7]
    x[2502] = x[2001]
    y[2502] = (y[2001] + 1) % 3
    x[8] = x[7]  # within a part: the first counts
    data = ArrayDataset(x, y) if kind == "arrays" else Given(x, y)
    parts = {
        "train": np.arange(2000),
        "dev": np.arange(2000, 2500),
        "test": np.arange(2500, 3000),
    }
    report = Split(data, parts).report(difference=0.5)
    found = {names: pairs.tolist() for names, pairs in report.duplicates.items()}
    assert found == {
        ("train", "dev"): [[7, 0]],
        ("train", "test"): [[7, 0], [7, 1]],
        ("dev", "test"): [[0, 0], [0, 1], [1, 2]],
    }
    labels = [y[7] != y[2000], y[7] != y[2500], y[7] != y[2501]]
    assert report.relabelled == {
        ("train", "dev"): labels[0],
        ("train", "test"): sum(labels[1:]),
        ("dev", "test"): (y[2000] != y[2500]) + (y[2000] != y[2501]) + 1,
    }
    assert "train has 1 of the 500 examples of dev too" in report.problems[0]
    assert "(dev[0] is train[7])" in report.problems[0]
    if kind == "given":
        assert data.most * x[0].nbytes <= 2**24


def test_duplicates_of_two_sources_kept_in_other_types():
    """Pictures of bytes and the same as real numbers are one picture."""
    bytes_ = np.random.default_rng(0).integers(0, 256, (50, 4, 4, 1), np.uint8)
    reals = bytes_[:20].astype(np.float32) / 255
    for target in (reals, reals.astype(np.float64)):
        split = split_sources(bytes_, target, 10, dev=5, test=5)
        found = split.report(difference=0.9).duplicates
        if target.dtype == np.float32:
            assert len(found["train", "dev"]) == len(found["train", "test"]) == 5
            pairs = found["train", "dev"]
            own = split.indices["dev"]["target"]
            np.testing.assert_array_equal(pairs[:, 0], own[pairs[:, 1]])


def test_minus_zero_is_zero():
    x = np.array([[0.0, 1.0], [-0.0, 1.0]])
    report = Split(x, {"train": [0], "dev": [1]}).report()
    assert len(report.duplicates["train", "dev"]) == 1
    assert report.relabelled == {("train", "dev"): 0}  # there are no labels


def test_without_integer_labels_there_is_no_balance():
    for y in (None, np.linspace(0, 1, 40), np.zeros((40, 2), int)):
        data = ArrayDataset(noise(40, 2), y)
        report = train_dev_test(data, dev=10).report(difference=0.9)
        assert (len(report.classes), report.counts) == (0, {})
        assert report.problems == []


def test_many_classes_are_cut_short():
    y = np.arange(3000) % 100
    report = train_dev_test((noise(3000, 2), y), dev=1000, stratify=True).report()
    assert "and 80 more classes" in str(report)


# Parts that are too small


def test_standard_error():
    """S24: sqrt(p (1 - p) / n)."""
    assert standard_error(0.01, 10_000) == pytest.approx(0.000995, abs=1e-6)
    assert standard_error(0.5, 100) == 0.05
    assert standard_error(0, 10) == standard_error(1, 10) == 0


@pytest.mark.parametrize(
    ("difference", "error", "needed"),
    [(0.001, 0.01, 38_031), (0.01, 0.05, 1_825), (0.01, 0.5, 9_604), (1, 0.1, 1)],
)
def test_examples_needed(difference, error, needed):
    """S24: to see 0.1 % at 1 % error takes 38,031 examples; no fewer do."""
    assert examples_needed(difference, error) == needed
    assert 1.96 * standard_error(error, needed) <= difference * (1 + 1e-4)
    if needed > 1:
        assert 1.9599 * standard_error(error, needed - 1) > difference * (1 - 1e-3)


def test_the_interval_holds_in_95_of_100_cases():
    """The count that is needed is right: a simulation of error rates."""
    n = examples_needed(0.01, 0.05)
    rates = np.random.default_rng(0).binomial(n, 0.05, 20_000) / n
    assert np.mean(np.abs(rates - 0.05) <= 0.01) == pytest.approx(0.95, abs=0.01)


def test_parts_that_cannot_show_the_difference():
    """S24: said with the number that is needed; train is not measured by."""
    split = train_dev_test(noise(4000, 2), dev=1_825, test=1_000, train_dev=50)
    report = split.report()
    assert report.needed == 1_825
    assert report.standard_errors == {
        name: pytest.approx(math.sqrt(0.05 * 0.95 / size))
        for name, size in split.sizes.items()
        if name != "train"
    }
    assert [problem.split()[0] for problem in report.problems] == ["train_dev", "test"]
    assert report.problems[1] == (
        "test is too small to see a difference of 1 % at an error of 5 %: that takes "
        "1,825 examples"
    )
    assert "standard error at 5 %" in str(report)


@pytest.mark.parametrize(
    ("difference", "error", "message"),
    [
        (0, 0.05, "difference must be above 0"),
        (-0.1, 0.05, "difference must be a fraction from 0 to 1"),
        (5, 0.05, "difference must be"),
        (0.01, 1.5, "error must be a fraction"),
        (0.01, float("nan"), "error must be a fraction"),
        (True, 0.05, "difference must be"),
        ("1 %", 0.05, "difference must be"),
    ],
    ids=str,
)
def test_bad_differences(difference, error, message):
    split = train_dev_test(noise(100, 2), dev=10)
    with pytest.raises(ArgumentError, match=message):
        split.report(difference, error)


def test_bad_counts():
    with pytest.raises(ShapeError, match="examples must be an integer >= 1"):
        standard_error(0.1, 0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((noise(9, 2), noise(9, 3)), np.arange(9), r"one array x, .* x\[0\], x\[1\]"),
        (noise(9, 2), {"a": np.arange(9)}, r"one array y, but train has y\['a'\]"),
    ],
    ids=["inputs", "targets"],
)
def test_parts_with_several_inputs_or_targets(x, y, message):
    with pytest.raises(ArgumentError, match=message):
        train_dev_test(ArrayDataset(x, y), dev=3, test=3).report()
