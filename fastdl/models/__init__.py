"""Ready networks: ``models.create("convnet", classes=10)``.

Each is a function that returns a `fastdl.nn.Module` with its input size open.
"""

from fastdl.models.convnet import convnet, s41
from fastdl.models.dense import logistic, mlp
from fastdl.models.lenet5 import lenet5
from fastdl.models.registry import create, names, register
from fastdl.models.signs_convnet import signs_convnet

__all__ = [
    "convnet",
    "create",
    "lenet5",
    "logistic",
    "mlp",
    "names",
    "register",
    "s41",
    "signs_convnet",
]
