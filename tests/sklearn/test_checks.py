"""All checks that scikit-learn has for an estimator, with no failure expected."""

import pytest

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastdl.sklearn import FastClassifier, FastRegressor


@parametrize_with_checks([FastClassifier(), FastRegressor()])
def test_scikit_learn_finds_nothing(estimator, check):
    check(estimator)
