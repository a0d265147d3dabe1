"""One self-contained HTML page about finished runs."""

from fastdl import exports
from fastdl.report.page.build import page as page
from fastdl.report.page.build import write_page as write_page
from fastdl.report.page.results import PARTS as PARTS

exports.publish(__name__)
