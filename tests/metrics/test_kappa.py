"""Cohen's kappa: worked, degenerate, and that of scikit-learn (SPEC S27)."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import metrics
from fastdl.errors import ArgumentError, DataError

KINDS = (None, "linear", "quadratic")


def test_worked_by_hand():
    """S27: 50 proposals, 20 yes of both, 15 no of both, 5 and 10 apart: 0.4."""
    true = [1] * 25 + [0] * 25
    pred = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert metrics.cohen_kappa(true, pred) == pytest.approx(0.4)


def test_near_grades_weigh_less():
    true, near, far = [0, 1, 2, 3], [1, 1, 2, 3], [3, 1, 2, 3]
    for weights in ("linear", "quadratic"):
        assert metrics.cohen_kappa(true, near, weights) > metrics.cohen_kappa(
            true, far, weights
        )


def test_agreement_and_chance():
    assert metrics.cohen_kappa([0, 1, 2], [0, 1, 2]) == 1
    assert metrics.cohen_kappa([0, 0, 1, 1], [0, 1, 0, 1]) == 0
    assert metrics.cohen_kappa([0, 1], [1, 0]) == -1


@pytest.mark.parametrize("weights", KINDS)
def test_of_one_label_it_is_not_defined(weights):
    """S27: NaN, as scikit-learn has it with a warning."""
    assert math.isnan(metrics.cohen_kappa([2, 2], [2, 2], weights))
    both = metrics.cohen_kappa([0, 1, 1], [1, 1, 1], weights, [0, 1, 1])
    assert math.isnan(both)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 6), st.integers(0, 2**32 - 1), st.booleans())
def test_equal_to_scikit_learn(m, classes, seed, weighted):
    """S27: to 1e-12, on random and degenerate input."""
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    true, pred = rng.integers(0, classes, (2, m))
    weight = None
    if weighted:
        weight = rng.integers(0, 4, m) * 0.37
        weight[0] = 1
    for weights in KINDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = sklearn.cohen_kappa_score(
                true, pred, weights=weights, labels=range(classes), sample_weight=weight
            )
        np.testing.assert_allclose(
            metrics.cohen_kappa(true, pred, weights, weight),
            expected,
            rtol=1e-12,
            atol=1e-12,
        )


def test_errors():
    with pytest.raises(ArgumentError, match="'linaer'; did you mean 'linear'"):
        metrics.cohen_kappa([0], [0], "linaer")
    with pytest.raises(DataError, match="no examples yet"):
        metrics.CohenKappa().result()
    with pytest.raises(DataError, match="negative"):
        metrics.cohen_kappa([0, 1], [0, 1], sample_weight=[1, -1])


def test_names():
    assert metrics.CohenKappa().name == "cohen_kappa"
    assert metrics.CohenKappa("quadratic").name == "quadratic_cohen_kappa"
