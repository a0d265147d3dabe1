"""``fastdl models``: the networks that there are."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from fastdl import models
from fastdl.cli import arguments, summary
from fastdl.errors import ArgumentError
from fastdl.strategy.tables import table

HELP = "list the networks, or print the layers of one"
DESCRIPTION = """\
List the networks: the shape of one example, the parameters, the multiply-adds for one
example, and where the network comes from. With a name, print its layers, as `fastdl
summary` does.
"""
EXAMPLES = """\
examples:
  fastdl models
  fastdl models resnet50
  fastdl models mobilenet_v2 --input 96,96,3 --classes 6
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model", metavar="NAME", nargs="?", help="a network; default: all of them"
    )
    summary.add_options(parser)


def run(options: Namespace) -> None:
    """Run the command."""
    if options.model is not None:
        summary.run(options)
        return
    for name in ("input", "classes", "svg"):
        if getattr(options, name) is not None:
            raise ArgumentError(f"--{name} is for one network; say by NAME which one")
    rows = [("network", "input", "classes", "parameters", "multiply-adds", "from")]
    for name, known in models.CATALOGUE.items():
        rows.append(
            (
                name,
                arguments.describe_shape(known.input_shape),
                f"{known.classes:,}",
                f"{known.parameters:,}",
                f"{known.multiply_adds:,}",
                known.source,
            )
        )
    print("\n".join(table(rows, remarks=True)))
