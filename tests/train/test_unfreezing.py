"""S32: gradual unfreezing."""

from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import nn, optim
from fastdl.errors import ArgumentError
from fastdl.train import Callback, GradualUnfreezing, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 3)).astype(np.float32)
Y = np.arange(16) % 2


def network():
    fastdl.manual_seed(0)
    return nn.Sequential(
        {
            "one": nn.Linear(3, 4),
            "bn": nn.BatchNorm1d(4),
            "two": nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.2)),
            "fc": nn.Linear(4, 2),
        }
    )


SCHEDULE = {1: "fc", 2: "two.0", 4: "one"}


class Watch(Callback):
    """Notes which parameters change in each epoch."""

    def __init__(self):
        self.changed = []

    def decides(self):
        return None

    def on_epoch_begin(self, trainer, epoch):
        self._before = trainer.model.state_dict()

    def on_epoch_end(self, trainer, row):
        after = trainer.model.state_dict()
        names = [n for n in after if (after[n] != self._before[n]).any()]
        self.changed.append({name.split(".")[0] for name in names})


def fit(model, callbacks, epochs=4, optimizer=None, **options):
    trainer = Trainer(model, optimizer=optimizer or partial(optim.Adam, lr=0.01))
    trainer.fit(X, Y, epochs=epochs, batch_size=8, callbacks=callbacks, **options)
    return trainer


def test_layers_learn_from_their_epoch_on():
    """S32: statistics of a frozen norm stay, and frozen dropout draws nothing."""
    watch, model = Watch(), network()
    fit(model, [GradualUnfreezing(SCHEDULE), watch])
    assert watch.changed == [
        {"fc"},
        {"two", "fc"},
        {"two", "fc"},
        {"one", "bn", "two", "fc"},
    ]
    assert all(p.requires_grad for p in model.parameters())
    assert not any(module.frozen for module in model.modules())


def test_the_first_epoch_is_that_of_a_frozen_model():
    one, other = network(), network()
    fit(one, [GradualUnfreezing({1: "fc"})], epochs=2)
    fit(other.freeze(until="fc"), [], epochs=2)
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name], array)


def test_what_was_frozen_before_is_frozen_after():
    model = network().freeze(until="bn")
    fit(model, [GradualUnfreezing(SCHEDULE)], epochs=1)
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == [
        "one.weight",
        "one.bias",
    ]
    assert model.one.frozen
    assert not model.bn.frozen


def test_epochs_are_counted_over_all_calls():
    watch, model = Watch(), network()
    trainer = fit(model, [GradualUnfreezing(SCHEDULE)], epochs=3)
    trainer.fit(X, Y, callbacks=[GradualUnfreezing(SCHEDULE), watch])
    assert watch.changed == [{"one", "bn", "two", "fc"}]


@pytest.mark.parametrize("done", [1, 2, 3])
def test_resumed_is_uninterrupted(done, tmp_path):
    """S32: bit for bit, and also in the same process."""
    make = lambda: [GradualUnfreezing(SCHEDULE)]  # noqa: E731
    whole = fit(network(), make(), epochs=5).model.state_dict()
    path = tmp_path / "checkpoint"
    model = network()
    fit(model, make(), epochs=done, checkpoint=path)
    for again in (model, network()):
        resumed = fit(again, make(), epochs=5, checkpoint=path, resume=True)
        for name, array in whole.items():
            np.testing.assert_array_equal(resumed.model.state_dict()[name], array)
        fit(network(), make(), epochs=done, checkpoint=path)
    with pytest.raises(ArgumentError, match="callbacks"):
        fit(
            network(),
            [GradualUnfreezing({1: "fc", 2: "one"})],
            epochs=5,
            checkpoint=path,
            resume=True,
        )


def test_rates_by_depth_go_along():
    model = network()
    groups = optim.depth_groups(model, 0.1, 0.5)
    fit(model, [GradualUnfreezing(SCHEDULE)], optimizer=optim.SGD(groups))


def test_a_parameter_that_the_optimiser_lacks():
    """S32: or it would never learn, silently."""
    model = network().freeze(until="fc")
    own = [p for p in model.parameters() if p.requires_grad]
    with pytest.raises(ArgumentError, match=r"'one.weight' is to learn, but the op"):
        fit(model, [GradualUnfreezing(SCHEDULE)], optimizer=optim.SGD(own, lr=0.1))
    fit(model, [GradualUnfreezing({1: "fc"})], optimizer=optim.SGD(own, lr=0.1))


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ({1: "fc", 2: "tow"}, "there is no layer 'tow'; did you mean 'two'"),
        ({1: "one", 2: "fc"}, "epoch 2 would freeze again"),
    ],
)
def test_layers_that_do_not_fit(schedule, reason):
    model = network().freeze(until="bn")
    frozen = [p.requires_grad for p in model.parameters()]
    with pytest.raises(ArgumentError, match=reason):
        fit(model, [GradualUnfreezing(schedule)])
    assert [p.requires_grad for p in model.parameters()] == frozen


@pytest.mark.parametrize("schedule", [{}, {2: "fc"}, {0: "fc", 1: "two"}, ["fc"], None])
def test_no_schedule(schedule):
    with pytest.raises(ValueError, match="GradualUnfreezing: "):
        GradualUnfreezing(schedule)
