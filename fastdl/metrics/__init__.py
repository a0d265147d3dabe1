"""How good a model is: on arrays at once, or gathered over batches."""

from fastdl.metrics.average import ExponentialAverage
from fastdl.metrics.calibration import (
    CalibrationCurve,
    CalibrationError,
    calibration_curve,
    calibration_error,
)
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
from fastdl.metrics.direction import lower_is_better
from fastdl.metrics.kappa import CohenKappa, cohen_kappa
from fastdl.metrics.lookup import MetricLike, as_metric
from fastdl.metrics.metric import Mean, MeanOf, Metric
from fastdl.metrics.multilabel import (
    HammingLoss,
    MultilabelF1,
    MultilabelPrecision,
    MultilabelRecall,
    SubsetAccuracy,
    hamming_loss,
    multilabel_f1,
    multilabel_precision,
    multilabel_recall,
    subset_accuracy,
)
from fastdl.metrics.ranking import (
    AveragePrecision,
    PrecisionRecallCurve,
    RocAuc,
    RocCurve,
    average_precision,
    precision_recall_curve,
    roc_auc,
    roc_curve,
)
from fastdl.metrics.regression import (
    MeanAbsoluteError,
    MeanSquaredError,
    R2Score,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)
from fastdl.metrics.share import Accuracy, ErrorRate, TopKAccuracy
from fastdl.metrics.threshold import Threshold, choose_threshold

__all__ = [
    "F1",
    "Accuracy",
    "AveragePrecision",
    "CalibrationCurve",
    "CalibrationError",
    "CohenKappa",
    "ConfusionMatrix",
    "ErrorRate",
    "ExponentialAverage",
    "HammingLoss",
    "Mean",
    "MeanAbsoluteError",
    "MeanOf",
    "MeanSquaredError",
    "Metric",
    "MetricLike",
    "MultilabelF1",
    "MultilabelPrecision",
    "MultilabelRecall",
    "Precision",
    "PrecisionRecallCurve",
    "R2Score",
    "Recall",
    "RocAuc",
    "RocCurve",
    "SubsetAccuracy",
    "Threshold",
    "TopKAccuracy",
    "accuracy",
    "as_metric",
    "average_precision",
    "calibration_curve",
    "calibration_error",
    "choose_threshold",
    "cohen_kappa",
    "confusion_matrix",
    "error_rate",
    "f1",
    "hamming_loss",
    "lower_is_better",
    "mean_absolute_error",
    "mean_squared_error",
    "multilabel_f1",
    "multilabel_precision",
    "multilabel_recall",
    "precision",
    "precision_recall_curve",
    "r2_score",
    "recall",
    "roc_auc",
    "roc_curve",
    "subset_accuracy",
    "top_k_accuracy",
]
