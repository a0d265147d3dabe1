"""The sections of a page, one per file: results in, HTML out."""

from fastdl import exports
from fastdl.report.page.sections.calibration import calibration as calibration
from fastdl.report.page.sections.classes import classes as classes
from fastdl.report.page.sections.comparison import comparison as comparison
from fastdl.report.page.sections.confusion import confusion as confusion
from fastdl.report.page.sections.curves import curves as curves
from fastdl.report.page.sections.data_curve import data_curve as data_curve
from fastdl.report.page.sections.diagnosis import diagnosis as diagnosis
from fastdl.report.page.sections.layers import layers as layers
from fastdl.report.page.sections.mistakes import mistakes as mistakes
from fastdl.report.page.sections.more import more as more
from fastdl.report.page.sections.overview import overview as overview
from fastdl.report.page.sections.settings import settings as settings
from fastdl.report.page.sections.suspects import suspects as suspects
from fastdl.report.page.sections.tags import tags as tags
from fastdl.report.page.sections.timing import timing as timing

exports.publish(__name__)
