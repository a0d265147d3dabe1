"""The compiled kernels: the same functions as `fastdl.reference`, Cython over C.

`runtime` chooses the instruction set and the number of threads, `memory` keeps the
arrays. Importing this package fails where the extensions are not built.
"""

from fastdl import exports
from fastdl.kernels.activation import activation_backward as activation_backward
from fastdl.kernels.activation import activation_forward as activation_forward
from fastdl.kernels.augment import affine_warp as affine_warp
from fastdl.kernels.batchnorm import batchnorm_backward as batchnorm_backward
from fastdl.kernels.batchnorm import batchnorm_forward as batchnorm_forward
from fastdl.kernels.batchnorm import batchnorm_inference as batchnorm_inference
from fastdl.kernels.conv2d.choose import get_conv_algorithm as get_conv_algorithm
from fastdl.kernels.conv2d.choose import set_conv_algorithm as set_conv_algorithm
from fastdl.kernels.conv2d.passes import conv2d_backward_input as conv2d_backward_input
from fastdl.kernels.conv2d.passes import (
    conv2d_backward_weight as conv2d_backward_weight,
)
from fastdl.kernels.conv2d.passes import conv2d_forward as conv2d_forward
from fastdl.kernels.dropout import dropout_backward as dropout_backward
from fastdl.kernels.dropout import dropout_forward as dropout_forward
from fastdl.kernels.elementwise import add as add
from fastdl.kernels.elementwise import copy as copy
from fastdl.kernels.elementwise import power as power
from fastdl.kernels.elementwise import power_backward as power_backward
from fastdl.kernels.engine.memory import empty as empty
from fastdl.kernels.engine.memory import empty_cache as empty_cache
from fastdl.kernels.engine.memory import memory_stats as memory_stats
from fastdl.kernels.engine.memory import zeros as zeros
from fastdl.kernels.gather import gather as gather
from fastdl.kernels.gather import gather_backward as gather_backward
from fastdl.kernels.layernorm import layernorm_backward as layernorm_backward
from fastdl.kernels.layernorm import layernorm_forward as layernorm_forward
from fastdl.kernels.matmul import matmul as matmul
from fastdl.kernels.matmul import stacked_matmul as stacked_matmul
from fastdl.kernels.optimizer import adagrad_step as adagrad_step
from fastdl.kernels.optimizer import adam_step as adam_step
from fastdl.kernels.optimizer import rmsprop_step as rmsprop_step
from fastdl.kernels.optimizer import sgd_step as sgd_step
from fastdl.kernels.penalty import l1_penalty_backward as l1_penalty_backward
from fastdl.kernels.penalty import l1_penalty_forward as l1_penalty_forward
from fastdl.kernels.penalty import l2_penalty_backward as l2_penalty_backward
from fastdl.kernels.penalty import l2_penalty_forward as l2_penalty_forward
from fastdl.kernels.penalty import max_norm_step as max_norm_step
from fastdl.kernels.pool2d import (
    adaptive_avg_pool2d_backward as adaptive_avg_pool2d_backward,
)
from fastdl.kernels.pool2d import (
    adaptive_avg_pool2d_forward as adaptive_avg_pool2d_forward,
)
from fastdl.kernels.pool2d import avg_pool2d_backward as avg_pool2d_backward
from fastdl.kernels.pool2d import avg_pool2d_forward as avg_pool2d_forward
from fastdl.kernels.pool2d import (
    global_avg_pool2d_backward as global_avg_pool2d_backward,
)
from fastdl.kernels.pool2d import global_avg_pool2d_forward as global_avg_pool2d_forward
from fastdl.kernels.pool2d import max_pool2d_backward as max_pool2d_backward
from fastdl.kernels.pool2d import max_pool2d_forward as max_pool2d_forward
from fastdl.kernels.prelu import prelu_backward as prelu_backward
from fastdl.kernels.prelu import prelu_forward as prelu_forward
from fastdl.kernels.scale import scale_backward as scale_backward
from fastdl.kernels.scale import scale_forward as scale_forward
from fastdl.kernels.softmax import log_softmax_forward as log_softmax_forward
from fastdl.kernels.softmax import (
    sigmoid_cross_entropy_backward as sigmoid_cross_entropy_backward,
)
from fastdl.kernels.softmax import (
    sigmoid_cross_entropy_forward as sigmoid_cross_entropy_forward,
)
from fastdl.kernels.softmax import (
    softmax_cross_entropy_backward as softmax_cross_entropy_backward,
)
from fastdl.kernels.softmax import (
    softmax_cross_entropy_forward as softmax_cross_entropy_forward,
)
from fastdl.kernels.softmax import softmax_forward as softmax_forward
from fastdl.kernels.upsample import upsample_backward as upsample_backward
from fastdl.kernels.upsample import upsample_forward as upsample_forward

exports.publish(__name__)
