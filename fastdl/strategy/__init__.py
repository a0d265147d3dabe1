"""What to do next: splits, diagnosis, choice, error analysis, labels, synthesis."""

from fastdl.strategy.choice import Candidate, Choice, choose
from fastdl.strategy.corrections import Correction, Corrections
from fastdl.strategy.coverage import Coverage
from fastdl.strategy.diagnosis import Diagnosis, Gap, diagnose
from fastdl.strategy.error_analysis import Ceiling, ErrorAnalysis
from fastdl.strategy.formula import Formula
from fastdl.strategy.inference import (
    InferenceCost,
    compare_runs,
    inference_cost,
    inference_costs,
)
from fastdl.strategy.knobs import KNOBS, Knob, Remedy
from fastdl.strategy.label_review import (
    LabelReview,
    Suspect,
    quick_recipe,
    read_suspects,
    review_labels,
)
from fastdl.strategy.labels import SuspectLabels, WrongPair, suspect_labels
from fastdl.strategy.learning_curve import DataCurve, learning_curve
from fastdl.strategy.limits import Limit
from fastdl.strategy.measure import Measured, measure
from fastdl.strategy.optimisation import Symptom, symptoms
from fastdl.strategy.out_of_fold import out_of_fold
from fastdl.strategy.pipeline import Pipeline, PipelineReport, StageScore
from fastdl.strategy.runs import learning_curve_run, measure_run
from fastdl.strategy.settings import setting_differences
from fastdl.strategy.sizes import examples_needed, rule_of_thumb, standard_error
from fastdl.strategy.split import Split
from fastdl.strategy.split_report import SplitReport
from fastdl.strategy.splits import split_sources, train_dev_test
from fastdl.strategy.synthesis import Mix, mix

__all__ = [
    "KNOBS",
    "Candidate",
    "Ceiling",
    "Choice",
    "Correction",
    "Corrections",
    "Coverage",
    "DataCurve",
    "Diagnosis",
    "ErrorAnalysis",
    "Formula",
    "Gap",
    "InferenceCost",
    "Knob",
    "LabelReview",
    "Limit",
    "Measured",
    "Mix",
    "Pipeline",
    "PipelineReport",
    "Remedy",
    "Split",
    "SplitReport",
    "StageScore",
    "Suspect",
    "SuspectLabels",
    "Symptom",
    "WrongPair",
    "choose",
    "compare_runs",
    "diagnose",
    "examples_needed",
    "inference_cost",
    "inference_costs",
    "learning_curve",
    "learning_curve_run",
    "measure",
    "measure_run",
    "mix",
    "out_of_fold",
    "quick_recipe",
    "read_suspects",
    "review_labels",
    "rule_of_thumb",
    "setting_differences",
    "split_sources",
    "standard_error",
    "suspect_labels",
    "symptoms",
    "train_dev_test",
]
