"""See what the size of a mini-batch does.

The whole set at once: a smooth way, but one step an epoch. One example at a time: many
steps, each noisy, and nothing for the processor to do side by side. Sizes between learn
most in the same time. (Deep Learning Specialization, course 2, week 2.)

    python examples/minibatches.py
"""

from __future__ import annotations

import time

import numpy as np

import fastdl
from fastdl import datasets, models, optim, report
from fastdl.report import style

# The epochs that each size gets; the last is the whole set.
EPOCHS = {1: 2, 64: 40, 512: 60, 3823: 60}
SHOWN = 60  # steps


class Record(fastdl.train.Callback):
    """Keeps the loss of every step, and the seconds after every epoch."""

    def __init__(self):
        self.losses, self.seconds = [], []

    def on_batch_end(self, trainer, step):
        """Keep the loss."""
        self.losses.append(step.loss)

    def on_train_begin(self, trainer, epochs, batches):
        """Start the clock."""
        self._start = time.perf_counter()

    def on_epoch_end(self, trainer, row):
        """Keep the time."""
        self.seconds.append(time.perf_counter() - self._start)


def learn(size: int, epochs: int) -> tuple[Record, list[float]]:
    """Train on digits; return what was recorded, and the loss of each epoch."""
    fastdl.manual_seed(0)
    record = Record()
    trainer = fastdl.Trainer(
        models.mlp(10, hidden=(64,)),
        optimizer=lambda parameters: optim.SGD(parameters, lr=0.05),
    )
    train = datasets.load("digits").train
    trainer.fit(train, epochs=epochs, batch_size=size, callbacks=[record])
    return record, trainer.history["loss"]


def main(
    part: float = 1.0, path: str = "runs/examples/minibatches.png"
) -> dict[int, tuple[list[float], list[float]]]:
    """Train for a part of the epochs; return (step losses, epoch losses) by size."""
    results = {}
    print("batch size  epochs   steps  seconds  loss of the last epoch")
    with style.new_figure(10, 4, "Sizes of mini-batches, digits") as figure:
        steps, clock = figure.subplots(1, 2)
        for (size, most), colour in zip(EPOCHS.items(), style.PALETTE, strict=False):
            epochs = max(1, round(part * most))
            record, losses = learn(size, epochs)
            results[size] = record.losses, losses
            print(
                f"{size:10,}  {epochs:6}  {len(record.losses):6,}  "
                f"{record.seconds[-1]:7.2f}  {losses[-1]:.4f}"
            )
            label = f"{size:,}" if size < max(EPOCHS) else f"{size:,}, the whole set"
            first = record.losses[:SHOWN]
            numbers = np.arange(1, len(first) + 1)
            width = 0.8 if size == 1 else 2
            steps.plot(numbers, first, color=colour, linewidth=width, label=label)
            clock.plot(
                record.seconds, losses, "o-", color=colour, markersize=3, label=label
            )
        steps.set(xlabel="step", title=f"loss of the first {SHOWN} steps")
        clock.set(xlabel="seconds", title="loss of each epoch", xscale="log")
        for axes in (steps, clock):
            axes.set_ylim(0, None)
            axes.grid(axis="y", color=style.GREY, alpha=0.2)
        clock.legend(frameon=False, title="batch size", alignment="left")
    report.save_figure(figure, path)
    print(f"\nsee {path}")
    return results


if __name__ == "__main__":
    main()
