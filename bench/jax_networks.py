"""Networks of fastdl as compiled JAX functions: the whole step in one program.

Import it only where JAX is installed. Images stay (n, h, w, c). The running statistics
of batch norm are left out, which is to JAX's advantage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from bench.harness import Function
from fastdl import models, nn

Apply = Callable[[Any, Any], Any]  # (parameters, x) -> y


def training_step(
    model: nn.Module, x: np.ndarray, labels: np.ndarray, lr: float
) -> Function:
    """Return a training step by Adam, from the model's weights."""
    parameters, apply = _translate(model)
    batch, y = jnp.asarray(x), jnp.asarray(labels)
    state = [parameters, *(jax.tree.map(jnp.zeros_like, parameters),) * 2, 0]

    def loss_of(parameters):
        log_p = jax.nn.log_softmax(apply(parameters, batch))
        return -jnp.take_along_axis(log_p, y[:, None], 1).mean()

    @jax.jit
    def update(parameters, m, v, step):
        loss, gradients = jax.value_and_grad(loss_of)(parameters)
        step += 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradients)
        rate, scale = lr / (1 - 0.9**step), 1 / (1 - 0.999**step)
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(scale * v) + 1e-8),
            *(parameters, m, v),
        )
        return loss, (parameters, m, v, step)

    def step() -> float:
        loss, state[:] = update(*state)
        return float(loss)

    return step


def _translate(module: Any) -> tuple[Any, Apply]:
    """Return the parameters of a module, and a function of them and x."""
    if isinstance(module, nn.Sequential):
        pairs = [_translate(layer) for layer in module]

        def chain(parameters: Any, x: Any) -> Any:
            for (_, apply), own in zip(pairs, parameters, strict=True):
                x = apply(own, x)
            return x

        return [own for own, _ in pairs], chain
    if isinstance(module, models.ResidualBlock):
        return _block(module)
    parameters = [jnp.array(p.data) for p in module.parameters()]
    return parameters, _LAYERS[type(module)](module)


def _block(block: models.ResidualBlock) -> tuple[Any, Apply]:
    parts = {name: _translate(part) for name, part in block.named_children()}
    more = block.out_channels - block.in_channels

    def apply(parameters: Any, x: Any) -> Any:
        def run(name, x):
            return parts[name][1](parameters[name], x)

        y = jax.nn.relu(run("norm1", run("conv1", x)))
        y = run("norm2", run("conv2", y))
        if "shortcut" in parts:
            x = run("shortcut", x)
        else:
            x = x[:, :: block.stride, :: block.stride]
            x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, more)))
        return jax.nn.relu(y + x)

    return {name: own for name, (own, _) in parts.items()}, apply


def _conv2d(layer: nn.Conv2d) -> Apply:
    p = layer.padding
    padding = p.upper() if isinstance(p, str) else [(p, p), (p, p)]
    strides = (layer.stride,) * 2

    def apply(parameters, x):
        weight, *bias = parameters
        layout = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(
            x, weight, strides, padding, dimension_numbers=layout
        )
        return y + bias[0] if bias else y

    return apply


def _linear(layer: nn.Linear) -> Apply:
    return lambda parameters, x: x @ parameters[0] + parameters[1]


def _batchnorm2d(layer: nn.BatchNorm2d) -> Apply:
    def apply(parameters, x):
        gamma, beta = parameters
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        return (x - mean) * (gamma * lax.rsqrt(var + layer.eps)) + beta

    return apply


def _pool(layer: Any, start: float, combine: Any) -> Apply:
    window = (1, layer.kernel_size, layer.kernel_size, 1)
    return lambda _, x: lax.reduce_window(x, start, combine, window, window, "VALID")


def _average(layer: Any) -> Apply:
    total = _pool(layer, 0.0, lax.add)
    return lambda own, x: total(own, x) / layer.kernel_size**2


def _dropout(layer: nn.Dropout) -> Apply:
    key = jax.random.key(0)

    def apply(_, x):
        kept = jax.random.bernoulli(key, 1 - layer.p, x.shape)
        return jnp.where(kept, x / (1 - layer.p), 0)

    return apply


_LAYERS: dict[type, Callable[[Any], Apply]] = {
    nn.AvgPool2d: _average,
    nn.BatchNorm2d: _batchnorm2d,
    nn.Conv2d: _conv2d,
    nn.Dropout: _dropout,
    nn.Flatten: lambda layer: lambda _, x: x.reshape(len(x), -1),
    nn.GlobalAvgPool2d: lambda layer: lambda _, x: x.mean((1, 2)),
    nn.Linear: _linear,
    nn.MaxPool2d: lambda layer: _pool(layer, -jnp.inf, lax.max),
    nn.ReLU: lambda layer: lambda _, x: jax.nn.relu(x),
    nn.Tanh: lambda layer: lambda _, x: jnp.tanh(x),
}
