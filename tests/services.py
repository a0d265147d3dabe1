"""What tests use of MLflow and of Weights & Biases, with their signatures.

Both log to a server, so tests run on these records of the calls instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import SimpleNamespace


def stand_ins():
    """Return the modules mlflow and wandb; ``calls`` of each lists what was logged."""
    return {"mlflow": _mlflow(), "wandb": _wandb()}


def _mlflow():
    calls = []

    def start_run(run_id=None, experiment_id=None, run_name=None):
        calls.append("start")

    def log_params(params):
        assert isinstance(params, Mapping)
        calls.append({name: str(value) for name, value in params.items()})

    def log_metrics(metrics, step=None):
        assert all(isinstance(value, float) for value in metrics.values())
        calls.append((step, dict(metrics)))

    def log_artifact(local_path, artifact_path=None):
        assert os.path.isfile(local_path)
        calls.append(local_path)

    def end_run(status="FINISHED"):
        calls.append(status)

    return SimpleNamespace(
        start_run=start_run,
        log_params=log_params,
        log_metrics=log_metrics,
        log_artifact=log_artifact,
        end_run=end_run,
        calls=calls,
    )


def _wandb():
    calls = []

    def histogram(sequence=None, np_histogram=None, num_bins=64):
        return f"histogram of {sequence.size} numbers"

    def log(data, step=None, commit=None):
        calls.append((step, dict(data)))

    def finish(exit_code=None):
        calls.append("finish")

    def init(entity=None, project=None, dir=None, id=None, name=None, config=None):
        calls.append((project, dict(config)))
        return SimpleNamespace(log=log, finish=finish)

    return SimpleNamespace(init=init, Histogram=histogram, calls=calls)
