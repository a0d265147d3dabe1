"""What would train without a complaint: probabilities as logits, another optimiser."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn, optim
from fastdl.errors import ArgumentError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 12)
YES = (RNG.random((12, 3)) < 0.5).astype(np.float32)


class Functional(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return F.softmax(self.linear(x))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.Softmax()), r"layer '1' \(Softmax\)"),
        (nn.Sequential(nn.Linear(4, 3), nn.Sigmoid()), r"layer '1' \(Sigmoid\)"),
        (
            nn.Sequential(
                nn.Linear(4, 3), nn.Sequential(nn.Softmax(), nn.Dropout(0.1))
            ),
            r"layer '1\.0' \(Softmax\)",
        ),
        (Functional(), r"a softmax \(the outputs .*\)"),
    ],
)
def test_probabilities_before_a_loss_of_logits_warn(model, message):
    for loss, y in ((nn.CrossEntropyLoss(), Y), (nn.BCEWithLogitsLoss(), YES)):
        kind = type(loss).__name__
        with pytest.warns(UserWarning, match=rf"ends with {message}, but {kind} takes"):
            fastdl.Trainer(model, loss).fit((X, y))
        fastdl.Trainer(model, loss).evaluate((X, y))  # there it does no harm


def test_float64_and_hooks_left_behind():
    model = nn.Sequential(nn.Linear(4, 3), nn.Softmax()).astype(np.float64)
    with pytest.warns(UserWarning, match="Softmax"):
        fastdl.Trainer(model).fit((X, Y))
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("model", "loss", "y"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.Softmax()), nn.MSELoss(), YES),
        (nn.Sequential(nn.Linear(4, 3), nn.Sigmoid()), nn.MSELoss(), YES),
        (nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 3)), None, Y),
        (nn.Sequential(nn.Linear(4, 3), nn.ReLU()), None, Y),
        (nn.Sequential(nn.Softmax(), nn.Linear(4, 3)), None, Y),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Softmax()),
            lambda p, y: F.cross_entropy(F.log(p), y),
            Y,
        ),
    ],
)
def test_what_is_right_does_not_warn(model, loss, y):
    fastdl.Trainer(model, loss).fit((X, y))


def test_logits_that_are_probabilities_of_zeros_only_do_not_warn():
    model = nn.Linear(4, 3)
    model.bias.data[...] = 1 / 3  # what an example of zeros gives
    fastdl.Trainer(model, optimizer=partial(optim.SGD, lr=0.1)).fit((X, Y))


def test_before_the_first_step_one_batch_is_measured_and_no_more():
    class Counting(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(4, 3)
            self.seen = []

        def forward(self, x):
            self.seen.append((self.training, x.shape))
            return self.linear(x)

    model = Counting()
    fastdl.Trainer(model).fit((X, Y), batch_size=8)
    build, rehearsal = (False, (1, 4)), (False, (8, 4))
    assert model.seen == [build, rehearsal, (True, (8, 4)), (True, (4, 4))]


def test_warnings_name_the_line_that_calls_fit():
    model = nn.Sequential(nn.Standardize(4), nn.Linear(4, 3), nn.Softmax())
    with pytest.warns(UserWarning, match=r"\(Standardize\)|\(Softmax\)") as caught:
        fastdl.Trainer(model).fit((X, Y))
    assert [w.filename for w in caught] == [__file__, __file__]


def test_channels_first_pictures_warn_in_fit():
    model = nn.Sequential(
        nn.Conv2d(None, 2, 3, padding="same"), nn.Flatten(), nn.Linear(None, 3)
    )
    x = RNG.random((12, 1, 28, 28)).astype(np.float32)
    with pytest.warns(UserWarning, match="channels first"):
        fastdl.Trainer(model).fit((x, Y))


def test_an_optimiser_of_another_model_is_refused():
    model = nn.Sequential(nn.Linear(4, 3))
    optimizer = optim.Adam(model.parameters())
    clone = copy.deepcopy(model)
    with pytest.raises(ArgumentError, match=r"no parameter of this model.*deepcopy\("):
        fastdl.Trainer(clone, optimizer=optimizer).fit((X, Y))
    part = optim.Adam([model[0].bias])
    fastdl.Trainer(model, optimizer=part).fit((X, Y))


@pytest.mark.parametrize("change", ["append", "exchange"])
def test_layers_that_came_after_the_optimiser_are_named(change):
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    trainer = fastdl.Trainer(model, optimizer=partial(optim.SGD, lr=0.1))
    trainer.fit((X, Y))
    if change == "append":
        model.append(nn.Linear(3, 3))
    else:
        model[1] = nn.Linear(4, 3)
        trainer = fastdl.Trainer(model, optimizer=trainer.optimizer)
    name = {"append": r"2\.weight", "exchange": r"1\.weight"}[change]
    with pytest.warns(UserWarning, match=f"'{name}' came into the model after"):
        trainer.fit((X, Y))
    model[-1].freeze()
    trainer.fit((X, Y))


# Copies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("epochs", [0, 2])
def test_a_copied_trainer_learns_bit_for_bit_as_the_original(duplicate, epochs):
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
    )
    trainer = fastdl.Trainer(model, optimizer=optim.Adam, clip_norm=1.0)
    if epochs:
        trainer.fit((X, Y), epochs=epochs, batch_size=5)
    clone = duplicate(trainer)
    before = clone.model.state_dict()
    trainer.fit((X, Y), epochs=3, batch_size=5)
    twin = duplicate(clone)
    for other in (clone, twin):
        for name, array in other.model.state_dict().items():
            np.testing.assert_array_equal(array, before[name])
        other.fit((X, Y), epochs=3, batch_size=5)
        assert other.history["loss"] == trainer.history["loss"]
        for name, array in other.model.state_dict().items():
            np.testing.assert_array_equal(array, trainer.model.state_dict()[name])
    assert len(set(trainer.history["loss"])) == epochs + 3  # it learns at each epoch
