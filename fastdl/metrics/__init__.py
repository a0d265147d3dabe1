"""How good a classifier is: on arrays at once, or gathered over batches."""

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
from fastdl.metrics.confusion import F1, ConfusionMatrix, Precision, Recall
from fastdl.metrics.lookup import as_metric
from fastdl.metrics.metric import Mean, MeanOf, Metric
from fastdl.metrics.share import Accuracy, ErrorRate, TopKAccuracy

__all__ = [
    "F1",
    "Accuracy",
    "ConfusionMatrix",
    "ErrorRate",
    "ExponentialAverage",
    "Mean",
    "MeanOf",
    "Metric",
    "Precision",
    "Recall",
    "TopKAccuracy",
    "accuracy",
    "as_metric",
    "confusion_matrix",
    "error_rate",
    "f1",
    "precision",
    "recall",
    "top_k_accuracy",
]
