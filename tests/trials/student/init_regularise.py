"""Course 2, week 1: initialisation, L2, and dropout with the mask of the exercise.

The student wants: zeros do not break the symmetry, 10 * randn starts with a huge cost, He
works; the cost and gradients with L2 as in the course; dropout with D = rand < keep_prob of
the exercise, compared with backward_propagation_with_dropout.
"""

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, optim

rng = np.random.RandomState(2)
t = rng.rand(300) * 2 * np.pi
y = np.arange(300)[:, None] % 2
x = np.c_[np.cos(t), np.sin(t)] * (1 - 0.4 * y) + rng.randn(300, 2) * 0.05


def network(kind):
    fastdl.manual_seed(3)
    name = kind if kind in ("zeros", "he_normal") else "zeros"
    model = nn.Sequential(
        nn.Linear(2, 10, weight_init=name),
        nn.ReLU(),
        nn.Linear(10, 5, weight_init=name),
        nn.ReLU(),
        nn.Linear(5, 1, weight_init=name),
    ).astype("float64")
    if kind == "large":
        rng = np.random.RandomState(3)
        for layer in (model[0], model[2], model[4]):
            layer.weight.data[...] = 10 * rng.randn(*layer.weight.shape)
    return model


final = {}
for kind in ("zeros", "large", "he_normal"):
    model = network(kind)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    costs = []
    for _ in range(600):
        optimizer.zero_grad()
        cost = F.binary_cross_entropy_with_logits(model(x), y)
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    final[kind] = costs[0], costs[-1], np.mean((model(x).numpy() > 0) == y)
assert np.isclose(final["zeros"][1], np.log(2)) and final["zeros"][2] == 0.5
assert final["large"][0] > 1 > final["he_normal"][0] and final["he_normal"][2] > 0.95

# L2 in the cost: J + lambda / (2 m) sum W^2, and dW + lambda / m W
m, lambd = len(x), 0.7
model = network("he_normal")
penalty = nn.L2(lambd / m)
cost = F.binary_cross_entropy_with_logits(model(x), y)
cost.backward()
plain = model[2].weight.grad.copy()
model.zero_grad()
total = F.binary_cross_entropy_with_logits(model(x), y) + penalty(model)
total.backward()
weights = [model[i].weight.data for i in (0, 2, 4)]
assert np.isclose(
    total.item(),
    cost.item() + lambd / (2 * m) * sum((w**2).sum() for w in weights),
    rtol=1e-12,
)
assert np.allclose(
    model[2].weight.grad, plain + lambd / m * weights[1], rtol=0, atol=1e-12
)

# dropout with a given mask
keep_prob = 0.86
np.random.seed(1)
D1 = (np.random.rand(10, m) < keep_prob).astype(int)
D2 = (np.random.rand(5, m) < keep_prob).astype(int)
model.zero_grad()
a1 = F.dropout(model[:2](x), 1 - keep_prob, mask=D1.T)
a2 = F.dropout(model[2:4](a1), 1 - keep_prob, mask=D2.T)
F.binary_cross_entropy_with_logits(model[4](a2), y).backward()
(W1, b1), (W2, b2), (W3, b3) = (
    (model[i].weight.data.T, model[i].bias.data[:, None]) for i in (0, 2, 4)
)
Z1 = W1 @ x.T + b1
A1 = np.maximum(Z1, 0) * D1 / keep_prob
Z2 = W2 @ A1 + b2
A2 = np.maximum(Z2, 0) * D2 / keep_prob
A3 = 1 / (1 + np.exp(-(W3 @ A2 + b3)))
dZ3 = A3 - y.T
dZ2 = W3.T @ dZ3 * D2 / keep_prob * (Z2 > 0)
dZ1 = W2.T @ dZ2 * D1 / keep_prob * (Z1 > 0)
assert np.allclose(model[0].weight.grad.T, dZ1 @ x / m, rtol=0, atol=1e-12)
assert np.allclose(model[2].weight.grad.T, dZ2 @ A1.T / m, rtol=0, atol=1e-12)
