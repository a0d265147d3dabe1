"""A Dataset class of one's own, random_split, a WeightedRandomSampler for a rare class,
and a collate_fn that pads sequences of different lengths (with a masked mean: no RNNs)."""

import numpy as np

import fastdl
from fastdl import functional as F
from fastdl import nn, optim
from fastdl.data import DataLoader, WeightedRandomSampler, random_split


class Parity:
    """Sequences of +-1 with 3 to 9 steps; label: is the sum positive? One in ten is."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.items = []
        while len(self.items) < n:
            s = rng.choice([-1.0, 1.0], size=rng.integers(3, 10)).astype(np.float32)
            label = int(s.sum() > 0)
            if label == 0 or rng.random() < 0.1:
                self.items.append((s, label))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def collate(batch):
    sequences, labels = zip(*batch)
    longest = max(len(s) for s in sequences)
    x = np.stack([np.pad(s, (0, longest - len(s))) for s in sequences])
    mask = np.stack([np.arange(longest) < len(s) for s in sequences]).astype(np.float32)
    return (x, mask), np.array(labels)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(1, 16)
        self.fc = nn.Linear(16, 2)

    def forward(self, x, mask):
        h = F.relu(self.embed(x[:, :, np.newaxis])) * mask[:, :, np.newaxis]
        return self.fc(F.sum(h, axis=1) / mask.sum(1, keepdims=True))


fastdl.manual_seed(1)
whole = Parity(900, 0)
train, dev = random_split(whole, [700, 200], seed=0)
labels = [whole[i][1] for i in train.indices]
counts = np.bincount(labels)
weights = [1.0 / counts[y] for y in labels]
sampler = WeightedRandomSampler(weights, num_samples=len(weights), replacement=True)
loader = DataLoader(
    train, batch_size=32, sampler=sampler, collate_fn=collate, drop_last=True
)
dev_loader = DataLoader(dev, batch_size=50, collate_fn=collate)
seen = np.concatenate([y for _, y in loader]).mean()
print("share of the rare class", counts / counts.sum(), "->", seen)
assert 0.4 < seen < 0.6
model = Net()
criterion = nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=0.03)
for epoch in range(15):
    for (x, mask), y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x, mask), y)
        loss.backward()
        optimizer.step()
print(epoch, loss.item())
correct = 0
with fastdl.no_grad():
    for (x, mask), y in dev_loader:
        correct += (model(x, mask).argmax(1) == y).sum().item()
print(correct / len(dev))
assert correct / len(dev) > 0.95, correct / len(dev)
