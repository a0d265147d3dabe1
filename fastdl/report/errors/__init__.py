"""The page of the mistakes, in the browser."""

from fastdl import exports
from fastdl.report.errors.page import ErrorPage as ErrorPage
from fastdl.report.errors.review import Review as Review
from fastdl.report.errors.server import PageServer as PageServer
from fastdl.report.errors.server import serve as serve

exports.publish(__name__)
