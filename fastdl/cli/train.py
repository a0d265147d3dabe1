"""``fastdl train``: learn a data set, keep the run."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import fastdl
from fastdl import backend, data, datasets, models, random, report
from fastdl.cli import arguments
from fastdl.cli.outcome import Outcome, examine
from fastdl.errors import DataError
from fastdl.files import check_writable
from fastdl.train import (
    OPTIMIZERS,
    RECIPES,
    SCHEDULES,
    Callback,
    CSVLog,
    EarlyStopping,
    History,
    LearningRateLog,
    ManualRate,
    ModelCheckpoint,
    Recipe,
    RunFolder,
    TensorBoardLog,
    Trainer,
    recipe,
)

HELP = "train a network on a data set"
DESCRIPTION = """\
Train a network on a data set, test it, and keep the run: config.json, metrics.csv,
model.safetensors, and the pictures curves.png, confusion.png, mistakes.png.

A tenth of the training data is held out, and measured after each epoch (validation).
Of a folder without test/, a fifth of the pictures is held out first, as the test set.
What is not given comes from the recipe of the data set; metrics.csv has the losses, the
accuracies and the learning rate of each epoch.

Pictures of a folder are .png, .jpg, .jpeg, .bmp, .gif or .webp.

Steer a run by hand: {"learning_rate": 0.0003}, written into control.json of the run
folder, holds from the next epoch on. Stop it by Ctrl-C, and go on with --resume.
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
"""

Part = data.ArrayDataset | data.Subset


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help=f"one of {', '.join(datasets.names())}, or a folder of pictures",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"one of {', '.join(RECIPES)}; default: that of DATASET",
    )
    parser.add_argument(
        "--model", metavar="NAME", help=f"one of {', '.join(models.names())}"
    )
    parser.add_argument(
        "--epochs", type=arguments.count, metavar="N", help="passes through the data"
    )
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
        help="write curves for TensorBoard into the run folder",
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
        help="what may differ from the run that --resume goes on with, such as lr,data",
    )
    parser.add_argument(
        "--seed", type=arguments.seed, metavar="N", default=0, help="default: 0"
    )
    parser.add_argument(
        "--threads", type=arguments.count, metavar="N", help="default: all cores"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the run folder; default: runs/DATASET"
    )
    arguments.add_data_dir(parser)
    parser.add_argument(
        "--size",
        type=arguments.size,
        metavar="H,W",
        help="resize the pictures of a folder",
    )


def run(options: Namespace) -> None:
    """Run the command."""
    if options.threads is not None:
        fastdl.set_num_threads(options.threads)
    random.seed(options.seed)
    splits = arguments.load_data(options.dataset, options.data_dir, options.size)
    if len(splits.classes) < 2:
        raise DataError(
            f"{splits.name}: there is only the class {splits.classes[0]!r}; a "
            f"classifier needs two at least"
        )
    train, validation, test = _parts(splits, options.seed)
    chosen = _chosen_recipe(splits.name, options)
    model = chosen.create_model(len(splits.classes))
    input_shape = splits.train.x.shape[1:]
    model.build(input_shape)
    trainer = chosen.trainer(model)

    folder = RunFolder(options.out or Path("runs", splits.name))
    config = {
        "fastdl": fastdl.__version__,
        "dataset": splits.name,
        "classes": splits.classes,
        "input_shape": input_shape,
        **asdict(chosen),
        "seed": options.seed,
        "backend": backend.name,
        "threads": fastdl.get_num_threads(),
    }
    parameters = sum(parameter.size for parameter in model.parameters())
    print(
        f"{splits.name}: {len(train):,} training, {len(validation):,} validation and "
        f"{len(test):,} test examples of {arguments.describe_shape(input_shape)}, "
        f"{len(splits.classes)} classes\n"
        f"{chosen.model}: {parameters:,} parameters, {chosen.epochs} epochs of "
        f"{chosen.optimizer}, lr {chosen.lr:g}, batches of {chosen.batch_size}",
        flush=True,
    )
    callbacks = [_Config(folder, config), *_callbacks(chosen, options, folder)]
    _fit(trainer, chosen, train, validation, options, folder, callbacks)
    folder.save_model(model)
    outcome = examine(trainer, test, splits.classes)
    seconds = sum(trainer.history["seconds"])
    speed = len(train) * len(trainer.history) / seconds
    print(
        f"\ntest {outcome.describe()}\n\n"
        f"training took {seconds:.1f} s, {speed:,.0f} examples/s\n"
        f"saved in {folder.path}{_draw(trainer.history, outcome, folder)}\n"
        f"\nnext:\n"
        f"  fastdl evaluate {folder.path} {options.dataset}\n"
        f"      measure the saved network again\n"
        f"  fastdl predict {folder.path} IMAGE.png\n"
        f"      ask it about a picture of yours\n"
        f"  fastdl summary {chosen.model} --input {','.join(map(str, input_shape))}\n"
        f"      look at its layers\n"
        f"  fastdl train --help\n"
        f"      other data sets, networks, optimisers, learning rates"
    )


def _parts(splits: datasets.Splits, seed: int) -> tuple[Part, Part, Part]:
    """Return training, validation and test set."""
    train: Part = splits.train
    test: Part | None = splits.test
    if test is None:
        train, test = data.split(train, (0.8, 0.2), seed, stratify=True)
    train, validation = data.split(train, (0.9, 0.1), seed, stratify=True)
    return train, validation, test


def _draw(history: History, outcome: Outcome, folder: RunFolder) -> str:
    """Save the pictures; return the end of a sentence about them."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return ' without pictures; for these: pip install "fastdl-cpu[plot]"'
    for name, figure in {
        "curves": report.learning_curves(history),
        "confusion": report.confusion_matrix(outcome.matrix, outcome.classes),
        "mistakes": report.mistakes(
            outcome.x, outcome.y, outcome.probabilities, outcome.classes
        ),
    }.items():
        report.save_figure(figure, folder.path / f"{name}.png")
    return ", with curves.png, confusion.png and mistakes.png"


