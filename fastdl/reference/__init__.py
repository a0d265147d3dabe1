"""The kernels in NumPy, as the textbook writes them.

They are what people read to learn an equation, what tests compare the compiled kernels
with, and what runs where no compiler is (``FASTDL_BACKEND=reference``). They take any
float type and compute in the type of their input, integers as float64. Only mistakes
that NumPy would pass over in silence are checked.
"""

from fastdl import exports
from fastdl.reference._integers import of_reals as _of_reals
from fastdl.reference.activation import activation_backward as activation_backward
from fastdl.reference.activation import activation_forward as activation_forward
from fastdl.reference.augment import affine_warp as affine_warp
from fastdl.reference.batchnorm import batchnorm_backward as batchnorm_backward
from fastdl.reference.batchnorm import batchnorm_forward as batchnorm_forward
from fastdl.reference.batchnorm import batchnorm_inference as batchnorm_inference
from fastdl.reference.conv2d import conv2d_backward_input as conv2d_backward_input
from fastdl.reference.conv2d import conv2d_backward_weight as conv2d_backward_weight
from fastdl.reference.conv2d import conv2d_forward as conv2d_forward
from fastdl.reference.dropout import dropout_backward as dropout_backward
from fastdl.reference.dropout import dropout_forward as dropout_forward
from fastdl.reference.elementwise import add as add
from fastdl.reference.elementwise import copy as copy
from fastdl.reference.elementwise import power as power
from fastdl.reference.elementwise import power_backward as power_backward
from fastdl.reference.gather import gather as gather
from fastdl.reference.gather import gather_backward as gather_backward
from fastdl.reference.layernorm import layernorm_backward as layernorm_backward
from fastdl.reference.layernorm import layernorm_forward as layernorm_forward
from fastdl.reference.matmul import matmul as matmul
from fastdl.reference.matmul import stacked_matmul as stacked_matmul
from fastdl.reference.optimizer import adagrad_step as adagrad_step
from fastdl.reference.optimizer import adam_step as adam_step
from fastdl.reference.optimizer import rmsprop_step as rmsprop_step
from fastdl.reference.optimizer import sgd_step as sgd_step
from fastdl.reference.penalty import l1_penalty_backward as l1_penalty_backward
from fastdl.reference.penalty import l1_penalty_forward as l1_penalty_forward
from fastdl.reference.penalty import l2_penalty_backward as l2_penalty_backward
from fastdl.reference.penalty import l2_penalty_forward as l2_penalty_forward
from fastdl.reference.penalty import max_norm_step as max_norm_step
from fastdl.reference.pool2d import (
    adaptive_avg_pool2d_backward as adaptive_avg_pool2d_backward,
)
from fastdl.reference.pool2d import (
    adaptive_avg_pool2d_forward as adaptive_avg_pool2d_forward,
)
from fastdl.reference.pool2d import avg_pool2d_backward as avg_pool2d_backward
from fastdl.reference.pool2d import avg_pool2d_forward as avg_pool2d_forward
from fastdl.reference.pool2d import (
    global_avg_pool2d_backward as global_avg_pool2d_backward,
)
from fastdl.reference.pool2d import (
    global_avg_pool2d_forward as global_avg_pool2d_forward,
)
from fastdl.reference.pool2d import max_pool2d_backward as max_pool2d_backward
from fastdl.reference.pool2d import max_pool2d_forward as max_pool2d_forward
from fastdl.reference.prelu import prelu_backward as prelu_backward
from fastdl.reference.prelu import prelu_forward as prelu_forward
from fastdl.reference.scale import scale_backward as scale_backward
from fastdl.reference.scale import scale_forward as scale_forward
from fastdl.reference.softmax import log_softmax_forward as log_softmax_forward
from fastdl.reference.softmax import (
    sigmoid_cross_entropy_backward as sigmoid_cross_entropy_backward,
)
from fastdl.reference.softmax import (
    sigmoid_cross_entropy_forward as sigmoid_cross_entropy_forward,
)
from fastdl.reference.softmax import (
    softmax_cross_entropy_backward as softmax_cross_entropy_backward,
)
from fastdl.reference.softmax import (
    softmax_cross_entropy_forward as softmax_cross_entropy_forward,
)
from fastdl.reference.softmax import softmax_forward as softmax_forward
from fastdl.reference.upsample import upsample_backward as upsample_backward
from fastdl.reference.upsample import upsample_forward as upsample_forward

exports.publish(__name__)
for _name in globals()["__all__"]:
    globals()[_name] = _of_reals(globals()[_name])
