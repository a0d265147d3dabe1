"""What runs cost, measured to choose between them (SPEC S28)."""

import math
import os
import sys

import pytest

import fastdl
from fastdl import models, nn, strategy
from fastdl.cli import main
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.train import open_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of digits, by model; read only."""
    root = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        for model in ("logistic", "mlp"):
            argv = ["train", "digits", "--model", model, "--epochs", "2"]
            assert main([*argv, "--out", str(root / model)]) == 0
    return {model: root / model for model in ("logistic", "mlp")}


def test_cost_of_a_model():
    """S28: latency (single and batch, median and p95), parameters, multiply-adds."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2))
    cost = strategy.inference_cost(model, (3, 4), batch_size=8, seconds=0.02)
    assert cost.parameters == 12 * 5 + 5 + 5 * 2 + 2
    assert cost.multiply_adds == 12 * 5 + 5 * 2
    assert cost.batch_size == 8
    assert cost.threads == fastdl.get_num_threads()
    assert 0 < cost.latency_ms <= cost.latency_p95_ms
    assert 0 < cost.batch_ms <= cost.batch_p95_ms


def test_more_work_takes_longer():
    """S28: within one measurement."""
    small = nn.Sequential(nn.Linear(8, 8))
    large = nn.Sequential(nn.Linear(8, 2048), nn.Linear(2048, 2048), nn.Linear(2048, 8))
    for model in (small, large):
        model.build((8,))
    costs = strategy.inference_costs({"small": small, "large": large}, seconds=0.2)
    assert costs["large"].batch_ms > costs["small"].batch_ms
    assert costs["large"].latency_ms > costs["small"].latency_ms


def test_measuring_leaves_no_trace():
    model = models.create("digits_convnet")
    model.build((8, 8, 1))
    model.train()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    strategy.inference_cost(model, seconds=0.01)
    assert model.training
    after = model.state_dict()
    assert all((after[name] == before[name]).all() for name in before)


def test_measured_runs(runs):
    """S28: measured accuracy and cost of trained runs as inputs."""
    measured = strategy.compare_runs(list(runs.values()), seconds=0.02)
    assert list(measured) == ["logistic", "mlp"]
    for name, path in runs.items():
        run = open_run(path)
        expected = fastdl.Trainer(run.model).evaluate(run.parts.dev)
        assert measured[name]["accuracy"] == expected["accuracy"]
        assert measured[name]["loss"] == pytest.approx(expected["loss"], rel=1e-6)
        assert measured[name]["examples"] == len(run.parts.dev)
        assert measured[name]["epochs"] == 2
        assert measured[name]["file_bytes"] == os.path.getsize(
            path / "model.safetensors"
        )
    assert measured["logistic"]["parameters"] == 650
    assert measured["logistic"]["multiply_adds"] == 640
    assert measured["mlp"]["multiply_adds"] > 10_000


def test_choose_between_runs(runs):
    """S28: folders, or runs that are open."""
    paths = list(runs.values())
    opened = [open_run(path) for path in paths]
    assert strategy.choose(paths).best == "mlp"
    assert strategy.choose(opened, limits={"parameters": 1000}).best == "logistic"
    assert strategy.choose(opened[0]).best == "logistic"
    assert strategy.choose(str(paths[1])).best == "mlp"


def test_names_of_runs(runs, tmp_path):
    twin = tmp_path / "mlp"
    twin.symlink_to(runs["mlp"])
    both = strategy.compare_runs([runs["mlp"], twin], seconds=0.01)
    assert list(both) == [str(runs["mlp"]), str(twin)]
    with pytest.raises(ArgumentError, match="the same run twice"):
        strategy.compare_runs([runs["mlp"], runs["mlp"]], seconds=0.01)


def test_errors(tmp_path):
    with pytest.raises(DataError, match="there is no run folder"):
        strategy.choose([tmp_path / "missing"])
    with pytest.raises(ShapeError, match="give input_shape"):
        strategy.inference_cost(nn.Linear(2, 3))
    with pytest.raises(ShapeError, match="batch_size must be an integer >= 1"):
        strategy.inference_cost(nn.Linear(2, 3), (2,), batch_size=0)
    for seconds in (0, -1, math.nan, "1"):
        with pytest.raises(ArgumentError, match="seconds must be above 0"):
            strategy.inference_cost(nn.Linear(2, 3), (2,), seconds=seconds)
