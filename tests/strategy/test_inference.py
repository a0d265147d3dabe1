"""What runs cost, measured to choose between them (SPEC S28)."""

import itertools
import math
import os
from typing import ClassVar

import pytest

import fastdl
from fastdl import models, nn, strategy
from fastdl.cli import main
from fastdl.errors import ArgumentError, DataError, ShapeError
from fastdl.strategy import inference
from fastdl.train import open_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory, without_pictures):
    """Two runs of digits, by model; read only."""
    root = tmp_path_factory.mktemp("runs")
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


class Clockwork(nn.Module):
    """A model of which each call takes so many seconds of a clock that is set here."""

    now = 0.0
    calls: ClassVar = []

    def __init__(self, seconds):
        self.seconds = seconds

    def forward(self, x):
        last = len([each for each in Clockwork.calls if each is self])
        Clockwork.calls.append(self)
        Clockwork.now += self.seconds[last % len(self.seconds)] * len(x)
        return fastdl.Tensor(x)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(Clockwork, "now", 0.0)
    monkeypatch.setattr(Clockwork, "calls", [])
    monkeypatch.setattr(inference, "perf_counter", lambda: Clockwork.now)


@pytest.mark.usefixtures("clock")
def test_median_and_p95():
    """S28: of all calls but the first; a slow one in a while is not the median."""
    steady, moody = Clockwork([0.001]), Clockwork([0.001] * 8 + [0.1] * 2)
    models = {"steady": steady, "moody": moody}
    for model in models.values():
        model.build((3,))
    Clockwork.calls.clear()
    costs = strategy.inference_costs(models, batch_size=10, seconds=2)
    assert costs["steady"][:4] == pytest.approx((1, 1, 10, 10))
    assert costs["moody"][:4] == pytest.approx((1, 100, 10, 1000))
    # About two seconds for each model, by turns.
    turns = [model for model, _ in itertools.groupby(Clockwork.calls)]
    assert len(turns) > 20
    assert 4 < Clockwork.now < 10


@pytest.mark.usefixtures("clock")
def test_a_slow_model_is_asked_a_few_times():
    model = Clockwork([60.0])
    cost = strategy.inference_cost(model, (3,), batch_size=1, seconds=1)
    assert cost.latency_ms == 60_000
    assert len(Clockwork.calls) < 20


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


def test_measures_of_runs_are_listed(runs):
    for measures in strategy.compare_runs([*runs.values()], seconds=0.01).values():
        assert tuple(measures) == inference.MEASURES


def test_what_no_run_has_is_told_before_the_measuring(runs, monkeypatch):
    monkeypatch.setattr("fastdl.strategy.candidates.compare_runs", None)
    with pytest.raises(ArgumentError, match="did you mean 'latency_ms'"):
        strategy.choose(runs.values(), limits={"latency": 1})


def test_choose_between_runs(runs, monkeypatch):
    """S28: folders, or runs that are open."""
    measure = inference._milliseconds
    monkeypatch.setattr(inference, "_milliseconds", lambda m, n, _: measure(m, n, 0.01))
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


@pytest.mark.parametrize("shape", [None, (4,)])
def test_a_trainer_is_no_model(shape):
    trainer = fastdl.Trainer(nn.Sequential(nn.Linear(4, 2)))
    with pytest.raises(ArgumentError, match=r"got Trainer; .*give trainer\.model"):
        strategy.inference_cost(trainer, shape)


def test_a_model_of_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(None, 2)

        def forward(self, left, right):
            return self.layer(left) + self.layer(right)

    cost = strategy.inference_cost(Sum(), ((3,), (3,)), 4, seconds=0.01)
    assert (cost.parameters, cost.multiply_adds) == (8, 12)
