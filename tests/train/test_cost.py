"""Trainer: penalties, constraints and clipped gradients."""

from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import nn, optim
from fastdl.errors import ArgumentError, NonFiniteError, ShapeError
from fastdl.train import Callback, Trainer

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 24)
SGD = partial(optim.SGD, lr=0.1)


def model():
    fastdl.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def fit(net, epochs=1, batch_size=24, callbacks=(), **options):
    trainer = Trainer(net, optimizer=options.pop("optimizer", SGD), **options)
    trainer.fit((X, Y), epochs=epochs, batch_size=batch_size, callbacks=callbacks)
    return trainer


@pytest.mark.parametrize(
    "regularization",
    [nn.L2(0.3), [nn.L2(0.3)], (nn.L1(0.1), nn.L2(0.2, "0")), [], lambda net: 7.0],
    ids=["L2", "list", "tuple", "none", "function"],
)
def test_the_penalty_is_part_of_the_reported_cost(regularization):
    """S19, S20: fit and evaluate report J, the loss and all penalties."""
    net = model()
    plain = Trainer(net).evaluate((X, Y))["loss"]
    listed = regularization if isinstance(regularization, (list, tuple)) else None
    penalties = [regularization] if listed is None else listed
    penalty = sum(float(penalty(net)) for penalty in penalties)
    trainer = Trainer(net, optimizer=SGD, regularization=regularization)
    cost = trainer.evaluate((X, Y))["loss"]
    assert cost == pytest.approx(plain + penalty, rel=1e-6)
    trainer.fit((X, Y), batch_size=24, validation=(X, Y))
    assert trainer.history["loss"][0] == pytest.approx(cost, rel=1e-6)
    after = trainer.evaluate((X, Y))["loss"]
    assert trainer.history["val_loss"][0] == pytest.approx(after, rel=1e-6)


def test_l2_trains_as_weight_decay_on_the_weights():
    """S19: lambda / (2m) sum ||W||^2 is a factor 1 - alpha lambda / m in each step."""
    lambd = 3.0
    with_penalty, with_decay = model(), model()
    fit(with_penalty, epochs=5, regularization=nn.L2(lambd / len(X)))
    groups = optim.decay_groups(with_decay, lambd / len(X))
    fit(with_decay, epochs=5, optimizer=optim.SGD(groups, lr=0.1))
    for name, array in with_penalty.state_dict().items():
        np.testing.assert_allclose(
            array, with_decay.state_dict()[name], rtol=1e-5, atol=1e-6, err_msg=name
        )


def test_l1_makes_weights_small():
    """S20"""
    sizes = []
    for strength in (0.0, 0.1):
        net = model()
        fit(net, epochs=40, regularization=nn.L1(strength))
        sizes.append(sum(np.abs(net[i].weight.data).sum() for i in (0, 2)))
    assert sizes[1] < 0.5 * sizes[0]


def test_max_norm_holds_after_every_step():
    """S19"""
    largest = []

    class Watch(Callback):
        def on_batch_end(self, trainer, step):
            weights = [trainer.model[i].weight.data for i in (0, 2)]
            largest.append(max(np.linalg.norm(w, axis=0).max() for w in weights))

    fit(model(), 3, 8, [Watch()], constraint=nn.MaxNorm(0.7))
    assert len(largest) == 9
    assert max(largest) == pytest.approx(0.7, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "length"),
    [
        ({}, None),
        ({"clip_norm": 0.01}, lambda change: np.linalg.norm(change)),
        ({"clip_value": 0.01}, lambda change: np.abs(change).max()),
        ({"clip_value": 1.0, "clip_norm": 0.01}, lambda change: np.linalg.norm(change)),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_clipped_gradients_limit_a_step(options, length):
    """S19"""
    net = model()
    before = net.state_dict()
    fit(net, **options)
    change = np.concatenate(
        [(before[n] - a).ravel() / 0.1 for n, a in net.state_dict().items()]
    )
    if length is None:
        assert np.linalg.norm(change) > 0.1
    else:
        assert length(change) == pytest.approx(0.01, rel=1e-3)


def test_a_gradient_that_is_not_finite_stops_before_the_step():
    """The root has an infinite slope at 0, while the loss itself is fine."""
    net = nn.Sequential(nn.Linear(4, 1), nn.BatchNorm1d(1))

    def loss(outputs, y):
        return ((outputs * 0).abs().sqrt()).mean()

    trainer = Trainer(net, loss, SGD, clip_norm=1.0)
    before = {name: a.tobytes() for name, a in net.state_dict().items()}
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises(NonFiniteError, match=r"fit: clip_grad_norm_: .*h 1, batch 1"),
    ):
        trainer.fit((X, Y), batch_size=24)
    assert {name: a.tobytes() for name, a in net.state_dict().items()} == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regularization": 0.01}, "regularization must be penalties such as nn.L2"),
        ({"regularization": nn.L2}, "regularization must be penalties such as nn.L2"),
        ({"regularization": [nn.L2(1), None]}, "regularization must be penalties"),
        ({"constraint": 3}, "constraint must be a function of the model"),
        ({"clip_norm": 0}, "clip_grad_norm_: max_norm must be a number > 0"),
        ({"clip_value": -1}, "clip_grad_value_: clip_value must be a number > 0"),
    ],
    ids=str,
)
def test_wrong_options(options, message):
    with pytest.raises(ArgumentError, match=message):
        Trainer(model(), **options)


def test_a_penalty_of_another_model():
    trainer = Trainer(model(), regularization=nn.L2(1.0, "head"))
    with pytest.raises(ArgumentError, match=r"L2: no weight .* is called 'head'"):
        trainer.fit((X, Y))


def test_labels_that_are_no_probabilities_are_refused_before_the_first_step():
    rows = np.eye(3)[Y]
    rows[5, 1] = -0.25
    with pytest.raises(ArgumentError, match=r"training labels.*\[0, 1\], got -0.25"):
        Trainer(model()).fit((X, rows))


def test_class_weights_of_other_classes():
    trainer = Trainer(model(), nn.CrossEntropyLoss(class_weight=[1, 2]))
    with pytest.raises(ShapeError, match="one class_weight for each of the 3 classes"):
        trainer.fit((X, Y))
