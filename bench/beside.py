"""The table of training steps beside another library with threads of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

from bench.harness import Table, measure, timing
from bench.networks import NETWORKS, batch, built, training_step

STEPS = ("LeNet-5", "ResNet-20")
ROUNDS = 3  # processes for each situation, in turn
LIBRARIES = {  # what is imported, and what keeps its threads busy for a moment
    "torch": "import torch; use = lambda: torch.ones(700, 700) @ torch.ones(700, 700)",
    "scikit-learn": (
        "import numpy, sklearn.cluster; use = lambda: sklearn.cluster.KMeans(8, "
        "n_init=1).fit(numpy.random.default_rng(0).random((20000, 8)))"
    ),
}
MEASURE = "from bench.beside import report; report({repeats})"


def report(repeats: int) -> None:
    """Print the seconds of each training step."""
    seconds = {}
    for name in STEPS:
        network = NETWORKS[name]
        step = training_step(built(network), *batch(network))
        seconds[name] = measure({"step": step}, repeats)["step"].median
    print(json.dumps(seconds))


def situations() -> dict[str, str]:
    """Return what runs before a measurement, by its name."""
    found = {"alone": ""}
    for name, library in LIBRARIES.items():
        if find_spec("sklearn" if name == "scikit-learn" else name):
            found |= {
                f"{name} imported first": library,
                f"{name} imported later": f"import fastdl; {library}",
                f"{name} used before": f"{library}; use()",
                f"{name} used between": f"{library}; import fastdl; use()",
            }
    return found


def beside(repeats: int) -> Table:
    """Measure training steps where another library has threads in the same process."""
    table = Table(
        "Beside another library",
        "Milliseconds of a training step in a process that has imported another "
        "library with OpenMP threads, before fastdl or after it, or has used them; "
        f"in brackets how many times as long as alone. Medians of {ROUNDS} processes.",
        ("situation", *STEPS),
    )
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in situations()}
    for turn in range(ROUNDS):
        for name in list(samples)[:: -1 if turn % 2 else 1]:
            code = f"{situations()[name]}\n{MEASURE.format(repeats=repeats)}"
            result = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code],
                capture_output=True,
                text=True,
                check=True,
            )
            samples[name].append(json.loads(result.stdout))
    for name, measured in samples.items():
        row = [name]
        for step in STEPS:
            time = timing([each[step] for each in measured])
            table.timings.setdefault(step, {})[name] = time
            ratio = time.median / table.timings[step]["alone"].median
            row.append(f"{1e3 * time.median:.3f} ({ratio:.2f})")
        table.rows.append(row)
    return table
