"""Searches of hyperparameters: which methods win, and what a search costs.

The comparisons are of real trainings, of a small network on digits, for 20 seeds each.
A seed draws the examples, the first weights, the values that are tried, and by how much
the range of rates is shifted: a grid that happens to hit the best rate is lucky once.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

import fastdl
from bench.harness import Table, against
from fastdl import datasets, nn, optim, train, tune

SEEDS = 20
TRIALS = 25  # of each search; a grid has 5 x 5
_EXAMPLES = 200
_DECADES = (-4.5, 0.5)  # of the learning rate


def methods(seeds: int = SEEDS) -> Table:
    """Compare random search with a grid, and a logarithmic scale with a linear one."""
    table = Table(
        "Searches",
        f"Dev loss of the best of {TRIALS} trials, the median over {seeds} seeds; the "
        f"p-value is that of Wilcoxon's signed-rank test, exact and one-sided. Adam's "
        f"eps is the hyperparameter without effect.",
        ("first against second", "first", "second", "first wins", "p"),
    )
    for name, first, second in (
        ("random, grid (lr and eps)", _random, _grid),
        ("log scale, linear (lr)", _log, _linear),
    ):
        losses = [
            (first(seed), second(seed)) for seed in tqdm(range(seeds), disable=None)
        ]
        a, b = zip(*losses, strict=True)
        wins = sum(x < y for x, y in losses)
        p = signed_rank(np.subtract(b, a))
        table.rows.append(
            (
                name,
                f"{statistics.median(a):.4f}",
                f"{statistics.median(b):.4f}",
                f"{wins} of {seeds}",
                against(p, 0.01, ".1e", at_most=True),
            )
        )
    return table


def signed_rank(differences: np.ndarray) -> float:
    """Return how likely so large a sum of positive ranks is, if signs are random.

    Wilcoxon 1945, "Individual comparisons by ranking methods"; exact, for differences
    without ties. Zeros count against it.
    """
    order = np.argsort(np.argsort(np.abs(differences))) + 1
    observed = int(order[differences > 0].sum())
    ways = [1]  # of choosing ranks with a given sum
    for rank in range(1, len(differences) + 1):
        longer = [0] * (len(ways) + rank)
        for total, count in enumerate(ways):
            longer[total] += count
            longer[total + rank] += count
        ways = longer
    return sum(ways[observed:]) / 2 ** len(differences)


def _random(seed: int) -> float:
    return _best(seed, {"lr": _rates(seed), "eps": tune.Log(1e-10, 1e-7)}, "random")


def _grid(seed: int) -> float:
    return _best(seed, {"lr": _rates(seed), "eps": tune.Log(1e-10, 1e-7)}, "grid")


def _log(seed: int) -> float:
    return _best(seed, {"lr": _rates(seed)}, "random")


def _linear(seed: int) -> float:
    rates = _rates(seed)
    return _best(seed, {"lr": tune.Linear(rates.low, rates.high)}, "random")


def _rates(seed: int) -> tune.Log:
    shift = np.random.default_rng([seed, 1]).random() - 0.5
    low, high = _DECADES
    return tune.Log(10 ** (low + shift), 10 ** (high + shift))


def _best(seed: int, space: dict[str, tune.Scale], method: str) -> float:
    result = tune.search(
        partial(_dev_loss, seed),
        space,
        trials=TRIALS,
        method=method,
        pruner=None,
        seed=seed,
        mode="min",
        progress=False,
    )
    score = result.best.score
    assert score is not None
    return score


def _dev_loss(seed: int, trial: tune.Trial) -> float:
    """Train a small network for three epochs; return its loss on the dev set."""
    digits = datasets.load("digits").train
    chosen = np.random.default_rng(seed).permutation(len(digits))[: 3 * _EXAMPLES]
    x, y = digits.take(chosen)
    fastdl.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = partial(optim.Adam, lr=trial["lr"], eps=trial.params.get("eps", 1e-8))
    trainer = fastdl.Trainer(model, optimizer=optimizer)
    trainer.fit(
        (x[:_EXAMPLES], y[:_EXAMPLES]),
        epochs=3,
        batch_size=20,
        seed=seed,
        validation=(x[_EXAMPLES:], y[_EXAMPLES:]),
        progress=False,
    )
    return trainer.history["val_loss"][-1]


def caviar(trials: int = 60, seconds: float = 3.0) -> Table:
    """Measure how much faster two processes are than one, and what a search adds.

    Every training has one thread. Run it on a quiet machine of two cores.
    """
    before = fastdl.get_num_threads()
    fastdl.set_num_threads(1)
    try:
        job = _job_of(1.1 * seconds)
        space = {"lr": tune.Log(1e-4, 1e-2)}
        walls, shortest = {}, math.inf
        own = _Clock()
        for jobs in (1, 2):
            with tempfile.TemporaryDirectory() as out, own:
                start = time.perf_counter()
                result = tune.search(
                    job, space, trials=trials, pruner=None, jobs=jobs, out=Path(out)
                )
                walls[jobs] = time.perf_counter() - start
            shortest = min(shortest, *(trial.seconds for trial in result.trials))
            if jobs == 1:
                training = sum(trial.seconds for trial in result.trials) - own.seconds
                overhead = walls[1] / training - 1
    finally:
        fastdl.set_num_threads(before)
    return Table(
        "Many trials at once",
        f"{trials} trials of at least {shortest:.1f} s ({job.recipe.epochs} epochs of "
        f"digits), one thread each. The overhead is all that is no training, with one "
        f"job: values, reports of each epoch, the journal.",
        ("1 job, s", "2 jobs, s", "speed-up", "overhead, %"),
        [
            (
                f"{walls[1]:.1f}",
                f"{walls[2]:.1f}",
                against(walls[1] / walls[2], 1.8, ".2f"),
                against(100 * overhead, 3, ".2f", at_most=True),
            )
        ],
    )


def _job_of(seconds: float) -> train.Job:
    """Return a training that takes so long on one thread."""
    job = train.Job.from_dict({"dataset": "digits", "epochs": 2, "examples": 1000})
    parts = job.load()
    job.fit(parts, progress=False)
    start = time.perf_counter()
    job.fit(parts, progress=False)
    each = (time.perf_counter() - start) / 2
    return job.replace(epochs=max(2, math.ceil(seconds / each)))


class _Clock:
    """Adds up the time that reports of scores take, in this process."""

    def __enter__(self) -> None:
        self.seconds, self._usual = 0.0, tune.Trial.report

        def report(trial: tune.Trial, *args: float) -> bool:
            start = time.perf_counter()
            try:
                return self._usual(trial, *args)  # type: ignore[arg-type]
            finally:
                self.seconds += time.perf_counter() - start

        tune.Trial.report = report  # type: ignore[method-assign, assignment]

    def __exit__(self, *error: object) -> None:
        tune.Trial.report = self._usual  # type: ignore[method-assign]
