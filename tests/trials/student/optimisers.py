"""Course 2, week 2: mini-batches, momentum, RMSprop, Adam and decay by the course's formulas.

The student has update_parameters_with_momentum / adam in NumPy, with bias correction, and
compares each parameter after 3 epochs of mini-batches of 64; then both schedules.
"""

import numpy as np

import fastdl
from fastdl import data, nn, optim, train
from fastdl import functional as F

rng = np.random.RandomState(3)
X = rng.randn(300, 2)
Y = ((X**2).sum(1, keepdims=True) < 1.2).astype(float)
loader = data.DataLoader((X, Y), batch_size=64, shuffle=True, seed=10)
assert [len(x) for x, _ in loader.batches(0)] == [64, 64, 64, 64, 44]


def gradients(p, x, y):
    W1, b1, W2, b2 = p
    z1 = x @ W1 + b1
    a1 = np.maximum(z1, 0)
    dz2 = (1 / (1 + np.exp(-(a1 @ W2 + b2))) - y) / len(x)
    dz1 = dz2 @ W2.T * (z1 > 0)
    return [x.T @ dz1, dz1.sum(0), a1.T @ dz2, dz2.sum(0)]


def momentum(p, g, s, t, lr=0.1, beta=0.9):
    for i in range(4):
        s[0][i] = beta * s[0][i] + (1 - beta) * g[i]
        p[i] -= lr * s[0][i]


def rmsprop(p, g, s, t, lr=0.01, beta=0.999, eps=1e-8):
    for i in range(4):
        s[1][i] = beta * s[1][i] + (1 - beta) * g[i] ** 2
        p[i] -= lr * g[i] / (np.sqrt(s[1][i]) + eps)


def adam(p, g, s, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    for i in range(4):
        s[0][i] = beta1 * s[0][i] + (1 - beta1) * g[i]
        s[1][i] = beta2 * s[1][i] + (1 - beta2) * g[i] ** 2
        v, q = s[0][i] / (1 - beta1**t), s[1][i] / (1 - beta2**t)
        p[i] -= lr * v / (np.sqrt(q) + eps)


library = {
    momentum: lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.9),
    rmsprop: lambda p: optim.RMSprop(p, lr=0.01, beta=0.999),
    adam: lambda p: optim.Adam(p, lr=0.01),
}
for rule, make in library.items():
    fastdl.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1)).astype("float64")
    mine = [p.data.copy() for p in model.parameters()]
    state = [[np.zeros_like(p) for p in mine] for _ in range(2)]
    optimizer, t = make(model.parameters()), 0
    for epoch in range(3):
        for x, y in loader.batches(epoch):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x), y).backward()
            optimizer.step()
            t += 1
            rule(mine, gradients(mine, x, y), state, t)
    error = max(np.abs(a - b.data).max() for a, b in zip(mine, model.parameters()))
    assert error < 1e-10


# decay: epoch_num counts from 0 in the course, t from 1 in the library
def update_lr(lr0, epoch, decay):
    return lr0 / (1 + decay * epoch)


def schedule_lr_decay(lr0, epoch, decay, interval=1000):
    return lr0 / (1 + decay * np.floor(epoch / interval))


schedule = optim.InverseDecay(0.5, decay=1.0)
assert np.allclose(
    [schedule(t) for t in (1, 2, 3)], [update_lr(0.5, e, 1.0) for e in (1, 2, 3)]
)
staircase = optim.InverseStaircase(0.5, decay=0.3, every=2)


def stairs(t):
    """The exercise's: its first epoch is number 0, that of a schedule 1."""
    return staircase(t - 1)


trainer = fastdl.Trainer(model, nn.BCEWithLogitsLoss(), lambda p: optim.SGD(p, lr=0.5))
rates = train.LearningRateLog()
history = trainer.fit(
    X, Y, epochs=6, callbacks=[train.Schedule(stairs, "epoch"), rates]
)

assert np.allclose(
    history["learning_rate"], [schedule_lr_decay(0.5, e, 0.3, 2) for e in range(6)]
)
