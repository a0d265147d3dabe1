"""``fastdl compare``: which of several runs to ship."""

from __future__ import annotations

import csv
import io
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path

import fastdl
from fastdl import strategy
from fastdl.cli import arguments
from fastdl.errors import ArgumentError, DataError
from fastdl.files import write_text
from fastdl.strategy import Choice
from fastdl.strategy.candidates import Measures, read_csv
from fastdl.strategy.choice import Wish
from fastdl.strategy.inference import MEASURES
from fastdl.strategy.limits import LimitLike, shown
from fastdl.strategy.tables import table
from fastdl.train import FinishedRun, open_run

HELP = "compare runs, and choose one"
DESCRIPTION = """\
Show where the settings of runs differ, what they reach on the dev set, and what they
cost: milliseconds for one example and for a batch (the median, and what 95 % of the
calls keep), parameters, multiply-adds for one example, bytes of the saved model. Then
choose the one that is best at one thing (--optimise) among those that are good enough
at the others (--limit).

The test set is not looked at: it tells how good the chosen one is, by
`fastdl evaluate`.
"""
EXAMPLES = """\
examples:
  fastdl compare runs/small runs/large
  fastdl compare runs/* --limit latency_ms=2 --limit "accuracy>=0.97"
  fastdl compare runs/* --optimise latency_ms --limit "accuracy>=0.97"
  fastdl compare runs/* --formula "accuracy - 0.01 * latency_ms"
  fastdl compare runs/* --save runs.csv        keep what was measured
  fastdl compare --csv runs.csv --limit file_bytes=100000
"""

# What determines the examples of the dev set.
_OF_DATA = ("dataset", "seed", "size")
_LIMIT = re.compile(r"\s*([^<>=]+?)\s*(<=|>=|=)\s*(\S+)\s*")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "run_folders",
        nargs="*",
        type=arguments.path,
        metavar="RUN",
        help="folders that `fastdl train` wrote",
    )
    parser.add_argument(
        "--csv",
        type=arguments.path,
        metavar="FILE",
        help="choose among the rows of a table instead of runs",
    )
    parser.add_argument(
        "--optimise",
        metavar="NAME",
        default="accuracy",
        help="what should be best; default: accuracy",
    )
    parser.add_argument(
        "--limit",
        type=limit,
        action="append",
        metavar="NAME=X",
        default=[],
        help="what is good enough: latency_ms=100 (at most, of what is better lower), "
        "'NAME<=X' or 'NAME>=X'; may be given several times",
    )
    direction = parser.add_mutually_exclusive_group()
    direction.add_argument(
        "--minimise",
        action="store_true",
        default=None,
        help="less of --optimise is better, where its name does not tell",
    )
    direction.add_argument(
        "--maximise",
        action="store_false",
        dest="minimise",
        default=None,
        help="more of it is better",
    )
    parser.add_argument(
        "--formula",
        metavar="TEXT",
        help="show beside it what a single number would choose, such as "
        "'accuracy - 0.5 * latency_ms / 1000'",
    )
    parser.add_argument(
        "--batch-size",
        type=arguments.count,
        metavar="N",
        default=64,
        help="the examples of a batch; default: 64",
    )
    parser.add_argument(
        "--seconds",
        type=arguments.rate,
        metavar="X",
        default=1.0,
        help="how long to measure the times of each run; default: 1",
    )
    arguments.add_threads(parser)
    parser.add_argument(
        "--save",
        type=arguments.path,
        metavar="FILE",
        help="keep what was measured as CSV",
    )
    arguments.add_data_dir(parser)


def limit(text: str) -> tuple[str, str, float]:
    """Read a limit such as latency_ms=100, recall>=0.9 or seconds<=2."""
    match = _LIMIT.fullmatch(text)
    try:
        name, sign, number = match.groups()  # type: ignore[union-attr]
        return name, sign, float(number)
    except (AttributeError, ValueError):
        raise ArgumentTypeError(
            f"expected a limit such as latency_ms=100, 'recall>=0.9' or "
            f"'seconds<=2', got {text!r}"
        ) from None


