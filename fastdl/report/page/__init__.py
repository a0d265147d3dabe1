"""One self-contained HTML page about finished runs."""

from fastdl.report.page.build import page, write_page
from fastdl.report.page.results import PARTS

__all__ = ["PARTS", "page", "write_page"]
