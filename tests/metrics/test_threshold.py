"""The threshold for a wanted precision or recall (SPEC S27)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import metrics
from fastdl.errors import ArgumentError, DataError

TRUE = [1, 1, 0, 1, 0, 1, 0, 0]
SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]


def test_worked_by_hand():
    """S27: from 0.6 on three of four are right, and three of four are found."""
    assert metrics.choose_threshold(TRUE, SCORES, precision=0.75) == (0.6, 0.75, 0.75)
    assert metrics.choose_threshold(TRUE, SCORES, precision=0.9) == (0.8, 1, 0.5)
    assert metrics.choose_threshold(TRUE, SCORES, recall=0.6) == (0.6, 0.75, 0.75)
    assert metrics.choose_threshold(TRUE, SCORES, recall=1) == (0.4, 4 / 6, 1)
    assert metrics.choose_threshold(TRUE, SCORES, recall=0.5).precision == 1


def test_it_is_used_with_at_least():
    """S27: the answers from the threshold on have this precision and recall."""
    chosen = metrics.choose_threshold(TRUE, SCORES, precision=0.7)
    answers = (np.array(SCORES) >= chosen.threshold).astype(int)
    assert metrics.precision(TRUE, answers, "binary") == chosen.precision
    assert metrics.recall(TRUE, answers, "binary") == chosen.recall
    f1 = metrics.multilabel_f1(TRUE, SCORES, "macro", threshold=chosen.threshold)
    assert f1 == metrics.f1(TRUE, answers, "binary")
    assert str(chosen) == "yes from 0.6: precision 75.00%, recall 75.00%"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=30),
    st.floats(0.01, 1),
    st.sampled_from(["precision", "recall"]),
)
def test_none_is_better(examples, wanted, name):
    """S27: against all thresholds, one by one."""
    true = np.array([yes for yes, _ in examples])
    scores = np.array([score for _, score in examples])
    if not true.any():
        return
    found = []
    for threshold in np.unique(scores):
        answers = scores >= threshold
        right = (answers & true).sum()
        row = {"precision": right / answers.sum(), "recall": right / true.sum()}
        other = row["recall" if name == "precision" else "precision"]
        if row[name] >= wanted:
            found.append((other, threshold, row["precision"], row["recall"]))
    if not found:
        with pytest.raises(DataError, match=f"no threshold has a {name}"):
            metrics.choose_threshold(true, scores, **{name: wanted})
    else:
        _, *expected = max(found)
        assert metrics.choose_threshold(true, scores, **{name: wanted}) == tuple(
            expected
        )


def test_weights():
    chosen = metrics.choose_threshold(
        [1, 0, 1], [0.9, 0.8, 0.7], precision=0.75, sample_weight=[1, 1, 2]
    )
    assert chosen == (0.7, 0.75, 1)


def test_what_cannot_be_had():
    with pytest.raises(
        DataError, match=r"precision of 0.9; the best is 0.5, from 0.3 "
    ):
        metrics.choose_threshold([0, 1], [0.5, 0.3], precision=0.9)
    with pytest.raises(DataError, match="class 1, there is none"):
        metrics.choose_threshold([0, 0], [0.5, 0.3], recall=0.9)


@pytest.mark.parametrize(
    "options",
    [{}, {"precision": 0.5, "recall": 0.5}, {"precision": 0}, {"recall": 1.1}],
    ids=str,
)
def test_bad_arguments(options):
    with pytest.raises(ArgumentError, match="choose_threshold: "):
        metrics.choose_threshold(TRUE, SCORES, **options)


def test_numbers_of_numpy_and_the_name_in_errors():
    assert metrics.choose_threshold(
        [0, 1], [0.1, 0.9], precision=np.float32(0.9)
    ).threshold == pytest.approx(0.9)
    with pytest.raises(DataError, match="choose_threshold: needs examples of class 1"):
        metrics.choose_threshold([0, 0], [0.1, 0.9], recall=0.5)
