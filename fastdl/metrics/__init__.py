"""How good a model is: on arrays at once, or gathered over batches."""

from fastdl import exports
from fastdl.metrics.average import ExponentialAverage as ExponentialAverage
from fastdl.metrics.calibration import CalibrationCurve as CalibrationCurve
from fastdl.metrics.calibration import CalibrationError as CalibrationError
from fastdl.metrics.calibration import calibration_curve as calibration_curve
from fastdl.metrics.calibration import calibration_error as calibration_error
from fastdl.metrics.classification import accuracy as accuracy
from fastdl.metrics.classification import confusion_matrix as confusion_matrix
from fastdl.metrics.classification import error_rate as error_rate
from fastdl.metrics.classification import f1 as f1
from fastdl.metrics.classification import precision as precision
from fastdl.metrics.classification import recall as recall
from fastdl.metrics.classification import top_k_accuracy as top_k_accuracy
from fastdl.metrics.confusion import F1 as F1
from fastdl.metrics.confusion import ConfusionMatrix as ConfusionMatrix
from fastdl.metrics.confusion import Precision as Precision
from fastdl.metrics.confusion import Recall as Recall
from fastdl.metrics.direction import lower_is_better as lower_is_better
from fastdl.metrics.kappa import CohenKappa as CohenKappa
from fastdl.metrics.kappa import cohen_kappa as cohen_kappa
from fastdl.metrics.lookup import MetricLike as MetricLike
from fastdl.metrics.lookup import as_metric as as_metric
from fastdl.metrics.metric import Mean as Mean
from fastdl.metrics.metric import MeanOf as MeanOf
from fastdl.metrics.metric import Metric as Metric
from fastdl.metrics.multilabel import HammingLoss as HammingLoss
from fastdl.metrics.multilabel import MultilabelF1 as MultilabelF1
from fastdl.metrics.multilabel import MultilabelPrecision as MultilabelPrecision
from fastdl.metrics.multilabel import MultilabelRecall as MultilabelRecall
from fastdl.metrics.multilabel import SubsetAccuracy as SubsetAccuracy
from fastdl.metrics.multilabel import hamming_loss as hamming_loss
from fastdl.metrics.multilabel import multilabel_f1 as multilabel_f1
from fastdl.metrics.multilabel import multilabel_precision as multilabel_precision
from fastdl.metrics.multilabel import multilabel_recall as multilabel_recall
from fastdl.metrics.multilabel import subset_accuracy as subset_accuracy
from fastdl.metrics.ranking import AveragePrecision as AveragePrecision
from fastdl.metrics.ranking import PrecisionRecallCurve as PrecisionRecallCurve
from fastdl.metrics.ranking import RocAuc as RocAuc
from fastdl.metrics.ranking import RocCurve as RocCurve
from fastdl.metrics.ranking import average_precision as average_precision
from fastdl.metrics.ranking import precision_recall_curve as precision_recall_curve
from fastdl.metrics.ranking import roc_auc as roc_auc
from fastdl.metrics.ranking import roc_curve as roc_curve
from fastdl.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from fastdl.metrics.regression import MeanSquaredError as MeanSquaredError
from fastdl.metrics.regression import R2Score as R2Score
from fastdl.metrics.regression import mean_absolute_error as mean_absolute_error
from fastdl.metrics.regression import mean_squared_error as mean_squared_error
from fastdl.metrics.regression import r2_score as r2_score
from fastdl.metrics.share import Accuracy as Accuracy
from fastdl.metrics.share import ErrorRate as ErrorRate
from fastdl.metrics.share import TopKAccuracy as TopKAccuracy
from fastdl.metrics.threshold import Threshold as Threshold
from fastdl.metrics.threshold import choose_threshold as choose_threshold

exports.publish(__name__)
