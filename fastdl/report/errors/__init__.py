"""The page of the mistakes, in the browser: see `ErrorPage` and `PageServer`."""

from fastdl.report.errors.page import ErrorPage
from fastdl.report.errors.server import PageServer

__all__ = ["ErrorPage", "PageServer"]
