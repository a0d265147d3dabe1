"""``python -m bench.labels``: wrong labels that were made on purpose, and are found.

For each seed 5 % of all labels are flipped at random (each to one of the other
classes), and in another copy 20 % of one class to another, the pair drawn by the seed.
What `fastdl labels` does by default then looks for them. Recall is the share of the
flips among the first 1.2 times as many suspects. The thresholds of
`fastdl.strategy.noise` were fixed on seeds from 100 on: five of digits, one of MNIST,
five systematic and two random ones of Fashion-MNIST, and its hardest pairs by hand.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import Table
from fastdl import strategy
from fastdl.data import ArrayDataset
from fastdl.train import Job, Parts

DATASETS = {"digits": 0.9, "mnist": 0.9, "fashion_mnist": 0.6}  # with the goals
KINDS = ("random", "systematic")
PARTS = ("train", "dev", "test")


def flip(y: np.ndarray, classes: int, kind: str, seed: int) -> np.ndarray:
    """Return labels of which some are wrong."""
    rng = np.random.default_rng(seed)
    flipped = y.copy()
    if kind == "random":
        chosen = rng.choice(len(y), round(0.05 * len(y)), replace=False)
        shift = rng.integers(1, classes, len(chosen))
        flipped[chosen] = (y[chosen] + shift) % classes
    else:
        true, given = rng.choice(classes, 2, replace=False)
        members = np.flatnonzero(y == true)
        flipped[rng.choice(members, round(0.2 * len(members)), replace=False)] = given
    return flipped


def with_flips(parts: Parts, kind: str, seed: int) -> tuple[Parts, set]:
    """Return parts with some wrong labels, and which: pairs (part, index)."""
    sets = {name: getattr(parts, name) for name in PARTS}
    y = np.concatenate([each.y for each in sets.values()])
    flipped = flip(y, len(parts.classes), kind, seed)
    changed, wrong, start = {}, set(), 0
    for name, each in sets.items():
        labels = flipped[start : start + len(each)]
        changed[name] = ArrayDataset(each.x, labels)
        wrong |= {(name, int(i)) for i in np.flatnonzero(labels != each.y)}
        start += len(each)
    return parts._replace(**changed), wrong


def measure(dataset: str, kind: str, seed: int) -> dict[str, Any]:
    """Flip labels, look for them; return the figures."""
    parts, wrong = with_flips(Job(dataset).load(), kind, seed)
    start = time.monotonic()
    review, _ = strategy.review_labels(parts, progress=False)
    seconds = time.monotonic() - start
    first = review.suspects[: int(1.2 * len(wrong))]
    found = sum((each.part, each.index) in wrong for each in first)
    return {
        "dataset": dataset,
        "kind": kind,
        "seed": seed,
        "flips": len(wrong),
        "suspects": len(review.suspects),
        "recall": found / len(wrong),
        "told": review.kind,
        "noise_rate": review.noise_rate,
        "p_value": review.p_value,
        "pairs": [pair[:3] for pair in review.pairs],
        "seconds": seconds,
    }


def table(results: list[dict[str, Any]]) -> Table:
    """Return the figures of each data set and kind over its seeds."""
    made = Table(
        "Wrong labels",
        (__doc__ or "").partition("\n\n")[2],
        ("data", "noise", "seeds", "recall, lowest", "mean", "told right", "seconds"),
    )
    for dataset, goal in DATASETS.items():
        for kind in KINDS:
            rows = [r for r in results if (r["dataset"], r["kind"]) == (dataset, kind)]
            if not rows:
                continue
            recalls = [row["recall"] for row in rows]
            right = sum(row["told"] == kind for row in rows)
            low = f"{min(recalls):.1%}"
            made.rows.append(
                (
                    dataset,
                    kind,
                    str(len(rows)),
                    f"{low if min(recalls) >= goal else f'**{low}**'} (≥ {goal:.0%})",
                    f"{np.mean(recalls):.1%}",
                    f"{right} of {len(rows)}",
                    f"{np.median([row['seconds'] for row in rows]):.0f}",
                )
            )
    return made


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.labels", description="Find labels that were flipped."
    )
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=[*DATASETS])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--seeds", type=int, default=10, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the results; go on from them"
    )
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    if options.json and options.json.exists():
        results = json.loads(options.json.read_text())
    done = {(row["dataset"], row["kind"], row["seed"]) for row in results}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for dataset in options.datasets:
            for kind in options.kinds:
                if (dataset, kind, seed) in done:
                    continue
                results.append(measure(dataset, kind, seed))
                print(json.dumps(results[-1]), flush=True)
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
