"""A model in float64, gradcheck of it, and finite differences by hand."""

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, optim

fastdl.manual_seed(0)
rng = np.random.default_rng(0)
x, y = rng.standard_normal((4, 3)), np.array([0, 1, 1, 0])
model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).astype(np.float64)
assert all(p.dtype == np.float64 for p in model.parameters())
check = fastdl.gradcheck(model, F.cross_entropy, x, y)
print(check)
assert check.verdict == "great"
out = model(x)
assert out.dtype == np.float64
conv = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(75, 2))
picture = rng.standard_normal((4, 5, 5, 2))
assert fastdl.gradcheck(conv, nn.CrossEntropyLoss(), picture, y).verdict == "great"


def wrong(outputs, labels):  # a loss whose gradient forgets a factor
    return F.mse_loss(
        outputs.detach() + outputs * 0.5, F.one_hot(labels, 2).astype(np.float64)
    )


assert fastdl.gradcheck(model, wrong, x, y).verdict == "wrong"

# finite differences by hand on one weight
loss = lambda: (model(x) ** 2).mean()
model.zero_grad()
loss().backward()
w, eps = model[0].weight, 1e-6
with fastdl.no_grad():
    w[0, 0] += eps
    up = loss().item()
    w[0, 0] -= 2 * eps
    down = loss().item()
    w[0, 0] += eps
assert np.isclose((up - down) / (2 * eps), w.grad[0, 0].item(), rtol=1e-5)
optimizer = optim.SGD(model.parameters(), lr=0.5)
for _ in range(200):
    optimizer.zero_grad()
    last = F.cross_entropy(model(x), y)
    last.backward()
    optimizer.step()
print(last.item())
assert last.item() < 0.1 and model[0].weight.dtype == np.float64
