"""Networks of fastdl as networks of the peer, with the same weights.

Import it only where the peer is installed.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from bench import peer
from bench.harness import Function
from bench.peer_layers import twin
from fastdl import interop, nn
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
    theirs = twin(model)
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
