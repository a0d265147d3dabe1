"""Course 1, week 3: planar data (the flower), one hidden layer, sizes of the hidden layer.

The student wants the course's own nn_model (tanh, sigmoid, rate 1.2, 0.01 * randn) with
the same first weights in the library, the boundary as a picture, and the accuracy for
hidden layers of 1 to 20 units.
"""

import tempfile
from pathlib import Path

import numpy as np

from fastdl import functional as F
from fastdl import nn, optim, report


def flower(m=400):
    rng = np.random.RandomState(1)
    n, x, y = m // 2, np.zeros((m, 2)), np.zeros((m, 1), int)
    for j in range(2):
        t = np.linspace(j * 3.12, (j + 1) * 3.12, n) + rng.randn(n) * 0.2
        r = 4 * np.sin(4 * t) + rng.randn(n) * 0.2
        x[j * n : (j + 1) * n] = np.c_[r * np.sin(t), r * np.cos(t)]
        y[j * n : (j + 1) * n] = j
    return x, y


def course(X, Y, n_h, steps, rate=1.2):
    rng = np.random.RandomState(3)
    W1, b1 = rng.randn(n_h, 2) * 0.01, np.zeros((n_h, 1))
    W2, b2 = rng.randn(1, n_h) * 0.01, np.zeros((1, 1))
    m, costs = X.shape[1], []
    for _ in range(steps):
        A1 = np.tanh(W1 @ X + b1)
        A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
        costs.append(-np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)))
        dZ2 = A2 - Y
        dZ1 = W2.T @ dZ2 * (1 - A1**2)
        W2, b2 = W2 - rate * dZ2 @ A1.T / m, b2 - rate * dZ2.mean(1, keepdims=True)
        W1, b1 = W1 - rate * dZ1 @ X.T / m, b1 - rate * dZ1.mean(1, keepdims=True)
    return costs, W1, W2


def library(x, y, n_h, steps, rate=1.2):
    rng = np.random.RandomState(3)
    model = nn.Sequential(nn.Linear(2, n_h), nn.Tanh(), nn.Linear(n_h, 1))
    model.astype(np.float64)
    model[0].weight.data[...] = (rng.randn(n_h, 2) * 0.01).T
    model[2].weight.data[...] = (rng.randn(1, n_h) * 0.01).T
    optimizer, costs = optim.SGD(model.parameters(), lr=rate), []
    for _ in range(steps):
        optimizer.zero_grad()
        cost = F.binary_cross_entropy_with_logits(model(x), y)
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    return costs, model


x, y = flower()
costs, W1, W2 = course(x.T, y.T, 4, 300)
mine, model = library(x, y, 4, 300)
assert np.allclose(costs, mine, atol=1e-9) and np.allclose(
    model[0].weight.data, W1.T, atol=1e-8
)

models, scores = {}, {}
for n_h in (1, 4, 20):
    _, models[f"{n_h} units"] = library(x, y, n_h, 2000)
    answers = models[f"{n_h} units"](x).numpy() > 0
    scores[n_h] = np.mean(answers == y)
figure = report.decision_boundary(models, x, y[:, 0], classes=["red", "blue"])
with tempfile.TemporaryDirectory() as folder:
    report.save_figure(figure, Path(folder) / "boundary.png")
    assert (Path(folder) / "boundary.png").stat().st_size > 10_000
assert scores[1] < 0.75 < 0.85 < scores[4]
assert scores[20] > 0.85
