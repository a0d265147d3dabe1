"""``fastdl train``: train on a data set, and keep the run."""

from __future__ import annotations

import shlex
import warnings
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

import fastdl
from fastdl import datasets, parallel, report
from fastdl.cli import arguments, settings
from fastdl.cli.config_file import ConfigFile
from fastdl.cli.outcome import Outcome, examine
from fastdl.cli.report import write_report
from fastdl.data import DataLoader
from fastdl.datasets.splits import Part
from fastdl.errors import ArgumentError, DataError
from fastdl.files import check_writable, previous
from fastdl.progress import progress_bar
from fastdl.report.page.text import plural
from fastdl.train import (
    OPTIMIZERS,
    RECIPES,
    SCHEDULES,
    Callback,
    CSVLog,
    History,
    Job,
    ManualRate,
    ModelCheckpoint,
    Parts,
    RunFolder,
    TensorBoardLog,
    Trainer,
    open_run,
)
from fastdl.train.interrupt import Terminated

_PICTURES = "curves", "confusion", "mistakes"

HELP = "train a network on a data set"
DESCRIPTION = """\
Train a network on a data set, test it, and keep the run: config.json, metrics.csv,
model.safetensors, the pictures curves.png, confusion.png, mistakes.png, and a page
about it all, report.html, which says what to do next.

A tenth of the training data is held out, and measured after each epoch (validation).
Of a folder without test/, a fifth of the pictures is held out first, as the test set.
With dev/ that is the validation set, and the tenth of the training data is kept to tell
variance from a mismatch of the data, see `fastdl diagnose`.

What is not given comes from the recipe of the data set, or from a file of settings in
TOML or JSON (--config): a recipe of your own (`fastdl recipes NAME` prints one to begin
with), or config.json of another run. The same settings give the same bits. metrics.csv
has the losses, the accuracies and the learning rate of each epoch.

--from starts from trained weights: the network of another run, or a file of
`fastdl.save`; for a file of weights alone say by --model which network they are of.
Pictures of a folder are resized to what it learned from, unless --size says otherwise.

Pictures of a folder are .png, .jpg, .jpeg, .bmp, .gif or .webp.

Steer a run by hand: {"learning_rate": 0.0003}, written into control.json of the run
folder, holds from the next epoch on. Stop it by Ctrl-C (or SIGTERM), and go on with
--resume, from the very step.
"""
EXAMPLES = """\
examples:
  fastdl train digits
  fastdl train mnist --epochs 2 --out runs/quick
  fastdl train mnist --recipe mnist_accurate     minutes instead of seconds
  fastdl train mnist --recipe mnist_accurate --resume        after Ctrl-C: go on
  fastdl train mnist --lr 0.001 --resume --allow-changes lr  ... with another rate
  fastdl train digits --epochs 100 --patience 5 --checkpoints
  fastdl train fashion_mnist --model lenet5 --optimizer momentum --lr 0.05
  fastdl train path/to/pictures --size 64,64     folders train/<class>/*.jpg or <class>/
  fastdl train path/to/pictures --from runs/cifar10 --freeze all    only a new head
  fastdl train path/to/pictures --size 224,224 --lazy        ... larger than the memory
  fastdl train --config runs/digits/config.json --out runs/again     the same, again
  fastdl train --config runs/digits/config.json --seed 1 --out runs/seed1
  fastdl train cifar10 --recipe resnet20         see fastdl recipes
  fastdl train --config my.toml                  a recipe of your own
  mpiexec -n 2 fastdl train cifar10              on several processes or machines
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "dataset",
        nargs="?",
        type=arguments.text,
        metavar="DATASET",
        help=f"one of {', '.join(datasets.names())}, or a folder of pictures",
    )
    parser.add_argument(
        "--config",
        type=arguments.path,
        metavar="FILE",
        help="settings, TOML or JSON, such as config.json of a run; options go before",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"one of {', '.join(RECIPES)}; default: that of DATASET",
    )
    parser.add_argument(
        "--from",
        dest="pretrained",
        type=arguments.text,
        metavar="RUN",
        help="start from the network of a run, or from a .safetensors file; with other "
        "classes it gets a new head",
    )
    parser.add_argument(
        "--freeze",
        metavar="LAYER",
        help="with --from: the first layer that learns (fastdl summary shows them), or "
        "all: only the head learns",
    )
    arguments.add_model(parser)
    arguments.add_epochs(parser)
    parser.add_argument(
        "--batch-size", type=arguments.count, metavar="N", help="examples in one step"
    )
    parser.add_argument(
        "--optimizer", metavar="NAME", help=f"one of {', '.join(OPTIMIZERS)}"
    )
    parser.add_argument(
        "--lr", type=arguments.rate, metavar="X", help="the highest learning rate"
    )
    parser.add_argument(
        "--schedule",
        metavar="NAME",
        help=f"how it changes: one of {', '.join(SCHEDULES)}",
    )
    parser.add_argument(
        "--momentum",
        type=arguments.share,
        metavar="X",
        help="the weight of the gradients before, from 0 to below 1",
    )
    parser.add_argument(
        "--weight-decay",
        type=arguments.number,
        metavar="X",
        help="pull the weights towards 0",
    )
    parser.add_argument(
        "--label-smoothing",
        type=arguments.share,
        metavar="X",
        help="so much of each label is spread over all classes",
    )
    parser.add_argument(
        "--dropout",
        type=arguments.share,
        metavar="X",
        help="the share that the dropout of the network drops",
    )
    parser.add_argument(
        "--augment",
        type=arguments.options,
        metavar="NAME=X,...",
        help="change the training pictures at random, such as translate=2,rotate=10 "
        "(see fastdl.data.Augment), or none",
    )
    arguments.add_examples(parser)
    parser.add_argument(
        "--patience",
        type=arguments.count,
        metavar="N",
        help="stop after N epochs without a lower validation loss, and keep the best "
        "weights",
    )
    parser.add_argument(
        "--checkpoints",
        action="store_true",
        help="keep best.safetensors and last.safetensors, renewed after each epoch",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write curves, weights and pictures for TensorBoard into the run folder",
    )
    parser.add_argument(
        "--no-report",
        action="store_true",
        help="neither measure the errors at the end nor write report.html",
    )
    parser.add_argument(
        "--checkpoint-steps",
        type=arguments.count,
        metavar="N",
        help="write checkpoint.safetensors, from which --resume goes on, after every N "
        "steps too, and not after each epoch alone",
    )
    parser.add_argument(
        "--checkpoint-minutes",
        type=arguments.rate,
        default=10.0,
        metavar="X",
        help="... and X minutes after the last one; default: 10",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run that was interrupted, given the same options",
    )
    parser.add_argument(
        "--allow-changes",
        type=arguments.names,
        metavar="NAMES",
        default=(),
        help="what may differ from the run that --resume goes on with, such as "
        "lr,data; config.json keeps the last settings alone",
    )
    parser.add_argument("--seed", type=arguments.seed, metavar="N", help="default: 0")
    arguments.add_threads(parser)
    parser.add_argument(
        "--batch-norm-per-rank",
        action="store_true",
        help="under mpiexec: each process normalises its own part of a batch, which is "
        "faster on slow networks; by default the results are those of one process",
    )
    parser.add_argument(
        "--out",
        type=arguments.path,
        metavar="DIR",
        help="the run folder; default: runs/DATASET",
    )
    arguments.add_data_dir(parser)
    arguments.add_size(parser)
    parser.add_argument(
        "--lazy",
        action="store_const",
        const=True,
        help="decode the pictures of a folder when they are used, and keep them in the "
        "user's cache folder: for folders larger than the memory",
    )


def run(options: Namespace) -> None:
    """Run the command."""
    ranks = parallel.start()
    ranks.sync_batch_norm = not options.batch_norm_per_rank
    if not ranks.is_first:
        warnings.simplefilter("ignore")  # the first one warns
    if options.threads is not None:
        fastdl.set_num_threads(options.threads)
    if options.allow_changes and not options.resume:
        raise ArgumentError("--allow-changes is for --resume")
    job = settings.job(options)
    with ranks.first_ahead():  # it may download something
        parts = job.load()
    folder = RunFolder(options.out or Path("runs", parts.name))
    _check_apart(job, folder)
    trainer = job.trainer(parts)
    trainer.ranks = ranks
    if not ranks.is_first:
        _fit(trainer, job, parts, options, folder)
        return
    if job.lazy:
        _check_pictures(parts)
    with folder.lock("train"):  # which makes the folder: what does not fit makes none
        _check_files(folder)
        print(_describe(job, parts, trainer), flush=True)
        _fit(trainer, job, parts, options, folder)
        folder.save_model(trainer.model)
        for file in (previous(folder.checkpoint), folder.checkpoint):
            file.unlink(missing_ok=True)
        try:
            finished = open_run(folder.path)
            finished.parts = parts  # they are loaded already
            outcome = examine(finished.answers("test"), parts.test, parts.classes)
            drawn = _draw(trainer.history, outcome, parts.test, folder)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"after the training; the model is saved in {folder.path}, `fastdl "
                f"evaluate` and `fastdl report` measure it"
            ) from None
    seconds = sum(trainer.history["seconds"])
    speed = len(parts.train) * len(trainer.history) / seconds
    run = shlex.quote(str(folder.path))
    data = shlex.quote(options.dataset or job.dataset)
    print(
        f"\ntest {outcome.describe()}\n\n"
        f"training took {seconds:.1f} s, {speed:,.0f} examples/s\n"
        f"saved in {folder.path}{drawn}\n"
        f"\nnext:\n"
        f"  fastdl evaluate {run} {data}\n"
        f"      measure the saved network again\n"
        f"  fastdl predict {run} IMAGE.png\n"
        f"      ask it about a picture of yours\n"
        f"  fastdl diagnose {run}\n"
        f"      what limits it, and what to do about that\n"
        f"  fastdl errors {run}\n"
        f"      look at its mistakes, and tag them\n"
        f"  fastdl train --help\n"
        f"      other data sets, networks, optimisers, learning rates"
    )
    if not options.no_report:
        print()
        write_report([finished], folder.report)


def _describe(job: Job, parts: Parts, trainer: Trainer) -> str:
    """Say what is going to be trained."""
    parameters = list(trainer.model.parameters())
    counts = f"{sum(parameter.size for parameter in parameters):,} parameters"
    if job.pretrained is not None:
        learning = sum(p.size for p in parameters if p.requires_grad)
        counts = f"weights of {job.pretrained}, {learning:,} of {counts} learn"
    chosen, ranks = job.recipe, trainer.ranks
    together = f" on {ranks.size} processes" if ranks.size > 1 else ""
    return (
        f"{parts.name}: {len(parts.train):,} training, {len(parts.dev):,} validation "
        f"and {len(parts.test):,} test examples of "
        f"{arguments.describe_shape(parts.input_shape)}, {len(parts.classes)} classes\n"
        f"{chosen.model}: {counts}, {plural(chosen.epochs, 'epoch')} of "
        f"{chosen.optimizer}, lr {chosen.lr:g}, batches of {chosen.batch_size}"
        f"{together}"
    )


def _check_files(folder: RunFolder) -> None:
    """Raise OSError if a file of the run, such as a picture, cannot be written.

    Else that would be found only after the training.
    """
    pictures = [folder.path / f"{name}.png" for name in _PICTURES]
    for file in (folder.model, folder.measures, folder.report, *pictures):
        check_writable(file)


def _check_apart(job: Job, folder: RunFolder) -> None:
    """Refuse a run folder that would overwrite the weights that the run starts from."""
    if job.pretrained is None:
        return
    start = Path(job.pretrained).resolve()
    if folder.path.resolve() in (start, start.parent):
        raise ArgumentError(
            f"the run would overwrite {start}, which it starts from; choose another "
            f"folder by --out"
        )


def _check_pictures(parts: Parts) -> None:
    """Raise DataError if a picture that measures the network cannot be read.

    Else that would be found only after the training. Read now, they are in the cache.
    """
    for part in (parts.dev, parts.test, parts.train_dev):
        if part is not None:
            for _ in progress_bar(DataLoader(part), "pictures", leave=False):
                pass


def _draw(history: History, outcome: Outcome, test: Part, folder: RunFolder) -> str:
    """Save the pictures; return the end of a sentence about them."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return ' without pictures; for these: pip install "fastdl-cpu[plot]"'
    figures = (
        report.learning_curves(history),
        report.confusion_matrix(outcome.matrix, outcome.classes),
        report.mistakes(test, outcome.y, outcome.probabilities, outcome.classes),
    )
    for name, figure in zip(_PICTURES, figures, strict=True):
        report.save_figure(figure, folder.path / f"{name}.png")
    return ", with curves.png, confusion.png and mistakes.png"


