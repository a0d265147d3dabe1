"""For people to look at: pictures of data, models and training, and pages about runs.

`page` returns self-contained HTML; each other function returns a matplotlib Figure.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastdl.report.activations import activation_histograms
from fastdl.report.augmentations import augmentations
from fastdl.report.boundary import decision_boundary
from fastdl.report.confusion import confusion_matrix
from fastdl.report.curves import learning_curves
from fastdl.report.data_curve import data_curve
from fastdl.report.filters import feature_maps, filters
from fastdl.report.learning_rate import learning_rate_curve
from fastdl.report.mistakes import mistakes
from fastdl.report.page import page, write_page
from fastdl.report.paths import optimizer_paths
from fastdl.report.reliability import reliability_diagram
from fastdl.report.roc import roc_curve
from fastdl.report.search import (
    search_history,
    search_importance,
    search_parallel,
    search_slices,
)
from fastdl.report.style import save_figure

__all__ = [
    "activation_histograms",
    "augmentations",
    "confusion_matrix",
    "data_curve",
    "decision_boundary",
    "errors",
    "feature_maps",
    "filters",
    "learning_curves",
    "learning_rate_curve",
    "mistakes",
    "optimizer_paths",
    "page",
    "reliability_diagram",
    "roc_curve",
    "save_figure",
    "search_history",
    "search_importance",
    "search_parallel",
    "search_slices",
    "write_page",
]

if TYPE_CHECKING:
    from fastdl.report import errors
else:

    def __getattr__(name: str) -> Any:
        if name != "errors":  # it needs a web server, which is slow to import
            raise AttributeError(f"module 'fastdl.report' has no attribute {name!r}")
        return import_module("fastdl.report.errors")
