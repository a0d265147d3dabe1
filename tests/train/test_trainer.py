"""Trainer: fit, evaluate, predict, and what it refuses."""

import signal
import threading
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import backend, metrics, nn, optim
from fastdl.data import ArrayDataset, DataLoader, Subset
from fastdl.errors import (
    ArgumentError,
    DataError,
    DtypeError,
    FastdlError,
    GraphError,
    NonFiniteError,
    ShapeError,
)
from fastdl.train import Callback, Trainer


def blobs(m=60, seed=0):
    """Three classes of points around three corners."""
    rng = np.random.default_rng(seed)
    y = np.arange(m) % 3
    corners = np.array([[2, 0], [-2, 1], [0, -2]], np.float32)
    x = corners[y] + rng.normal(0, 0.4, (m, 2)).astype(np.float32)
    return x, y


def network(*, seed=0, inputs=2, dropout=0.0):
    fastdl.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(inputs, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3)
    )


def trained(epochs=3, *, seed=0, shuffle_seed=0, **options):
    trainer = Trainer(network(seed=seed, dropout=0.2))
    trainer.fit(blobs(), epochs=epochs, batch_size=16, seed=shuffle_seed, **options)
    return trainer


def weights(trainer):
    return {name: a.tobytes() for name, a in trainer.model.state_dict().items()}


# Training -----------------------------------------------------------------------------


def test_learns():
    trainer = Trainer(network(), optimizer=partial(optim.Adam, lr=0.05))
    history = trainer.fit(blobs(), epochs=10, batch_size=16)
    assert history is trainer.history
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert trainer.evaluate(blobs(seed=1))["accuracy"] > 0.95


def test_defaults_are_cross_entropy_adam_and_accuracy():
    trainer = Trainer(network())
    assert isinstance(trainer.loss, nn.CrossEntropyLoss)
    assert isinstance(trainer.optimizer, optim.Adam)
    assert trainer.optimizer.param_groups[0]["lr"] == 0.001
    assert list(trainer.metrics) == ["accuracy"]


def test_is_a_plain_loop():
    """A loop of one's own gives the same bits."""
    trainer = trained(epochs=2)
    model = network(dropout=0.2)
    loss, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters())
    loader = DataLoader(blobs(), 16, shuffle=True, seed=0)
    for _ in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
    expected = {name: a.tobytes() for name, a in model.state_dict().items()}
    assert weights(trainer) == expected


def test_history_has_a_row_for_each_epoch():
    trainer = trained(epochs=3, validation=blobs(seed=1))
    assert [row["epoch"] for row in trainer.history.rows] == [1, 2, 3]
    assert trainer.history.columns == [
        "epoch",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "examples_per_second",
        "seconds",
    ]


def test_seconds_are_those_of_training_alone(monkeypatch):
    """Not of what comes before the first batch, nor of validation."""
    now = 50.0
    monkeypatch.setattr("fastdl.train.position.time.perf_counter", lambda: now)

    class Clock(Callback):
        def on_epoch_begin(self, trainer, epoch):
            nonlocal now
            now += 1000

        def on_batch_end(self, trainer, step):
            nonlocal now
            now += step.epoch

    class SlowData(ArrayDataset):
        def take(self, rows):
            nonlocal now
            now += 100
            return super().take(rows)

    trainer = trained(2, validation=SlowData(*blobs(m=6)), callbacks=[Clock()])
    np.testing.assert_array_equal(trainer.history["seconds"], [4, 8])
    np.testing.assert_array_equal(trainer.history["examples_per_second"], [15, 7.5])
    assert now >= 50 + 2 * (1000 + 100) + 4 + 8


def test_loss_of_an_epoch_is_the_mean_over_examples_not_over_batches():
    x, y = blobs(m=21)  # batches of 16 and 5
    frozen = Trainer(network(), optimizer=partial(optim.SGD, lr=1e-12))
    frozen.fit((x, y), batch_size=16)
    whole = frozen.evaluate((x, y), batch_size=21)
    assert frozen.history["loss"][0] == pytest.approx(whole["loss"], rel=1e-5)
    assert frozen.history["accuracy"][0] == pytest.approx(whole["accuracy"])


def test_validation_is_what_evaluate_gives():
    other = blobs(seed=1)
    trainer = trained(epochs=1, validation=other)
    measured = trainer.evaluate(other)
    assert trainer.history["val_loss"] == [measured["loss"]]
    assert trainer.history["val_accuracy"] == [measured["accuracy"]]


def test_validation_does_not_change_the_training():
    assert weights(trained()) == weights(trained(validation=blobs(seed=1)))


