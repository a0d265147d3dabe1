"""Whether more or less of a measure is better."""

import pytest

from fastdl.metrics import lower_is_better


@pytest.mark.parametrize(
    ("name", "less"),
    [
        ("loss", True),
        ("val_loss", True),
        ("error_rate", True),
        ("val_error", True),
        ("mean_squared_error", True),
        ("MAE", True),
        ("latency_ms", True),
        ("latency", True),
        ("p95 latency (ms)", True),
        ("seconds", True),
        ("file_bytes", True),
        ("parameters", True),
        ("multiply_adds", True),
        ("false_alarms_per_24_hours", True),
        ("false_positive_rate", True),
        ("hamming_loss", True),
        ("calibration_error", True),
        ("accuracy", False),
        ("val_top_5_accuracy", False),
        ("macro_f1", False),
        ("weighted_precision", False),
        ("multilabel_recall", False),
        ("roc_auc", False),
        ("average_precision", False),
        ("r2_score", False),
        ("quadratic_cohen_kappa", False),
        ("examples_per_second", False),
        ("tokens_per_ms", False),
        ("errors_per_second", True),
        ("seconds_per_epoch", True),
        ("accuracy_per_parameter", False),
        ("kisses_per_parameter", None),
        ("learning_rate", None),
        ("epochs", None),
        ("terror", None),
        ("", None),
    ],
)
def test_by_its_words(name, less):
    assert lower_is_better(name) is less
