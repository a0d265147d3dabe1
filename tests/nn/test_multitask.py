"""MultiTaskLoss: several losses as one, with labels that may be missing (S33)."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn, optim
from fastdl.errors import ArgumentError, DataError, FastdlError, ShapeError

RNG = np.random.default_rng(3)
NAN = np.nan
N = 6
EVEN = RNG.standard_normal((N, 1))
DIGIT = RNG.standard_normal((N, 4))
SIZE = RNG.standard_normal((N, 2))
OUTPUTS = {"even": EVEN, "digit": DIGIT, "size": SIZE}
TARGETS = {
    "even": np.array([[1.0], [0.0], [1.0], [1.0], [0.0], [0.0]]),
    "digit": np.array([0, 3, 2, 1, 1, 0]),
    "size": RNG.standard_normal((N, 2)),
}
LOSSES = {
    "even": nn.BCEWithLogitsLoss(),
    "digit": nn.CrossEntropyLoss(),
    "size": nn.MSELoss(),
}


def with_missing():
    """Return the targets, with some of each task missing."""
    y = {name: array.astype(float) for name, array in TARGETS.items()}
    y["even"][[0, 4]] = NAN
    y["digit"][[1, 2, 5]] = NAN
    y["size"][[3]] = NAN
    return y


def alone(task, rows=slice(None), weight=None):
    """Return the loss of one task over some rows."""
    y = TARGETS[task][rows]
    return LOSSES[task](OUTPUTS[task][rows], y, weight).item()


def test_sum_of_the_losses():
    loss = nn.MultiTaskLoss(LOSSES)(OUTPUTS, TARGETS)
    assert loss.item() == pytest.approx(sum(map(alone, LOSSES)), rel=1e-6)


def test_weights():
    loss = nn.MultiTaskLoss(LOSSES, {"even": 3, "size": 0})(OUTPUTS, TARGETS)
    assert loss.item() == pytest.approx(3 * alone("even") + alone("digit"), rel=1e-6)


def test_missing_labels_count_for_nothing():
    tasks = nn.MultiTaskLoss(LOSSES).tasks(OUTPUTS, with_missing())
    assert tasks["even"].loss.item() == pytest.approx(alone("even", [1, 2, 3, 5]))
    assert tasks["digit"].loss.item() == pytest.approx(alone("digit", [0, 3, 4]))
    assert tasks["size"].loss.item() == pytest.approx(alone("size", [0, 1, 2, 4, 5]))
    assert [task.count for task in tasks.values()] == [4, 3, 10]


def test_weights_of_examples_go_with_the_labels_that_are_there():
    weight = np.arange(1.0, N + 1)
    tasks = nn.MultiTaskLoss(LOSSES).tasks(OUTPUTS, with_missing(), weight)
    rows = {"even": [1, 2, 3, 5], "digit": [0, 3, 4], "size": [0, 1, 2, 4, 5]}
    for task, chosen in rows.items():
        expected = alone(task, chosen, weight[chosen])
        assert tasks[task].loss.item() == pytest.approx(expected), task
    assert tasks["digit"].count == weight[[0, 3, 4]].sum()


def test_a_row_of_a_squared_error_may_be_missing_in_part():
    y = TARGETS["size"].copy()
    y[0, 1] = y[2, 0] = y[3] = NAN
    there = ~np.isnan(y)
    weight = np.arange(1.0, N + 1)
    each = (SIZE - y)[there] ** 2
    loss = nn.MultiTaskLoss({"size": nn.MSELoss()})
    tasks = loss.tasks(OUTPUTS, {"size": y})
    assert tasks["size"].loss.item() == pytest.approx(each.mean())
    assert tasks["size"].count == there.sum()
    tasks = loss.tasks(OUTPUTS, {"size": y}, weight)
    by_element = np.broadcast_to(weight[:, np.newaxis], y.shape)[there]
    expected = np.average(each, weights=by_element)
    assert tasks["size"].loss.item() == pytest.approx(expected)


def test_a_row_that_is_missing_in_part_needs_a_loss_of_elements():
    def smallest(outputs, y):
        return F.mean(outputs) + y.min()

    y = TARGETS["size"].copy()
    y[4, 1] = NAN
    with pytest.raises(DataError, match=r"task 'size': y\[4\] is missing in part"):
        nn.MultiTaskLoss({"size": smallest})(OUTPUTS, {"size": y})


def test_probabilities_as_labels_may_be_missing_by_rows():
    rows = np.eye(4)[TARGETS["digit"]]
    rows[[1, 2, 5]] = NAN
    tasks = nn.MultiTaskLoss(LOSSES).tasks(OUTPUTS, with_missing() | {"digit": rows})
    assert tasks["digit"].loss.item() == pytest.approx(alone("digit", [0, 3, 4]))


def test_a_function_gets_the_rows_that_are_there():
    seen = []

    def own(outputs, y, weight):
        seen.append((outputs.shape, y.tolist(), weight.tolist()))
        return F.sum(outputs) * 0 + 2

    y = {"size": np.array([1.0, NAN, 3.0, NAN, NAN, 6.0])}
    tasks = nn.MultiTaskLoss({"size": own}).tasks(OUTPUTS, y, np.arange(N))
    assert seen == [((3, 2), [1, 3, 6], [0, 2, 5])]
    assert (tasks["size"].loss.item(), tasks["size"].count) == (2, 7)


@pytest.mark.parametrize("weights", [None, "uncertainty"])
@pytest.mark.parametrize("missing", [["even"], ["digit", "size"], list(LOSSES)])
def test_a_task_without_labels_has_no_loss_and_no_gradient(missing, weights):
    y = {
        task: np.full(array.shape, NAN) if task in missing else array
        for task, array in TARGETS.items()
    }
    outputs = {
        task: fastdl.tensor(array, requires_grad=True)
        for task, array in OUTPUTS.items()
    }
    criterion = nn.MultiTaskLoss(LOSSES, weights)
    tasks = criterion.tasks(outputs, y)
    for task in missing:
        assert (tasks[task].loss.item(), tasks[task].count) == (0, 0)
        assert tasks[task].share.item() == 0
    loss = criterion(outputs, y)
    if missing == list(LOSSES):
        assert loss.item() == 0
    loss.backward()
    for task, tensor in outputs.items():
        assert (np.abs(tensor.grad).max() == 0) == (task in missing)
    if weights:
        for task, parameter in criterion.log_variance.items():
            has_none = parameter.grad is None or parameter.grad == 0
            assert has_none == (task in missing)


def test_weights_of_zero_are_as_good_as_missing():
    tasks = nn.MultiTaskLoss(LOSSES).tasks(OUTPUTS, TARGETS, np.zeros(N))
    assert [task.share.item() for task in tasks.values()] == [0, 0, 0]
    assert [task.count for task in tasks.values()] == [0, 0, 0]


def test_gradients(check_gradients):
    y = with_missing()
    for weights in (None, {"size": 0.3}):
        criterion = nn.MultiTaskLoss(LOSSES, weights)

        def loss(even, digit, size, criterion=criterion):
            return criterion({"even": even, "digit": digit, "size": size}, y)

        check_gradients(loss, *OUTPUTS.values())


def test_learned_weights_follow_the_likelihood():
    criterion = nn.MultiTaskLoss(LOSSES, "uncertainty")
    names = [f"log_variance.{task}" for task in LOSSES]
    assert list(criterion.state_dict()) == names
    s = {"even": 0.4, "digit": -0.7, "size": 1.1}
    for task, value in s.items():
        criterion.log_variance[task].data[...] = value
    expected = sum(
        (0.5 if task == "size" else 1) * math.exp(-s[task]) * alone(task) + s[task] / 2
        for task in LOSSES
    )
    loss = criterion(OUTPUTS, TARGETS)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    loss.backward()
    slope = -math.exp(-s["digit"]) * alone("digit") + 0.5
    grad = criterion.log_variance["digit"].grad
    assert grad == pytest.approx(slope, rel=1e-5)


def test_learned_weights_find_the_noise_of_each_task():
    """With the model fixed, sigma^2 becomes the mean squared error of each task."""
    errors = {"a": 0.1, "b": 3.0}
    outputs = {task: np.zeros(1000, np.float32) for task in errors}
    y = {task: RNG.normal(0, sigma, 1000) for task, sigma in errors.items()}
    y["b"][::3] = NAN
    losses = {task: nn.MSELoss() for task in errors}
    criterion = nn.MultiTaskLoss(losses, "uncertainty")
    optimizer = optim.Adam(criterion.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        criterion(outputs, y).backward()
        optimizer.step()
    for task in errors:
        found = math.exp(criterion.log_variance[task].item())
        assert found == pytest.approx(np.nanmean(y[task] ** 2), rel=0.02), task


def test_outputs_that_are_no_task_are_passed_over():
    outputs = OUTPUTS | {"embedding": EVEN}
    loss = nn.MultiTaskLoss({"even": nn.BCEWithLogitsLoss()})(outputs, TARGETS)
    assert loss.item() == pytest.approx(alone("even"))


@pytest.mark.parametrize(
    ("outputs", "targets", "message"),
    [
        (EVEN, TARGETS, "the model returns a ndarray; expected a dict with 'even', "),
        (OUTPUTS, EVEN, "the targets are a ndarray"),
        ({"evn": EVEN}, TARGETS, "task 'even' is missing: the model returns.*'evn'"),
        (OUTPUTS, {"even": EVEN}, "task 'digit' is missing: the targets are a dict"),
    ],
    ids=["no outputs", "no targets", "misspelt", "missing"],
)
def test_outputs_or_targets_of_other_tasks(outputs, targets, message):
    with pytest.raises(ArgumentError, match=message):
        nn.MultiTaskLoss(LOSSES)(outputs, targets)


def test_an_error_names_the_task():
    y = TARGETS | {"even": TARGETS["even"][:, 0]}
    with pytest.raises(ShapeError, match=r"layer 'losses\.even' .*reshape\(-1, 1\)"):
        nn.MultiTaskLoss(LOSSES)(OUTPUTS, y)
    with pytest.raises(ShapeError, match=r"task 'even': .*reshape\(-1, 1\)"):
        nn.MultiTaskLoss(LOSSES).tasks(OUTPUTS, y)
    y = TARGETS | {"digit": np.array([0, 1, 2.5, NAN, 1, 1])}
    with pytest.raises(DataError, match=r"task 'digit': label 2 is 2\.5; .* whole"):
        nn.MultiTaskLoss(LOSSES)(OUTPUTS, y)
    y = TARGETS | {"digit": np.array([0, 1, 4, NAN, 1, 1])}
    with pytest.raises(FastdlError, match=r"layer 'losses\.digit'.* got 4"):
        nn.MultiTaskLoss(LOSSES)(OUTPUTS, y)


@pytest.mark.parametrize(
    ("losses", "weights", "message"),
    [
        ({}, None, "losses must be a dict with a loss for each task"),
        ([nn.MSELoss()], None, "losses must be a dict"),
        ({"a": nn.MSELoss}, None, "the loss of 'a' must be a loss such as"),
        (LOSSES, "uncertain", "weights must be .*did you mean 'uncertainty'"),
        (LOSSES, {"evn": 1}, "a weight for 'evn', .* did you mean 'even'"),
        (LOSSES, {"even": -1}, "weight of 'even' must be a finite number >= 0"),
        (LOSSES, {"even": NAN}, "weight of 'even' must be a finite number >= 0"),
        (LOSSES, [1, 2], "weights must be a dict"),
    ],
)
def test_wrong_arguments(losses, weights, message):
    with pytest.raises(ArgumentError, match=f"MultiTaskLoss: .*{message}"):
        nn.MultiTaskLoss(losses, weights)


def test_saving_and_loading(tmp_path):
    criterion = nn.MultiTaskLoss(LOSSES, "uncertainty")
    criterion.log_variance["size"].data[...] = 0.5
    nn.save(criterion, tmp_path / "loss.safetensors")
    loaded = nn.load(tmp_path / "loss.safetensors")
    expected = criterion(OUTPUTS, TARGETS).item()
    assert loaded(OUTPUTS, TARGETS).item() == expected