@pytest.mark.parametrize(
    "train",
    [
        lambda x, y: (x, y),
        lambda x, y: ArrayDataset(x, y),
        lambda x, y: Subset(ArrayDataset(x, y), np.arange(60)),
        lambda x, y: (x.astype(np.float64), y.astype(np.uint8)),
        lambda x, y: (np.repeat(x, 2, axis=1)[:, ::2], y),
    ],
    ids=["tuple", "dataset", "subset", "other types", "view"],
)
def test_forms_of_data_give_equal_results(train):
    trainer = Trainer(network(dropout=0.2))
    trainer.fit(train(*blobs()), epochs=3, batch_size=16)
    assert weights(trainer) == weights(trained())


def test_read_only_data_are_not_written():
    x, y = blobs()
    x.flags.writeable = y.flags.writeable = False
    trainer = Trainer(network(dropout=0.2))
    trainer.fit((x, y), epochs=3, batch_size=16)
    assert weights(trainer) == weights(trained())


def test_a_loader_keeps_its_own_order_and_epochs():
    loader = DataLoader(blobs(), 16, shuffle=True, seed=0)
    trainer = Trainer(network(dropout=0.2))
    trainer.fit(loader, epochs=3)
    assert loader.epoch == 3
    assert weights(trainer) == weights(trained())


def test_loader_transform_may_change_the_shape():
    def halve(x, y, rng):
        return x[:, :1], y

    model = nn.Sequential(nn.Linear(None, 3))
    Trainer(model).fit(DataLoader(blobs(), 16, transform=halve))
    assert model[0].in_features == 1


def test_uint8_images_are_scaled_and_the_model_is_built():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 6, 6, 1), np.uint8)
    model = nn.Sequential(nn.Conv2d(None, 2, 3), nn.Flatten(), nn.Linear(None, 2))
    trainer = Trainer(model)
    trainer.fit((images, np.arange(20) % 2))
    assert model.input_shape == (6, 6, 1)
    scaled = images / np.float32(255)
    np.testing.assert_array_equal(trainer.predict(images), trainer.predict(scaled))


def test_float64_model_trains_in_float64():
    trainer = Trainer(network().astype(np.float64))
    trainer.fit(blobs(), batch_size=16)
    assert all(p.dtype == np.float64 for p in trainer.model.parameters())
    assert trainer.predict(blobs()[0]).dtype == np.float64


def test_regression_has_no_accuracy():
    x = np.linspace(-1, 1, 40)[:, np.newaxis]
    trainer = Trainer(
        nn.Sequential(nn.Linear(1, 1)), nn.MSELoss(), partial(optim.SGD, lr=0.5)
    )
    history = trainer.fit((x, 3 * x - 1), epochs=20, batch_size=10)
    assert history["loss"][-1] < 1e-3
    assert list(trainer.evaluate((x, 3 * x - 1))) == ["loss"]


def test_one_hot_labels():
    x, y = blobs()
    trainer = Trainer(network(dropout=0.2))
    trainer.fit((x, np.eye(3)[y]), epochs=3, batch_size=16)
    assert trainer.evaluate((x, np.eye(3)[y])) == pytest.approx(
        trained().evaluate((x, y)), rel=1e-4
    )


def test_metrics_by_name_and_by_function():
    def top_2(y, outputs):
        return metrics.top_k_accuracy(y, outputs, k=2)

    x, y = blobs(m=50)
    trainer = Trainer(network(), metrics=["error_rate", top_2])
    measured = trainer.evaluate((x, y), batch_size=16)
    logits = trainer.predict(x)
    assert list(measured) == ["loss", "error_rate", "top_2"]
    assert measured["error_rate"] == pytest.approx(metrics.error_rate(y, logits))
    assert measured["top_2"] == pytest.approx(metrics.top_k_accuracy(y, logits, k=2))


def test_fit_again_goes_on():
    whole, parts = trained(epochs=4), trained(epochs=1)
    parts.fit(blobs(), epochs=3, batch_size=16)
    assert weights(parts) == weights(whole)
    assert parts.history["loss"] == whole.history["loss"]
    assert parts.history["epoch"] == [1, 2, 3, 4]


def test_mode_of_each_module_is_restored():
    model = network(dropout=0.5)
    model[2].training = False
    trainer = Trainer(model)
    before = [module.training for module in model.modules()]
    trainer.fit(blobs(), validation=blobs())
    trainer.evaluate(blobs())
    trainer.predict(blobs()[0])
    assert [module.training for module in model.modules()] == before


# Seeds and threads --------------------------------------------------------------------


def test_same_seed_same_bits():
    assert weights(trained()) == weights(trained())


