"""The kernels in NumPy, as the textbook writes them.

They are what people read to learn an equation, what tests compare the compiled kernels
with, and what runs where no compiler is (``FASTDL_BACKEND=reference``). They take any
float type and compute in the type of their input. Only mistakes that NumPy would pass
over in silence are checked.
"""

from fastdl.reference.activation import activation_backward, activation_forward
from fastdl.reference.augment import affine_warp
from fastdl.reference.batchnorm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_inference,
)
from fastdl.reference.conv2d import (
    conv2d_backward_input,
    conv2d_backward_weight,
    conv2d_forward,
)
from fastdl.reference.dropout import dropout_backward, dropout_forward
from fastdl.reference.gather import gather
from fastdl.reference.matmul import matmul
from fastdl.reference.optimizer import (
    adagrad_step,
    adam_step,
    rmsprop_step,
    sgd_step,
)
from fastdl.reference.pool2d import (
    avg_pool2d_backward,
    avg_pool2d_forward,
    global_avg_pool2d_backward,
    global_avg_pool2d_forward,
    max_pool2d_backward,
    max_pool2d_forward,
)
from fastdl.reference.softmax import (
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
    "gather",
    "global_avg_pool2d_backward",
    "global_avg_pool2d_forward",
    "log_softmax_forward",
    "matmul",
    "max_pool2d_backward",
    "max_pool2d_forward",
    "rmsprop_step",
    "sgd_step",
    "sigmoid_cross_entropy_backward",
    "sigmoid_cross_entropy_forward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "softmax_forward",
]
