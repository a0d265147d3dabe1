"""Course 2, week 1: gradient checking, with the course's relative difference.

The student wants ||grad - approx|| / (||grad|| + ||approx||) of a right network below 2e-7,
the same from differences of his own, and the planted mistake found, with its parameter.
"""

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, train

rng = np.random.RandomState(1)
x, y = rng.randn(20, 4), rng.randint(0, 2, (20, 1))
fastdl.manual_seed(3)
model = nn.Sequential(
    nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 1)
).astype("float64")

# gradient checking: the course's relative difference, and a gradient that is wrong
check = fastdl.gradcheck(model, nn.BCEWithLogitsLoss(), x, y, eps=1e-7)
assert check.ratio < 2e-7 and check.verdict == "great"
F.binary_cross_entropy_with_logits(model(x), y).backward()
W = model[2].weight


def J(w):
    model[2].weight.data[...] = w
    return F.binary_cross_entropy_with_logits(model(x), y).item()


approx = train.numeric_gradient(J, W.data.copy(), eps=1e-7)
difference = np.linalg.norm(W.grad - approx) / (
    np.linalg.norm(W.grad) + np.linalg.norm(approx)
)
assert difference < 2e-7
assert np.linalg.norm(2 * W.grad - approx) / (2 * np.linalg.norm(W.grad)) > 0.1


class Wrong(nn.Module):
    """The exercise's planted mistake, dW2 times 2, as a layer whose gradient is wrong."""

    def __init__(self):
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, x):
        h = F.relu(self.a(x))
        detached = h.detach()
        return self.b(detached)


check = fastdl.gradcheck(Wrong(), nn.BCEWithLogitsLoss(), x, y)
assert check.verdict == "wrong" and check.worst.name.startswith("a.")
