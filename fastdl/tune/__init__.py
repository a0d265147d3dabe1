"""Search of hyperparameters, on Optuna (``pip install "fastdl-cpu[tune]"``)."""

from fastdl.tune.plan import METHODS, PRUNERS
from fastdl.tune.result import Outcome, SearchResult
from fastdl.tune.scale import Choice, Integer, Linear, Log, OneMinusLog, Scale
from fastdl.tune.search import search
from fastdl.tune.space import Space, read_space
from fastdl.tune.storage import StorageDown, open_storage
from fastdl.tune.trial import Trial

__all__ = [
    "METHODS",
    "PRUNERS",
    "Choice",
    "Integer",
    "Linear",
    "Log",
    "OneMinusLog",
    "Outcome",
    "Scale",
    "SearchResult",
    "Space",
    "StorageDown",
    "Trial",
    "open_storage",
    "read_space",
    "search",
]
