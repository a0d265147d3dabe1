"""Does the diagnosis decide right? Trainings with a known defect, by seed.

The thresholds of `fastdl.strategy` were fixed on the seeds from 100 on. Then the seeds
0 to 4 were drawn: the defect was the first problem 5 times of 5, but for the reused dev
set 4 times: random changes of the weights, kept if 60 examples say so, stay inside the
noise in a third of all cases. That case reuses the dev set more greedily now, and the
seeds 5 to 9 were drawn; no threshold was touched. ``python -m bench.diagnosis 100 101``
runs others.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from bench.harness import Table
from fastdl import data, datasets, models
from fastdl.data import ArrayDataset
from fastdl.strategy import Diagnosis, Measured, Remedy, measure
from fastdl.train import Job, Parts, Recipe, Trainer, recipe

SEEDS = range(5, 10)
# Of people, on Fashion-MNIST: three labels a picture, the majority (Xiao et al. 2017,
# the page of the data set).
HUMAN_ON_FASHION = 0.165
FIX = 0.02  # the learning rate of a step for the mistakes on the dev set


class Case(NamedTuple):
    """A training with a defect.

    Attributes
    ----------
    name : str
        The defect.
    problem : str or None
        What the diagnosis must name first; None: nothing.
    run : callable
        ``run(seed, remedy) -> (Measured, settings)``; remedy is None at first, then
        what the diagnosis names first.
    human : float
        The error of people.
    judge : str
        The set whose error the remedy must lower.
    """

    name: str
    problem: str | None
    run: Callable[[int, Remedy | None], tuple[Measured, dict]]
    human: float = 0.0
    judge: str = "dev"


class Result(NamedTuple):
    """What came of a case: the diagnosis, and that after its first remedy."""

    before: Diagnosis
    after: Diagnosis | None
    right: bool
    lower: bool


@models.register
def tiny(classes: int = 10):
    """Make a network with a bottleneck of two units."""
    return models.mlp(classes, hidden=(2,), activation="tanh")  # ReLUs may die


def _measured(trainer: Trainer, parts: Parts) -> Measured:
    return measure(
        trainer,
        train=parts.train,
        dev=parts.dev,
        train_dev=parts.train_dev,
        test=parts.test,
        progress=False,
    )


def _of_job(job: Job) -> Callable[[int, Remedy | None], tuple[Measured, dict]]:
    """Return a case that is a job: the remedy changes its settings."""

    def run(seed: int, remedy: Remedy | None) -> tuple[Measured, dict]:
        changed = job.replace(seed=seed, **(remedy.changes if remedy else {}))
        parts = changed.load()
        trainer = changed.fit(parts, progress=False)
        return _measured(trainer, parts), changed.to_dict()

    return run


@cache
def _pictures(name: str) -> ArrayDataset:
    """Return training pictures of 14 x 14 pixels, as real numbers."""
    whole = datasets.load(name).train
    small = np.ascontiguousarray(data.as_float(whole.x[:20_000, ::2, ::2]))
    return ArrayDataset(small, whole.y[:20_000])


# Training pictures of another kind ---------------------------------------------------


def _like_a_phone(part: data.Subset, seed: int) -> ArrayDataset:
    """Return pictures that are off the middle, turned, dim and noisy."""
    rng = np.random.default_rng(seed)
    augment = data.Augment(translate=1, rotate=15)
    x, y = augment(part.x, part.y, rng.integers(2**63, size=len(part), dtype=np.uint64))
    noise = 0.1 * rng.standard_normal(x.shape, np.float32)
    return ArrayDataset(np.clip(0.8 * x + 0.1 + noise, 0, 1), y)


def _other_pictures(seed: int, remedy: Remedy | None) -> tuple[Measured, dict]:
    """Clean pictures to train on, those of a phone to be right on."""
    counts = (3000, 500, 2000, 1000, 1000, -1)
    whole = data.split(_pictures("mnist"), counts, seed, stratify=True)
    train, train_dev, more, dev, test = whole[:5]
    more, dev, test = (
        _like_a_phone(part, 10 * seed + i) for i, part in enumerate((more, dev, test))
    )
    if remedy and remedy.name == "training data like those of dev":
        train = ArrayDataset(
            np.concatenate([train.x, more.x]), np.concatenate([train.y, more.y])
        )
    job = Job("mnist", Recipe("mlp", epochs=20, lr=0.003), seed)
    parts = Parts("mnist", tuple("0123456789"), train, dev, test, train_dev)
    return _measured(job.fit(parts, progress=False), parts), job.to_dict()


# A dev set that decides 200 times ----------------------------------------------------


def _reused_dev_set(seed: int, remedy: Remedy | None) -> tuple[Measured, dict]:
    """200 looks at the dev set: after each, a step for what was wrong so far."""
    larger = remedy is not None and remedy.name == "a larger dev set"
    counts = (2000, 3000, 5000, -1)
    train, pool, test, _ = data.split(
        _pictures("fashion_mnist"), counts, seed, stratify=True
    )
    dev = pool if larger else data.Subset(pool, range(100))
    job = Job("fashion_mnist", Recipe("mlp", epochs=8, lr=0.003), seed)
    parts = Parts("fashion_mnist", tuple("0123456789"), train, dev, test)
    trainer = job.fit(parts, progress=False)
    x, y = dev.x, dev.y
    known = np.zeros(len(dev), bool)  # the mistakes that somebody has seen
    for _ in range(200):
        known |= trainer.predict(x).argmax(axis=1) != y
        trainer.model.zero_grad()
        trainer.loss(trainer.model(x[known]), y[known]).backward()
        for weight in trainer.model.parameters():
            weight.data -= FIX * weight.grad
    return _measured(trainer, parts), job.to_dict()


_TOO_HIGH = Recipe("mlp", epochs=15, batch_size=32, schedule="constant", lr=0.2)
CASES = (
    Case(
        "tiny network",
        "avoidable bias",
        _of_job(Job("digits", Recipe("tiny", epochs=12, lr=0.01))),
    ),
    Case(
        "300 examples, no regularisation",
        "variance",
        _of_job(Job("fashion_mnist", Recipe("mlp", epochs=40), examples=300)),
    ),
    Case("training pictures of another kind", "data mismatch", _other_pictures),
    Case(
        "dev set reused 200 times",
        "overfitting to dev",
        _reused_dev_set,
        HUMAN_ON_FASHION,
        "test",
    ),
    Case(
        "learning rate too high",
        "optimisation",
        _of_job(Job("digits", _TOO_HIGH)),
    ),
    Case("healthy", None, _of_job(Job("mnist", replace(recipe("mnist"), epochs=2)))),
)


def examine(case: Case, seed: int) -> Result:
    """Train, diagnose, follow the first remedy, diagnose again."""

    def diagnosed(remedy: Remedy | None) -> Diagnosis:
        measured, settings = case.run(seed, remedy)
        return measured.diagnose(case.human, settings=settings)

    before = diagnosed(None)
    right = before.problems[:1] == ((case.problem,) if case.problem else ())
    after = diagnosed(before.remedies[0]) if before.remedies else None
    lower = after is not None and after.errors[case.judge] < before.errors[case.judge]
    return Result(before, after, right, lower)


def diagnosis(seeds: Sequence[int] = SEEDS) -> Table:
    """Return how often the first problem is the defect, and its first remedy helps."""
    table = Table(
        "The diagnosis decides right",
        f"Trainings with a known defect, each with {len(seeds)} seeds; the error is "
        f"that of the dev set, of the reused one that of the test set, the median.",
        ["defect", "first problem", "right", "first remedy", "error", "then", "lower"],
    )
    start = time.monotonic()
    for case in CASES:
        results = [examine(case, seed) for seed in seeds]
        for seed, result in zip(seeds, results, strict=True):
            print(f"{case.name}, seed {seed}: {result.before.summary()}", flush=True)
        print(f"{time.monotonic() - start:.0f} s", flush=True)
        table.rows.append(_row(case, results))
    table.after = f"{time.monotonic() - start:.0f} s in all."
    return table


def _row(case: Case, results: Sequence[Result]) -> list[str]:
    def median(errors: list[float]) -> str:
        return f"{statistics.median(errors):.2%}" if errors else ""

    afters = [result.after for result in results if result.after]
    remedies = [result.before.remedies[:1] for result in results]
    names = sorted({remedy.name for found in remedies for remedy in found})
    right = sum(result.right for result in results)
    lower = sum(result.lower for result in results)
    return [
        case.name,
        case.problem or "none",
        f"{right} of {len(results)}",
        ", ".join(names),
        median([result.before.errors[case.judge] for result in results]),
        median([after.errors[case.judge] for after in afters]),
        f"{lower} of {len(results)}" if case.problem else "",
    ]


if __name__ == "__main__":
    print(diagnosis([int(seed) for seed in sys.argv[1:]] or SEEDS))
