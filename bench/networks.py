"""The networks whose training is timed, and what users do with a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.harness import Function, normal
from fastdl import functional as F
from fastdl import models, nn, optim
from fastdl.autograd import no_grad
from fastdl.nn.summary import layers

LR = 1e-10  # thousands of steps on one batch change nothing


@dataclass(frozen=True)
class Network:
    """A network, its batch, and the goals of its training step.

    `goal` is in milliseconds, `floor` in times of what the multiply-adds of the direct
    products take at the measured peak, `ratio` of the peer's time to fastdl's.
    """

    build: Callable[[], nn.Module]
    input_shape: tuple[int, ...]
    classes: int
    batch: int
    goal: float | None = None
    floor: float | None = None
    ratio: float | None = 2.0


def _signs() -> nn.Sequential:
    """Return the SIGNS ConvNet of the course."""
    return nn.Sequential(
        nn.Conv2d(None, 8, 4, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(8),
        nn.Conv2d(None, 16, 2, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(4),
        nn.Flatten(),
        nn.Linear(None, 6),
    )


NETWORKS = {
    "MLP 64-32-10": Network(lambda: models.mlp(10, (32,)), (64,), 10, 32, 0.026),
    "MLP 784-128-64-10": Network(models.mlp, (784,), 10, 64, 0.20, 1.9),
    "MLP 12288-25-12-6": Network(
        lambda: models.mlp(6, (25, 12)), (12288,), 6, 32, 0.45, 2.8
    ),
    "LeNet-5": Network(models.lenet5, (28, 28, 1), 10, 64, 1.1, 2.0),
    "ConvNet of S41": Network(models.s41, (39, 39, 3), 10, 64, 5.0, 1.6),
    "SIGNS ConvNet": Network(_signs, (64, 64, 3), 6, 64, 2.8, 2.0),
    "MNIST ConvNet 32-64": Network(models.convnet, (28, 28, 1), 10, 128, 7.5, 0.75),
    "ResNet-20": Network(models.resnet20, (32, 32, 3), 10, 64, 48, 0.72),
    "ResNet-18": Network(models.cifar_resnet18, (32, 32, 3), 10, 32, 270, 0.60),
}


def _imagenet(name: str, ratio: float | None = None, size: int = 224) -> Network:
    """Return one of `fastdl.models` at its published size, with a batch of 8."""
    models.options(name)  # a wrong name is told now, not minutes later
    return Network(
        lambda: models.create(name, 1000), (size, size, 3), 1000, 8, ratio=ratio
    )


def _averaged_unet() -> nn.Sequential:
    """Return a U-Net whose pixels vote for one class, so that it trains as the rest."""
    return nn.Sequential(models.unet(10), nn.GlobalAvgPool2d())


CLASSIC = {
    "AlexNet": _imagenet("alexnet"),
    "VGG-11": _imagenet("vgg11"),
    "VGG-16": _imagenet("vgg16"),
    "ResNet-18": _imagenet("resnet18"),
    "ResNet-50": _imagenet("resnet50", 1.3),
    "MobileNet v1": _imagenet("mobilenet_v1"),
    "MobileNet v2": _imagenet("mobilenet_v2", 1.8),
    "EfficientNet-B0": _imagenet("efficientnet_b0", 1.8),
    "U-Net": Network(_averaged_unet, (128, 128, 3), 10, 8, ratio=None),
}


def multiply_adds(network: Network) -> int:
    """Count the multiply-adds of a training step, by direct products.

    A layer has three products: the forward pass and the gradients of its weights and of
    its input; the input of the first layer needs none. Those with padding count, as in
    `fastdl.summary`.
    """
    rows = layers(built(network), network.input_shape)
    counts = [row.multiply_adds for row in rows if row.multiply_adds]
    return network.batch * (3 * sum(counts) - counts[0])


def built(network: Network) -> nn.Module:
    """Return the model with its weights."""
    model = network.build()
    model.build(network.input_shape)
    return model


def batch(network: Network, size: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return random inputs and labels."""
    rng = np.random.default_rng(0)
    size = size or network.batch
    (x,) = normal((size, *network.input_shape))
    return x, rng.integers(0, network.classes, size)


def training_step(model: nn.Module, x: np.ndarray, labels: np.ndarray) -> Function:
    """Return a training step by Adam."""
    optimizer = optim.Adam(model.parameters(), lr=LR)

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(model: nn.Module, x: np.ndarray) -> Function:
    """Return a prediction."""
    model.eval()

    def predict() -> np.ndarray:
        with no_grad():
            return model(x).data

    return predict
