"""What to do next: splits, diagnosis, choice, error analysis, labels, synthesis."""

from fastdl.strategy.diagnosis import Diagnosis, Gap, diagnose
from fastdl.strategy.knobs import KNOBS, Knob, Remedy
from fastdl.strategy.learning_curve import DataCurve, learning_curve
from fastdl.strategy.measure import Measured, measure
from fastdl.strategy.optimisation import Symptom, symptoms
from fastdl.strategy.runs import keep, kept, learning_curve_run, measure_run

__all__ = [
    "KNOBS",
    "DataCurve",
    "Diagnosis",
    "Gap",
    "Knob",
    "Measured",
    "Remedy",
    "Symptom",
    "diagnose",
    "keep",
    "kept",
    "learning_curve",
    "learning_curve_run",
    "measure",
    "measure_run",
    "symptoms",
]
