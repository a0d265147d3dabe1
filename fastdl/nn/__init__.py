"""Layers, losses and models.

Names are PyTorch's. Images are (n, h, w, c), filters (kh, kw, c, oc) and dense weights
(in, out); ``None`` for an input size means that it is inferred by ``build`` or by the
first call.
"""

from fastdl import exports
from fastdl.nn import init as init
from fastdl.nn.activation import ELU as ELU
from fastdl.nn.activation import GELU as GELU
from fastdl.nn.activation import HardSwish as HardSwish
from fastdl.nn.activation import LeakyReLU as LeakyReLU
from fastdl.nn.activation import LogSoftmax as LogSoftmax
from fastdl.nn.activation import ReLU as ReLU
from fastdl.nn.activation import ReLU6 as ReLU6
from fastdl.nn.activation import Sigmoid as Sigmoid
from fastdl.nn.activation import SiLU as SiLU
from fastdl.nn.activation import Softmax as Softmax
from fastdl.nn.activation import Softplus as Softplus
from fastdl.nn.activation import Tanh as Tanh
from fastdl.nn.batchnorm import BatchNorm1d as BatchNorm1d
from fastdl.nn.batchnorm import BatchNorm2d as BatchNorm2d
from fastdl.nn.collection import ModuleDict as ModuleDict
from fastdl.nn.collection import ModuleList as ModuleList
from fastdl.nn.collection import ParameterDict as ParameterDict
from fastdl.nn.collection import ParameterList as ParameterList
from fastdl.nn.container import Sequential as Sequential
from fastdl.nn.conv2d import Conv2d as Conv2d
from fastdl.nn.conv_transpose2d import ConvTranspose2d as ConvTranspose2d
from fastdl.nn.dice import DiceLoss as DiceLoss
from fastdl.nn.dropout import Dropout as Dropout
from fastdl.nn.dropout import Dropout2d as Dropout2d
from fastdl.nn.dropout import DropPath as DropPath
from fastdl.nn.focal import FocalLoss as FocalLoss
from fastdl.nn.focal import SigmoidFocalLoss as SigmoidFocalLoss
from fastdl.nn.kl_div import KLDivLoss as KLDivLoss
from fastdl.nn.layernorm import GroupNorm as GroupNorm
from fastdl.nn.layernorm import LayerNorm as LayerNorm
from fastdl.nn.linear import Linear as Linear
from fastdl.nn.loss import BCEWithLogitsLoss as BCEWithLogitsLoss
from fastdl.nn.loss import CrossEntropyLoss as CrossEntropyLoss
from fastdl.nn.loss import HuberLoss as HuberLoss
from fastdl.nn.loss import L1Loss as L1Loss
from fastdl.nn.loss import MSELoss as MSELoss
from fastdl.nn.module import Module as Module
from fastdl.nn.multitask import MultiTaskLoss as MultiTaskLoss
from fastdl.nn.parameter import Parameter as Parameter
from fastdl.nn.pool2d import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from fastdl.nn.pool2d import AvgPool2d as AvgPool2d
from fastdl.nn.pool2d import GlobalAvgPool2d as GlobalAvgPool2d
from fastdl.nn.pool2d import MaxPool2d as MaxPool2d
from fastdl.nn.prelu import PReLU as PReLU
from fastdl.nn.probabilities import BCELoss as BCELoss
from fastdl.nn.probabilities import NLLLoss as NLLLoss
from fastdl.nn.registry import from_config as from_config
from fastdl.nn.registry import register as register
from fastdl.nn.registry import to_config as to_config
from fastdl.nn.regularization import L1 as L1
from fastdl.nn.regularization import L2 as L2
from fastdl.nn.regularization import MaxNorm as MaxNorm
from fastdl.nn.regularization import named_weights as named_weights
from fastdl.nn.serialize import load as load
from fastdl.nn.serialize import load_weights as load_weights
from fastdl.nn.serialize import save as save
from fastdl.nn.serialize import save_weights as save_weights
from fastdl.nn.shape import Flatten as Flatten
from fastdl.nn.shape import Identity as Identity
from fastdl.nn.standardize import Standardize as Standardize
from fastdl.nn.triplet import TripletMarginLoss as TripletMarginLoss
from fastdl.nn.upsample import Upsample as Upsample

exports.publish(__name__, "init")
