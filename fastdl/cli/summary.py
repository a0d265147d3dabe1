"""``fastdl summary``: the layers of a network."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from fastdl import models
from fastdl.cli import arguments

HELP = "print the layers of a network"
DESCRIPTION = """\
Print each layer of a network: the shape of its output, its parameters, and the
multiply-adds for one example.
"""
EXAMPLES = """\
examples:
  fastdl summary convnet --input 28,28,1
  fastdl summary s41 --input 39,39,3 --classes 10
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model", metavar="MODEL", help=f"one of {', '.join(models.names())}"
    )
    parser.add_argument(
        "--input",
        type=arguments.shape,
        metavar="H,W,C",
        required=True,
        help="the shape of one example",
    )
    parser.add_argument(
        "--classes", type=arguments.count, metavar="N", default=10, help="default: 10"
    )


def run(options: Namespace) -> None:
    """Run the command."""
    print(models.create(options.model, options.classes).summary(options.input))
