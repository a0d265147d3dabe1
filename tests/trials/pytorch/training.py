"""Weights initialised by hand, no decay for biases and norms, an average of the weights
(EMA), early stopping with the best weights kept."""

import copy
import math

import numpy as np

import fastdl
from fastdl import data, datasets, nn, optim
from fastdl import functional as F

fastdl.manual_seed(0)
digits = datasets.load("digits")
train, dev = data.random_split(digits.train, [0.85, 0.15])
loaders = {
    k: data.DataLoader(d, batch_size=64, shuffle=k == "train")
    for k, d in [("train", train), ("dev", dev)]
}

model = nn.Sequential(
    nn.Flatten(), nn.Linear(64, 64), nn.LayerNorm(64), nn.GELU(), nn.Linear(64, 10)
)


def init_weights(m):
    if isinstance(m, nn.Linear):
        m.weight.data[...] = nn.init.he_normal(m.weight.shape)
        m.bias.data[...] = 0


model.apply(init_weights)
model[4].weight.data[...] = nn.init.glorot_uniform(model[4].weight.shape)
bound = math.sqrt(6 / (64 + 10))
assert abs(model[4].weight.data).max() <= bound and abs(model[1].bias.data).sum() == 0
model[4].bias.data.fill(-math.log(10))

decay, no_decay = [], []
for name, p in model.named_parameters():
    (no_decay if p.ndim == 1 or name.endswith("bias") else decay).append(p)
optimizer = optim.AdamW(
    [
        {"params": decay, "weight_decay": 0.01},
        {"params": no_decay, "weight_decay": 0.0},
    ],
    lr=3e-3,
    betas=(0.9, 0.99),
    eps=1e-8,
)
ema = copy.deepcopy(model)
plateau = optim.lr_scheduler.ReduceLROnPlateau(
    optimizer, mode="min", factor=0.5, patience=2
)


def evaluate(net, loader):
    net.eval()
    losses, hits, n = 0.0, 0, 0
    with fastdl.no_grad():
        for x, y in loader:
            out = net(x)
            losses += F.cross_entropy(out, y, reduction="sum").item()
            hits += (out.argmax(-1) == y).sum().item()
            n += x.shape[0]
    return losses / n, hits / n


best, best_state, patience = float("inf"), None, 0
for epoch in range(30):
    model.train()
    for x, y in loaders["train"]:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        for mean, p in zip(ema.parameters(), model.parameters()):
            mean.data *= 0.98
            mean.data += 0.02 * p.data
    val, acc = evaluate(model, loaders["dev"])
    plateau.step(val)
    if val < best - 1e-4:
        best, patience = val, 0
        best_state = copy.deepcopy(model.state_dict())
    else:
        patience += 1
        if patience >= 4:
            print("early stop at", epoch)
            break
model.load_state_dict(best_state)
test = data.DataLoader(digits.test, batch_size=512)
print(evaluate(model, test), evaluate(ema, test), optimizer.param_groups[0]["lr"])
assert abs(evaluate(model, loaders["dev"])[0] - best) < 1e-5
assert evaluate(model, test)[1] > 0.93 and evaluate(ema, test)[1] > 0.93
sd = optimizer.state_dict()
optimizer.load_state_dict(sd)
assert len(sd["param_groups"]) == 2
