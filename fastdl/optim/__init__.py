"""Optimisers: each step is one kernel call over all parameters of a group.

Beside them: learning-rate schedules, gradient clipping, parameter groups for weight
decay and for rates by depth, and gradient descent on any function.
"""

from fastdl import exports
from fastdl.optim import lr_scheduler as lr_scheduler
from fastdl.optim.adam import Adam as Adam
from fastdl.optim.adam import AdamW as AdamW
from fastdl.optim.clip import clip_grad_norm_ as clip_grad_norm_
from fastdl.optim.clip import clip_grad_value_ as clip_grad_value_
from fastdl.optim.descent import Descent as Descent
from fastdl.optim.descent import gradient_descent as gradient_descent
from fastdl.optim.groups import decay_groups as decay_groups
from fastdl.optim.groups import depth_groups as depth_groups
from fastdl.optim.optimizer import Optimizer as Optimizer
from fastdl.optim.rmsprop import Adagrad as Adagrad
from fastdl.optim.rmsprop import RMSprop as RMSprop
from fastdl.optim.schedule import Cosine as Cosine
from fastdl.optim.schedule import ExponentialDecay as ExponentialDecay
from fastdl.optim.schedule import InverseDecay as InverseDecay
from fastdl.optim.schedule import InverseRoot as InverseRoot
from fastdl.optim.schedule import InverseStaircase as InverseStaircase
from fastdl.optim.schedule import OneCycle as OneCycle
from fastdl.optim.schedule import Piecewise as Piecewise
from fastdl.optim.schedule import Scheduler as Scheduler
from fastdl.optim.schedule import Staircase as Staircase
from fastdl.optim.schedule import set_rate as set_rate
from fastdl.optim.sgd import SGD as SGD

exports.publish(__name__, "lr_scheduler")
