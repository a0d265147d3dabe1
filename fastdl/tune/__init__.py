"""Search of hyperparameters, on Optuna (``pip install "fastdl-cpu[tune]"``)."""

from fastdl import exports
from fastdl.tune.plan import METHODS as METHODS
from fastdl.tune.plan import PRUNERS as PRUNERS
from fastdl.tune.result import Outcome as Outcome
from fastdl.tune.result import SearchResult as SearchResult
from fastdl.tune.scale import Choice as Choice
from fastdl.tune.scale import Integer as Integer
from fastdl.tune.scale import Linear as Linear
from fastdl.tune.scale import Log as Log
from fastdl.tune.scale import OneMinusLog as OneMinusLog
from fastdl.tune.scale import Scale as Scale
from fastdl.tune.search import search as search
from fastdl.tune.space import Space as Space
from fastdl.tune.space import read_space as read_space
from fastdl.tune.storage import StorageDown as StorageDown
from fastdl.tune.storage import open_storage as open_storage
from fastdl.tune.trial import Trial as Trial

exports.publish(__name__)
