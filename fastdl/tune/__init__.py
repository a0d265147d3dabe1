"""Search of hyperparameters, on Optuna (``pip install "fastdl-cpu[tune]"``)."""

from fastdl.tune.space import (
    Choice,
    Integer,
    Linear,
    Log,
    OneMinusLog,
    Scale,
    Space,
    read_space,
)

__all__ = [
    "Choice",
    "Integer",
    "Linear",
    "Log",
    "OneMinusLog",
    "Scale",
    "Space",
    "read_space",
]
