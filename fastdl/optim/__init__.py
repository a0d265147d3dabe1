"""Optimisers: each step is one kernel call over all parameters of a group."""

from fastdl.optim.adam import Adam, AdamW
from fastdl.optim.optimizer import Optimizer
from fastdl.optim.rmsprop import RMSprop
from fastdl.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop"]
