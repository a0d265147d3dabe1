"""``fastdl errors``: look at the mistakes of a run, and tag them."""

from __future__ import annotations

import getpass
import shlex
import warnings
from argparse import ArgumentParser, Namespace
from pathlib import Path

from fastdl.cli import arguments
from fastdl.errors import DataError
from fastdl.strategy import Corrections, ErrorAnalysis, Suspect, read_suspects
from fastdl.strategy.error_analysis import PARTS
from fastdl.strategy.label_review import FILE
from fastdl.strategy.tables import percent
from fastdl.train import FinishedRun, open_run

HELP = "look at the mistakes of a run in the browser, and tag them"
DESCRIPTION = """\
Open a page of the examples that a run gets wrong. Tag them by category with the keys
1 to 9 and a to z; the page counts, and says what the error would be if all mistakes of
a category were fixed. Each tag is saved at once, in tags.json of the run folder
(tags-test.json for another part). Ctrl-C ends it, and prints the table.

With --labels it shows the labels that `fastdl labels` suspects: Enter accepts the
suggested one, Space confirms the given one. Corrections are logged, with your name, in
dev_corrections.json of the run folder.

The page is served to this machine alone, and only to who knows its address.
"""
EXAMPLES = """\
examples:
  fastdl errors runs/digits
  fastdl errors runs/digits --part test --all
  fastdl errors runs/digits --labels           after `fastdl labels runs/digits`
  fastdl errors runs/digits --no-browser --port 8765     open the printed address
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    arguments.add_run(parser)
    parser.add_argument(
        "--part",
        choices=PARTS,
        default="dev",
        help=f"which examples: {', '.join(PARTS)}; default: dev",
    )
    parser.add_argument(
        "--all", action="store_true", help="show the right ones too, at first"
    )
    parser.add_argument(
        "--port",
        type=arguments.port,
        default=0,
        metavar="N",
        help="default: a free one",
    )
    parser.add_argument(
        "--no-browser",
        action="store_true",
        help="only print the address, and do not open it",
    )
    parser.add_argument(
        "--labels",
        type=arguments.path,
        nargs="?",
        const=Path(),
        metavar="FILE",
        help="look at suspect labels; default: labels.json of RUN, by `fastdl labels`",
    )
    arguments.add_data_dir(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    # Imported here: the web server is slow to load, and only this command needs it.
    from fastdl.report.errors import ErrorPage, Review, serve

    finished = open_run(options.run_folder, options.data_dir)
    with finished.folder.lock("errors"):
        suspects = _suspects(options, finished)
        with warnings.catch_warnings():
            # About a damaged file; reported below.
            warnings.filterwarnings("ignore", r".*\. It is kept as ")
            analysis = ErrorAnalysis.of_run(finished, options.part)
        if analysis.tags.notice:
            print(analysis.tags.notice)
        title = f"{options.run_folder}, {options.part}"
        print(
            f"{title}: {analysis.wrong.sum():,} of {len(analysis.x):,} wrong (error "
            f"{percent(analysis.error)}), {analysis.examined:,} of them looked at\n"
            f"tags are kept in {analysis.tags.path}"
        )
        which, review = "all" if options.all else "wrong", None
        if suspects is not None:
            which = "labels"
            dataset = getattr(finished.parts, options.part)
            log = finished.folder.path / f"{options.part}_corrections.json"
            corrections = Corrections(dataset, log, finished.classes)
            review = Review(analysis, corrections, suspects, getpass.getuser())
            print(f"{len(suspects):,} labels; corrections are kept in {log}")
        page = ErrorPage(analysis, title, which, review)
        serve(page, options.port, browser=not options.no_browser)
        print(f"\n{analysis}")


def _suspects(options: Namespace, finished: FinishedRun) -> list[Suspect] | None:
    """Return the suspect labels of the part, and the others to compare."""
    if options.labels is None:
        return None
    path = options.labels if options.labels != Path() else finished.folder.path
    folder = path.parent if path.name == FILE else path
    review = read_suspects(folder)
    how = f"`fastdl labels {shlex.quote(str(options.run_folder))}` makes it"
    if review is None:
        raise DataError(f"there is no file {folder / FILE}; {how}")
    if not review.fits(finished.parts):
        raise DataError(f"{folder / FILE} is of other data than the run; {how} anew")
    every = (*review.suspects, *review.sample)
    found = [each for each in every if each.part == options.part]
    if not found:
        there = ", ".join(sorted({each.part for each in every}))
        raise DataError(
            f"{folder / FILE} has no labels of the part {options.part}, but of {there}"
        )
    return found
