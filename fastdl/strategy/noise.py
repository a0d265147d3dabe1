"""The noise in labels: which class is labelled as which, and how often.

A network that was not trained on an example confuses some pictures whose labels are
right: shirts and T-shirts look alike. Its most confident answers, the anchors, are
nearly always right, so their labels tell noise from such confusion (Liu and Tao 2016,
"Classification with Noisy Labels by Importance Reweighting"; Patrini et al. 2017,
"Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach").

Matrices here have a row for each true class and a column for each given label.
"""

from __future__ import annotations

import numpy as np

ANCHORS = 0.25  # the most confident share of the examples with an answer
# Among anchors natural confusion is small, and goes both ways. So a class that loses
# more than this to another, beyond twice what it gains from it, is mislabelled on
# purpose or systematically. Chosen on seeds that no reported figure uses.
ALLOWANCE = 0.02
BOTH_WAYS = 2.0


def labels_of_anchors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Count the given labels of each class's anchors, int64 (classes, classes)."""
    classes = probabilities.shape[1]
    answers = probabilities.argmax(axis=1)
    counts = np.zeros((classes, classes), np.int64)
    for answer in range(classes):
        members = np.flatnonzero(answers == answer)
        surest = np.argsort(-probabilities[members, answer], kind="stable")
        anchors = members[surest[: int(np.ceil(ANCHORS * len(members)))]]
        counts[answer] = np.bincount(labels[anchors], minlength=classes)
    return counts


def rates(counts: np.ndarray) -> np.ndarray:
    """Return counts as shares of rows; a class without anchors counts as all right."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals, counts / np.maximum(totals, 1), np.eye(len(counts)))


def p_values(counts: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Test each pair of classes for one-way errors; return p-values.

    Under the null hypothesis a true class gets the other labels in proportion to their
    frequency, or uniformly, as random noise does, plus natural confusion: at most
    `ALLOWANCE`, plus `BOTH_WAYS` times the errors the other way. The p-value is the
    binomial probability of a count at least as large, times the number of pairs
    (Bonferroni); 1 on the diagonal.

    Parameters
    ----------
    counts : ndarray of int, (classes, classes)
        From `labels_of_anchors`.
    given : ndarray of int, (classes,)
        How many examples have each label.
    """
    classes = len(counts)
    totals, shares = counts.sum(axis=1), rates(counts)
    adjusted = np.ones((classes, classes))
    for true, label in zip(*np.nonzero(shares > ALLOWANCE), strict=True):
        if true == label:
            continue
        others = np.delete(np.arange(classes), [true, label])
        share = max(1 / max(len(others), 1), given[label] / max(given[others].sum(), 1))
        expected = shares[true, others].sum() * share
        expected += BOTH_WAYS * shares[label, true] + ALLOWANCE
        if shares[true, label] > expected:
            tail = _binomial_tail(counts[true, label], totals[true], expected)
            adjusted[true, label] = min(1.0, tail * classes * (classes - 1))
    return adjusted


def noise_matrix(shares: np.ndarray, systematic: np.ndarray, m: int) -> np.ndarray:
    """Return the rates of noise for each class, without natural confusion.

    For pairs that stand out it is their share among the anchors. To every other class a
    class loses the same: the midmean of its row, or of the whole matrix if that is
    larger. Confusion affects few pairs, so it does not affect the midmean.

    Parameters
    ----------
    shares : ndarray, (classes, classes)
        The labels of anchors, see `rates`.
    systematic : ndarray of bool, (classes, classes)
        The pairs that stand out.
    m : int
        The number of examples: no rate is below 1 / m.
    """
    classes = len(shares)
    off = ~np.eye(classes, dtype=bool)
    usual = off & ~systematic
    everywhere = max(_middle(shares[usual]), 1 / m)
    rows = [max(_middle(shares[c, usual[c]]), everywhere) for c in range(classes)]
    matrix = np.where(systematic, shares, np.array(rows)[:, np.newaxis]) * off
    np.fill_diagonal(matrix, np.maximum(1 - matrix.sum(axis=1), 1 / classes))
    return matrix / matrix.sum(axis=1, keepdims=True)


def true_classes(probabilities: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the probability of each true class, (m, classes).

    The network has learned from noisy labels, so it predicts the labels: p(given) =
    p(true) @ matrix. This removes the noise again.
    """
    cleaned = np.clip(probabilities @ np.linalg.pinv(matrix), 1e-9, None)
    return cleaned / cleaned.sum(axis=1, keepdims=True)


def _middle(values: np.ndarray) -> float:
    """Return the mean of the middle half of some numbers (midmean); 0 for none."""
    if not len(values):
        return 0.0
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())


def _binomial_tail(count: int, n: int, rate: float) -> float:
    """Return the probability of at least `count` successes in n trials."""
    if rate >= 1:
        return 1.0
    logs = np.concatenate([[0], np.cumsum(np.log(np.arange(1, n + 1)))])  # factorials
    k = np.arange(count, n + 1)
    terms = logs[n] - logs[k] - logs[n - k] + k * np.log(rate)
    return float(np.exp(terms + (n - k) * np.log1p(-rate)).sum())
