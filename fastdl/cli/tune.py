"""``fastdl tune``: search the hyperparameters of a training."""

from __future__ import annotations

import math
import shlex
from argparse import ArgumentParser, Namespace
from pathlib import Path

from fastdl import report, tune
from fastdl.cli import arguments
from fastdl.cli.settings import given
from fastdl.errors import DataError
from fastdl.train import RECIPES, Job

HELP = "search good hyperparameters"
DESCRIPTION = """\
Try many settings of `fastdl train`, and keep the best. For each trial some settings are
drawn from a space; it is trained, and scored on the dev set after each epoch. What is
hopeless is stopped early. The test set has no part in it.

The folder gets study.journal (all trials; Optuna's tools read it), trials.csv,
best.json, for `fastdl train --config`, and the pictures history.png, slices.png,
parallel.png and importance.png.

A space is a TOML file of settings with ranges; others are fixed or the recipe's:

  lr = {log = [1e-4, 1.0]}                   each order of magnitude equally likely
  momentum = {one_minus_log = [0.9, 0.999]}  1 - momentum is on such a scale
  label_smoothing = {linear = [0.0, 0.2]}
  epochs = {integer = [5, 20]}
  batch_size = {choice = [32, 64, 128]}
  optimizer = "momentum"

Methods: random; grid; coarse_to_fine (a third of the trials everywhere, then twice a
third around the best quarter of all so far); tpe (Optuna's sampler).

Many at once (--jobs; "caviar"): processes of one thread each. Other machines help by
the same command with --resume, given a --storage that all reach. One that you watch
("panda"): `fastdl train`, and {"learning_rate": 0.0003}, written into control.json of
its run folder, which holds from the next epoch on.

Ctrl-C, a crash or a storage that is down loses no finished trial; --resume goes on.
"""
EXAMPLES = """\
examples:
  fastdl tune digits                             the usual settings, 20 trials
  fastdl tune digits --space space.toml --trials 60 --jobs 2
  fastdl tune digits --space space.toml --trials 60 --jobs 2 --resume    go on
  fastdl tune mnist --method tpe --epochs 2 --examples 5000 --out runs/quick
  fastdl tune mnist --storage postgresql://me@host/searches --out runs/mnist-search
  fastdl train --config runs/tune-digits/best.json       train the best, again
"""
_SHOWN = 10  # of the best trials

