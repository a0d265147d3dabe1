"""For people to look at: pictures of data, models and training, and pages about runs.

`page` returns self-contained HTML; each other function returns a matplotlib Figure.
"""

import importlib
import typing

from fastdl import exports
from fastdl.report.activations import activation_histograms as activation_histograms
from fastdl.report.augmentations import augmentations as augmentations
from fastdl.report.boundary import decision_boundary as decision_boundary
from fastdl.report.confusion import confusion_matrix as confusion_matrix
from fastdl.report.curves import learning_curves as learning_curves
from fastdl.report.data_curve import data_curve as data_curve
from fastdl.report.diagram import diagram as diagram
from fastdl.report.filters import feature_maps as feature_maps
from fastdl.report.filters import filters as filters
from fastdl.report.learning_rate import learning_rate_curve as learning_rate_curve
from fastdl.report.mistakes import mistakes as mistakes
from fastdl.report.page import page as page
from fastdl.report.page import write_page as write_page
from fastdl.report.paths import optimizer_paths as optimizer_paths
from fastdl.report.reliability import reliability_diagram as reliability_diagram
from fastdl.report.roc import roc_curve as roc_curve
from fastdl.report.search import search_history as search_history
from fastdl.report.search import search_importance as search_importance
from fastdl.report.search import search_parallel as search_parallel
from fastdl.report.search import search_slices as search_slices
from fastdl.report.style import save_figure as save_figure

exports.publish(__name__, "errors")

if typing.TYPE_CHECKING:
    from fastdl.report import errors as errors
else:

    def __getattr__(name: str) -> typing.Any:
        if name != "errors":  # it needs a web server, which is slow to import
            exports.missing("fastdl.report", name)
        return importlib.import_module("fastdl.report.errors")
