"""``fastdl summary``: the layers of a network."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from fastdl import models, report
from fastdl.cli import arguments
from fastdl.files import write_text

HELP = "print the layers of a network"
DESCRIPTION = """\
Print each layer of a network: the shape of its output, its parameters, and the
multiply-adds for one example. With --svg also draw it: layers as boxes, and who takes
whose output.
"""
EXAMPLES = """\
examples:
  fastdl summary convnet --input 28,28,1
  fastdl summary resnet50 --classes 10 --svg resnet50.svg
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "model", metavar="NAME", help="a network; `fastdl models` lists them"
    )
    add_options(parser)


def add_options(parser: ArgumentParser) -> None:
    """Declare all but the network."""
    parser.add_argument(
        "--input",
        type=arguments.shape,
        metavar="H,W,C",
        help="the shape of one example; default: that of the published network",
    )
    parser.add_argument(
        "--classes",
        type=arguments.count,
        metavar="N",
        help="default: those of the published network",
    )
    parser.add_argument(
        "--svg",
        type=arguments.path,
        metavar="FILE",
        help="draw the network too, as SVG",
    )


def run(options: Namespace) -> None:
    """Run the command."""
    model = models.create(options.model, options.classes)
    shape = options.input or models.CATALOGUE[options.model].input_shape
    print(model.summary(shape))
    if options.svg is not None:
        write_text(options.svg, report.diagram(model, shape))
