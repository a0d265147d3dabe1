"""``fastdl diagnose``: say what limits a run, and what to do next."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import fastdl
from fastdl import report, strategy
from fastdl.cli import arguments
from fastdl.errors import ArgumentError
from fastdl.strategy.diagnosis import SMALL
from fastdl.train import FinishedRun, open_run

HELP = "tell what limits a trained network, and what to do next"
DESCRIPTION = """\
Measure the errors of a run on its training, dev and test set, and say what limits it:
avoidable bias, variance, a mismatch of the data, an overfitted dev set, or a training
that went wrong. The next steps are commands. The errors are kept in the run folder, and
measured again only when the model is another one.
"""
EXAMPLES = """\
examples:
  fastdl diagnose runs/digits
  fastdl diagnose runs/digits --human 0.01         people are wrong in 1 of 100 cases
  fastdl diagnose runs/digits --small 0.002        a gap of 0.2% matters already
  fastdl diagnose runs/digits --data-curve --wanted 0.005    would more data help?
  fastdl diagnose runs/first runs/second           one after the other
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    arguments.add_runs(parser)
    parser.add_argument(
        "--human",
        type=arguments.share,
        default=0.0,
        metavar="X",
        help="the error of people, from 0 to below 1; default: 0",
    )
    parser.add_argument(
        "--small",
        type=arguments.share,
        default=SMALL,
        metavar="X",
        help=f"the largest gap that does not matter; default: {SMALL:g}",
    )
    parser.add_argument(
        "--data-curve",
        action="store_true",
        help="train on parts of the training set, to see whether more data would help; "
        "takes as long as four trainings",
    )
    parser.add_argument(
        "--wanted",
        type=arguments.share,
        metavar="X",
        help="with --data-curve: how many examples would give this dev error?",
    )
    parser.add_argument(
        "--again", action="store_true", help="measure again, whatever was kept"
    )
    arguments.add_threads(parser)
    arguments.add_data_dir(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    if options.wanted is not None and not options.data_curve:
        raise ArgumentError("--wanted is for --data-curve")
    if options.threads is not None:
        fastdl.set_num_threads(options.threads)
    runs = [open_run(path, options.data_dir) for path in options.run_folders]
    for place, finished in enumerate(runs):
        path = finished.folder.path
        measured = strategy.measure_run(finished, options.again)
        diagnosis = measured.diagnose(
            options.human, small=options.small, settings=finished.config, run=path
        )
        between = "\n" if place else ""
        print(f"{between}{path}\n\n{diagnosis}", flush=True)
        if options.data_curve:
            print(f"\n{_data_curve(finished, options)}", flush=True)


def _data_curve(finished: FinishedRun, options: Namespace) -> str:
    """Return what the curve says, and draw it."""
    curve = strategy.learning_curve_run(finished, options.again)
    text = f"{curve.table()}\n\n{curve.summary(options.wanted)}"
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return text
    picture = finished.folder.path / "data_curve.png"
    report.save_figure(report.data_curve(curve, options.wanted), picture)
    return f"{text}\nsaved in {picture}"
