"""See one network with three heads against three networks.

Each picture of a digit answers three questions: is it even, is it greater than 4, has
it a loop (0, 6, 8, 9)? 40 % of the answers are missing at random. Heads on a shared
trunk learn from every answer that is there; a network of its own for each question sees
60 % of the pictures. On 2,000 pictures both are as accurate, within the spread of the
seeds, but one network computes a third. (Deep Learning Specialization, course 3, week
2, "Multi-task learning".)

    python examples/multitask.py
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np

import fastdl
from fastdl import datasets, models, nn

QUESTIONS = {
    "even": lambda digit: digit % 2 == 0,
    "above 4": lambda digit: digit > 4,
    "has a loop": lambda digit: np.isin(digit, [0, 6, 8, 9]),
}


class Heads(nn.Module):
    """A convolutional trunk with a head for each task."""

    def __init__(self, tasks: Iterable[str]) -> None:
        self.trunk = nn.Sequential(
            *models.conv_block(16, pool=2),
            *models.conv_block(32, pool=2),
            nn.Flatten(),
            *models.dense_block(64),
        )
        self.heads = nn.ModuleDict({task: nn.Linear(None, 1) for task in tasks})

    def forward(self, x: np.ndarray) -> dict[str, fastdl.Tensor]:
        """Return a logit (n, 1) for each task."""
        trunk = self.trunk(x)
        return {task: head(trunk) for task, head in self.heads.items()}


def answers(digits: np.ndarray, missing: float = 0.0, seed: int = 0) -> dict:
    """Return 1, 0 or, for this share of them, NaN for each question."""
    rng = np.random.default_rng(seed)
    return {
        task: np.where(rng.random(len(digits)) < missing, np.nan, question(digits))[
            :, np.newaxis
        ]
        for task, question in QUESTIONS.items()
    }


def learn(tasks: Iterable[str], train: tuple, test: tuple, epochs: int, seed: int):
    """Train a network for some tasks; return its accuracies and the seconds."""
    fastdl.manual_seed(seed)
    trainer = fastdl.Trainer(
        Heads(tasks),
        loss={task: nn.BCEWithLogitsLoss() for task in tasks},
        metrics={task: ["accuracy"] for task in tasks},
    )
    start = time.perf_counter()
    trainer.fit(*train, epochs=epochs, seed=seed)
    seconds = time.perf_counter() - start
    measured = trainer.evaluate(*test)
    return [measured[f"{task}_accuracy"] for task in tasks], seconds


def main(
    dataset: str = "mnist", examples: int = 2000, epochs: int = 10, seeds: int = 5
) -> dict[str, np.ndarray]:
    """Train both ways from several seeds; return accuracies (seeds, tasks)."""
    splits = datasets.load(dataset)
    test = splits.test.x, answers(splits.test.y)
    found: dict[str, list] = {"one network": [], "three networks": []}
    spent = dict.fromkeys(found, 0.0)
    for seed in range(seeds):
        x, digits = splits.train[seed * examples : (seed + 1) * examples]
        train = x, answers(digits, missing=0.4, seed=seed)
        for name, groups in (
            ("one network", [list(QUESTIONS)]),
            ("three networks", [[task] for task in QUESTIONS]),
        ):
            results = [learn(tasks, train, test, epochs, seed) for tasks in groups]
            found[name].append([each for scores, _ in results for each in scores])
            spent[name] += sum(seconds for _, seconds in results) / seeds
    accuracies = {name: np.array(rows) for name, rows in found.items()}
    print(f"{'':14}" + "".join(f"  {task:>16}" for task in QUESTIONS) + "  seconds")
    for name, rows in accuracies.items():
        cells = zip(rows.mean(0), rows.std(0), strict=True)
        text = "".join(f"  {mean:8.2%} ± {std:5.2%}" for mean, std in cells)
        print(f"{name:14}{text}  {spent[name]:7.1f}")
    return accuracies


if __name__ == "__main__":
    main()
