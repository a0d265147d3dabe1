"""Ready networks: ``models.create("convnet", classes=10)``.

Each is a function that returns a `fastdl.nn.Module` with its input size open.
"""

from fastdl.models.blocks import conv_block, dense_block
from fastdl.models.convnet import convnet, deep_convnet, s41, strided_convnet
from fastdl.models.dense import logistic, mlp
from fastdl.models.digits_convnet import digits_convnet
from fastdl.models.lenet5 import lenet5
from fastdl.models.registry import create, names, register
from fastdl.models.resnet import (
    ResidualBlock,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
)
from fastdl.models.signs_convnet import signs_convnet

__all__ = [
    "ResidualBlock",
    "conv_block",
    "convnet",
    "create",
    "deep_convnet",
    "dense_block",
    "digits_convnet",
    "lenet5",
    "logistic",
    "mlp",
    "names",
    "register",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "s41",
    "signs_convnet",
    "strided_convnet",
]