@pytest.mark.parametrize("other", [{"seed": 1}, {"shuffle_seed": 1}])
def test_other_seeds_other_results(other):
    assert weights(trained()) != weights(trained(**other))


def test_numpy_global_state_is_not_touched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    trained()
    after = np.random.get_state()[1]  # noqa: NPY002
    np.testing.assert_array_equal(after, before)


@pytest.mark.skipif(backend.name != "compiled", reason="the reference has no threads")
def test_same_bits_for_any_number_of_threads():
    def train(threads):
        fastdl.set_num_threads(threads)
        rng = np.random.default_rng(0)
        x = rng.random((256, 12, 12, 8), np.float32)
        fastdl.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(8, 32, 3, padding="same", bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(None, 10),
        )
        trainer = Trainer(model)
        trainer.fit((x, np.arange(256) % 10), epochs=2, batch_size=64)
        return weights(trainer)

    before = fastdl.get_num_threads()
    try:
        one, *others = [train(threads) for threads in (1, 2, 3, 4)]
    finally:
        fastdl.set_num_threads(before)
    assert all(other == one for other in others)


# Callbacks, Ctrl-C --------------------------------------------------------------------


class Recorder(Callback):
    def __init__(self):
        self.calls = []

    def on_train_begin(self, trainer, epochs, batches):
        self.calls.append(("train begin", epochs, batches))

    def on_epoch_begin(self, trainer, epoch):
        self.calls.append(("epoch begin", epoch))

    def on_batch_end(self, trainer, step):
        self.calls.append(("batch end", step.epoch, step.batch, step.examples))

    def on_epoch_end(self, trainer, row):
        assert row is trainer.history.rows[-1]
        self.calls.append(("epoch end", row["epoch"]))

    def on_train_end(self, trainer):
        self.calls.append(("train end",))


def test_callbacks_are_called_in_order():
    recorder = Recorder()
    Trainer(network()).fit(blobs(m=20), epochs=2, batch_size=16, callbacks=[recorder])
    assert recorder.calls == [
        ("train begin", 2, 2),
        ("epoch begin", 1),
        ("batch end", 1, 1, 16),
        ("batch end", 1, 2, 4),
        ("epoch end", 1),
        ("epoch begin", 2),
        ("batch end", 2, 1, 16),
        ("batch end", 2, 2, 4),
        ("epoch end", 2),
        ("train end",),
    ]


def test_base_callback_does_nothing():
    assert weights(trained(callbacks=[Callback()])) == weights(trained())


def test_callback_can_stop():
    class StopAtSecond(Callback):
        def on_epoch_end(self, trainer, row):
            if row["epoch"] == 2:
                trainer.stop()

    trainer = trained(epochs=5, callbacks=[StopAtSecond()])
    assert len(trainer.history) == 2
    trainer.fit(blobs(), epochs=2, batch_size=16)
    assert len(trainer.history) == 4


def test_callbacks_end_after_an_error():
    class Fails(Callback):
        def on_batch_end(self, trainer, step):
            raise RuntimeError("broken")

    recorder, trainer = Recorder(), Trainer(network())
    trainer.model.eval()
    with pytest.raises(RuntimeError, match="broken"):
        trainer.fit(blobs(), callbacks=[recorder, Fails()])
    assert recorder.calls[-1] == ("train end",)
    assert len(trainer.history) == 0
    assert not trainer.model.training


class Interrupt(Callback):
    """Press Ctrl-C in the third batch of the second epoch."""

    def on_batch_end(self, trainer, step):
        if (step.epoch, step.batch) == (2, 3):
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_leaves_whole_epochs_and_whole_steps():
    class Steps(Callback):
        count = 0

        def on_batch_end(self, trainer, step):
            self.count += 1

    steps, trainer = Steps(), Trainer(network())
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(blobs(), epochs=5, batch_size=10, callbacks=[steps, Interrupt()])
    assert trainer.history["epoch"] == [1]
    assert steps.count == 6 + 3
    assert threading.active_count() == threads
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    trainer.fit(blobs(), epochs=1, batch_size=10)
    assert trainer.history["epoch"] == [1, 2]


def test_ctrl_c_waits_for_the_end_of_the_step():
    """The interrupt comes from within the forward pass; the step is made."""

    class Pressed(nn.Module):
        def forward(self, x):
            if self.training:
                signal.raise_signal(signal.SIGINT)
            return x

    model = nn.Sequential(nn.Linear(2, 3), Pressed())
    before = model[0].weight.data.copy()
    with pytest.raises(KeyboardInterrupt):
        Trainer(model).fit(blobs())
    assert (model[0].weight.data != before).any()


