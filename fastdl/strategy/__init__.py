"""What to do next: splits, diagnosis, choice, error analysis, labels, synthesis."""

from fastdl.strategy.sizes import examples_needed, rule_of_thumb, standard_error
from fastdl.strategy.split_report import SplitReport
from fastdl.strategy.splits import Split, split_sources, train_dev_test

__all__ = [
    "Split",
    "SplitReport",
    "examples_needed",
    "rule_of_thumb",
    "split_sources",
    "standard_error",
    "train_dev_test",
]
