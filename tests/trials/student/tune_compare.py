"""Course 3: orthogonal knobs, one metric: search, train with the best, compare, from the shell.

The student wants `fastdl tune` on a log scale, the best settings trained again by its
best.json, one knob turned (--weight-decay), and the runs compared under a limit of time.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SPACE = """
lr = {log = [1e-3, 1.0]}
momentum = {one_minus_log = [0.9, 0.99]}
optimizer = "momentum"
"""


def fastdl(*words):
    command = [sys.executable, "-m", "fastdl", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "space.toml").write_text(SPACE)
    few = ["--model", "logistic", "--examples", "500", "--epochs", "2"]
    told = fastdl("tune", "digits", "--space", "space.toml", "--trials", "5", *few)
    assert "complete: " in told and "best.json" in told
    tuned = Path(folder) / "runs/tune-digits"
    with open(tuned / "trials.csv", newline="") as file:
        trials = list(csv.DictReader(file))
    assert len(trials) == 5
    assert all(0.001 <= float(row["lr"]) <= 1 for row in trials)
    best = json.loads((tuned / "best.json").read_text())
    assert best["lr"] in [float(row["lr"]) for row in trials]

    again = ["train", "--config", "runs/tune-digits/best.json", "--no-report"]
    first = fastdl(*again, "--out", "runs/best")
    fastdl(*again, "--epochs", "6", "--out", "runs/longer")
    told = fastdl("compare", "runs/best", "runs/longer", "--limit", "latency_ms=100")
    assert "chosen: longer" in told
    lines = [line.split() for line in told.splitlines()]
    assert ["epochs", "2", "6"] in lines
