"""How good a classifier is: on arrays at once, or streaming over batches."""

from fastdl.metrics.average import ExponentialAverage
from fastdl.metrics.classification import (
    accuracy,
    confusion_matrix,
    error_rate,
    f1,
    precision,
    recall,
    top_k_accuracy,
)
from fastdl.metrics.streaming import Accuracy, ConfusionMatrix, Mean

__all__ = [
    "Accuracy",
    "ConfusionMatrix",
    "ExponentialAverage",
    "Mean",
    "accuracy",
    "confusion_matrix",
    "error_rate",
    "f1",
    "precision",
    "recall",
    "top_k_accuracy",
]
