"""See why deep networks need the right initial weights.

A layer multiplies the size of what passes through it. Over 50 layers a factor of 1.5
becomes 1.5^50 = 6e8, and 0.5 becomes 1e-15: activations explode or vanish, gradients
on their way back too, and nothing is learned. He's variance 2 / n_in is made so that
the factor of a ReLU layer is 1. (Deep Learning Specialization, course 2, week 1.)

The picture shows all three, and what it means for learning three circles.

    python examples/initialisation.py
"""

from __future__ import annotations

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, optim, report
from fastdl.report import style

# Where each comes from is told in fastdl.nn.init.
METHODS = {
    "std 0.01": lambda shape: nn.init.normal(shape, 0.01),
    "Xavier, 1 / n_in": nn.init.xavier_normal,
    "He, 2 / n_in": nn.init.he_normal,
    "1.5 times He": lambda shape: 1.5 * nn.init.he_normal(shape),
}
COLOURS = [style.GREY, "#E69F00", style.BLUE, style.VERMILION]


def identity_scales(factor: float, layers: int) -> list[float]:
    """Return the size of a signal after each layer of weight ``factor * I``."""
    x, sizes = np.ones((1, 4)), []
    layer = nn.Linear(4, 4, bias=False).astype(np.float64)
    layer.weight.data[...] = factor * np.eye(4)
    with fastdl.no_grad():
        for _ in range(layers):
            x = layer(x).numpy()
            sizes.append(float(x[0, 0]))
    return sizes


def scales(method, layers: int, width: int) -> tuple[list[float], list[float]]:
    """Return how large the activations of each layer are, and their gradients.

    A probe of zeros that is added to the activations receives their gradient.
    """
    rng = np.random.default_rng(0)
    x = fastdl.Tensor(rng.standard_normal((64, width)), dtype=np.float64)
    activations, probes = [], []
    for _ in range(layers):
        weight = method((width, width)).astype(np.float64)  # float32 ends at 1e-38
        probe = fastdl.Tensor(np.zeros(x.shape), requires_grad=True)
        x = F.relu(F.matmul(x, weight)) + probe
        activations.append(rms(x.data))
        probes.append(probe)
    x.backward(rng.standard_normal(x.shape))
    return activations, [rms(probe.grad) for probe in probes]


def rms(x: np.ndarray) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.square(x).mean()))


def three_circles(m: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Return points (m, 2) on three rings with some noise, and which ring it is."""
    rng = np.random.default_rng(0)
    y = np.arange(m) % 3
    angle, radius = rng.uniform(0, 2 * np.pi, m), 0.5 + y + rng.normal(0, 0.12, m)
    x = radius * np.stack([np.cos(angle), np.sin(angle)])
    return x.T.astype(np.float32), y


def learn(method, epochs: int, layers: int = 10) -> list[float]:
    """Train a deep network on the circles; return the loss of each epoch."""
    fastdl.manual_seed(0)
    x, y = three_circles()
    model = nn.Sequential()
    for _ in range(layers):
        model.append(nn.Linear(None, 64)).append(nn.ReLU())
    model.append(nn.Linear(None, 3))
    model.build((2,))
    for name, parameter in model.named_parameters():
        if name.endswith("weight"):
            parameter.data[...] = method(parameter.shape)
    trainer = fastdl.Trainer(
        model, optimizer=lambda parameters: optim.SGD(parameters, lr=0.01)
    )
    return trainer.fit((x, y), epochs=epochs, batch_size=32)["loss"]


def main(
    layers: int = 50,
    width: int = 256,
    epochs: int = 60,
    path: str = "runs/examples/initialisation.png",
) -> dict[str, tuple[list[float], list[float], list[float]]]:
    """Measure, draw, and return (activations, gradients, losses) of each method."""
    results = {}
    print(f"{'weights':18}  activations  gradients  loss on three circles")
    for name, method in METHODS.items():
        fastdl.manual_seed(0)
        results[name] = *scales(method, layers, width), learn(method, epochs)
        activations, gradients, losses = results[name]
        print(
            f"{name:18}  {activations[-1]:11.1e}  {gradients[0]:9.1e}  {losses[-1]:.3f}"
        )
    draw(results, layers, path)
    print(f"\nsee {path}")
    return results


def draw(results: dict, layers: int, path: str) -> None:
    """Save the picture."""
    with style.new_figure(10, 7.2, f"Initial weights, {layers} layers") as figure:
        linear, forward, backward, learning = figure.subplots(2, 2).flat
        depth = np.arange(1, layers + 1)
        for factor, colour in ((1.5, style.VERMILION), (0.5, style.BLUE)):
            label = f"W = {factor} I"
            linear.plot(
                depth, identity_scales(factor, layers), color=colour, label=label
            )
        linear.set_title("A linear network: size of the signal")
        forward.set_title("ReLU: root mean square of the activations")
        backward.set_title("ReLU: root mean square of the gradients dA")
        learning.set_title("Ten ReLU layers learn three circles: loss")
        for (name, measured), colour in zip(results.items(), COLOURS, strict=True):
            activations, gradients, losses = measured
            forward.plot(depth, activations, color=colour, label=name)
            backward.plot(depth, gradients, color=colour, label=name)
            learning.plot(
                np.arange(1, len(losses) + 1), losses, color=colour, label=name
            )
        for axes in (linear, forward, backward):
            axes.set_yscale("log")
            axes.set_xlabel("layer")
        learning.set_xlabel("epoch")
        learning.set_ylim(0, 2)
        for axes in (linear, forward, backward, learning):
            axes.legend(frameon=False)
            axes.grid(axis="y", color=style.GREY, alpha=0.2)
    report.save_figure(figure, path)


if __name__ == "__main__":
    main()
