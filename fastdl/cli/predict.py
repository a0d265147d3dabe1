"""``fastdl predict``: say what is in a picture."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import numpy as np

from fastdl.cli import arguments
from fastdl.cli.outcome import check_answers
from fastdl.data import as_float
from fastdl.datasets.images import read_image
from fastdl.train import open_model

HELP = "name the class of pictures"
DESCRIPTION = """\
Print the class of each picture and its probability. Pictures are resized to what the
network takes, and turned grey for a network that takes grey ones. The pictures should
look like those that it learned from: digits and mnist are light strokes on black.
"""
EXAMPLES = """\
examples:
  fastdl predict runs/digits seven.png
  fastdl predict runs/signs hand1.jpg hand2.jpg
  fastdl predict model.safetensors hand1.jpg
"""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    arguments.add_model_source(parser)
    parser.add_argument(
        "images", type=arguments.path, nargs="+", metavar="IMAGE", help="picture files"
    )


def run(options: Namespace) -> None:
    """Run the command."""
    saved = open_model(options.run_folder)
    classes, (height, width, channels) = saved.classes, saved.input_shape
    x = np.stack(
        [
            _with_channels(as_float(read_image(file, (height, width))), channels)
            for file in options.images
        ]
    )
    probabilities = saved.trainer.predict(x, probabilities=True)
    check_answers(probabilities, classes)
    for file, row in zip(options.images, probabilities, strict=True):
        answer = row.argmax()
        print(f"{file}: {classes[answer]} ({row[answer]:.1%})")


def _with_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    """Turn grey into three channels, or three into grey, if needed."""
    if picture.shape[-1] < channels:
        return np.repeat(picture, channels, axis=-1)
    if picture.shape[-1] > channels:
        return (picture @ _LUMA)[..., np.newaxis]
    return picture
