"""What a trained model costs: time, size, work."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import NamedTuple

import numpy as np

from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError
from fastdl.nn import Module
from fastdl.nn.module import check_module
from fastdl.nn.module import run as run_module
from fastdl.nn.summary import layers
from fastdl.progress import progress_bar
from fastdl.shapes import integer
from fastdl.structure import Structure, map_shapes
from fastdl.threads import get_num_threads
from fastdl.train import FinishedRun, open_run
from fastdl.typing import ShapesLike

_ROUNDS = 5  # each of one call at least, however long that takes
_WARM_UP = 2  # calls before the measurement


class InferenceCost(NamedTuple):
    """What an answer of a model costs.

    Attributes
    ----------
    latency_ms, latency_p95_ms : float
        Milliseconds for one example: the median, and the 95th percentile.
    batch_ms, batch_p95_ms : float
        Likewise for a batch.
    batch_size : int
        The examples of such a batch.
    threads : int
        How many were used.
    parameters : int
        All of them.
    multiply_adds : int
        For one example.
    """

    latency_ms: float
    latency_p95_ms: float
    batch_ms: float
    batch_p95_ms: float
    batch_size: int
    threads: int
    parameters: int
    multiply_adds: int


# What `compare_runs` measures; runs without a history lack some of it.
MEASURES = (
    *("accuracy", "loss", "examples", "epochs", "training_seconds"),
    *InferenceCost._fields,
    "file_bytes",
)


def inference_cost(
    model: Module,
    input_shape: ShapesLike | None = None,
    batch_size: int = 64,
    seconds: float = 1.0,
) -> InferenceCost:
    """Measure what an answer of one model costs; see `inference_costs`.

    Parameters
    ----------
    model : Module
        Any.
    input_shape : sequence of int, or tuple or dict of them, optional
        The shape of one example, if the model does not know it, as after loading.
    batch_size, seconds
        As in `inference_costs`.
    """
    if input_shape is not None:
        check_module(model, "inference_cost")
        model.build(input_shape)
    return inference_costs({"": model}, batch_size, seconds)[""]


def inference_costs(
    models: Mapping[str, Module], batch_size: int = 64, seconds: float = 1.0
) -> dict[str, InferenceCost]:
    """Measure what the answers of models cost, in evaluation mode.

    They take turns in a few rounds, so that a busy moment of the machine affects all of
    them. The first calls are not counted.

    Parameters
    ----------
    models : dict of str to Module
        Each knows the shape of its input, as after training or
        `fastdl.nn.Module.build`.
    batch_size : int
        The examples of a batch.
    seconds : float
        Roughly how long to measure each model; longer if a few calls take longer.

    Raises
    ------
    ShapeError
        The input shape of a model is not known, or the batch size is not valid.
    ArgumentError
        seconds is not above 0, or something is not a model.
    """
    batch_size = integer(batch_size, "inference_cost: batch_size")
    if not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise ArgumentError(f"inference_cost: seconds must be above 0, got {seconds!r}")
    for model in models.values():
        check_module(model, "inference_cost")
    work = {
        name: sum(layer.multiply_adds for layer in layers(model))
        for name, model in models.items()
    }
    single = _milliseconds(models, 1, seconds / 2)
    batch = _milliseconds(models, batch_size, seconds / 2)
    return {
        name: InferenceCost(
            *_median_and_p95(single[name]),
            *_median_and_p95(batch[name]),
            batch_size,
            get_num_threads(),
            sum(parameter.size for parameter in model.parameters()),
            work[name],
        )
        for name, model in models.items()
    }


def compare_runs(
    runs: Sequence[str | os.PathLike[str] | FinishedRun],
    data_dir: str | os.PathLike[str] | None = None,
    batch_size: int = 64,
    seconds: float = 1.0,
) -> dict[str, dict[str, float]]:
    """Measure finished runs, to choose between them.

    Parameters
    ----------
    runs : sequence of path or FinishedRun
        Folders that `fastdl train` wrote, or opened ones.
    data_dir : path, optional
        Where the data are now, see `fastdl.train.open_run`.
    batch_size, seconds
        As in `inference_costs`.

    Returns
    -------
    dict
        By the name of each run, the last part of its path (or the path, where two have
        the same): "accuracy" and "loss" on the dev set, and its "examples"; "epochs"
        and "training_seconds", if its history has them; the fields of `InferenceCost`;
        "file_bytes", of the saved model.

    Raises
    ------
    DataError
        A folder is not a run, or its data cannot be loaded.
    """
    opened = [
        run if isinstance(run, FinishedRun) else open_run(run, data_dir) for run in runs
    ]
    named = dict(zip(_names(opened), opened, strict=True))
    for run in opened:
        run.model.build(run.input_shape)  # a loaded model does not know it
    costs = inference_costs(
        {name: run.model for name, run in named.items()}, batch_size, seconds
    )
    measures = {}
    for name, run in progress_bar(named.items(), "dev sets", leave=False):
        measures[name] = {
            **_accuracy(run),
            **_training(run),
            **costs[name]._asdict(),
            "file_bytes": os.path.getsize(run.folder.model),
        }
    return measures


def _names(runs: Sequence[FinishedRun]) -> list[str]:
    names = [run.name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.folder.path) for run in runs]
    if len(set(names)) < len(names):
        raise ArgumentError(f"the same run twice: {', '.join(names)}")
    return names


def _accuracy(run: FinishedRun) -> dict[str, float]:
    dev = run.parts.dev
    measured = run.trainer.evaluate(dev)
    accuracy = {"accuracy": measured["accuracy"], "loss": measured["loss"]}
    return {**accuracy, "examples": len(dev)}


def _training(run: FinishedRun) -> dict[str, float]:
    history = run.history
    if "seconds" not in history:
        return {}
    return {"epochs": len(history), "training_seconds": sum(history["seconds"])}


def _milliseconds(
    models: Mapping[str, Module], examples: int, seconds: float
) -> dict[str, list[float]]:
    """Time calls of each model with so many examples."""
    rng = np.random.default_rng(0)
    inputs = {name: _random(model, examples, rng) for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in models}
    rounds = [name for _ in range(_ROUNDS) for name in models]
    bar = progress_bar(rounds, f"asking for {examples}", leave=False)
    with ExitStack() as modes, no_grad(), bar:
        for name, model in models.items():
            modes.enter_context(model.mode(training=False))
            for _ in range(_WARM_UP):
                run_module(model, inputs[name])
        for name in bar:
            end = perf_counter() + seconds / _ROUNDS
            now = -math.inf
            while now < end:
                start = perf_counter()
                run_module(models[name], inputs[name])
                now = perf_counter()
                times[name].append(1e3 * (now - start))
    return times


def _random(model: Module, examples: int, rng: np.random.Generator) -> Structure:
    dtype = model._dtype()
    return map_shapes(
        lambda shape: rng.random((examples, *shape)).astype(dtype),
        model.input_shape or (),
    )


def _median_and_p95(milliseconds: list[float]) -> tuple[float, float]:
    median, p95 = np.percentile(milliseconds, (50, 95))
    return float(median), float(p95)
