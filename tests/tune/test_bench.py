"""The statistics of ``bench.search``."""

import itertools

import numpy as np
import pytest

from bench.search import signed_rank


@pytest.mark.parametrize("differences", [[1, 2, 3], [-1, 2, 3], [3, -1, 4, -2, 5, 0.5]])
def test_signed_ranks_are_exact(differences):
    """All signs are tried."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    observed = ranks[np.array(differences) > 0].sum()
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product((0, 1), repeat=len(ranks))
    ]
    expected = np.mean(np.array(sums) >= observed)
    assert signed_rank(np.array(differences)) == pytest.approx(expected)


def test_twenty_wins_of_twenty():
    assert signed_rank(np.arange(1, 21)) == 2**-20
    assert signed_rank(-np.arange(1, 21)) == 1
