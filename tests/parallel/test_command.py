"""``mpiexec -n 2 fastdl train``: one run folder, one report, resumed on any number."""

import csv
import os
import signal
import time
from pathlib import Path
from threading import Thread

import numpy as np
import pytest


@pytest.fixture(scope="module")
def train(launch):
    """Train on some ranks, by an optimiser that does not enlarge roundings."""

    def run(ranks, out, *options, **how):
        arguments = ("--epochs", 4, "--examples", 640, "--no-report")
        arguments += ("--optimizer", "momentum", "--lr", 0.01, "--out", out, *options)
        return launch(ranks, "-m", "fastdl", "train", "digits", *arguments, **how)

    return run


@pytest.fixture(scope="module")
def alone(train, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    train(1, out)
    return out


def measured(out):
    with open(out / "metrics.csv", newline="") as file:
        return [
            [float(row[name]) for name in ("loss", "accuracy", "val_loss")]
            for row in csv.DictReader(file)
        ]


def test_a_run_is_that_of_one_process(train, alone, tmp_path):
    done = train(2, tmp_path)
    np.testing.assert_allclose(measured(tmp_path), measured(alone), atol=5e-3)
    assert done.stdout.count("saved in") == 1
    assert done.stderr.count("epoch 1/4") == 1
    assert "on 2 processes" in done.stdout
    files = [{path.name for path in folder.iterdir()} for folder in (tmp_path, alone)]
    assert files[0] == files[1]


def kill_rank(number, out):
    """Kill a rank as soon as there is a checkpoint."""
    while not (out / "checkpoint.safetensors").exists():
        time.sleep(0.005)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = str(out).encode() in (process / "cmdline").read_bytes()
            variables = (process / "environ").read_text().split("\0")
        except (OSError, ValueError):  # it has ended, or is none of ours
            continue
        names = {f"PMI_RANK={number}", f"OMPI_COMM_WORLD_RANK={number}"}
        if ours and names & set(variables):
            os.kill(int(process.name), signal.SIGKILL)


@pytest.mark.parametrize("ranks", [1, pytest.param(3, marks=pytest.mark.soak)])
def test_a_killed_run_goes_on_with_another_number(ranks, train, alone, tmp_path):
    killer = Thread(target=kill_rank, args=(1, tmp_path), daemon=True)
    killer.start()
    killed = train(2, tmp_path, check=False)
    assert killed.returncode != 0
    before = measured(tmp_path)
    assert 1 <= len(before) < 4
    done = train(ranks, tmp_path, "--resume")
    assert f"epoch {len(before) + 1}/4" in done.stderr
    rows = measured(tmp_path)
    assert rows[: len(before)] == before
    np.testing.assert_allclose(rows, measured(alone), atol=5e-3)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_an_error_is_told_once(launch):
    command = ("-m", "fastdl", "train", "digit", "--out", "/nowhere")
    done = launch(2, *command, check=False)
    assert done.returncode == 2
    assert done.stderr.count("did you mean 'digits'") == 1
