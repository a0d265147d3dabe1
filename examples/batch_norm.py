"""Train with a learning rate ten times larger, thanks to batch norm.

Batch norm keeps the scale of every layer's inputs, so a large step in one layer does
not upset those after it. A deep plain network learns at 0.1 and fails at 1; with batch
norm it learns at both. (Ioffe, Szegedy 2015; Deep Learning Specialization, course 2,
week 3.)

    python examples/batch_norm.py
"""

from __future__ import annotations

import math

import numpy as np

import fastdl
from fastdl import datasets, models, nn, optim, report
from fastdl.report import style

RATES = (0.1, 1.0)


def network(norm: str | None, layers: int = 6, width: int = 64) -> nn.Sequential:
    """Return a deep dense network for digits."""
    model = nn.Sequential(nn.Flatten())
    for _ in range(layers):
        for layer in models.dense_block(width, norm=norm):
            model.append(layer)
    return model.append(nn.Linear(None, 10))


def learn(norm: str | None, rate: float, epochs: int) -> tuple[list[float], float]:
    """Train; return the loss of each epoch, NaN when it failed, and the accuracy."""
    fastdl.manual_seed(0)
    digits = datasets.load("digits")
    trainer = fastdl.Trainer(
        network(norm), optimizer=lambda parameters: optim.SGD(parameters, lr=rate)
    )
    try:
        trainer.fit(digits.train, epochs=epochs, batch_size=64)
    except fastdl.errors.NonFiniteError as error:
        print(f"learning rate {rate:g}: {error}")
        losses = trainer.history["loss"] if len(trainer.history) else []
        return losses + [math.nan] * (epochs - len(losses)), 0.1
    return trainer.history["loss"], trainer.evaluate(digits.test)["accuracy"]


def main(
    epochs: int = 15, path: str = "runs/examples/batch_norm.png"
) -> dict[tuple[str, float], tuple[list[float], float]]:
    """Train all four, draw the losses, return (losses, test accuracy) of each."""
    results = {}
    print(f"{'':10}  learning rate  last loss  test accuracy")
    for name, norm in (("plain", None), ("batch norm", "batch")):
        for rate in RATES:
            losses, accuracy = results[name, rate] = learn(norm, rate, epochs)
            print(f"{name:10}  {rate:13g}  {losses[-1]:9.4f}  {accuracy:.1%}")
    draw(results, path)
    print(f"\nsee {path}")
    return results


def draw(results: dict, path: str) -> None:
    """Save the picture."""
    colours = {"plain": style.VERMILION, "batch norm": style.BLUE}
    with style.new_figure(6.8, 4.2, "Digits, seven dense layers") as figure:
        axes = figure.subplots()
        for (name, rate), (losses, accuracy) in results.items():
            axes.plot(
                np.arange(1, len(losses) + 1),
                losses,
                "-" if rate == RATES[0] else "--",
                color=colours[name],
                linewidth=2,
                label=f"{name}, learning rate {rate:g}: {accuracy:.1%}",
            )
        axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
        axes.grid(axis="y", color=style.GREY, alpha=0.2)
        axes.legend(frameon=False, title="test accuracy", alignment="left")
    report.save_figure(figure, path)


if __name__ == "__main__":
    main()
