"""Train with a loop of your own: every line of it is yours to change.

The trainer of fastdl does nothing that this loop cannot do. Write your own when a step
is unusual: two losses, two optimisers, gradients that you look at or change. A gradient
is a NumPy array, ``p.grad``.

    python examples/own_loop.py
"""

import fastdl
from fastdl import data, datasets, metrics, models, optim
from fastdl import functional as F


def main(epochs: int = 10) -> float:
    """Train a dense network on digits; return its test accuracy."""
    fastdl.manual_seed(0)
    digits = datasets.load("digits")
    train = data.DataLoader(digits.train, batch_size=64, shuffle=True, seed=0)
    test = data.DataLoader(digits.test, batch_size=256)

    model = models.create("mlp")
    model.build((8, 8, 1))  # open sizes become known, so the optimiser has parameters
    optimizer = optim.Adam(model.parameters(), lr=0.002)

    for epoch in range(1, epochs + 1):
        model.train()
        loss_of_epoch = metrics.Mean()
        for x, y in train:  # NumPy arrays
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optim.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            loss_of_epoch.update(loss.item(), len(x))

        model.eval()
        right = metrics.Accuracy()
        with fastdl.no_grad():
            for x, y in test:
                right.update(y, model(x).numpy())
        print(
            f"epoch {epoch:2}  loss {loss_of_epoch.result():.4f}  "
            f"test accuracy {right.result():.4f}"
        )
    return right.result()


if __name__ == "__main__":
    main()
