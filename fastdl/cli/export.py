"""``fastdl export``: a trained network for other programs."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from fastdl.cli import arguments
from fastdl.interop import export_onnx
from fastdl.train import open_model

HELP = "write a trained network as an ONNX file"
DESCRIPTION = """\
Write the network of a run as an ONNX file, which onnxruntime and others run. It takes
pictures (n, height, width, channels) of float32 in [0, 1], called "input", any number
at a time, and gives "output", logits (n, classes). The names of the classes are in the
file, as JSON under "class_names" of its metadata.
"""
EXAMPLES = """\
examples:
  fastdl export runs/digits --onnx digits.onnx
  fastdl export model.safetensors --onnx model.onnx
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    arguments.add_model_source(parser)
    parser.add_argument(
        "--onnx", type=Path, metavar="FILE", required=True, help="where to write it"
    )


def run(options: Namespace) -> None:
    """Run the command."""
    saved = open_model(options.run_folder)
    saved.model.class_names = saved.classes
    export_onnx(saved.model, options.onnx, saved.input_shape)
    size = arguments.describe_shape(saved.input_shape)
    print(
        f"{options.onnx}: {options.onnx.stat().st_size:,} bytes; takes pictures of "
        f"{size}, gives logits of {len(saved.classes)} classes"
    )
