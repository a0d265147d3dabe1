"""Suspect labels by out-of-fold answers (S30)."""

import numpy as np
import pytest

from fastdl import strategy
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError

# Confident Learning by hand. Mean probability of the own label: 0.55 for both classes.
LABELS = [0, 0, 1, 1]
ANSWERS = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]]


def simulate(matrix, m=6000, confused=0.1, seed=0):
    """Return labels, answers and true classes, of an ideal network.

    Classes 0 and 1 look alike: the share `confused` of their examples gets about even
    answers. Labels go wrong as the matrix says, rows true, columns given.
    """
    rng = np.random.default_rng(seed)
    classes = len(matrix)
    likely = rng.integers(0, classes, m)
    p = np.full((m, classes), 2e-4)
    p[np.arange(m), likely] = 1
    unsure = (likely < 2) & (rng.random(m) < confused)
    p[unsure, :2] = rng.dirichlet((1, 1), unsure.sum())
    p /= p.sum(axis=1, keepdims=True)
    true = (rng.random((m, 1)) < p.cumsum(axis=1)).argmax(axis=1)
    noisy = np.array(matrix)[true]
    labels = (rng.random((m, 1)) < noisy.cumsum(axis=1)).argmax(axis=1)
    return labels, p @ np.array(matrix), true


def uniform(classes, rate):
    matrix = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(matrix, 1 - rate)
    return matrix


def one_way(classes, true, given, rate):
    matrix = np.eye(classes)
    matrix[true, [true, given]] = 1 - rate, rate
    return matrix


def share_found(suspects, wrong):
    first = suspects.indices[: int(1.2 * wrong.sum())]
    return wrong[first].sum() / wrong.sum()


def test_confident_joint_by_hand():
    """S30."""
    found = strategy.suspect_labels(LABELS, ANSWERS)
    assert found.confident_joint.tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("by", "scores"), [("margin", [0.6, 0.2]), ("self_confidence", [0.8, 0.6])]
)
def test_confident_learning_by_hand(by, scores):
    """S30: examples 1 and 3 disagree confidently."""
    found = strategy.suspect_labels(LABELS, ANSWERS, by=by)
    assert found.indices.tolist() == [1, 3]
    assert found.given.tolist() == [0, 1]
    assert found.suggested.tolist() == [1, 0]
    np.testing.assert_allclose(found.score, scores)


def test_unsure_answers_are_no_confident_disagreement():
    """S30: 0.6 for another class is less than the 0.9 that class usually gets."""
    labels = [0, 0, 1, 1, 1]
    answers = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.6, 0.4]]
    found = strategy.suspect_labels(labels, answers, by="margin")
    assert len(found) == 0
    assert found.confident_joint.tolist() == [[2, 0], [0, 2]]


def test_random_noise():
    """S30."""
    labels, p, true = simulate(uniform(6, 0.05))
    found = strategy.suspect_labels(labels, p)
    assert found.kind == "random"
    assert found.pairs == ()
    assert found.p_value > 0.01
    assert found.noise_rate == pytest.approx(0.05, abs=0.015)
    wrong = labels != true
    assert share_found(found, wrong) > 0.9
    right = found.suggested[:200] == true[found.indices[:200]]
    assert right.mean() > 0.95


def test_weak_networks_are_told():
    """S30: their own mistakes look like wrong labels."""
    labels, p, _ = simulate(uniform(6, 0.05))
    found = strategy.suspect_labels(labels, p)
    assert found.agreement == (p.argmax(axis=1) == labels).mean() > 0.85
    assert "answers agree" not in str(found)
    weak = strategy.suspect_labels(labels, 0.6 * np.roll(p, 1, axis=1) + 0.4 * p)
    assert weak.agreement < 0.2
    assert "the answers agree with " in str(weak)
    assert "of the labels only" in str(weak)


def test_systematic_noise_is_found_where_confident_learning_fails():
    """S30: two fifths of class 3 are labelled 0, which is often confused with 1.

    The answers have learned it: to an example of class 3 they say 0 with probability
    0.4, more than to many a 0 that looks like a 1.
    """
    labels, p, true = simulate(one_way(6, 3, 0, 0.4), confused=0.6)
    wrong = labels != true
    found = strategy.suspect_labels(labels, p)
    assert found.kind == "systematic"
    [pair] = found.pairs
    assert (pair.true, pair.given) == (3, 0)
    assert pair.share == pytest.approx(0.4, abs=0.06)
    assert pair.examples == pytest.approx(wrong.sum(), rel=0.3)
    assert pair.p_value == found.p_value < 1e-6
    assert share_found(found, wrong) > 0.95
    assert share_found(strategy.suspect_labels(labels, p, by="margin"), wrong) < 0.8


@pytest.mark.parametrize("confused", [0.0, 0.5, 1.0])
def test_natural_confusion_is_no_noise(confused):
    """S30: nothing is wrong; at 1.0 classes 0 and 1 can't be told apart at all."""
    labels, p, _ = simulate(np.eye(6), confused=confused)
    found = strategy.suspect_labels(labels, p)
    assert found.kind == "random"
    assert len(found) <= 60


