"""Several tasks in one model: losses, labels that may be missing, metrics (S33)."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import metrics, nn, optim
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, DataError, FastdlError, NonFiniteError
from fastdl.nn.multitask import as_labels
from fastdl.train import CSVLog, EarlyStopping, History, Trainer, gradcheck

RNG = np.random.default_rng(8)
NAN = np.nan
N = 40
X = RNG.standard_normal((N, 5)).astype(np.float32)
EVEN = (X[:, 0] > 0).astype(float)
DIGIT = (X[:, 1] > 0) * 1 + (X[:, 2] > 0) * 1
SIZE = X @ RNG.standard_normal((5, 2))
Y = {"even": EVEN, "digit": DIGIT, "size": SIZE}
LOSSES = {
    "even": nn.BCEWithLogitsLoss(),
    "digit": nn.CrossEntropyLoss(),
    "size": nn.MSELoss(),
}


class Heads(nn.Module):
    def __init__(self):
        self.trunk = nn.Linear(None, 16)
        self.heads = nn.ModuleDict(
            {
                "even": nn.Linear(16, 1),
                "digit": nn.Linear(16, 3),
                "size": nn.Linear(16, 2),
            }
        )

    def forward(self, x):
        trunk = F.relu(self.trunk(x))
        outputs = {task: head(trunk) for task, head in self.heads.items()}
        return outputs | {"even": outputs["even"].reshape(-1)}


def with_missing(share=0.4, seed=0):
    """Return the targets, this share of each missing at random."""
    rng = np.random.default_rng(seed)
    y = {task: array.astype(float) for task, array in Y.items()}
    for array in y.values():
        array[rng.random(N) < share] = NAN
    return y


def seeded():
    fastdl.manual_seed(1)
    model = Heads()
    model.build((5,))
    return model


# Names and values


def test_rows_of_the_history():
    trainer = Trainer(seeded(), LOSSES, metrics={"even": ["accuracy", "roc_auc"]})
    y = with_missing()
    trainer.fit(X, y, epochs=2, validation=(X, y))
    measured = ["loss", "even_loss", "digit_loss", "size_loss"]
    measured += ["even_accuracy", "even_roc_auc"]
    speed = ["examples_per_second", "seconds"]
    validation = [f"val_{name}" for name in measured]
    assert list(trainer.history) == ["epoch", *measured, *validation, *speed]
    assert list(trainer.evaluate(X, y)) == measured


def test_accuracy_of_classes_is_measured_by_default():
    trainer = Trainer(seeded(), LOSSES)
    assert list(trainer.metrics) == ["digit_accuracy"]


@pytest.mark.parametrize("batch_size", [3, 7, N])
def test_evaluate_does_not_depend_on_the_batches(batch_size):
    model, y = seeded(), with_missing()
    trainer = Trainer(
        model,
        LOSSES,
        loss_weights={"size": 0.1, "digit": 2},
        metrics={task: ["accuracy"] for task in ("even", "digit")},
        regularization=nn.L2(0.01),
    )
    measured = trainer.evaluate(X, y, batch_size=batch_size)
    outputs = {task: each.numpy() for task, each in model(X).items()}
    there = {task: ~np.isnan(each.reshape(N, -1)[:, 0]) for task, each in y.items()}
    by_hand = {
        task: loss(
            outputs[task][there[task]],
            y[task][there[task]].astype(int if task == "digit" else float),
        ).item()
        for task, loss in LOSSES.items()
    }
    for task, value in by_hand.items():
        assert measured[f"{task}_loss"] == pytest.approx(value, rel=1e-5), task
    total = by_hand["even"] + 2 * by_hand["digit"] + 0.1 * by_hand["size"]
    total += nn.L2(0.01)(model).item()
    assert measured["loss"] == pytest.approx(total, rel=1e-5)
    right = (outputs["even"] > 0) == EVEN
    assert measured["even_accuracy"] == right[there["even"]].mean()
    right = outputs["digit"].argmax(1) == DIGIT
    assert measured["digit_accuracy"] == right[there["digit"]].mean()


def test_metrics_of_a_yes_or_no_question_are_those_of_two_classes():
    model, y = seeded(), with_missing()
    names = ["accuracy", "error_rate", "f1", "roc_auc", "calibration_error"]
    trainer = Trainer(model, LOSSES, metrics={"even": names})
    measured = trainer.evaluate(X, y)
    there = ~np.isnan(y["even"])
    z = model(X)["even"].numpy()[there].astype(float)
    labels = y["even"][there].astype(int)
    p = 1 / (1 + np.exp(-z))
    assert measured["even_error_rate"] == pytest.approx(1 - measured["even_accuracy"])
    expected = metrics.f1(labels, z > 0)
    assert measured["even_f1"] == pytest.approx(np.mean(expected))
    assert measured["even_roc_auc"] == pytest.approx(metrics.roc_auc(labels, p))


def test_a_metric_of_ones_own_sees_the_examples_with_a_label():
    seen = []

    def spread(y, outputs):
        seen.append((y.shape, outputs.shape))
        return outputs.std()

    y = with_missing()
    trainer = Trainer(seeded(), LOSSES, metrics={"size": [spread, "r2_score"]})
    assert {"size_spread", "size_r2_score"} <= trainer.evaluate(X, y).keys()
    there = np.count_nonzero(~np.isnan(y["size"][:, 0]))
    assert seen == [((there, 2), (there, 2))]


# Missing labels


def test_a_task_without_any_label():
    y = with_missing() | {"even": np.full(N, NAN)}
    model = seeded()
    before = model.heads["even"].weight.data.copy()
    trainer = Trainer(model, LOSSES, metrics={"even": ["accuracy"]})
    row = trainer.fit(X, y, validation=(X, y)).rows[0]
    assert np.isnan(
        [row["even_loss"], row["val_even_loss"], row["even_accuracy"]]
    ).all()
    assert np.isfinite([row["loss"], row["val_loss"], row["size_loss"]]).all()
    np.testing.assert_array_equal(model.heads["even"].weight.data, before)


def test_no_label_at_all():
    y = {task: np.full(array.shape, NAN) for task, array in Y.items()}
    model = seeded()
    before = model.state_dict()
    trainer = Trainer(model, LOSSES, partial(optim.SGD, lr=1.0))
    assert trainer.fit(X, y).rows[0]["loss"] == 0
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_labels_that_come_and_go_from_batch_to_batch():
    y = {task: array.astype(float) for task, array in Y.items()}
    y["digit"][:32] = NAN  # only the last batch has any
    y["even"][8:] = NAN  # only the first
    trainer = Trainer(seeded(), LOSSES)
    row = trainer.fit(X, y, batch_size=8, shuffle=False).rows[0]
    assert np.isfinite([row["digit_loss"], row["even_loss"]]).all()


def test_missing_labels_do_not_change_the_other_tasks():
    """A head whose labels are all missing is as good as no head."""
    y = with_missing() | {"even": np.full(N, NAN)}
    one, other = seeded(), seeded()
    Trainer(one, LOSSES).fit(X, y, epochs=3)
    fewer = {task: loss for task, loss in LOSSES.items() if task != "even"}
    Trainer(other, fewer).fit(X, y, epochs=3)
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name], err_msg=name)


def test_weights_of_examples():
    weight = RNG.random(N)
    y = with_missing()
    model = seeded()
    trainer = Trainer(model, LOSSES)
    measured = trainer.evaluate((X, y, weight), batch_size=7)
    criterion = nn.MultiTaskLoss(LOSSES)
    tasks = criterion.tasks(model(X), y, weight)
    for task, each in tasks.items():
        expected = pytest.approx(each.loss.item(), rel=1e-5)
        assert measured[f"{task}_loss"] == expected, task
    trainer.fit((X, y, weight), epochs=2)


# Training


def test_training_equals_a_loop_of_ones_own():
    y = with_missing()
    model = seeded()
    Trainer(model, LOSSES, partial(optim.SGD, lr=0.1)).fit(X, y, epochs=2, seed=4)
    own = seeded()
    criterion = nn.MultiTaskLoss(LOSSES)
    optimizer = optim.SGD(own.parameters(), lr=0.1)
    loader = DataLoader((X, y), 32, shuffle=True, seed=4)
    for _ in range(2):
        for inputs, targets in loader:
            optimizer.zero_grad()
            criterion(own(inputs), targets).backward()
            optimizer.step()
    for name, array in own.state_dict().items():
        np.testing.assert_allclose(
            model.state_dict()[name], array, rtol=1e-5, atol=1e-6
        )


def test_all_tasks_are_learned():
    y = with_missing()
    trainer = Trainer(seeded(), LOSSES, partial(optim.Adam, lr=0.01))
    trainer.fit(X, y, epochs=150, batch_size=8)
    measured = trainer.evaluate(X, with_missing(0))
    assert measured["digit_accuracy"] > 0.8
    assert measured["size_loss"] < 0.2 * np.mean(SIZE**2)


def test_learned_weights_are_trained():
    trainer = Trainer(seeded(), LOSSES, loss_weights="uncertainty")
    trainer.fit(X, with_missing(), epochs=20)
    learned = trainer.loss.log_variance
    assert all(parameter.item() != 0 for parameter in learned.values())
    assert "log_variance" not in str(list(trainer.model.state_dict()))


def test_an_optimiser_without_the_learned_weights_is_refused():
    model = seeded()
    optimizer = optim.Adam(model.parameters())
    trainer = Trainer(model, LOSSES, optimizer, loss_weights="uncertainty")
    with pytest.raises(ArgumentError, match=r"\*loss\.parameters\(\)"):
        trainer.fit(X, Y)
    criterion = nn.MultiTaskLoss(LOSSES, "uncertainty")
    optimizer = optim.Adam([*model.parameters(), *criterion.parameters()])
    Trainer(model, criterion, optimizer).fit(X, Y)
    assert criterion.log_variance["even"].item() != 0


@pytest.mark.parametrize("weights", [None, {"size": 0.3}, "uncertainty"])
def test_resuming_gives_the_same_bits(weights, tmp_path):
    y = with_missing()

    def train(epochs, **options):
        trainer = Trainer(seeded(), LOSSES, loss_weights=weights)
        trainer.fit(X, y, epochs=epochs, batch_size=9, **options)
        return {
            **trainer.model.state_dict(),
            **trainer.loss.state_dict(),
            "losses": np.array(trainer.history["loss"]),
        }

    path = tmp_path / "checkpoint.safetensors"
    train(2, checkpoint=path)
    resumed = train(4, checkpoint=path, resume=True)
    for name, array in train(4).items():
        np.testing.assert_array_equal(resumed[name], array, err_msg=name)


def test_resuming_with_other_weights_or_losses_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    Trainer(seeded(), LOSSES).fit(X, Y, checkpoint=path)
    other = Trainer(seeded(), LOSSES, loss_weights={"size": 2})
    with pytest.raises(ArgumentError, match=r"loss_weights"):
        other.fit(X, Y, checkpoint=path, resume=True)
    smooth = LOSSES | {"digit": nn.CrossEntropyLoss(label_smoothing=0.1)}
    with pytest.raises(ArgumentError, match=r"loss\.digit.*label_smoothing"):
        Trainer(seeded(), smooth).fit(X, Y, checkpoint=path, resume=True)
    learned = Trainer(seeded(), LOSSES, loss_weights="uncertainty")
    changes = ["loss_weights", "optimizer"]
    learned.fit(X, Y, checkpoint=path, resume=True, epochs=2, allow_changes=changes)


def test_early_stopping_and_logs_by_the_name_of_a_task(tmp_path):
    y = with_missing()
    stopping = EarlyStopping("val_digit_accuracy", patience=1)
    trainer = Trainer(seeded(), LOSSES)
    trainer.fit(
        X,
        y,
        epochs=20,
        validation=(X, y),
        callbacks=[stopping, CSVLog(tmp_path / "log.csv")],
    )
    assert stopping.best == max(trainer.history["val_digit_accuracy"])
    logged = History.read_csv(tmp_path / "log.csv")
    assert logged["val_even_loss"] == trainer.history["val_even_loss"]


def test_predict_and_probabilities():
    trainer = Trainer(seeded(), LOSSES)
    outputs = trainer.predict(X)
    assert {task: each.shape for task, each in outputs.items()} == {
        "even": (N,),
        "digit": (N, 3),
        "size": (N, 2),
    }
    likely = trainer.predict(X, probabilities=True)
    np.testing.assert_allclose(likely["even"], 1 / (1 + np.exp(-outputs["even"])), 1e-5)
    np.testing.assert_allclose(likely["digit"].sum(1), 1, 1e-5)
    np.testing.assert_array_equal(likely["size"], outputs["size"])


def test_probabilities_of_outputs_without_names():
    class Unnamed(Heads):
        def forward(self, x):
            return tuple(super().forward(x).values())

    trainer = Trainer(Unnamed(), LOSSES)
    trainer.model.build((5,))
    with pytest.raises(ArgumentError, match="returns a tuple; expected a dict with"):
        trainer.predict(X, probabilities=True)


@pytest.mark.parametrize("given", ["accuracy", metrics.f1, metrics.F1("micro")])
def test_metrics_of_one_task_in_a_list(given):
    with pytest.raises(ArgumentError, match=r"a dict .* \{'even': \['.*'\]\}, got a l"):
        Trainer(seeded(), LOSSES, metrics=[given])


def test_a_metric_of_all_tasks():
    def both(y, outputs):
        even = (outputs["even"] > 0) == y["even"]
        return float(np.mean(even & (outputs["digit"].argmax(1) == y["digit"])))

    measured = Trainer(seeded(), LOSSES, metrics=[both]).evaluate(X, Y)
    assert 0 <= measured["both"] <= 1


@pytest.mark.parametrize("label", [np.inf, -np.inf, 1e300, 0.5])
def test_labels_that_are_no_whole_numbers(label):
    digit = DIGIT.astype(float)
    digit[7] = label
    with pytest.raises(DataError, match=re.escape(f"label 7 is {label:g};")):
        Trainer(seeded(), LOSSES).fit(X, Y | {"digit": digit})


def test_a_batch_without_examples_is_no_loss():
    model = seeded()
    outputs = {task: each[:0] for task, each in model(X).items()}
    targets = {task: each[:0] for task, each in with_missing().items()}
    loss = nn.MultiTaskLoss(LOSSES)(outputs, targets)
    loss.backward()
    assert loss.item() == 0
    assert not model.trunk.weight.grad.any()


def test_functions_become_the_modules_that_do_the_same():
    losses = {
        "even": F.binary_cross_entropy_with_logits,
        "digit": partial(F.cross_entropy, label_smoothing=0.1),
        "size": F.mse_loss,
    }
    trainer = Trainer(seeded(), losses)
    assert isinstance(trainer.loss.losses["even"], nn.BCEWithLogitsLoss)
    assert trainer.loss.losses["digit"].label_smoothing == 0.1
    trainer.fit(X, with_missing())


def test_gradcheck_with_missing_labels():
    y = {task: array[:6] for task, array in with_missing(0.5).items()}
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh())

    class Smooth(nn.Module):
        def __init__(self):
            self.trunk = model
            self.even, self.digit = nn.Linear(4, 1), nn.Linear(4, 3)

        def forward(self, x):
            x = self.trunk(x)
            return {"even": self.even(x).reshape(-1), "digit": self.digit(x)}

    losses = {task: LOSSES[task] for task in ("even", "digit")}
    checked = gradcheck(Smooth(), nn.MultiTaskLoss(losses, {"even": 2}), X[:6], y)
    assert checked.verdict == "great"


# Mistakes


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ({"even": EVEN, "size": SIZE}, ArgumentError, "task 'digit' is missing"),
        (EVEN, ArgumentError, "the targets are a ndarray; expected a dict"),
        (Y | {"even": EVEN * 2}, FastdlError, "training targets of task 'even'"),
        (Y | {"digit": DIGIT + 1}, FastdlError, "training labels of task 'digit'"),
        (Y | {"digit": DIGIT + 0.5}, DataError, "of task 'digit': label 0 is "),
    ],
    ids=["missing", "array", "not in [0, 1]", "out of range", "not whole"],
)
def test_wrong_targets_are_found_before_the_first_step(y, error, message):
    with pytest.raises(error, match=message):
        Trainer(seeded(), LOSSES).fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": None, "loss_weights": {"a": 1}}, "loss_weights are for a dict of"),
        ({"loss": LOSSES, "loss_weights": {"evn": 1}}, "did you mean 'even'"),
        ({"loss": LOSSES, "metrics": {"evn": []}}, "metrics for 'evn', .*'even'"),
        ({"loss": None, "metrics": {"even": []}}, "metrics for 'even'"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ArgumentError, match=message):
        Trainer(seeded(), **options)


def test_a_loss_that_is_not_finite_names_the_task():
    def broken(outputs, y):
        return F.mean(outputs) / 0.0

    trainer = Trainer(seeded(), LOSSES | {"size": broken})
    with (
        np.errstate(divide="ignore"),
        pytest.raises(NonFiniteError, match="batch 1, in task 'size'; the model's out"),
    ):
        trainer.fit(X, Y)


def test_a_head_that_ends_with_a_softmax_is_warned_of():
    class Probabilities(Heads):
        def forward(self, x):
            outputs = super().forward(x)
            return outputs | {"digit": F.softmax(outputs["digit"])}

    with pytest.warns(UserWarning, match="CrossEntropyLoss takes logits"):
        Trainer(Probabilities(), LOSSES).fit(X, Y)


def test_labels_that_are_missing_become_0():
    labels = as_labels(np.array([np.nan, 2, 1], np.float32))
    np.testing.assert_array_equal(labels, np.array([0, 2, 1]), strict=True)