def _callbacks(job: Job, parts: Parts, options: Namespace, folder: RunFolder) -> list:
    made: list[Callback] = [
        ConfigFile(folder, job, parts),
        ManualRate(folder.control),
        CSVLog(folder.metrics),
    ]
    if options.checkpoints:
        made.append(ModelCheckpoint(folder.path))
    if options.tensorboard:
        first = parts.train.take(np.arange(min(16, len(parts.train))))[0]
        shown = first if first.ndim == 4 and first.shape[3] in (1, 3) else None
        made.append(TensorBoardLog(folder.path, job.to_dict(), shown))
    return made


def _fit(
    trainer: Trainer, job: Job, parts: Parts, options: Namespace, folder: RunFolder
) -> None:
    if options.resume:
        _check_resumable(folder)
    else:
        _check_finished(folder)
    try:
        job.fit(
            parts,
            trainer,
            _callbacks(job, parts, options, folder),
            progress=True,
            checkpoint=folder.checkpoint,
            checkpoint_steps=options.checkpoint_steps,
            checkpoint_minutes=options.checkpoint_minutes,
            resume=options.resume,
            allow_changes=options.allow_changes,
        )
    except (KeyboardInterrupt, Terminated) as end:
        epochs = len(trainer.history)
        where = str(end) or (f"after {plural(epochs, 'epoch')}" if epochs else "")
        if not (where and trainer.ranks.is_first):
            raise
        if epochs:  # until then the folder may be that of an earlier run
            folder.save_model(trainer.model)
            where += f"; the model so far is saved in {folder.path}"
        raise type(end)(f"{where}; add --resume to go on") from None


def _has_checkpoint(folder: RunFolder) -> bool:
    return folder.checkpoint.exists() or previous(folder.checkpoint).exists()


def _check_finished(folder: RunFolder) -> None:
    """Refuse to train in the place of a training that was interrupted."""
    if _has_checkpoint(folder):
        raise DataError(
            f"{folder.path} holds a training that was interrupted: --resume goes on "
            f"with it, --out DIR trains elsewhere; to begin anew remove "
            f"{folder.checkpoint} and {previous(folder.checkpoint).name}"
        )


def _check_resumable(folder: RunFolder) -> None:
    """Raise DataError, with the reason, if there is no checkpoint."""
    if _has_checkpoint(folder):
        return
    if folder.config.is_file() and folder.model.is_file():
        raise DataError(
            f"this run is finished, its model is saved in {folder.model}; `fastdl "
            f"evaluate` and `fastdl report` measure it"
        )
    raise DataError(
        f"there is nothing to go on from, no file {folder.checkpoint}; start without "
        f"--resume"
    )