def test_the_joint_is_a_share_of_all_examples():
    """S30: the estimated noise for each pair of given label and true class."""
    labels, p, true = simulate(one_way(4, 2, 1, 0.3), confused=0)
    found = strategy.suspect_labels(labels, p)
    assert found.joint.sum() == pytest.approx(1)
    share = np.mean((labels == 1) & (true == 2))
    assert found.joint[1, 2] == pytest.approx(share, abs=0.02)
    assert found.noise_rate == pytest.approx(share, abs=0.02)


def test_scores_are_probabilities_of_a_wrong_label():
    """S30: among the examples with a score near s, about s are wrong."""
    labels, p, true = simulate(uniform(3, 0.1), m=20_000, confused=0.6)
    found = strategy.suspect_labels(labels, p)
    wrong = labels != true
    assert found.scores.min() >= 0
    assert found.scores.max() <= 1
    assert (found.score > 0.1).all()
    assert (np.diff(found.score) <= 0).all()
    assert found.scores.sum() == pytest.approx(wrong.sum(), rel=0.25)


def test_same_input_same_ranking():
    labels, p, _ = simulate(uniform(4, 0.1), m=500)
    first, again = (strategy.suspect_labels(labels, p) for _ in range(2))
    np.testing.assert_array_equal(first.indices, again.indices)


def test_float32_and_read_only_input():
    labels, p, _ = simulate(uniform(4, 0.1), m=500)
    p = p.astype(np.float32)
    for array in (labels, p):
        array.setflags(write=False)
    assert len(strategy.suspect_labels(labels.astype(np.uint8), p)) > 10


def test_print_is_a_table():
    """S30: the report."""
    labels, p, _ = simulate(one_way(3, 2, 0, 0.3), confused=0)
    text = str(strategy.suspect_labels(labels, p, ["cat", "dog", "owl"]))
    assert "suspect labels among 6,000; about" in text
    assert "% of 'owl' are labelled 'cat' (p = " in text
    lines = [line.split() for line in text.splitlines()]
    assert ["given", "label", "true", "class", "of", "all", "about"] in lines
    assert any(line[:2] == ["cat", "owl"] for line in lines)
    assert ["index", "given", "label", "suggested", "score"] in lines
    assert any(line[1:3] == ["cat", "owl"] for line in lines)


def test_print_of_clean_labels():
    text = str(strategy.suspect_labels([0, 1, 1], [[1, 0], [0, 1], [0.1, 0.9]]))
    assert text.startswith(
        "0 suspect labels among 3; about 0 % of all labels are wrong"
    )
    assert "random: no class is labelled as one other" in text


@pytest.mark.parametrize("by", ["posterior", "margin", "self_confidence"])
def test_degenerate(by):
    """A single example; a class without labels; a class that nobody answers."""
    one = strategy.suspect_labels([1], [[0.9, 0.1]], by=by)
    assert one.examples == 1
    p = np.full((6, 4), 0.1)
    p[:, 0] = 0.7
    found = strategy.suspect_labels([0, 0, 0, 2, 2, 2], p, by=by)
    assert np.isfinite(found.scores).all()
    assert found.joint.sum() == pytest.approx(1)
    sure = np.eye(3)[[0, 1, 2, 0]]
    found = strategy.suspect_labels([0, 1, 2, 1], sure, by=by)
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize(
    ("labels", "probabilities", "error", "message"),
    [
        ([], np.empty((0, 2)), DataError, "there are no examples"),
        ([0], [0.5, 0.5], ShapeError, r"expected probabilities \(m, classes\)"),
        ([0], [[1.0]], ShapeError, "two classes at least"),
        ([0, 1], [[0.5, 0.5]], ShapeError, "expected labels of shape"),
        ([2], [[0.5, 0.5]], ArgumentError, "labels from 0 to 1, got 2"),
        ([-1], [[0.5, 0.5]], ArgumentError, "got -1"),
        ([0.0], [[0.5, 0.5]], DtypeError, "integer labels"),
        ([[1, 0]], [[0.5, 0.5]], ShapeError, "argmax"),
        ([0], [[0.5, 0.6]], ArgumentError, "row 0 of the probabilities sums to 1.1"),
        ([0], [[3.0, -2.0]], ArgumentError, "not logits"),
        ([0], [[np.nan, 1]], ArgumentError, "got nan"),
    ],
)
def test_bad_input(labels, probabilities, error, message):
    with pytest.raises(error, match=message):
        strategy.suspect_labels(labels, probabilities)


def test_unknown_ranking():
    with pytest.raises(ArgumentError, match="did you mean 'margin'"):
        strategy.suspect_labels(LABELS, ANSWERS, by="margins")


def test_names_of_other_classes():
    with pytest.raises(ShapeError, match="3 names of classes"):
        strategy.suspect_labels(LABELS, ANSWERS, classes="abc")


def test_all_of_them_are_no_power_of_ten():
    labels = np.arange(60) % 3
    found = strategy.suspect_labels(labels, np.eye(3)[(labels + 1) % 3])
    assert "about 100 % of all labels" in found.summary()
    assert "e+" not in found.summary().replace("e-", "")
    with pytest.raises(ArgumentError, match="names of the labels, got 3"):
        strategy.suspect_labels(labels, np.eye(3)[labels], 3)