def _chosen_recipe(dataset: str, options: Namespace) -> Recipe:
    """Return the recipe of the data set, changed as the user wants."""
    given = {
        name: getattr(options, name)
        for name in ("model", "epochs", "batch_size", "optimizer", "lr", "schedule")
        if getattr(options, name) is not None
    }
    default = dataset if dataset in RECIPES else "pictures"
    usual = recipe(options.recipe or default)
    chosen = replace(usual, **given)
    if chosen.optimizer != usual.optimizer and options.lr is None:
        _, lr = OPTIMIZERS[chosen.optimizer]  # another one needs another rate
        chosen = replace(chosen, lr=lr)
    return chosen


class _Config(Callback):
    """Writes config.json when the first epoch begins: the run is accepted by then."""

    def __init__(self, folder: RunFolder, settings: dict[str, Any]) -> None:
        self._folder, self._settings = folder, settings
        self._written = False

    def decides(self) -> None:
        """Nothing: it only writes."""

    def writes(self) -> list[Path]:
        """Return the settings, and the model of the end."""
        return [self._folder.config, self._folder.model]

    def on_train_begin(self, trainer: Trainer, epochs: int, batches: int) -> None:
        """Find out whether the files can be written."""
        for path in self.writes():
            check_writable(path)

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Write the file."""
        if not self._written:
            self._folder.write_config(self._settings)
            self._written = True


def _callbacks(chosen: Recipe, options: Namespace, folder: RunFolder) -> list[Callback]:
    callbacks: list[Callback] = [
        ManualRate(folder.control),
        LearningRateLog(),
        chosen.create_schedule(),
        CSVLog(folder.metrics),
    ]
    if options.patience is not None:
        callbacks.append(EarlyStopping(patience=options.patience))
    if options.checkpoints:
        callbacks.append(ModelCheckpoint(folder.path))
    if options.tensorboard:
        callbacks.append(TensorBoardLog(folder.path))
    return callbacks


def _fit(
    trainer: Trainer,
    chosen: Recipe,
    train: data.Dataset,
    validation: data.Dataset,
    options: Namespace,
    folder: RunFolder,
    callbacks: list[Callback],
) -> None:
    if options.resume:
        _check_resumable(folder)
    try:
        trainer.fit(
            chosen.loader(train, options.seed),
            epochs=chosen.epochs,
            validation=validation,
            callbacks=callbacks,
            progress=True,
            checkpoint=folder.checkpoint,
            resume=options.resume,
            allow_changes=options.allow_changes,
        )
    except KeyboardInterrupt:
        if not trainer.history.rows:
            raise
        folder.save_model(trainer.model)
        raise KeyboardInterrupt(
            f"after {len(trainer.history)} epochs; the model so far is saved in "
            f"{folder.path}; add --resume to go on"
        ) from None
    folder.checkpoint.unlink()


def _check_resumable(folder: RunFolder) -> None:
    """Raise DataError, with the reason, when there is no checkpoint."""
    if folder.checkpoint.exists():
        return
    model, config = folder.model, folder.config
    # An earlier run may have left a model: that of this one is newer than its settings.
    written = [file.stat().st_mtime_ns for file in (model, config) if file.is_file()]
    if len(written) == 2 and written[0] >= written[1]:
        raise DataError(f"this run is finished, its model is saved in {model}")
    raise DataError(
        f"no epoch was completed: there is no file {folder.checkpoint}; start without "
        f"--resume"
    )