def test_second_ctrl_c_does_not_wait():
    class Impatient(nn.Module):
        def forward(self, x):
            if self.training:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return x

    model = nn.Sequential(nn.Linear(2, 3), Impatient())
    before = model[0].weight.data.copy()
    with pytest.raises(KeyboardInterrupt):
        Trainer(model).fit(blobs())
    np.testing.assert_array_equal(model[0].weight.data, before)


def test_ctrl_c_in_the_last_callback_is_not_lost():
    class Late(Callback):
        def on_train_end(self, trainer):
            signal.raise_signal(signal.SIGINT)

    trainer = Trainer(network())
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(blobs(), callbacks=[Late()])
    assert len(trainer.history) == 1


def test_fit_in_another_thread():
    done = []
    thread = threading.Thread(target=lambda: done.append(trained()))
    thread.start()
    thread.join()
    assert weights(done[0]) == weights(trained())


# Evaluation and prediction ------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 50, 64])
def test_evaluate_is_the_mean_over_examples(batch_size):
    x, y = blobs(m=50)
    trainer = Trainer(network())
    logits = trainer.predict(x).astype(np.float64)
    logp = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    measured = trainer.evaluate((x, y), batch_size=batch_size)
    assert measured["loss"] == pytest.approx(-logp[np.arange(50), y].mean(), rel=1e-5)
    assert measured["accuracy"] == pytest.approx((logits.argmax(axis=1) == y).mean())


def test_evaluate_takes_a_loader():
    trainer = Trainer(network())
    whole = trainer.evaluate(blobs())
    loader = DataLoader(blobs(), 7, shuffle=True, seed=3)
    assert trainer.evaluate(loader) == pytest.approx(whole, rel=1e-5)


def test_predict_gives_logits_in_evaluation_mode():
    x, _ = blobs()
    trainer = Trainer(network(dropout=0.5))
    logits = trainer.predict(x, batch_size=7)
    np.testing.assert_array_equal(logits, trainer.predict(x, batch_size=7))
    np.testing.assert_allclose(logits, trainer.model.eval()(x).numpy(), rtol=1e-5)


def test_probabilities_by_softmax():
    x, _ = blobs()
    trainer = Trainer(network())
    p = trainer.predict(x, probabilities=True)
    e = np.exp(trainer.predict(x))
    np.testing.assert_allclose(p, e / e.sum(axis=1, keepdims=True), rtol=1e-5)


def test_probabilities_by_sigmoid():
    x, _ = blobs()
    trainer = Trainer(nn.Sequential(nn.Linear(2, 1)), nn.BCEWithLogitsLoss())
    p = trainer.predict(x, probabilities=True)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-trainer.predict(x))), rtol=1e-5)


def test_probabilities_of_a_regression_are_refused():
    trainer = Trainer(nn.Sequential(nn.Linear(2, 1)), nn.MSELoss())
    with pytest.raises(ArgumentError, match="probabilities are known for"):
        trainer.predict(blobs()[0], probabilities=True)


def test_one_example_without_a_batch_axis():
    trainer = trained(epochs=1)
    with pytest.raises(ShapeError, match=r"one example.*x\[np.newaxis\]"):
        trainer.predict(blobs()[0][0])


def test_evaluate_and_predict_record_no_graph():
    class Watch(nn.Module):
        def forward(self, x):
            assert not x.requires_grad
            return x

    trainer = Trainer(nn.Sequential(nn.Linear(2, 3), Watch()))
    trainer.evaluate(blobs())
    trainer.predict(blobs()[0])


def test_saved_model_predicts_the_same(tmp_path):
    trainer = trained()
    trainer.save(tmp_path / "model.safetensors")
    loaded = Trainer(fastdl.load(tmp_path / "model.safetensors"))
    x, _ = blobs()
    np.testing.assert_array_equal(loaded.predict(x), trainer.predict(x))


