"""The compiled kernels: the same functions as `fastdl.reference`, Cython over C.

`runtime` chooses the instruction set and the number of threads, `memory` keeps the
arrays. Importing this package fails where the extensions are not built.
"""

from fastdl.kernels.activation import activation_backward, activation_forward
from fastdl.kernels.augment import affine_warp
from fastdl.kernels.batchnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
)
from fastdl.kernels.conv2d.choose import get_conv_algorithm, set_conv_algorithm
from fastdl.kernels.conv2d.passes import (
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
)
from fastdl.kernels.dropout import dropout_backward, dropout_forward
from fastdl.kernels.engine.memory import empty, empty_cache, memory_stats, zeros
from fastdl.kernels.gather import gather
from fastdl.kernels.matmul import matmul
from fastdl.kernels.optimizer import (
    adagrad_step,
    adam_step,
    rmsprop_step,
    sgd_step,
)
from fastdl.kernels.pool2d import (
    avg_pool2d_backward,
    avg_pool2d_forward,
    global_avg_pool2d_backward,
    global_avg_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from fastdl.kernels.softmax import (
    log_softmax_forward,
    sigmoid_cross_entropy_backward,
    sigmoid_cross_entropy_forward,
    softmax_cross_entropy_backward,
    softmax_cross_entropy_forward,
    softmax_forward,
)

__all__ = [
    "activation_backward",
    "activation_forward",
    "adagrad_step",
    "adam_step",
    "affine_warp",
    "avg_pool2d_backward",
    "avg_pool2d_forward",
    "batchnorm_backward",
    "batchnorm_forward",
    "batchnorm_inference",
    "conv2d_backward_input",
    "conv2d_backward_weight",
    "conv2d_forward",
    "dropout_backward",
    "dropout_forward",
    "empty",
    "empty_cache",
    "gather",
    "get_conv_algorithm",
    "global_avg_pool2d_backward",
    "global_avg_pool2d_forward",
    "log_softmax_forward",
    "matmul",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "memory_stats",
    "rmsprop_step",
    "set_conv_algorithm",
    "sgd_step",
    "sigmoid_cross_entropy_backward",
    "sigmoid_cross_entropy_forward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_forward",
    "zeros",
]
