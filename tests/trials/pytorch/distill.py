"""A residual network of one's own with a Parameter that scales, distilled into a small one
(KLDivLoss at a temperature), with gradient accumulation, warm-up and features by a hook."""

import numpy as np

import fastdl
from fastdl import data, datasets, nn, optim
from fastdl import functional as F

fastdl.manual_seed(0)
digits = datasets.load("digits")


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.scale = nn.Parameter(np.zeros(channels, "float32"))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(x + self.scale * self.conv2(out))


class Teacher(nn.Module):
    def __init__(self, width=12, depth=2):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.ModuleList([Residual(width) for _ in range(depth)])
        self.head = nn.Linear(width * 4, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(F.flatten(F.adaptive_avg_pool2d(x, 2), 1))


def accuracy(model):
    model.eval()
    with fastdl.no_grad():
        return (model(digits.test.x).argmax(1) == digits.test.y).mean()


teacher = Teacher()
print(sum(p.size for p in teacher.parameters()))
assert [n for n, _ in teacher.named_parameters()][2] == "blocks.0.scale"
optimizer = optim.SGD(
    teacher.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
)
loader = data.DataLoader(digits.train, batch_size=32, shuffle=True, drop_last=True)
scheduler = optim.Scheduler(
    optimizer, optim.Cosine(0.1, total=3 * len(loader), warmup=20)
)
for epoch in range(3):
    teacher.train()
    for step, (x, y) in enumerate(loader):
        loss = F.cross_entropy(teacher(x), y, label_smoothing=0.05) / 2
        loss.backward()
        if step % 2 == 1:  # two batches, one step
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()
print("teacher", accuracy(teacher), "rate", optimizer.param_groups[0]["lr"])
assert accuracy(teacher) > 0.92

student = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
optimizer = optim.AdamW(student.parameters(), lr=5e-3)
kl, T = nn.KLDivLoss(), 3.0
features = {}
handle = teacher.blocks[-1].register_forward_hook(
    lambda m, i, o: features.update(last=o.detach())
)
teacher.eval()
for epoch in range(6):
    student.train()
    for x, y in loader:
        with fastdl.no_grad():
            soft = F.softmax(teacher(x) / T)
        out = student(x)
        loss = T * T * kl(F.log_softmax(out / T), soft) + F.cross_entropy(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
handle.remove()
assert features["last"].shape == (32, 8, 8, 12)
print("student", accuracy(student))
assert accuracy(student) > 0.88
