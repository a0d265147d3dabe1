"""Labels may be large: the counts of F1 are linear, the matrix has a bound."""

import numpy as np
import pytest

from fastdl import metrics
from fastdl.errors import DataError

RATIOS = [metrics.F1, metrics.Precision, metrics.Recall]


@pytest.mark.parametrize("make", RATIOS)
def test_a_large_label_takes_little_memory(make):
    metric, other = make(), make()
    metric.update([0, 1_000_000], [0, 1_000_000])
    other.update([0, 7], [7, 7])
    metric.merge(other)
    whole = make()
    whole.update([0, 2, 0, 1], [0, 2, 1, 1])
    assert metric.result() == whole.result()


@pytest.mark.parametrize("make", [*RATIOS, metrics.ConfusionMatrix])
@pytest.mark.parametrize("label", [10**9, 2**62])
def test_a_label_beyond_all_memory(make, label):
    metric = make()
    with pytest.raises(DataError, match=f"label {label} is more than there is memory"):
        metric.update([0, label], [0, 0])
    metric.update([1], [1])


def test_a_matrix_of_too_many_classes():
    with pytest.raises(DataError, match=r"label 20000 .* at most 8,192 classes"):
        metrics.confusion_matrix([20_000], [0])
    with pytest.raises(DataError, match="9000 classes is more"):
        metrics.ConfusionMatrix(9000)
    assert np.sum(metrics.ConfusionMatrix(100).result()) == 0
