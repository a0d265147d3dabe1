"""The errors of a trained network (S25)."""

import numpy as np
import pytest

import fastdl
from fastdl import data, datasets, nn, strategy
from fastdl.errors import ArgumentError, DataError, NonFiniteError
from fastdl.train import Trainer


@pytest.fixture(scope="module")
def digits():
    return data.split(datasets.load("digits").train, (1000, 200, -1), stratify=True)


@pytest.fixture(scope="module")
def trainer(digits):
    fastdl.manual_seed(0)
    trainer = Trainer(fastdl.models.create("mlp", dropout=0.2))
    trainer.fit(digits[0], epochs=5)
    return trainer


def test_errors_are_the_shares_of_wrong_answers(trainer, digits):
    """S25"""
    train, dev, test = digits
    found = strategy.measure(trainer, train=train, dev=dev, test=test)
    assert list(found.errors) == ["train", "dev", "test"]
    for name, part in (("train", train), ("dev", dev), ("test", test)):
        accuracy = trainer.evaluate(part)["accuracy"]
        assert found.errors[name] == pytest.approx(1 - accuracy, abs=1e-12)
        assert found.examples[name] == len(part)
    diagnosis = found.diagnose(human=0.01)
    assert diagnosis.errors == pytest.approx({"human": 0.01} | found.errors)
    assert diagnosis.gaps["variance"].low is not None


def test_train_dev(trainer, digits):
    """S26"""
    train, dev, test = digits
    found = strategy.measure(trainer, train=train, train_dev=test, dev=dev)
    assert list(found.diagnose().gaps) == [
        "avoidable bias",
        "variance",
        "data mismatch",
    ]


def test_any_form_of_data(trainer, digits):
    train, dev, _ = digits
    found = strategy.measure(trainer, train=train, dev=dev)
    loader = data.DataLoader(train, 7, shuffle=True, transform=data.Augment(rotate=90))
    assert strategy.measure(trainer, train=loader, dev=(dev.x, dev.y)) == found


def test_a_rate_that_is_too_high_is_seen(digits):
    train, dev, _ = digits
    fastdl.manual_seed(0)
    high = Trainer(
        fastdl.models.create("mlp"), optimizer=lambda p: fastdl.optim.Adam(p, lr=0.3)
    )
    high.fit(train, epochs=6)
    found = strategy.measure(high, train=train, dev=dev)
    assert found.symptoms[0].name == "rate too high"
    assert found.diagnose().problems[0] == "optimisation"


def test_loss_of_constant_prediction():
    """With weights of classes and smoothed labels: the least loss of equal rows."""
    from fastdl.strategy.measure import _losses

    rng = np.random.default_rng(0)
    y = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    for loss in (
        nn.CrossEntropyLoss(),
        nn.CrossEntropyLoss(class_weight=[1, 2, 5], label_smoothing=0.1),
    ):
        _, constant = _losses(loss, y, np.zeros((200, 3)))

        def of(logits, loss=loss):
            return float(loss(fastdl.Tensor(np.tile(logits, (200, 1))), y))

        model = fastdl.Tensor(np.zeros(3), requires_grad=True, dtype=np.float64)
        for _ in range(2000):
            model.grad = None
            loss(model + np.zeros((200, 3)), y).backward()
            model.data -= model.grad
        assert constant == pytest.approx(of(model.data), rel=1e-6)
    assert _losses(nn.CrossEntropyLoss("sum"), y, np.zeros((200, 3))) == (None, None)
    assert _losses(nn.MSELoss(), y, np.zeros((200, 3))) == (None, None)


def test_several_labels_are_wrong_when_one_is():
    x = np.eye(4, dtype=np.float32)
    y = np.array([[1, 0], [1, 1], [np.nan, 1], [0, np.nan]], np.float32)
    model = nn.Linear(4, 2, bias=False)
    model.weight.data[...] = [[1, -1], [1, -1], [1, 1], [-1, 1]]
    trainer = Trainer(model, nn.BCEWithLogitsLoss())
    assert strategy.measure(trainer, train=(x, y), dev=(x, y)).errors["dev"] == 0.25


def test_a_regression_must_say_what_is_wrong():
    x = np.arange(4, dtype=np.float32).reshape(4, 1)
    model = nn.Linear(1, 1)
    model.weight.data[...], model.bias.data[...] = 1, 0
    trainer = Trainer(model, nn.MSELoss())
    y = x + np.array([[0.0], [0.2], [0.6], [3.0]], np.float32)
    sets = {"train": (x, y), "dev": (x, y)}
    with pytest.raises(ArgumentError, match=r"under MSELoss .* say it, such as wrong="):
        strategy.measure(trainer, **sets)
    found = strategy.measure(
        trainer, **sets, wrong=lambda y, outputs: abs(outputs - y)[:, 0] > 0.5
    )
    assert found.errors == {"train": 0.5, "dev": 0.5}
    with pytest.raises(ArgumentError, match=r"bool of shape \(4,\) for the train set"):
        strategy.measure(trainer, **sets, wrong=lambda y, outputs: outputs - y)


def test_bad_sets(trainer, digits):
    train, dev, _ = digits
    with pytest.raises(DataError, match="the dev set is empty"):
        strategy.measure(trainer, train=train, dev=data.Subset(dev, []))
    with pytest.raises(DataError, match="the test set has no labels"):
        strategy.measure(trainer, train=train, dev=dev, test=dev.x)


def test_a_model_is_no_trainer(trainer, digits):
    with pytest.raises(ArgumentError, match=r"Sequential; give .* as Trainer\(model\)"):
        strategy.measure(trainer.model, train=digits[0], dev=digits[1])


def test_labels_of_any_integer_type(trainer, digits):
    train, dev, _ = digits
    expected = strategy.measure(trainer, train=train, dev=dev)
    for dtype in (np.uint8, np.int32, np.uint64):
        y = train.y.astype(dtype)
        assert strategy.measure(trainer, train=(train.x, y), dev=dev) == expected


def test_outputs_that_are_no_numbers(digits):
    model = fastdl.models.create("logistic")
    model.build((8, 8, 1))
    next(iter(model.parameters())).data[...] = np.nan
    with pytest.raises(NonFiniteError, match="NaN on the train set"):
        strategy.measure(Trainer(model), train=digits[0], dev=digits[1])


def test_labels_that_no_output_stands_for():
    """Counted as wrong they would look like variance."""
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 3), np.float32), np.arange(20) % 2
    trainer = Trainer(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(ArgumentError, match="measure: the dev set: expected labels"):
        strategy.measure(trainer, train=(x, y), dev=(x, y + 1))


def test_several_outputs_or_targets():
    class Two(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return {"a": self.layer(x)}

    x, labels = np.ones((6, 2), np.float32), np.arange(6) % 2
    plain, named = (x, labels), (x, {"a": labels})
    trainer = Trainer(Two(), {"a": nn.CrossEntropyLoss()})
    arguments = {"wrong": lambda y, outputs: y > 0, "progress": False}
    with pytest.raises(ArgumentError, match=r"expected one y .* y\['a'\]"):
        strategy.measure(trainer, train=named, dev=plain, **arguments)
    with pytest.raises(ArgumentError, match=r"expected one output .* output\['a'\]"):
        strategy.measure(trainer, train=plain, dev=plain, **arguments)
