"""A script as users write them, with the types that they see.

`test_typing.py` checks it by ``mypy --strict`` against fastdl as it is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from typing_extensions import assert_type

import fastdl
from fastdl import data, datasets, metrics, models, nn, optim
from fastdl import functional as F
from fastdl.train import Callback, EarlyStopping, History, Schedule, Trainer


class Residual(nn.Module):
    """A layer of one's own; ``super().__init__()`` is not needed."""

    def __init__(self, width: int, p: float = 0.1) -> None:
        self.body = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(p))
        self.scale = nn.Parameter(np.ones(width, np.float32))

    def forward(self, x: fastdl.Tensor) -> fastdl.Tensor:
        return F.relu(x + self.scale * self.body(x))


class Stack(nn.Module):
    def __init__(self, depth: int) -> None:
        self.layers = nn.ModuleList(Residual(16) for _ in range(depth))

    def forward(self, x: fastdl.Tensor) -> fastdl.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Stop(Callback):
    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        print(row["loss"], len(trainer.history))


def tensors() -> None:
    a = fastdl.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    b = fastdl.Tensor([1.0, 2.0, 3.0])
    for result in (a + b, 1 - a, a * 2, a / b, a**2, a @ a.T, -a, abs(a), a[0], a.T):
        assert_type(result, fastdl.Tensor)
    b += 1
    assert_type(b, fastdl.Tensor)
    assert_type(a.sum(0), fastdl.Tensor)
    assert_type(a.reshape(3, 2).exp().mean(), fastdl.Tensor)
    assert_type(F.softmax(a), fastdl.Tensor)
    for compared in (a < b, a >= 0, a == b, a != b):
        assert_type(compared, np.ndarray)
    assert_type(a.data, np.ndarray)
    assert_type(a.grad, np.ndarray | None)
    assert_type(a.shape, tuple[int, ...])
    assert_type(a.ndim, int)
    assert_type(a.dtype, np.dtype[Any])
    assert_type(a.sum().item(), float)
    assert_type(float(a.sum()), float)
    assert_type(a.detach(), fastdl.Tensor)
    assert_type(a.requires_grad, bool)
    assert_type(a.sum().backward(), None)
    assert_type({a: 1}, dict[fastdl.Tensor, int])
    with fastdl.no_grad():
        a[0] = 1.0


def own_loop(x: np.ndarray, y: np.ndarray) -> nn.Module:
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(None, 16), Stack(2))
    assert_type(model.build(x.shape[1:]), tuple[int, ...])
    assert_type(model.parameters(), Iterator[nn.Parameter])
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    scheduler = optim.Scheduler(optimizer, optim.Cosine(1e-3, total=10))
    criterion = nn.CrossEntropyLoss()
    loader = data.DataLoader((x, y), batch_size=32, shuffle=True)
    for inputs, labels in loader:
        assert_type(inputs, np.ndarray)
        assert_type(labels, np.ndarray)
        optimizer.zero_grad()
        logits = model(inputs)
        assert_type(logits, fastdl.Tensor)
        loss = criterion(logits, labels)
        assert_type(loss, fastdl.Tensor)
        loss.backward()
        optimizer.step()
        scheduler.step()
    assert_type(model.eval(), nn.Sequential)
    assert_type(model.state_dict(), dict[str, np.ndarray])
    return model


def with_a_trainer() -> None:
    digits = datasets.load("digits")
    train, dev = data.split(digits.train, (0.9, 0.1), stratify=True)
    model = models.create("mlp")
    trainer = fastdl.Trainer(
        model, nn.CrossEntropyLoss(), optim.Adam, metrics=["accuracy"]
    )
    assert_type(trainer, Trainer)
    callbacks = [EarlyStopping(patience=3), Schedule(optim.OneCycle(0.01)), Stop()]
    history = trainer.fit(train, epochs=2, validation=dev, callbacks=callbacks)
    trainer.fit(np.zeros((8, 8, 8, 1), np.float32), np.zeros(8, int), epochs=1)
    assert_type(history, History)
    assert_type(history["loss"], list[float])
    assert_type(dict(history), dict[str, list[float]])
    assert_type([name for name in history if name in history], list[str])
    assert_type(trainer.evaluate(digits.test), dict[str, float])
    predicted = trainer.predict(np.zeros((1, 8, 8, 1), np.float32))
    assert_type(predicted, np.ndarray)
    print(metrics.accuracy(np.zeros(1, int), predicted.argmax(-1)))
    trainer.save("digits.safetensors")
    loaded = fastdl.load("digits.safetensors")
    assert_type(loaded, nn.Module)
    assert_type(loaded(np.zeros((1, 8, 8, 1), np.float32)), fastdl.Tensor)
    fastdl.set_num_threads(fastdl.get_num_threads())


if __name__ == "__main__":
    tensors()
    print(own_loop(np.zeros((8, 4, 4, 1), np.float32), np.zeros(8, int)))
    with_a_trainer()
