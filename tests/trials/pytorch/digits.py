"""The MNIST tutorial of PyTorch on digits: a module class, a loop, validation,
StepLR and CosineAnnealingLR, clipping, dropout, batch norm, state_dict saved and loaded."""

import os
import tempfile

import fastdl
from fastdl import data, datasets, nn, optim
from fastdl import functional as F

fastdl.manual_seed(0)
digits = datasets.load("digits")
train, dev = data.random_split(digits.train, [0.9, 0.1])
train_loader = data.DataLoader(train, batch_size=64, shuffle=True)
dev_loader = data.DataLoader(dev, batch_size=256)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(x.shape[0], -1)
        x = self.dropout(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), axis=1)


def evaluate(model, loader):
    model.eval()
    loss, correct, count = 0.0, 0, 0
    with fastdl.no_grad():
        for images, target in loader:
            output = model(images)
            loss += F.nll_loss(output, target, reduction="sum").item()
            correct += (output.argmax(axis=1) == target).sum().item()
            count += len(target)
    return loss / count, correct / count


model = Net()
print(model)
assert sum(p.size for p in model.parameters() if p.requires_grad) == 13738
optimizer = optim.Adam(model.parameters(), lr=3e-3)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
for epoch in range(6):
    model.train()
    for batch_idx, (images, target) in enumerate(train_loader):
        optimizer.zero_grad()
        loss = F.nll_loss(model(images), target)
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
    scheduler.step()
    print(epoch, scheduler.get_last_lr()[0], evaluate(model, dev_loader))
assert abs(optimizer.param_groups[0]["lr"] - 3e-3 / 4) < 1e-9
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "digits.safetensors")
    fastdl.save_weights(model, path)
    again = Net()
    fastdl.load_weights(again, path)
again.load_state_dict(model.state_dict())
sgd = optim.SGD(again.parameters(), lr=0.1, momentum=0.9)
cosine = optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=10)
for _ in range(10):
    cosine.step()
assert cosine.get_last_lr()[0] < 0.005
test_loader = data.DataLoader(digits.test, batch_size=256)
assert evaluate(model, test_loader) == evaluate(again, test_loader)
assert evaluate(again, test_loader)[1] > 0.95
