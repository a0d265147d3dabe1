"""Compare gradient descent, momentum, RMSprop and Adam.

On two moons all four take the same number of steps with the same learning rate. On a
saddle the slope is nearly zero in the only direction that leads on: plain gradient
descent stays for hundreds of steps; momentum gathers speed, RMSprop and Adam divide by
the size of the slope, so they leave it. (Deep Learning Specialization, course 2,
week 2.)

    python examples/optimisers.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from regularisation import moons  # the file beside this one

import fastdl
from fastdl import models, optim, report
from fastdl.report import style

OPTIMISERS = {
    "gradient descent": optim.SGD,
    "momentum": lambda parameters, lr: optim.SGD(parameters, lr, momentum=0.9),
    "RMSprop": lambda parameters, lr: optim.RMSprop(parameters, lr, beta=0.9),
    "Adam": optim.Adam,
}
START = (1.0, 0.001)  # beside the ridge that leads to the saddle


def saddle(w1, w2):
    """Return a function with a saddle of height 0 at (0, 0), and two minima of -1."""
    return w1**2 - w2**2 + w2**4 / 4


def descend(make, steps: int, lr: float = 0.01) -> np.ndarray:
    """Return the points (steps + 1, 2) on the way down from the start."""
    w = fastdl.Tensor(START, requires_grad=True, dtype=np.float64)
    optimizer = make([w], lr=lr)
    path = [w.data.copy()]
    for _ in range(steps):
        optimizer.zero_grad()
        saddle(w[0], w[1]).backward()
        optimizer.step()
        path.append(w.data.copy())
    return np.array(path)


def steps_to_leave(path: np.ndarray) -> int:
    """Return the first step that is half way down from the saddle to a minimum."""
    below = saddle(*path.T) < -0.5
    return int(below.argmax()) if below.any() else len(path)


def learn(make, epochs: int) -> fastdl.Trainer:
    """Train a small network on two moons; return its trainer."""
    fastdl.manual_seed(0)
    trainer = fastdl.Trainer(
        models.mlp(2, hidden=(16, 16)),
        optimizer=lambda parameters: make(parameters, lr=0.003),
    )
    trainer.fit(moons(400, 0.0, seed=1), epochs=epochs, batch_size=32)
    return trainer


def main(
    steps: int = 400, epochs: int = 60, folder: str = "runs/examples"
) -> dict[str, tuple[int, float]]:
    """Draw both; return (steps to leave the saddle, last loss) of each optimiser."""
    paths, losses, panels = {}, {}, {}
    x, y = moons(400, 0.0, seed=1)
    print(f"{'':16}  steps to leave the saddle  loss on two moons")
    for name, make in OPTIMISERS.items():
        paths[name] = descend(make, steps)
        trainer = learn(make, epochs)
        losses[name] = trainer.history["loss"]
        accuracy = trainer.evaluate((x, y))["accuracy"]
        panels[f"{name}: {accuracy:.1%}"] = trainer.predict
        print(f"{name:16}  {steps_to_leave(paths[name]):25}  {losses[name][-1]:.4f}")

    pictures = {
        "saddle": report.optimizer_paths(
            saddle, paths, title="Leaving a saddle, learning rate 0.01"
        ),
        "moons": report.decision_boundary(panels, x, y),
        "losses": draw_losses(losses),
    }
    for name, figure in pictures.items():
        path = Path(folder, f"optimisers_{name}.png")
        report.save_figure(figure, path)
        print(f"see {path}")
    return {name: (steps_to_leave(paths[name]), losses[name][-1]) for name in paths}


def draw_losses(losses: dict[str, list[float]]):
    """Return a figure of the loss of each optimiser over the epochs."""
    with style.new_figure(6.4, 4, "Two moons, learning rate 0.003") as figure:
        axes = figure.subplots()
        lines = ("-", "--", "-.", ":")
        for (name, values), colour, line in zip(
            losses.items(), style.PALETTE, lines, strict=False
        ):
            epochs = np.arange(1, len(values) + 1)
            axes.plot(epochs, values, line, color=colour, label=name, linewidth=2)
        axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
        axes.grid(axis="y", color=style.GREY, alpha=0.2)
        axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
