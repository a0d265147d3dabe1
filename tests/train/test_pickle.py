"""Callbacks can be pickled, as processes that are given one need it."""

import pickle

import pytest

from fastdl import train


@pytest.mark.parametrize(
    "callback",
    [
        train.EarlyStopping(patience=3),
        train.ReduceOnPlateau(),
        train.ModelCheckpoint("best.safetensors"),
        train.GradientMonitor(),
        train.LearningRateLog(),
        train.Progress(),
        train.Timing(),
        train.CSVLog("log.csv"),
        train.JSONLog("log.jsonl"),
        train.ManualRate("control.json"),
        train.WeightAverage(),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_a_copy_decides_the_same(callback):
    copy = pickle.loads(pickle.dumps(callback))
    assert type(copy) is type(callback)
    assert copy.decides() == callback.decides()
