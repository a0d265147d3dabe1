"""``fastdl evaluate``: measure a run on a data set."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

import numpy as np

from fastdl import datasets
from fastdl.cli import arguments
from fastdl.cli.outcome import check_data, examine
from fastdl.train import FinishedRun, open_model

HELP = "measure a trained network on a data set"
DESCRIPTION = """\
Measure the network of a run on the test set of a data set with the same classes. Of a
folder without test/ that is all of it, but for the folder that the run learned from:
there it is the pictures that were held out.
"""
EXAMPLES = """\
examples:
  fastdl evaluate runs/digits digits
  fastdl evaluate runs/pets path/to/other/pictures
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    arguments.add_model_source(parser)
    arguments.add_dataset(parser)
    arguments.add_data_dir(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    saved = open_model(options.run_folder, options.data_dir)
    classes, input_shape = saved.classes, saved.input_shape
    source, data_dir = options.dataset, options.data_dir
    if source not in datasets.names():
        source = str(Path(source).resolve())  # as `fastdl train` records it
    own: FinishedRun | None = None  # if these are the data that it learned from
    if isinstance(saved, FinishedRun) and source == saved.config.get("dataset"):
        own, data_dir = saved, saved.job.data_dir
    lazy = own is not None and own.job.lazy
    size = None if source in datasets.names() else input_shape[:2]
    splits = datasets.find(options.dataset, data_dir, size, lazy)
    dataset = splits.test or splits.train
    if own is not None and splits.test is None:
        dataset = own.parts.test  # the rest was trained on
    shape = dataset.take(np.arange(1))[0].shape[1:]
    check_data(saved, splits.name, splits.classes, shape)
    start = time.perf_counter()
    answers = saved.trainer.predict(dataset, probabilities=True)
    outcome = examine(answers, dataset, classes)
    seconds = time.perf_counter() - start
    print(f"{outcome.describe()}\n\n{len(dataset) / seconds:,.0f} examples/s")
