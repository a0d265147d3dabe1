"""Course 3: bias or variance, train/dev/test of two sources, error analysis, which model.

The student has the tables of the lectures and a small run, made from the command line, and
wants each command of the README to work on it and to say what the lectures say.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from fastdl import datasets, strategy


def fastdl(*words):
    done = subprocess.run(
        [sys.executable, "-m", "fastdl", *words],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# the lectures' tables
cats = {"human": 1, "train": 8, "dev": 10}
assert strategy.diagnose(**cats).problems[0] == "avoidable bias"
assert strategy.diagnose(**cats | {"human": 7.5}).problems[0] == "variance"
mirror = strategy.diagnose(human=4, train=7, train_dev=10, dev=12, test=12)
sizes = {k: v.size for k, v in mirror.gaps.items()}
assert np.allclose(
    [sizes[k] for k in ("avoidable bias", "variance", "data mismatch")],
    [0.03, 0.03, 0.02],
)
assert (
    strategy.diagnose(human=0, train=1, train_dev=1.5, dev=10).problems[0]
    == "data mismatch"
)

# one optimising and one satisficing metric
table = {
    "A": {"accuracy": 0.90, "latency_ms": 80},
    "B": {"accuracy": 0.92, "latency_ms": 95},
    "C": {"accuracy": 0.95, "latency_ms": 1500},
}
assert strategy.choose(table, "accuracy", {"latency_ms": 100}).best == "B"

# web pictures and mobile pictures: dev and test from the target alone
digits = datasets.load("digits")
split = strategy.split_sources(
    digits.train, digits.test, 800, dev=500, test=497, train_dev=300
)
assert split.sizes == {
    "train": 3823 + 800 - 300,
    "train_dev": 300,
    "dev": 500,
    "test": 497,
}

# error analysis: 100 mistakes, some dogs, some blurred
rng = np.random.RandomState(0)
y, p = rng.randint(0, 2, 1000), np.full((1000, 2), 0.5)
answers = np.where(np.arange(1000) < 100, 1 - y, y)
p[np.arange(1000), answers] = 0.9
p[np.arange(1000), 1 - answers] = 0.1
analysis = strategy.ErrorAnalysis(rng.rand(1000, 4), y, p, ["other", "cat"])
analysis.tag(range(5), "dog")
analysis.tag(range(5, 66), "blurred")
analysis.tag(range(66, 100), "other")
assert analysis.counts()["dog"] == 5 and np.isclose(analysis.error, 0.1)

with tempfile.TemporaryDirectory() as folder:
    run = "runs/b"
    fastdl(
        "train",
        "digits",
        "--model",
        "mlp",
        "--examples",
        "600",
        "--epochs",
        "8",
        "--out",
        run,
    )
    told = fastdl("diagnose", run, "--human", "0.01")
    assert "variance" in told and "next:" in told
    assert "suspect labels" in fastdl("labels", run, "--epochs", "4", "--folds", "2")
    tags = strategy.ErrorAnalysis.of_run(Path(folder) / run)
    tags.tag(tags.order("random")[:3], "thick pen")
    assert "report.html" in fastdl("report", run)
    assert "thick pen" in (Path(folder) / run / "report.html").read_text()
