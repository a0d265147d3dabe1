"""Noise told from natural confusion (S30): anchors, tests of pairs, the matrix."""

import math

import numpy as np
import pytest

from fastdl.strategy import noise


@pytest.mark.parametrize("n", [1, 7, 140])
@pytest.mark.parametrize("rate", [0.02, 0.3, 0.97])
def test_binomial_tail(n, rate):
    for count in {1, n // 2 + 1, n}:
        exact = math.fsum(
            math.comb(n, k) * rate**k * (1 - rate) ** (n - k)
            for k in range(count, n + 1)
        )
        assert noise._binomial_tail(count, n, rate) == pytest.approx(exact, rel=1e-9)
    assert noise._binomial_tail(0, n, 1.0) == 1


def test_anchors_are_the_surest_quarter_of_each_answer():
    """Eight answers 0, of which two are anchors; one answer 1, an anchor; none 2."""
    sure = np.array([0.9, 0.5, 0.99, 0.6, 0.7, 0.8, 0.55, 0.65])
    p = np.zeros((9, 3))
    p[:8, 0], p[:8, 1] = sure, 1 - sure
    p[8, 1] = 1
    labels = np.array([0, 1, 2, 1, 1, 1, 1, 1, 0])
    counts = noise.labels_of_anchors(labels, p)
    assert counts.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert noise.rates(counts).tolist() == [[0.5, 0, 0.5], [1, 0, 0], [0, 0, 1]]


def test_the_noise_is_taken_out_again():
    matrix = np.array([[0.8, 0.2, 0], [0.01, 0.98, 0.01], [0, 0.1, 0.9]])
    true = np.array([[0.9, 0.06, 0.04], [0.2, 0.3, 0.5]])
    np.testing.assert_allclose(noise.true_classes(true @ matrix, matrix), true)


def test_matrix_has_the_pairs_that_stand_out_and_the_middle_of_the_rest():
    """The confusion of 2 with 3 stands alone: it is not taken for noise."""
    shares = np.full((6, 6), 0.01)
    shares[0, 1] = 0.25
    shares[2, 3] = shares[3, 2] = 0.1
    np.fill_diagonal(shares, 0)
    np.fill_diagonal(shares, 1 - shares.sum(axis=1))
    systematic = np.zeros((6, 6), bool)
    systematic[0, 1] = True
    matrix = noise.noise_matrix(shares, systematic, 1000)
    expected = np.full((6, 6), 0.01)
    expected[0, 1] = 0.25
    np.fill_diagonal(expected, [0.71, *[0.95] * 5])
    np.testing.assert_allclose(matrix, expected)


def p_value(counts, true, given, labels=None):
    counts = np.array(counts)
    labels = counts.sum(axis=0) if labels is None else labels
    return noise.p_values(counts, np.array(labels))[true, given]


def test_labels_that_go_one_way_stand_out():
    """S30: systematic."""
    counts = [[80, 20, 0], [0, 100, 0], [0, 0, 100]]
    expected = 6 * noise._binomial_tail(20, 100, noise.ALLOWANCE)
    assert p_value(counts, 0, 1) == pytest.approx(expected)
    assert p_value(counts, 1, 0) == p_value(counts, 0, 0) == 1


def test_confusion_that_goes_both_ways_does_not():
    """S30: a network confuses 0 and 1, about as often the one way as the other."""
    assert p_value([[800, 200, 0], [120, 880, 0], [0, 0, 1000]], 0, 1) == 1


def test_noise_that_spreads_over_all_labels_does_not():
    """S30: random; class 0 is much noisier than the others."""
    counts = np.eye(5, dtype=int) * 1000
    counts[0] = [600, 100, 100, 100, 100]
    assert noise.p_values(counts, counts.sum(axis=0)).min() > 0.01


def test_shuffled_labels_of_unequal_classes_do_not():
    """S30: random; a wrong label is most often that of the most frequent class."""
    share = np.array([0.9, 0.05, 0.05])
    counts = np.rint(1000 * (0.7 * np.eye(3) + 0.3 * share)).astype(int)
    assert p_value(counts, 1, 0, [9000, 500, 500]) == 1
    assert p_value(counts, 1, 0, [3000, 3000, 3000]) < 1e-9


def test_two_classes():
    """S30: there is no third class to compare with, but the other direction."""
    assert p_value([[90, 10], [8, 92]], 0, 1) == 1
    assert p_value([[80, 20], [0, 100]], 0, 1) < 1e-9