# Refused arguments and data -----------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "convnet"}, "model must be a Module, got 'convnet'"),
        ({"loss": nn.Linear}, r"loss must be a loss such as nn.MSELoss\(\)"),
        ({"optimizer": 5}, "optimizer must be .*got 5"),
        ({"metrics": ["acuracy"]}, "'acuracy'; did you mean 'accuracy'"),
        ({"metrics": [3]}, r"a metric is a name, a function, or a Metric.*got 3"),
    ],
    ids=["model", "no loss", "optimizer", "metric name", "metric"],
)
def test_constructor_refuses(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Trainer(**{"model": network(), **arguments})


def test_optimizer_factory_must_give_an_optimizer():
    with pytest.raises(ArgumentError, match="optimizer gave"):
        _ = Trainer(network(), optimizer=list).optimizer


def test_optimizer_of_an_unbuilt_model():
    with pytest.raises(GraphError, match="build"):
        _ = Trainer(nn.Sequential(nn.Linear(None, 3))).optimizer


X, Y = blobs()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"epochs": 0}, ShapeError, "epochs must be an integer >= 1, got 0"),
        ({"epochs": 1.5}, ShapeError, "epochs"),
        ({"batch_size": 0}, ShapeError, "batch_size must be an integer >= 1, got 0"),
        ({"seed": -1}, ShapeError, "seed"),
        ({"callbacks": [print]}, ArgumentError, "callbacks must be Callback"),
        ({"x": X}, DataError, "training data have no labels"),
        ({"x": (X[:0], Y[:0])}, DataError, "empty"),
        ({"x": [X, Y]}, DataError, "tuple"),
        ({"x": (X, Y[:9])}, ShapeError, "60 examples but y has 9"),
        ({"x": (X, Y + 1)}, ArgumentError, "training labels.*0 to 2, got 3.*1"),
        ({"x": (X, Y - 1)}, ArgumentError, "0 to 2, got -1"),
        ({"x": (X, Y * 1.0)}, DtypeError, "training labels.*integer.*float64"),
        ({"x": (X, Y[:, None])}, ShapeError, r"reshape\(-1\)"),
        ({"x": (X[:, :1], Y)}, ShapeError, r"layer '0' \(Linear\)"),
        ({"x": (X[:, :, None], Y)}, ShapeError, r"layer '0' \(Linear\)"),
        ({"validation": X}, DataError, "validation data have no labels"),
        ({"validation": (X[:0], Y[:0])}, DataError, "empty"),
        ({"validation": (X, Y + 1)}, ArgumentError, "validation labels"),
        ({"validation": (X[:, :1], Y)}, ShapeError, r"layer '0' \(Linear\)"),
        (
            {"x": DataLoader((X, Y), 16), "batch_size": 8},
            ArgumentError,
            "belong to the DataLoader",
        ),
    ],
    ids=lambda value: None if isinstance(value, type) else str(value)[:40],
)
def test_fit_refuses_before_the_first_step(arguments, error, message):
    trainer = Trainer(network(dropout=0.2))
    before = weights(trainer)
    with pytest.raises(error, match=message) as caught:
        trainer.fit(**{"x": (X, Y), **arguments})
    assert isinstance(caught.value, FastdlError)
    assert weights(trainer) == before
    assert len(trainer.history) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["training", "validation"])
def test_values_that_are_not_finite_are_found_first(value, part):
    big = np.zeros((1100, 2), np.float32)  # more than is looked at in one go
    big[1050, 1] = value
    data = {"x": blobs(), "validation": blobs()}
    data["x" if part == "training" else part] = (big, np.zeros(1100, int))
    trainer = Trainer(network())
    before = weights(trainer)
    with pytest.raises(NonFiniteError, match=rf"x\[1050, 1\] of the {part} data is"):
        trainer.fit(**data)
    assert weights(trainer) == before


def test_the_check_can_be_switched_off():
    x, y = blobs()
    x[55] = np.nan
    trainer = Trainer(network())
    with pytest.raises(NonFiniteError, match="batch x itself"):
        trainer.fit((x, y), check_finite=False, batch_size=60)


def test_loss_that_is_no_number():
    trainer = Trainer(network(), nn.CrossEntropyLoss(reduction="none"))
    with pytest.raises(ShapeError, match="reduction='mean'"):
        trainer.fit(blobs())


def test_images_as_output_of_a_classifier():
    x = np.zeros((4, 6, 6, 1), np.float32)
    with pytest.raises(DataError, match=r"output has shape \(4, 4, 2\)"):
        Trainer(nn.Sequential(nn.Conv2d(1, 2, 3))).fit((x, np.zeros(4, int)))


def test_error_of_a_metric_names_it():
    trainer = Trainer(
        nn.Sequential(nn.Linear(2, 1)), nn.MSELoss(), metrics=["accuracy"]
    )
    with pytest.raises(ShapeError, match="metric 'accuracy': y_true has shape"):
        trainer.evaluate((X, (Y[:, None] > 0).astype(np.float32)))


def test_evaluate_refuses():
    trainer = Trainer(network())
    with pytest.raises(DataError, match="no labels"):
        trainer.evaluate(X)
    with pytest.raises(DataError, match="empty"):
        trainer.evaluate((X[:0], Y[:0]))
    with pytest.raises(ShapeError, match=r"layer '0' \(Linear\)"):
        trainer.predict(X[:, :1])
