"""Networks of fastdl as networks of the peer, with the same weights.

Import it only where the peer is installed.
"""

from __future__ import annotations

import copy
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from bench import peer
from bench.harness import Function
from fastdl import interop, models, nn
from fastdl.autograd import no_grad

# Of the SIGNS ConvNet; the padded copy is part of the peer's time.
warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")


def translate(model: nn.Module, input_shape: Sequence[int]) -> Any:
    """Return a model of the peer that computes the same from (n, c, h, w).

    Raises
    ------
    AssertionError
        It does not, on a random batch.
    """
    model.build(input_shape)
    theirs = _twin(model)
    state = interop.torch_state(model)
    theirs.load_state_dict({name: peer.tensor(a) for name, a in state.items()})
    x = np.random.default_rng(0).random((2, *input_shape), np.float32)
    model.eval()
    with no_grad(), torch.no_grad():
        ours = model(x).data
        result = theirs.eval()(inputs(x, torch.contiguous_format)).numpy()
    model.train()
    np.testing.assert_allclose(ours, result, rtol=1e-3, atol=1e-4)
    return theirs.train()


def inputs(x: np.ndarray, layout: Any) -> Any:
    """Return a batch as a tensor of the peer."""
    return peer.images(x, layout) if x.ndim == 4 else peer.tensor(x)


def _twin(module: nn.Module) -> Any:
    """Return a module of the peer with the same layers and names, and fresh weights."""
    if isinstance(module, nn.Sequential):
        layers = {name: _twin(layer) for name, layer in module.named_children()}
        return torch.nn.Sequential(OrderedDict(layers))
    return _LAYERS[type(module)](module)


def _conv2d(layer: Any) -> Any:
    return torch.nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
    )


def _linear(layer: Any) -> Any:
    return torch.nn.Linear(*layer.weight.shape, bias=layer.bias is not None)


def _batchnorm2d(layer: Any) -> Any:
    return torch.nn.BatchNorm2d(layer.num_features, layer.eps, layer.momentum)


class _Mean(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mean((2, 3))


class _Block(torch.nn.Module):
    def __init__(self, block: models.ResidualBlock) -> None:
        super().__init__()
        self.conv1, self.norm1 = _twin(block.conv1), _twin(block.norm1)
        self.conv2, self.norm2 = _twin(block.conv2), _twin(block.norm2)
        self.shortcut = None if block.shortcut is None else _twin(block.shortcut)
        self.stride = block.stride
        self.more = block.out_channels - block.in_channels

    def forward(self, x: Any) -> Any:
        y = torch.relu_(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.shortcut is not None:
            x = self.shortcut(x)
        elif self.more or self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
            x = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, self.more))
        y += x
        return torch.relu_(y)


_LAYERS: dict[type, Callable[[Any], Any]] = {
    models.ResidualBlock: _Block,
    nn.AvgPool2d: lambda layer: torch.nn.AvgPool2d(layer.kernel_size),
    nn.BatchNorm2d: _batchnorm2d,
    nn.Conv2d: _conv2d,
    nn.Dropout: lambda layer: torch.nn.Dropout(layer.p),
    nn.Flatten: lambda layer: torch.nn.Flatten(),
    nn.GlobalAvgPool2d: lambda layer: _Mean(),
    nn.Linear: _linear,
    nn.MaxPool2d: lambda layer: torch.nn.MaxPool2d(layer.kernel_size),
    nn.ReLU: lambda layer: torch.nn.ReLU(inplace=True),
    nn.Tanh: lambda layer: torch.nn.Tanh(),
}


# What users do with a network --------------------------------------------------------


def training_step(
    model: Any, x: np.ndarray, labels: np.ndarray, lr: float, layout: Any,
    compiled: bool = False,
) -> Function:  # fmt: skip
    """Return a training step of `model` by Adam, in one layout."""
    model.to(memory_format=layout)
    batch, y = inputs(x, layout), peer.tensor(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    forward = torch.compile(model) if compiled else model

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(forward(batch), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def training_steps(
    network: Any, x: np.ndarray, labels: np.ndarray, lr: float, compiled: bool
) -> list[Function]:
    """Return a training step for each layout."""

    def make(layout: Any) -> Function:
        return training_step(copy.deepcopy(network), x, labels, lr, layout, compiled)

    return _in_layouts(x, make)


def inferences(network: Any, x: np.ndarray) -> list[Function]:
    """Return a prediction for each layout."""

    def make(layout: Any) -> Function:
        model = copy.deepcopy(network).to(memory_format=layout).eval()
        batch = inputs(x, layout)

        def predict() -> Any:
            with torch.inference_mode():
                return model(batch).numpy()

        return predict

    return _in_layouts(x, make)


def _in_layouts(x: np.ndarray, make: Callable[[Any], Function]) -> list[Function]:
    if x.ndim == 4:
        return peer.in_both_layouts(make)
    return [make(torch.contiguous_format)]
