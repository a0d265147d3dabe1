"""The estimators beside scikit-learn's own: seconds to the same loss, and accuracy.

``python -m bench.estimators``. Both sides have the same network (one hidden layer of
100 ReLUs), Adam with the same rate, and the same batches of 200. The loss to reach is
that of scikit-learn on the training set after some passes; only passes are timed, not
the measuring of the loss between them. Accuracy is that of ``fit`` as it is, on the
test set, the mean over the seeds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn import datasets as bundled
from sklearn.base import ClassifierMixin
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from bench.harness import Table, against, describe_load, describe_machine
from fastdl import datasets
from fastdl.sklearn import FastClassifier

SEEDS = 3
LEAST = 3.0  # times as fast
_MEASURED = 10_000  # training examples on which the loss is measured


class Task(NamedTuple):
    """A table, cut into a training and a test set, and the passes of scikit-learn."""

    load: Callable[[], tuple[np.ndarray, ...]]
    passes: int
    epochs: int


def _bundled(load: Callable) -> Callable[[], tuple[np.ndarray, ...]]:
    def make() -> tuple[np.ndarray, ...]:
        x, y = load(return_X_y=True)
        x, x_test, y, y_test = train_test_split(x, y, random_state=0, stratify=y)
        scaler = StandardScaler().fit(x)
        return scaler.transform(x), scaler.transform(x_test), y, y_test

    return make


def _pictures(name: str) -> Callable[[], tuple[np.ndarray, ...]]:
    def make() -> tuple[np.ndarray, ...]:
        splits = datasets.load(name)
        x, x_test = (
            part.x.reshape(len(part), -1) / 255 for part in (splits.train, splits.test)
        )
        return x, x_test, splits.train.y, splits.test.y

    return make


TASKS = {
    "breast cancer (426 x 30)": Task(_bundled(bundled.load_breast_cancer), 50, 200),
    "digits (1,347 x 64)": Task(_bundled(bundled.load_digits), 20, 200),
    "MNIST (60,000 x 784)": Task(_pictures("mnist"), 3, 10),
    "Fashion-MNIST (60,000 x 784)": Task(_pictures("fashion_mnist"), 3, 10),
}


def make(seed: int, **options: int) -> tuple[ClassifierMixin, ClassifierMixin]:
    """Return scikit-learn's classifier and ours, with the same network and steps."""
    common = {"batch_size": 200, "random_state": seed} | options
    ours = FastClassifier("mlp", model_options={"hidden": (100,)}, lr=0.001, **common)
    return MLPClassifier((100,), learning_rate_init=0.001, **common), ours


def seconds_to_loss(
    model: ClassifierMixin, x: np.ndarray, y: np.ndarray, goal: float, most: int
) -> tuple[float, float]:
    """Return the seconds of the passes until the loss is `goal`, and the loss."""
    seconds, loss, classes = 0.0, np.inf, np.unique(y)
    for _ in range(most):
        start = time.perf_counter()
        model.partial_fit(x, y, classes=classes)
        seconds += time.perf_counter() - start
        loss = log_loss(y[:_MEASURED], model.predict_proba(x[:_MEASURED]))
        if loss <= goal:
            break
    return seconds, loss


def estimators(names: list[str], dtype: str, seeds: int) -> Table:
    """Compare the two on each task."""
    table = Table(
        f"scikit-learn, {dtype}",
        f"Medians over {seeds} seeds.",
        (
            "table",
            "loss",
            "MLPClassifier",
            "FastClassifier",
            "times as fast",
            "accuracy",
            "accuracy of ours",
        ),
    )
    for name in names:
        task = TASKS[name]
        x, x_test, y, y_test = task.load()
        x, x_test = x.astype(dtype), x_test.astype(dtype)
        rows = []
        for seed in range(seeds):
            theirs, ours = make(seed)
            spent, goal = seconds_to_loss(theirs, x, y, -np.inf, task.passes)
            needed, reached = seconds_to_loss(ours, x, y, goal, 10 * task.passes)
            own = needed if reached <= goal else np.inf
            scores = [
                each.fit(x, y).score(x_test, y_test)
                for each in make(seed, max_iter=task.epochs)
            ]
            rows.append((goal, spent, own, spent / own, *scores))
        columns = list(zip(*rows, strict=True))
        goal, spent, own, ratio = map(statistics.median, columns[:4])
        before, after = map(statistics.mean, columns[4:])
        table.rows.append(
            (
                name,
                f"{goal:.4f}",
                f"{spent:.3f} s",
                f"{own:.3f} s",
                against(ratio, LEAST, ".1f"),
                f"{before:.4f}",
                f"{after:.4f}",
            )
        )
    return table


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimators")
    parser.add_argument("--only", default="", metavar="TEXT", help="tables with TEXT")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    names = [name for name in TASKS if options.only in name]
    print(describe_machine(), describe_load())
    for dtype in ("float64", "float32"):
        print(estimators(names, dtype, options.seeds), flush=True)


if __name__ == "__main__":
    main()