def run(options: Namespace) -> None:
    """Run the command."""
    if options.threads is not None:
        fastdl.set_num_threads(options.threads)
    limits = _limits(options.limit)
    if (options.csv is None) == (not options.run_folders):
        raise ArgumentError("compare: give folders of runs, or --csv FILE, one of them")
    if options.csv is not None:
        measures = read_csv(options.csv)
    else:
        wish = Wish(options.optimise, limits, options.minimise, options.formula)
        wish.check(MEASURES)  # before measuring
        folders = _run_folders(options.run_folders)
        runs = [open_run(path, options.data_dir) for path in folders]
        measures = strategy.compare_runs(
            runs, batch_size=options.batch_size, seconds=options.seconds
        )
        if len(runs) > 1:
            named = dict(zip(measures, runs, strict=True))
            print("\n".join(_settings(named)), end="\n\n")
        print("\n".join(_table("measured", measures)), end="\n\n")
    choice = strategy.choose(
        measures,
        options.optimise,
        limits,
        minimise=options.minimise,
        formula=options.formula,
    )
    print("\n".join([str(choice), *_doubt(choice)]))
    if options.save is not None:
        _save(measures, options.save)
        print(f"saved in {options.save}")
    if choice.best is None:
        raise DataError(f"no run fits: {choice.nearest}")


def _run_folders(paths: Sequence[Path]) -> Sequence[Path]:
    """Leave out what is not a run, such as the folder of a search among runs/*."""
    others = [
        path for path in paths if path.exists() and not (path / "config.json").is_file()
    ]
    if not 0 < len(others) < len(paths):
        return paths
    print(f"note: left out, since no runs: {', '.join(map(str, others))}\n")
    return [path for path in paths if path not in others]


def _limits(given: Sequence[tuple[str, str, float]]) -> dict[str, LimitLike]:
    """Return limits for `strategy.choose`; two of one name are the two ends."""
    limits: dict[str, dict[str, float]] = {}
    for name, sign, number in given:
        ends = limits.setdefault(name, {})
        if sign in ends or (ends and "=" in {sign, *ends}):
            raise ArgumentError(f"compare: two limits of {name!r} for the same side")
        ends[sign] = number
    return {
        name: ends["="] if "=" in ends else (ends.get(">="), ends.get("<="))
        for name, ends in limits.items()
    }


def _settings(runs: dict[str, FinishedRun]) -> list[str]:
    """Return a table of the settings that differ, and what follows from them."""
    settings = {name: run.job.to_dict() for name, run in runs.items()}
    for each in settings.values():
        del each["data_dir"]  # where the data are does not matter
    differ = strategy.setting_differences(settings)
    if not differ:
        return ["the settings are the same"]
    rows = {
        name: {key: values.get(name) for key, values in differ.items()} for name in runs
    }
    lines = _table("settings", rows)
    of_data = [key for key in _OF_DATA if key in differ]
    if of_data:
        lines.append(
            f"note: the dev sets are not the same ({', '.join(of_data)}), which is "
            f"part of what differs below"
        )
    return lines


def _table(title: str, rows: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return a table with a column for each run, as there are many measures."""
    names = dict.fromkeys(key for each in rows.values() for key in each)
    lines: list[list[str]] = [[title, *rows]]
    lines += [[key, *(_cell(each.get(key)) for each in rows.values())] for key in names]
    return table(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return shown(value)
    return str(value)


def _doubt(choice: Choice) -> list[str]:
    """Say which runs may be as good as the chosen one, for all the dev set shows."""
    if choice.best is None or choice.optimise != "accuracy":
        return []
    p, m = choice.measures["accuracy"], choice.measures.get("examples", 0)
    if not (m >= 1 and 0 <= p <= 1):
        return []
    error = strategy.standard_error(1 - p, int(m))
    near = [
        each.name
        for each in choice.candidates[1:]
        if each.fits and p - each.measures["accuracy"] <= 2 * error
    ]
    if not near:
        return []
    return [
        f"note: {', '.join(near)} may be as good; with {shown(m)} examples the "
        f"standard error of the accuracy is {shown(error)}"
    ]


def _save(measures: dict[str, Measures], path: Path) -> None:
    names = dict.fromkeys(key for each in measures.values() for key in each)
    text = io.StringIO()
    writer = csv.DictWriter(text, ["name", *names], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"name": name, **each} for name, each in measures.items())
    write_text(path, text.getvalue())
