"""Layers, losses and models.

Names are PyTorch's. Images are (n, h, w, c), filters (kh, kw, c, oc) and dense weights
(in, out); ``None`` for an input size means that it is inferred by ``build`` or by the
first call.
"""

from fastdl.nn import init
from fastdl.nn.activation import (
    GELU,
    HardSwish,
    LeakyReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from fastdl.nn.batchnorm import BatchNorm1d, BatchNorm2d
from fastdl.nn.collection import ModuleDict, ModuleList, ParameterDict, ParameterList
from fastdl.nn.container import Sequential
from fastdl.nn.conv2d import Conv2d
from fastdl.nn.dropout import Dropout, Dropout2d
from fastdl.nn.layernorm import GroupNorm, LayerNorm
from fastdl.nn.linear import Linear
from fastdl.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter
from fastdl.nn.pool2d import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from fastdl.nn.registry import from_config, register, to_config
from fastdl.nn.regularization import L1, L2, MaxNorm, named_weights
from fastdl.nn.serialize import load, load_weights, save, save_weights
from fastdl.nn.shape import Flatten, Identity
from fastdl.nn.standardize import Standardize

__all__ = [
    "GELU",
    "L1",
    "L2",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "GlobalAvgPool2d",
    "GroupNorm",
    "HardSwish",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MSELoss",
    "MaxNorm",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "ReLU6",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Standardize",
    "Tanh",
    "from_config",
    "init",
    "load",
    "load_weights",
    "named_weights",
    "register",
    "save",
    "save_weights",
    "to_config",
]
