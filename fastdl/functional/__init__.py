"""Differentiable operations on tensors: ``from fastdl import functional as F``.

Each takes tensors (or what `fastdl.Tensor` takes), computes by the kernels of
`fastdl.backend`, and leaves a node on the tape. Images are (n, h, w, c), filters
(kh, kw, c / groups, oc), dense weights (in, out).
"""

from fastdl.autograd import Tensor
from fastdl.functional.activation import (
    activation,
    gelu,
    hard_swish,
    leaky_relu,
    relu,
    relu6,
    sigmoid,
    silu,
    tanh,
)
from fastdl.functional.batchnorm import batch_norm
from fastdl.functional.conv2d import conv2d
from fastdl.functional.dropout import dropout, dropout2d
from fastdl.functional.elementwise import (
    abs,
    add,
    astype,
    divide,
    exp,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    sqrt,
    subtract,
    where,
)
from fastdl.functional.layernorm import group_norm, layer_norm
from fastdl.functional.matmul import linear, matmul
from fastdl.functional.operators import complete
from fastdl.functional.penalty import l1_penalty, l2_penalty
from fastdl.functional.pool2d import avg_pool2d, global_avg_pool2d, max_pool2d
from fastdl.functional.reduction import max, mean, min, mse_loss, sum
from fastdl.functional.shaping import (
    broadcast_to,
    concatenate,
    index,
    pad,
    reshape,
    stack,
    transpose,
)
from fastdl.functional.softmax import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hardmax,
    log_softmax,
    softmax,
)

__all__ = [
    "abs",
    "activation",
    "add",
    "astype",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "broadcast_to",
    "concatenate",
    "conv2d",
    "cross_entropy",
    "divide",
    "dropout",
    "dropout2d",
    "exp",
    "gelu",
    "global_avg_pool2d",
    "group_norm",
    "hard_swish",
    "hardmax",
    "index",
    "l1_penalty",
    "l2_penalty",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mse_loss",
    "multiply",
    "negative",
    "pad",
    "power",
    "relu",
    "relu6",
    "reshape",
    "sigmoid",
    "silu",
    "softmax",
    "sqrt",
    "stack",
    "subtract",
    "sum",
    "tanh",
    "transpose",
    "where",
]

# The tape knows no operations, so that nothing is imported in circles.
# `fastdl.Tensor` is taken from here.
complete(Tensor)
