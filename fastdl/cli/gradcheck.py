"""``fastdl gradcheck``: check whether the gradients of a network are right."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

import numpy as np

from fastdl import datasets, models, nn, random
from fastdl.cli import arguments
from fastdl.cli.outcome import check_data
from fastdl.errors import FastdlError
from fastdl.nn.dropout import DropLayer
from fastdl.train import gradcheck, open_model

HELP = "compare the gradients of a network with differences"
DESCRIPTION = """\
Compare the gradient that backpropagation computes with difference quotients of the
cost, in float64, for each parameter of a network. A ratio of 1e-7 is great, at 1e-5
have a look, 1e-3 is wrong (and the exit code 2).

Dropout is off. A fresh network gets random biases: with biases of exactly 0, blank
parts of pictures would lie in the kink of ReLU, where there is no derivative.
"""
EXAMPLES = """\
examples:
  fastdl gradcheck convnet --dataset digits
  fastdl gradcheck lenet5 --dataset mnist --sample 100
  fastdl gradcheck runs/digits --dataset digits     after training
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model",
        type=arguments.text,
        metavar="MODEL",
        help="a network, see `fastdl models`, the folder of a run, or a "
        "model.safetensors",
    )
    parser.add_argument(
        "--dataset",
        type=arguments.text,
        metavar="DATASET",
        default="digits",
        help=f"one of {', '.join(datasets.names())}, or a folder of pictures; "
        f"default: digits",
    )
    parser.add_argument(
        "--examples",
        type=arguments.count,
        metavar="N",
        default=8,
        help="how many make the batch; default: 8",
    )
    parser.add_argument(
        "--sample",
        type=_sample,
        metavar="N",
        default=20,
        help="elements checked of each parameter, or all; default: 20",
    )
    parser.add_argument(
        "--l2",
        type=arguments.rate,
        metavar="X",
        help="add an L2 penalty of this strength to the cost",
    )
    parser.add_argument(
        "--seed", type=arguments.seed, metavar="N", default=0, help="default: 0"
    )
    arguments.add_data_dir(parser)
    arguments.add_size(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    random.seed(options.seed)
    rng = np.random.default_rng(options.seed)
    size, saved = options.size, None
    if options.model not in models.names() and Path(options.model).exists():
        saved = open_model(options.model)
        if size is None and options.dataset not in datasets.names():
            size = saved.input_shape[:2]
    splits = datasets.find(options.dataset, options.data_dir, size)
    if saved is not None:
        model = saved.model
        check_data(saved, splits.name, splits.classes, splits.train.x.shape[1:])
    else:
        model = models.create(options.model, len(splits.classes))
        model.build(splits.train.x.shape[1:])
        _draw_biases(model, rng)
    for module in model.train().modules():
        if isinstance(module, DropLayer):
            module.p = 0.0

    count = min(options.examples, len(splits.train))
    x, y = splits.train.take(rng.choice(len(splits.train), count, replace=False))
    assert y is not None  # as every known data set has labels
    check = gradcheck(
        model,
        nn.CrossEntropyLoss(),
        x,
        y,
        sample=options.sample,
        seed=options.seed,
        regularization=() if options.l2 is None else nn.L2(options.l2),
    )
    print(
        f"{options.model} on {count} examples of {splits.name}, cost {check.cost:.4f}"
    )
    print(check)
    if check.verdict == "wrong":
        raise FastdlError(f"the gradient of '{check.worst.name}' is wrong")


def _sample(text: str) -> int | None:
    if text == "all":
        return None
    try:
        return arguments.count(text)
    except ArgumentTypeError:
        raise ArgumentTypeError(
            f"expected an integer from 1, or all, got {text!r}"
        ) from None


def _draw_biases(model: nn.Module, rng: np.random.Generator) -> None:
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2] == "bias":
            parameter.data[...] = rng.uniform(-0.1, 0.1, parameter.shape)
