"""Differentiable operations on tensors: ``from fastdl import functional as F``.

Each takes tensors (or what `fastdl.Tensor` takes), computes by the kernels of
`fastdl.backend`, and leaves a node on the tape. Images are (n, h, w, c), filters
(kh, kw, c / groups, oc), dense weights (in, out).
"""

from fastdl import exports
from fastdl.functional import operators
from fastdl.functional.activation import activation as activation
from fastdl.functional.activation import elu as elu
from fastdl.functional.activation import gelu as gelu
from fastdl.functional.activation import hard_swish as hard_swish
from fastdl.functional.activation import leaky_relu as leaky_relu
from fastdl.functional.activation import relu as relu
from fastdl.functional.activation import relu6 as relu6
from fastdl.functional.activation import sigmoid as sigmoid
from fastdl.functional.activation import silu as silu
from fastdl.functional.activation import softplus as softplus
from fastdl.functional.activation import tanh as tanh
from fastdl.functional.batchnorm import batch_norm as batch_norm
from fastdl.functional.conv2d import conv2d as conv2d
from fastdl.functional.conv_transpose2d import conv_transpose2d as conv_transpose2d
from fastdl.functional.dice import dice_loss as dice_loss
from fastdl.functional.dropout import drop_path as drop_path
from fastdl.functional.dropout import dropout as dropout
from fastdl.functional.dropout import dropout2d as dropout2d
from fastdl.functional.einsum import einsum as einsum
from fastdl.functional.elementwise import add as add
from fastdl.functional.elementwise import divide as divide
from fastdl.functional.elementwise import maximum as maximum
from fastdl.functional.elementwise import minimum as minimum
from fastdl.functional.elementwise import multiply as multiply
from fastdl.functional.elementwise import power as power
from fastdl.functional.elementwise import subtract as subtract
from fastdl.functional.elementwise import where as where
from fastdl.functional.focal import focal_loss as focal_loss
from fastdl.functional.focal import sigmoid_focal_loss as sigmoid_focal_loss
from fastdl.functional.indexing import index as index
from fastdl.functional.indexing import take_along_axis as take_along_axis
from fastdl.functional.joining import concatenate as concatenate
from fastdl.functional.joining import split as split
from fastdl.functional.joining import stack as stack
from fastdl.functional.kl_div import kl_div as kl_div
from fastdl.functional.layernorm import group_norm as group_norm
from fastdl.functional.layernorm import layer_norm as layer_norm
from fastdl.functional.loss import huber_loss as huber_loss
from fastdl.functional.loss import l1_loss as l1_loss
from fastdl.functional.loss import mse_loss as mse_loss
from fastdl.functional.matmul import linear as linear
from fastdl.functional.matmul import matmul as matmul
from fastdl.functional.norm import logsumexp as logsumexp
from fastdl.functional.norm import norm as norm
from fastdl.functional.norm import normalize as normalize
from fastdl.functional.norm import std as std
from fastdl.functional.norm import var as var
from fastdl.functional.one_hot import one_hot as one_hot
from fastdl.functional.penalty import l1_penalty as l1_penalty
from fastdl.functional.penalty import l2_penalty as l2_penalty
from fastdl.functional.pool2d import adaptive_avg_pool2d as adaptive_avg_pool2d
from fastdl.functional.pool2d import avg_pool2d as avg_pool2d
from fastdl.functional.pool2d import global_avg_pool2d as global_avg_pool2d
from fastdl.functional.pool2d import max_pool2d as max_pool2d
from fastdl.functional.prelu import prelu as prelu
from fastdl.functional.probabilities import binary_cross_entropy as binary_cross_entropy
from fastdl.functional.probabilities import nll_loss as nll_loss
from fastdl.functional.reduction import argmax as argmax
from fastdl.functional.reduction import argmin as argmin
from fastdl.functional.reduction import cumsum as cumsum
from fastdl.functional.reduction import max as max
from fastdl.functional.reduction import mean as mean
from fastdl.functional.reduction import min as min
from fastdl.functional.reduction import prod as prod
from fastdl.functional.reduction import sum as sum
from fastdl.functional.scale import scale as scale
from fastdl.functional.shaping import broadcast_to as broadcast_to
from fastdl.functional.shaping import expand_dims as expand_dims
from fastdl.functional.shaping import flatten as flatten
from fastdl.functional.shaping import flip as flip
from fastdl.functional.shaping import pad as pad
from fastdl.functional.shaping import reshape as reshape
from fastdl.functional.shaping import squeeze as squeeze
from fastdl.functional.shaping import transpose as transpose
from fastdl.functional.shaping import unsqueeze as unsqueeze
from fastdl.functional.softmax import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from fastdl.functional.softmax import cross_entropy as cross_entropy
from fastdl.functional.softmax import hardmax as hardmax
from fastdl.functional.softmax import log_softmax as log_softmax
from fastdl.functional.softmax import softmax as softmax
from fastdl.functional.triplet import triplet_margin_loss as triplet_margin_loss
from fastdl.functional.unary import abs as abs
from fastdl.functional.unary import astype as astype
from fastdl.functional.unary import clamp as clamp
from fastdl.functional.unary import exp as exp
from fastdl.functional.unary import log as log
from fastdl.functional.unary import negative as negative
from fastdl.functional.unary import sqrt as sqrt
from fastdl.functional.upsample import upsample as upsample

exports.publish(__name__)

# The tape knows no operations, so that nothing is imported in circles.
operators.complete()
