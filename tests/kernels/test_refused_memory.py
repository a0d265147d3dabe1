"""Memory that is refused: a MemoryError, nothing lost, and the same bits afterwards."""

from __future__ import annotations

import functools
import gc
import itertools

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import kernels, nn, optim, reference
from fastdl.errors import ArgumentError
from fastdl.kernels.engine import memory
from tests.kernels.test_random_calls import Draw, each_algorithm, run


@pytest.fixture(autouse=True)
def refuse_nothing_more():
    yield
    memory.refuse_block(0)


def each_refusal(function):
    """Let each block that a function asks for be refused in turn; yield each time."""
    for number in itertools.count(1):
        memory.refuse_block(number)
        try:
            function()
        except MemoryError:
            refused = True
        else:
            refused = False
        assert refused == (memory.refuse_block(0) == 0), f"nobody heard of {number}"
        if not refused:
            return
        yield number


# One call ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", reference.__all__)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_call_without_memory_changes_nothing(name, dtype, use_row):
    for seed in range(4):
        draw = Draw(seed, np.dtype(dtype))
        arguments, options, _ = getattr(draw, name)()
        call = functools.partial(run, getattr(kernels, name), arguments, options)
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        before = [a.tobytes() for a in arrays]
        for _ in each_algorithm(use_row) if name.startswith("conv2d") else [-1]:
            try:
                expected = call()
            except ArgumentError:  # this algorithm does not fit
                continue
            used = memory.memory_stats()["in_use"]
            for _ in each_refusal(call):
                assert memory.memory_stats()["in_use"] == used
                assert [a.tobytes() for a in arrays] == before
            for result, wanted in zip(call(), expected, strict=True):
                assert result.tobytes() == wanted.tobytes()


# One step of training ----------------------------------------------------------------


def network():
    """Return a network with every kind of layer that has memory of its own."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.PReLU(16),
        nn.GroupNorm(2, 16),
        nn.Upsample(scale_factor=2),
        nn.AvgPool2d(2),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(16 * 3 * 3, 12),
        nn.GELU(),
        nn.LayerNorm(12),
        nn.Linear(12, 4),
    )


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "two groups": lambda p: optim.AdamW(
        [{"params": p[:5]}, {"params": p[5:], "lr": 0.001}], lr=0.01
    ),
}


class Training:
    """A network, its optimiser and a batch."""

    def __init__(self, optimizer):
        fastdl.manual_seed(0)
        rng = np.random.default_rng(0)
        self.model = network()
        self.x = rng.standard_normal((6, 14, 14, 3)).astype(np.float32)
        self.labels = rng.integers(0, 4, 6)
        self.optimizer = OPTIMIZERS[optimizer](list(self.model.parameters()))

    def loss(self):
        loss = F.cross_entropy(self.model(self.x), self.labels)
        return loss + F.l2_penalty([self.model[0].weight], 0.01)

    def backward(self):
        self.optimizer.zero_grad()
        self.loss().backward()

    def step(self):
        self.backward()
        self.optimizer.step()

    def parameters(self):
        return [p.numpy().tobytes() for p in self.model.parameters()]

    def kept(self):
        """Return the bytes of the optimiser's state, and an eighth of rounding."""
        arrays = [a for _, flat in self.optimizer._flats for a in flat.state.values()]
        return sum(a.nbytes + a.nbytes // 8 for a in arrays)

    def everything(self):
        state = self.optimizer.state_dict()
        arrays = {**self.model.state_dict(), **state["state"]}
        bits = {name: np.asarray(array).tobytes() for name, array in arrays.items()}
        return bits | {"steps": tuple(state["steps"])}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("steps_before", [0, 1])
def test_a_step_without_memory_can_be_made_again(optimizer, steps_before):
    """Parameters and optimiser are as before; what the forward pass counts, for batch
    norm and dropout, is state of the model."""
    training, expected = Training(optimizer), Training(optimizer)
    for _ in range(steps_before):
        training.step()
        expected.step()
    model = {name: np.copy(a) for name, a in training.model.state_dict().items()}
    parameters = training.parameters()
    updates = training.optimizer.state_dict()["steps"]
    expected.step()
    training.optimizer.zero_grad()
    gc.collect()
    used, number = memory.memory_stats()["in_use"] - training.kept(), 0
    for number in each_refusal(training.step):
        assert training.parameters() == parameters
        assert training.optimizer.state_dict()["steps"] == updates
        training.optimizer.zero_grad()
        assert memory.memory_stats()["in_use"] <= used + training.kept(), number
        training.model.load_state_dict(model)
    assert number > 40
    assert training.everything() == expected.everything()
