"""Optimisers: each step is one kernel call over all parameters of a group.

Beside them: learning-rate schedules, gradient clipping, parameter groups for weight
decay, and gradient descent on any function.
"""

from fastdl.optim.adam import Adam, AdamW
from fastdl.optim.clip import clip_grad_norm_, clip_grad_value_
from fastdl.optim.descent import Descent, gradient_descent
from fastdl.optim.groups import decay_groups
from fastdl.optim.optimizer import Optimizer
from fastdl.optim.rmsprop import Adagrad, RMSprop
from fastdl.optim.schedule import (
    Cosine,
    ExponentialDecay,
    InverseDecay,
    InverseRoot,
    OneCycle,
    Piecewise,
    Scheduler,
    Staircase,
    set_rate,
)
from fastdl.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Cosine",
    "Descent",
    "ExponentialDecay",
    "InverseDecay",
    "InverseRoot",
    "OneCycle",
    "Optimizer",
    "Piecewise",
    "RMSprop",
    "Scheduler",
    "Staircase",
    "clip_grad_norm_",
    "clip_grad_value_",
    "decay_groups",
    "gradient_descent",
    "set_rate",
]
