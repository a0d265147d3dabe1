"""fastdl trains neural networks on CPUs.

Everything is loaded when it is first used, so ``import fastdl`` itself costs nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastdl import backend as backend
    from fastdl import data as data
    from fastdl import datasets as datasets
    from fastdl import errors as errors
    from fastdl import functional as functional
    from fastdl import interop as interop
    from fastdl import metrics as metrics
    from fastdl import models as models
    from fastdl import nn as nn
    from fastdl import optim as optim
    from fastdl import random as random
    from fastdl import report as report
    from fastdl import sklearn as sklearn
    from fastdl import strategy as strategy
    from fastdl import train as train
    from fastdl import tune as tune
    from fastdl import typing as typing
    from fastdl.autograd import Tensor as Tensor
    from fastdl.autograd import from_dlpack as from_dlpack
    from fastdl.autograd import no_grad as no_grad
    from fastdl.autograd import tensor as tensor
    from fastdl.engine import empty_cache as empty_cache
    from fastdl.engine import get_conv_algorithm as get_conv_algorithm
    from fastdl.engine import info as info
    from fastdl.engine import memory_stats as memory_stats
    from fastdl.engine import set_conv_algorithm as set_conv_algorithm
    from fastdl.errors import FastdlError as FastdlError
    from fastdl.nn import load as load
    from fastdl.nn import load_weights as load_weights
    from fastdl.nn import save as save
    from fastdl.nn import save_weights as save_weights
    from fastdl.random import manual_seed as manual_seed
    from fastdl.threads import get_num_threads as get_num_threads
    from fastdl.threads import get_runtime as get_runtime
    from fastdl.threads import set_num_threads as set_num_threads
    from fastdl.threads import set_runtime as set_runtime
    from fastdl.train import Trainer as Trainer
    from fastdl.train.gradcheck import gradcheck as gradcheck

__version__ = "0.1.0"

# The same names for Python, which imports each when it is first used.
_MODULES = (
    "backend",
    "data",
    "datasets",
    "errors",
    "functional",
    "interop",
    "metrics",
    "models",
    "nn",
    "optim",
    "random",
    "report",
    "sklearn",
    "strategy",
    "train",
    "tune",
    "typing",
)
_HOMES = {
    "FastdlError": "errors.FastdlError",
    "Tensor": "functional.operators.Tensor",  # with its operators
    "Trainer": "train.Trainer",
    "empty_cache": "engine.empty_cache",
    "from_dlpack": "functional.operators.from_dlpack",
    "get_conv_algorithm": "engine.get_conv_algorithm",
    "get_num_threads": "threads.get_num_threads",
    "get_runtime": "threads.get_runtime",
    "gradcheck": "train.gradcheck",
    "info": "engine.info",
    "load": "nn.load",
    "load_weights": "nn.load_weights",
    "manual_seed": "random.manual_seed",
    "memory_stats": "engine.memory_stats",
    "no_grad": "autograd.no_grad",
    "save": "nn.save",
    "save_weights": "nn.save_weights",
    "set_conv_algorithm": "engine.set_conv_algorithm",
    "set_num_threads": "threads.set_num_threads",
    "set_runtime": "threads.set_runtime",
    "tensor": "functional.operators.Tensor",
}

__all__ = [*_MODULES, *_HOMES]


if not TYPE_CHECKING:  # to a type checker every other name is a mistake

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f"fastdl.{name}")
        if name not in _HOMES:
            import_module("fastdl.exports").missing("fastdl", name)
        module, _, attribute = _HOMES[name].rpartition(".")
        value = globals()[name] = getattr(import_module(f"fastdl.{module}"), attribute)
        return value


class _Modules:
    """The last that Python asks for a module; it knows what others call ours."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.startswith("fastdl."):
            import_module("fastdl.exports").missing_module(name)


sys.meta_path.append(_Modules)  # type: ignore[arg-type]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
