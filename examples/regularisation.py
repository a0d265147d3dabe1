"""See L2 and dropout against overfitting.

200 noisy points of two moons, a tenth of them with the wrong label: a large network
learns nearly all of them by heart and draws its boundary around every mistake. L2 keeps
the weights small, dropout keeps units from relying on each other. Both give up training
accuracy and win dev accuracy, on 2,000 rightly labelled points that the network has not
seen. (Deep Learning Specialization, course 2, week 1.)

    python examples/regularisation.py
"""

from __future__ import annotations

import numpy as np

import fastdl
from fastdl import models, nn, optim, report
from fastdl.report import style

# What the trainer and the network get.
VARIANTS = {
    "no regularisation": ({}, 0.0),
    "L2, lambda / m = 0.01": ({"regularization": nn.L2(0.01)}, 0.0),
    "dropout, p = 0.5": ({}, 0.5),
}


def moons(m: int, wrong_labels: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (m, 2) of two interleaved half circles, and which it is."""
    rng = np.random.default_rng(seed)
    y = np.arange(m) % 2
    angle = rng.uniform(0, np.pi, m)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x[y == 1] = [1, 0.5] - x[y == 1]
    x += rng.normal(0, 0.2, x.shape)
    return x.astype(np.float32), np.where(rng.random(m) < wrong_labels, 1 - y, y)


def learn(
    options: dict, dropout: float, epochs: int
) -> tuple[fastdl.Trainer, float, float]:
    """Train a network; return the trainer, its training and its dev accuracy."""
    fastdl.manual_seed(0)
    train, dev = moons(200, 0.1, seed=1), moons(2000, 0.0, seed=2)
    model = models.mlp(2, hidden=(128, 128), dropout=dropout)
    trainer = fastdl.Trainer(
        model, optimizer=lambda parameters: optim.Adam(parameters, lr=0.01), **options
    )
    trainer.fit(train, epochs=epochs, batch_size=100)
    return (
        trainer,
        trainer.evaluate(train)["accuracy"],
        trainer.evaluate(dev)["accuracy"],
    )


def main(
    epochs: int = 1000, path: str = "runs/examples/regularisation.png"
) -> dict[str, tuple[float, float]]:
    """Train all variants, draw their boundaries, return (training, dev) accuracy."""
    accuracies = {}
    print(f"{'':22}  training  dev")
    with style.new_figure(11, 4, "Two moons with wrong labels") as figure:
        panels = figure.subplots(1, len(VARIANTS))
        for axes, (name, variant) in zip(panels, VARIANTS.items(), strict=True):
            trainer, train, dev = learn(*variant, epochs)
            accuracies[name] = train, dev
            print(f"{name:22}  {train:8.1%}  {dev:.1%}")
            draw_boundary(axes, trainer)
            axes.set_title(f"{name}\ntraining {train:.1%}, dev {dev:.1%}")
    report.save_figure(figure, path)
    print(f"\nsee {path}")
    return accuracies


def draw_boundary(axes, trainer: fastdl.Trainer) -> None:
    """Colour the plane by the probability of class 1, and draw the training points."""
    x, y = moons(200, 0.1, seed=1)
    across, up = np.meshgrid(np.linspace(-1.6, 2.6, 150), np.linspace(-1.2, 1.7, 120))
    plane = np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)
    p = trainer.predict(plane, probabilities=True)[:, 1].reshape(across.shape)
    colours = [style.BLUE, style.VERMILION]
    axes.contourf(across, up, p, [0, 0.5, 1], colors=colours, alpha=0.2)
    for label, colour in enumerate(colours):
        axes.scatter(*x[y == label].T, s=12, color=colour)
    axes.set_xticks([])
    axes.set_yticks([])


if __name__ == "__main__":
    main()