# The default space: what the course tunes first.
_USUAL = {
    "lr": tune.Log(1e-4, 0.1),
    "momentum": tune.OneMinusLog(0.8, 0.99),
    "batch_size": tune.Choice(32, 64, 128, 256),
    "label_smoothing": tune.Choice(0.0, 0.1),
}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    arguments.add_dataset(parser)
    parser.add_argument(
        "--space",
        type=arguments.path,
        metavar="FILE",
        help=f"what is searched, as TOML; default: {', '.join(_USUAL)}",
    )
    parser.add_argument(
        "--trials", type=arguments.count, metavar="N", default=20, help="default: 20"
    )
    parser.add_argument(
        "--method",
        metavar="NAME",
        default="random",
        help=f"one of {', '.join(tune.METHODS)}; default: random",
    )
    parser.add_argument(
        "--pruner",
        metavar="NAME",
        default="median",
        help=f"what stops trials early: {', '.join(tune.PRUNERS)} or none; default: "
        f"median",
    )
    parser.add_argument(
        "--monitor",
        metavar="NAME",
        default="val_accuracy",
        help="the score, val_accuracy or val_loss; default: val_accuracy",
    )
    parser.add_argument(
        "--jobs",
        type=arguments.count,
        metavar="N",
        default=1,
        help="trials at a time, in processes of one thread each; default: 1, on all "
        "cores",
    )
    parser.add_argument(
        "--out",
        type=arguments.path,
        metavar="DIR",
        help="the folder of the search; default: runs/tune-DATASET",
    )
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="where the study is kept, its name is that of the folder: a path, or "
        "postgresql://user@host/database; default: study.journal in the folder",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a study, or help with it"
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"the settings that are not searched: one of {', '.join(RECIPES)}; "
        f"default: that of DATASET",
    )
    arguments.add_model(parser)
    arguments.add_epochs(parser)
    arguments.add_examples(parser)
    parser.add_argument(
        "--seed",
        type=arguments.seed,
        metavar="N",
        default=0,
        help="of the draws, and of each training; default: 0",
    )
    arguments.add_data_dir(parser)
    arguments.add_size(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    job = _job(options)
    space = tune.Space(_USUAL)
    if options.space is not None:
        space = tune.read_space(options.space)
    parts = job.load()
    out = options.out or Path("runs", f"tune-{parts.name}")
    print(
        f"{parts.name}: {len(parts.train):,} training examples; {len(parts.dev):,} of "
        f"the dev set decide\n{_describe(options, space)}",
        flush=True,
    )
    try:
        result = tune.search(
            job,
            space,
            trials=options.trials,
            method=options.method,
            pruner=None if options.pruner == "none" else options.pruner,
            seed=options.seed,
            monitor=options.monitor,
            jobs=options.jobs,
            out=out,
            storage=options.storage,
            resume=options.resume,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "during the search; what is finished is kept, add --resume to go on"
        ) from None
    result.write_csv(out / "trials.csv")
    result.save_best(out / "best.json")
    best = shlex.quote(str(out / "best.json"))
    run = shlex.quote(f"{out}-best")  # the earlier run stays, to compare with
    print(
        f"\n{_table(result)}\n{_noise(result, len(parts.dev))}\n"
        f"saved in {out}: trials.csv, best.json{_draw(result, out)}\n"
        f"\nnext:\n"
        f"  fastdl train --config {best} --out {run}\n"
        f"      train with the best settings again, test, keep the network\n"
        f"  fastdl tune --help\n"
        f"      other spaces, methods, several processes and machines"
    )


def _job(options: Namespace) -> Job:
    names = ("dataset", "recipe", "model", "epochs", "examples", "seed", "size")
    return Job.from_dict(given(options, (*names, "data_dir")))


def _describe(options: Namespace, space: tune.Space) -> str:
    lines = [
        f"up to {options.trials} trials, {options.method.replace('_', ' ')}, "
        f"{options.jobs} at a time"
    ]
    lines += [f"  {name}: {space[name]!r}" for name in space]
    return "\n".join(lines)


def _table(result: tune.SearchResult) -> str:
    """Return the best trials as lines of text."""
    names = list(result.plan.space.searched)
    ranked = result.ranked()
    rows = [["trial", result.plan.objective["monitor"], *names, "seconds"]]
    rows += [
        [
            str(trial.number),
            _number(trial.score),
            *(_number(trial.params[name]) for name in names),
            f"{trial.seconds:.1f}",
        ]
        for trial in ranked[:_SHOWN]
    ]
    if not ranked:
        _ = result.best  # raises, with the reason
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    counts = dict.fromkeys(("complete", "pruned", "failed"), 0)
    for trial in result.trials:
        counts[trial.state] += 1
    lines.append(
        f"\ncomplete: {counts['complete']}"
        + (f" (the best {_SHOWN} are shown)" if len(ranked) > _SHOWN else "")
        + f", stopped early: {counts['pruned']}, failed: {counts['failed']}"
    )
    if counts["failed"]:
        first = next(trial for trial in result.trials if trial.state == "failed")
        lines.append(f"the first that failed, {first.number}: {first.why}")
    return "\n".join(lines)


def _noise(result: tune.SearchResult, examples: int) -> str:
    """Say how far scores on this dev set can be trusted."""
    if result.plan.objective["monitor"] != "val_accuracy":
        return ""
    score = result.best.score or 0.0
    error = math.sqrt(max(score * (1 - score), 1 / examples) / examples)
    near = sum(score - (trial.score or 0.0) < error for trial in result.ranked())
    return (
        f"{examples:,} dev examples tell scores apart to about {error:.2%} (a standard "
        f"error); {near} of the trials are that near the best\n"
    )


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw(result: tune.SearchResult, out: Path) -> str:
    """Save the pictures; return the end of a sentence about them."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return '; no pictures, for these: pip install "fastdl-cpu[plot]"'
    drawn = []
    for name, draw in {
        "history": report.search_history,
        "slices": report.search_slices,
        "parallel": report.search_parallel,
        "importance": report.search_importance,
    }.items():
        try:
            figure = draw(result)
        except DataError:  # too few trials, or nothing was searched
            continue
        report.save_figure(figure, out / f"{name}.png")
        drawn.append(f"{name}.png")
    return f", {', '.join(drawn)}" if drawn else ""
