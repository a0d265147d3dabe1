"""The page of the mistakes, in the browser."""

from fastdl.report.errors.page import ErrorPage
from fastdl.report.errors.review import Review
from fastdl.report.errors.server import PageServer, serve

__all__ = ["ErrorPage", "PageServer", "Review", "serve"]
