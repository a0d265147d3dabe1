"""fastdl trains neural networks on CPUs.

Everything is loaded when it is first used, so ``import fastdl`` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastdl import (
        backend,
        data,
        datasets,
        errors,
        functional,
        metrics,
        models,
        nn,
        optim,
        random,
        report,
        strategy,
        train,
        tune,
        typing,
    )
    from fastdl.autograd import Tensor, no_grad, tensor
    from fastdl.engine import (
        empty_cache,
        get_conv_algorithm,
        info,
        memory_stats,
        set_conv_algorithm,
    )
    from fastdl.errors import FastdlError
    from fastdl.nn import load, load_weights, save, save_weights
    from fastdl.random import seed as manual_seed
    from fastdl.threads import (
        get_num_threads,
        get_runtime,
        set_num_threads,
        set_runtime,
    )
    from fastdl.train import Trainer
    from fastdl.train.gradcheck import gradcheck

__version__ = "0.1.0"

__all__ = [
    "FastdlError",
    "Tensor",
    "Trainer",
    "backend",
    "data",
    "datasets",
    "empty_cache",
    "errors",
    "functional",
    "get_conv_algorithm",
    "get_num_threads",
    "get_runtime",
    "gradcheck",
    "info",
    "load",
    "load_weights",
    "manual_seed",
    "memory_stats",
    "metrics",
    "models",
    "nn",
    "no_grad",
    "optim",
    "random",
    "report",
    "save",
    "save_weights",
    "set_conv_algorithm",
    "set_num_threads",
    "set_runtime",
    "strategy",
    "tensor",
    "train",
    "tune",
    "typing",
]

# Where the public names live that are not modules themselves.
_HOMES = {
    "FastdlError": "errors.FastdlError",
    "Tensor": "functional.Tensor",  # with its operators
    "Trainer": "train.Trainer",
    "empty_cache": "engine.empty_cache",
    "get_conv_algorithm": "engine.get_conv_algorithm",
    "get_num_threads": "threads.get_num_threads",
    "get_runtime": "threads.get_runtime",
    "gradcheck": "train.gradcheck",
    "info": "engine.info",
    "load": "nn.load",
    "load_weights": "nn.load_weights",
    "manual_seed": "random.seed",
    "memory_stats": "engine.memory_stats",
    "no_grad": "autograd.no_grad",
    "save": "nn.save",
    "save_weights": "nn.save_weights",
    "set_conv_algorithm": "engine.set_conv_algorithm",
    "set_num_threads": "threads.set_num_threads",
    "set_runtime": "threads.set_runtime",
    "tensor": "functional.Tensor",
}


if not TYPE_CHECKING:  # to a type checker every other name is a mistake

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'fastdl' has no attribute {name!r}")
        if name not in _HOMES:
            return import_module(f"fastdl.{name}")
        module, _, attribute = _HOMES[name].rpartition(".")
        value = globals()[name] = getattr(import_module(f"fastdl.{module}"), attribute)
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
