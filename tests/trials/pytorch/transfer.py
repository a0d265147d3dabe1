"""Transfer: a state_dict with names like torchvision's, layers frozen, a new head,
two parameter groups with rates of their own."""

import numpy as np

import fastdl
from fastdl import data, datasets, interop, nn, optim
from fastdl import functional as F

fastdl.manual_seed(0)


class Backbone(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Conv2d(16, 32, kernel_size=3, padding=1),
            nn.ReLU(),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Linear(32 * 4, num_classes)

    def forward(self, x):
        x = self.avgpool(self.features(x))
        return self.classifier(F.flatten(x, 1))


def fit(model, optimizer, train, epochs):
    for _ in range(epochs):
        model.train()
        for x, y in data.DataLoader(train, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()


def accuracy(model, test):
    model.eval()
    with fastdl.no_grad():
        hits = [
            (model(x).argmax(1) == y).mean()
            for x, y in data.DataLoader(test, batch_size=500)
        ]
    return float(np.mean(hits))


digits = datasets.load("digits")
parity = data.ArrayDataset(digits.train.x, digits.train.y % 2)
source = Backbone(2)
fit(source, optim.Adam(source.parameters(), lr=3e-3), parity, 3)
source.build((8, 8, 1))
state = interop.torch_state(source)
assert state["features.0.weight"].shape == (16, 1, 3, 3)  # PyTorch's layout
assert "features.1.running_mean" in state and "features.1.num_batches_tracked" in state

target = Backbone(10)
target.build((8, 8, 1))
interop.load_torch_state(target, state, skip="classifier")
target.features.freeze()
frozen = target.features[0].weight.data.copy()
optimizer = optim.SGD(
    filter(lambda p: p.requires_grad, target.parameters()), lr=0.1, momentum=0.9
)
fit(target, optimizer, digits.train, 2)
assert (target.features[0].weight.data == frozen).all()
head_only = accuracy(target, digits.test)
target.unfreeze()
optimizer = optim.AdamW(
    [
        {"params": target.features.parameters(), "lr": 1e-3},
        {"params": target.classifier.parameters()},
    ],
    lr=1e-2,
    weight_decay=1e-4,
)
assert [g["lr"] for g in optimizer.param_groups] == [1e-3, 1e-2]
fit(target, optimizer, digits.train, 5)
print("head only", head_only, "all", accuracy(target, digits.test))
assert accuracy(target, digits.test) > max(0.93, head_only)
target.classifier = nn.Linear(target.classifier.in_features, 2)
assert target(np.zeros((1, 8, 8, 1), "float32")).shape == (1, 2)
