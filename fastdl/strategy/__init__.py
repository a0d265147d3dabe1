"""What to do next: splits, diagnosis, choice, error analysis, labels, synthesis."""

from fastdl.strategy.choice import Candidate, Choice, choose
from fastdl.strategy.formula import Formula
from fastdl.strategy.inference import (
    InferenceCost,
    inference_cost,
    inference_costs,
    measure_runs,
)
from fastdl.strategy.limits import Limit

__all__ = [
    "Candidate",
    "Choice",
    "Formula",
    "InferenceCost",
    "Limit",
    "choose",
    "inference_cost",
    "inference_costs",
    "measure_runs",
]
