"""A picture of a model: layers as boxes, and who takes whose output."""

from fastdl import exports
from fastdl.report.diagram.draw import diagram as diagram

exports.publish(__name__)
