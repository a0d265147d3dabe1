"""A loss that is not finite stops before the update and names the cause."""

from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import nn, optim
from fastdl.data import DataLoader
from fastdl.errors import NonFiniteError
from fastdl.train import Callback, Trainer

# NumPy warns where it makes a NaN; the error is what counts here.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype(np.float32)
Y = np.arange(24) % 3


class Log(nn.Module):
    """NaN for negative inputs."""

    def forward(self, x):
        return x.log()


def network(*middle):
    fastdl.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), *middle, nn.Linear(8, 3)
    )


def state(trainer):
    return {name: a.tobytes() for name, a in trainer.model.state_dict().items()}


def broken_input(bad_batch):
    """Make a loader whose given batch of the first epoch is huge."""
    seen = []

    def transform(x, y, rng):
        seen.append(1)
        huge = np.copysign(np.float32(3e38), x)
        return (huge if len(seen) == bad_batch else x), y

    return DataLoader((X, Y), 8, transform=transform, prefetch=0)


def test_first_layer_on_the_way_is_named():
    with pytest.raises(
        NonFiniteError,
        match=r"loss is nan at epoch 1, batch 1; layer '3' \(Log\) is the first",
    ):
        Trainer(network(Log())).fit((X, Y), batch_size=8)


def test_nested_layer_is_named_by_its_path():
    model = network(nn.Sequential(nn.ReLU(), Log()))
    with pytest.raises(NonFiniteError, match=r"layer '3\.1' \(Log\)"):
        Trainer(model).fit((X - 10, Y))


def test_model_without_layers_inside():
    class Direct(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.ones((4, 3), np.float32))

        def forward(self, x):
            return fastdl.Tensor(x).log() @ self.weight

    with pytest.raises(NonFiniteError, match=r"the model \(Direct\) is the first"):
        Trainer(Direct()).fit((X, Y))


def test_step_is_named_and_nothing_of_it_remains():
    """Weights, batch statistics, dropout counter: as after the step before."""
    states = []

    class Keep(Callback):
        def on_batch_end(self, trainer, step):
            states.append(state(trainer))

    # The first batch of the loader is looked at before training.
    trainer = Trainer(network())
    with pytest.raises(NonFiniteError, match=r"epoch 1, batch 2; .*'0' \(Linear\)"):
        trainer.fit(broken_input(1 + 2), callbacks=[Keep()])
    assert len(states) == 1
    assert state(trainer) == states[0]
    assert len(trainer.history) == 0
    assert all(not module._forward_hooks for module in trainer.model.modules())


def test_the_same_dropout_mask_is_found_again():
    seen = []

    class Watched(nn.Dropout):
        def forward(self, x):
            y = super().forward(x)
            if self.training:
                seen.append(y.data != 0)
            return y

    class Bad(nn.Module):
        def forward(self, x):
            return x.log() if self.training else x

    fastdl.manual_seed(0)
    model = nn.Sequential(Watched(0.5), Bad(), nn.Linear(4, 3))
    with pytest.raises(NonFiniteError, match=r"layer '1' \(Bad\)"):
        Trainer(model).fit((X, Y), batch_size=24)
    first, again = seen
    np.testing.assert_array_equal(first, again)


def test_diverged_parameters_are_named():
    trainer = Trainer(
        nn.Sequential(nn.Linear(4, 3)), optimizer=partial(optim.SGD, lr=3e38)
    )
    with pytest.raises(
        NonFiniteError, match=r"parameter '0\.\w+' is not finite.*lower"
    ):
        trainer.fit((X * 1000, Y), epochs=9, batch_size=8)


def test_loss_that_breaks_alone():
    def loss(outputs, y):
        return (outputs - outputs).log().mean()

    with pytest.raises(NonFiniteError, match=r"output is finite.*loss.*a function"):
        Trainer(network(), loss).fit((X, Y))


def test_targets_that_are_not_finite():
    targets = np.full((24, 3), np.inf, np.float32)
    with pytest.raises(NonFiniteError, match=r"output is finite.*MSELoss.*targets"):
        Trainer(network(), nn.MSELoss()).fit((X, targets))


def test_validation_loss_names_the_batch():
    class OnlyEvaluation(nn.Module):
        def forward(self, x):
            return x if self.training else x.log()

    trainer = Trainer(network(OnlyEvaluation()))
    with pytest.raises(
        NonFiniteError, match=r"evaluate: .*batch 1; layer '3' \(OnlyEvaluation\)"
    ):
        trainer.fit((X, Y), validation=(X, Y))
    assert len(trainer.history) == 0
    assert trainer.model.training


def test_is_a_floating_point_error():
    with pytest.raises(FloatingPointError):
        Trainer(network(Log())).fit((X, Y))
