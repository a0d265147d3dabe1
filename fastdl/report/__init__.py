"""Pictures of a training run. Each function returns a `matplotlib.figure.Figure`."""

from fastdl.report.augmentations import augmentations
from fastdl.report.confusion import confusion_matrix
from fastdl.report.curves import learning_curves
from fastdl.report.mistakes import mistakes
from fastdl.report.style import save_figure

__all__ = [
    "augmentations",
    "confusion_matrix",
    "learning_curves",
    "mistakes",
    "save_figure",
]
