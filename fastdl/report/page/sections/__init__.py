"""The sections of a page, one per file: results in, HTML out."""

from fastdl.report.page.sections.calibration import calibration
from fastdl.report.page.sections.classes import classes
from fastdl.report.page.sections.comparison import comparison
from fastdl.report.page.sections.confusion import confusion
from fastdl.report.page.sections.curves import curves
from fastdl.report.page.sections.data_curve import data_curve
from fastdl.report.page.sections.diagnosis import diagnosis
from fastdl.report.page.sections.layers import layers
from fastdl.report.page.sections.mistakes import mistakes
from fastdl.report.page.sections.more import more
from fastdl.report.page.sections.overview import overview
from fastdl.report.page.sections.settings import settings
from fastdl.report.page.sections.suspects import suspects
from fastdl.report.page.sections.tags import tags
from fastdl.report.page.sections.timing import timing

__all__ = [
    "calibration",
    "classes",
    "comparison",
    "confusion",
    "curves",
    "data_curve",
    "diagnosis",
    "layers",
    "mistakes",
    "more",
    "overview",
    "settings",
    "suspects",
    "tags",
    "timing",
]
