"""``fastdl report``: one page about one or more runs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from fastdl import report, strategy
from fastdl.cli import arguments
from fastdl.errors import DataError
from fastdl.files import check_writable
from fastdl.report.page import PARTS
from fastdl.train import FinishedRun, open_run

HELP = "write a page about a run, or several side by side"
DESCRIPTION = """\
Write one HTML page about finished runs, for a browser, a phone or paper: the diagnosis
with next steps, learning curves, confusion matrix (choose a number to see its
mistakes), worst mistakes, precision, recall and F1 of each class, calibration, filters
and feature maps, time, settings. Of several runs, what differs comes first.

The page needs no network and no other file: it can be sent as it is.
"""
EXAMPLES = """\
examples:
  fastdl report runs/digits                          writes runs/digits/report.html
  fastdl report runs/digits runs/wide --out page.html          side by side
  fastdl report runs/digits --part dev               mistakes to learn from
  fastdl report runs/signs --human 0.02              people are wrong in 2 of 100
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    arguments.add_runs(parser)
    parser.add_argument(
        "--out",
        type=arguments.path,
        metavar="FILE",
        help="default: report.html in the folder of the run; of several, in this one",
    )
    parser.add_argument(
        "--part",
        choices=PARTS,
        default="test",
        help="whose answers to look at; default: test",
    )
    parser.add_argument(
        "--human",
        type=arguments.share,
        metavar="X",
        default=0.0,
        help="the error of people, as a fraction; default: 0",
    )
    arguments.add_data_dir(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    runs = [open_run(folder, options.data_dir) for folder in options.run_folders]
    path = options.out
    if path is None:
        path = runs[0].folder.report if len(runs) == 1 else Path("report.html")
    check_writable(path)
    write_report(runs, path, options.part, options.human)


def write_report(
    runs: Sequence[FinishedRun], path: Path, part: str = "test", human: float = 0.0
) -> None:
    """Write the page; print the diagnosis of each run, and where the page is."""
    report.write_page(runs, path, part=part, human=human)
    for each in runs:
        name = "diagnosis" if len(runs) == 1 else each.name
        try:
            found = strategy.measure_run(each).diagnose(human)
            print(f"{name}: {found.summary()}")
        except DataError as error:
            print(f"{name}: not known, {error}")
    print(f"report: {path}")
