"""Trainings with a known defect: it is named first, and its remedy helps (S25, S26)."""

import os

import pytest

from bench.diagnosis import CASES, SEEDS, examine
from fastdl import backend

BY_NAME = {case.name: case for case in CASES}
slow = pytest.mark.skipif(backend.name != "compiled", reason="slow")


@slow
def test_the_defect_is_the_first_problem():
    """S25: with the digits, which are inside the package; the others are soaked."""
    result = examine(BY_NAME["learning rate too high"], seed=SEEDS[0])
    assert result.right, result.before
    assert result.lower, result.after


@slow
@pytest.mark.soak
@pytest.mark.skipif(
    "FASTDL_DATA_DIR" not in os.environ, reason="needs MNIST and Fashion-MNIST"
)
@pytest.mark.parametrize("name", BY_NAME)
def test_the_diagnosis_decides_right(name):
    """S25, S26: in all of the seeds; the first remedy helps in all but one."""
    case = BY_NAME[name]
    results = [examine(case, seed) for seed in SEEDS]
    assert all(result.right for result in results)
    if case.problem is not None:
        assert sum(result.lower for result in results) >= len(results) - 1
