"""Course 4, week 2: the identity block of a ResNet, by hand, in a network, and checked.

The student wants the block of the exercise as a class, to see that it is the identity (then
ReLU) when its weights are 0, that it learns, and that its gradients are right.
"""

import numpy as np

import fastdl
from fastdl import datasets, nn
from fastdl import functional as F

np.random.seed(1)


class IdentityBlock(nn.Module):
    """X -> 1x1, BN, ReLU -> fxf "same", BN, ReLU -> 1x1, BN -> + X -> ReLU."""

    def __init__(self, channels, f, filters):
        f1, f2, f3 = filters
        self.conv_a, self.bn_a = nn.Conv2d(channels, f1, 1), nn.BatchNorm2d(f1)
        self.conv_b, self.bn_b = (
            nn.Conv2d(f1, f2, f, padding="same"),
            nn.BatchNorm2d(f2),
        )
        self.conv_c, self.bn_c = nn.Conv2d(f2, f3, 1), nn.BatchNorm2d(f3)

    def forward(self, x):
        a = F.relu(self.bn_a(self.conv_a(x)))
        a = F.relu(self.bn_b(self.conv_b(a)))
        return F.relu(self.bn_c(self.conv_c(a)) + x)


block = IdentityBlock(6, 2, [4, 4, 6]).astype("float64")
X = np.random.randn(3, 4, 4, 6)
out = block(X)
assert out.shape == X.shape and out.numpy().min() == 0
for name, p in block.named_parameters():
    if "conv" in name:
        p.data[...] = 0
assert np.allclose(block(X).numpy(), np.maximum(X, 0))
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding="same"),
    nn.ReLU(),
    IdentityBlock(16, 3, [8, 8, 16]),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(None, 10),
)
check = fastdl.gradcheck(
    net, nn.CrossEntropyLoss(), np.random.randn(4, 8, 8, 1), np.arange(4), sample=4
)
assert check.verdict == "great"
assert "1.bn_a" not in net.summary((8, 8, 1)) and "2.bn_a" in net.summary((8, 8, 1))
digits = datasets.load("digits")
trainer = fastdl.Trainer(net)
trainer.fit(digits.train.x[:1000], digits.train.y[:1000], epochs=6)
assert trainer.evaluate(digits.test)["accuracy"] > 0.85
