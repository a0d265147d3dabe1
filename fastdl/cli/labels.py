"""``fastdl labels``: find labels that are probably wrong."""

from __future__ import annotations

import shlex
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

import fastdl
from fastdl import datasets, strategy
from fastdl.cli import arguments
from fastdl.cli.settings import given
from fastdl.errors import ArgumentError
from fastdl.files import check_writable
from fastdl.strategy.label_review import FILE, PARTS
from fastdl.train import RECIPES, Job, Parts, Recipe, open_run, recipe

HELP = "find labels that are likely wrong"
DESCRIPTION = """\
Train a few quick networks, each on a part of the data, ask each about the rest, and
list the labels that are likely wrong, the most suspect first: index, label, suggested
label, and how likely the label is wrong. Tells too whether labels are wrong at random,
or whether one class is labelled as another.

All parts are looked at by the same networks, so that dev and test set are corrected in
the same way. Some examples that are not suspect are added: look at these too, else only
mistakes of the networks are corrected.

Writes labels.csv and labels.json into the folder. Of a run `fastdl errors RUN --labels`
shows them, to be corrected, and `fastdl report RUN` too.
"""
EXAMPLES = """\
examples:
  fastdl labels digits
  fastdl labels runs/digits                 the data of a run, into its folder
  fastdl labels mnist --part test --sample 50
  fastdl labels path/to/pictures --size 64,64 --recipe pictures --folds 5
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "dataset",
        type=arguments.text,
        metavar="DATASET",
        help=f"one of {', '.join(datasets.names())}, a folder of pictures, or of a run",
    )
    parser.add_argument(
        "--part",
        metavar="NAME",
        default="all",
        help=f"whose suspects to list: all, {', '.join(PARTS)}; default: all",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"one of {', '.join(RECIPES)}; default: a quick one",
    )
    arguments.add_model(parser)
    parser.add_argument(
        "--epochs", type=arguments.count, metavar="N", help="of each network"
    )
    parser.add_argument(
        "--folds",
        type=arguments.count,
        metavar="K",
        default=4,
        help="how many networks, from 2; default: 4",
    )
    parser.add_argument(
        "--sample",
        type=arguments.seed,
        metavar="N",
        default=100,
        help="how many examples that are not suspect to add; default: 100",
    )
    parser.add_argument(
        "--seed",
        type=arguments.seed,
        metavar="N",
        default=0,
        help="of the folds and the networks; default: 0",
    )
    arguments.add_threads(parser)
    parser.add_argument(
        "--out",
        type=arguments.path,
        metavar="DIR",
        help="default: runs/DATASET, or the run",
    )
    arguments.add_data_dir(parser)
    arguments.add_size(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    if options.threads is not None:
        fastdl.set_num_threads(options.threads)
    parts, folder = _parts(options)
    folder = options.out or folder
    check_writable(folder / FILE)
    sets = [getattr(parts, name) for name in PARTS]
    chosen = _recipe(options, sum(len(each) for each in sets if each is not None))
    print(
        f"{parts.name}: {options.folds} networks ({chosen.model}, {chosen.epochs} "
        f"epochs), each asked about examples that it has not seen",
        flush=True,
    )
    start = time.monotonic()
    review, found = strategy.review_labels(
        parts,
        chosen,
        options.folds,
        options.seed,
        part=options.part,
        sample=options.sample,
    )
    review.save(folder)
    print(
        f"{found.summary()}\n\n{review}\n\n"
        f"took {time.monotonic() - start:.0f} s\n"
        f"saved in {folder / 'labels.csv'} and {FILE}: {len(review.suspects):,} "
        f"suspects, and {len(review.sample):,} others to compare"
    )
    if (folder / "config.json").is_file():
        part = "dev" if options.part == "all" else options.part
        print(
            f"\nnext:\n"
            f"  fastdl errors {shlex.quote(str(folder))} --labels --part {part}\n"
            f"      look at them, and correct the labels that are wrong"
        )


def _parts(options: Namespace) -> tuple[Parts, Path]:
    """Return the data, and the folder for what is found."""
    is_name = options.dataset in datasets.names()
    if not is_name and Path(options.dataset, "config.json").is_file():
        if options.size is not None:
            raise ArgumentError("--size is for a folder of pictures, not for a run")
        finished = open_run(options.dataset, options.data_dir)
        return finished.parts, finished.folder.path
    parts = Job(**given(options, ("dataset", "size", "data_dir"))).load()
    return parts, Path("runs", parts.name)


def _recipe(options: Namespace, examples: int) -> Recipe:
    if options.recipe is None:
        usual = strategy.quick_recipe(examples)
    else:
        usual = recipe(options.recipe)
    return usual.replace(**given(options, ("model", "epochs")))
