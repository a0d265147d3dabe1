"""The estimators beside scikit-learn's own: seconds to the same loss, and accuracy.

``python -m bench.estimators``. The network is the same: one hidden layer of 100 ReLUs.
Each classifier is as it comes, and ours then with scikit-learn's steps, too: batches of
200, and Adam with the rate 0.001. The loss is that of training, as ``loss_curve_`` has
it after some passes of scikit-learn's; a whole ``fit`` that ends there is timed.
Accuracy is that of ``fit`` on the test set, with all passes.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn import datasets as bundled
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from bench.harness import Table, against, describe_load, describe_machine
from fastdl import datasets
from fastdl.sklearn import FastClassifier

SEEDS = 3
LEAST = 3.0  # times as fast


class Task(NamedTuple):
    """A table, cut into a training and a test set.

    Attributes
    ----------
    load : callable
        Returns x, x_test, y, y_test.
    passes : int
        Of scikit-learn's, after which its loss is the goal.
    max_iter : int
        The most passes of the trainings whose accuracy is compared.
    """

    load: Callable[[], tuple[np.ndarray, ...]]
    passes: int
    max_iter: int


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


CLASSIFIERS = {
    "MLPClassifier": MLPClassifier(),
    "FastClassifier": FastClassifier(),
    "with the same steps": FastClassifier(batch_size=200, lr=0.001),
}


def compare(task: Task, dtype: str, seed: int) -> dict[str, tuple[float, ...]]:
    """Return (passes, seconds, accuracy) of each classifier."""
    x, x_test, y, y_test = task.load()
    x, x_test = x.astype(dtype), x_test.astype(dtype)
    rows, goal = {}, -np.inf
    for name, classifier in CLASSIFIERS.items():
        model = clone(classifier).set_params(random_state=seed)
        without_end = clone(model).set_params(n_iter_no_change=10**6)
        is_theirs = name == "MLPClassifier"
        without_end.set_params(max_iter=task.passes * (1 if is_theirs else 2))
        losses = np.array(without_end.fit(x, y).loss_curve_)
        if is_theirs:
            goal = losses[-1]
        passes = int(np.argmax(losses <= goal)) + 1
        start = time.perf_counter()
        without_end.set_params(max_iter=passes).fit(x, y)
        seconds = time.perf_counter() - start if losses.min() <= goal else np.inf
        model.set_params(max_iter=task.max_iter).fit(x, y)
        rows[name] = passes, seconds, model.score(x_test, y_test)
    return rows


def estimators(names: list[str], dtype: str, seeds: int) -> Table:
    """Compare them on each task."""
    table = Table(
        f"Classifiers, {dtype}",
        f"The median of {seeds} seeds; of the accuracy the mean.",
        ("table", "classifier", "passes", "to the loss", "times as fast", "accuracy"),
    )
    for name in names:
        runs = [compare(TASKS[name], dtype, seed) for seed in range(seeds)]
        for classifier in CLASSIFIERS:
            rows = [run[classifier] for run in runs]
            passes, times, accuracies = zip(*rows, strict=True)
            ratio = statistics.median(
                run["MLPClassifier"][1] / run[classifier][1] for run in runs
            )
            goal = LEAST if classifier == "FastClassifier" else None
            table.rows.append(
                (
                    name,
                    classifier,
                    f"{statistics.median(passes):g}",
                    f"{statistics.median(times):.3f} s",
                    against(ratio, goal, ".1f"),
                    f"{statistics.mean(accuracies):.4f}",
                )
            )
    return table


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.estimators")
    parser.add_argument("--only", default="", metavar="TEXT", help="tables with TEXT")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--dtype", nargs="+", default=("float64", "float32"))
    options = parser.parse_args()
    names = [name for name in TASKS if options.only in name]
    print(describe_machine(), describe_load())
    warnings.simplefilter("ignore", ConvergenceWarning)  # of few passes, on purpose
    for dtype in options.dtype:
        print(estimators(names, dtype, options.seeds), flush=True)


if __name__ == "__main__":
    main()
