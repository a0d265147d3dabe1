"""Several labels at once (BCEWithLogitsLoss with pos_weight, BCELoss), NLLLoss after
LogSoftmax, ignore_index, and a segmentation of pixels by a small fully convolutional net."""

import numpy as np

import fastdl
import fastdl.functional as F
import fastdl.nn as nn
import fastdl.optim as optim

fastdl.manual_seed(0)
rng = np.random.default_rng(0)
x = rng.standard_normal((512, 6)).astype("float32")
y = (x @ rng.standard_normal((6, 3)) - 1.0 > 0).astype("float32")
pos_weight = (y == 0).sum(0) / y.sum(0)
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
optimizer = optim.Adam(model.parameters(), lr=0.02)
for step in range(100):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
with fastdl.no_grad():
    p = F.sigmoid(model(x))
    accuracy = ((p > 0.5) == y).mean().item()
assert accuracy > 0.95, accuracy
plain = nn.BCEWithLogitsLoss()(model(x), y)
assert np.allclose(plain.item(), nn.BCELoss()(F.sigmoid(model(x)), y).item(), atol=1e-5)
assert nn.BCEWithLogitsLoss(reduction="none")(model(x), y).shape == y.shape

logits = fastdl.tensor(rng.standard_normal((8, 5)), requires_grad=True)
target = np.array([0, 1, 2, 3, 4, -100, -100, 0])
a = nn.CrossEntropyLoss(ignore_index=-100)(logits, target)
b = nn.NLLLoss(ignore_index=-100)(nn.LogSoftmax()(logits), target)
assert abs(a.item() - b.item()) < 1e-6
c = F.cross_entropy(
    logits,
    target,
    class_weight=[1.0, 2, 3, 4, 5],
    label_smoothing=0.1,
    ignore_index=-100,
)
c.backward()
assert abs(logits.grad[5]).sum() == 0 and abs(logits.grad[0]).sum() > 0

# segmentation: is the pixel inside the bright square? the border is not scored (255)
images = 0.3 * rng.standard_normal((64, 16, 16, 1)).astype("float32")
masks = np.zeros((64, 16, 16), dtype="int64")
for i in range(64):
    r, k = rng.integers(2, 8, 2)
    images[i, r : r + 6, k : k + 6, 0] += 1
    masks[i, r : r + 6, k : k + 6] = 1
masks[:, 0, :] = masks[:, -1, :] = 255
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1),
    nn.ReLU(),
    nn.Upsample(scale_factor=2),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 2, 1),
)
criterion = nn.CrossEntropyLoss(ignore_index=255, class_weight=[1.0, 3.0])
optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
for epoch in range(30):
    optimizer.zero_grad()
    out = net(images)
    loss = criterion(out, masks)
    loss.backward()
    optimizer.step()
assert out.shape == (64, 16, 16, 2)
net.eval()
pred = net(images).argmax(axis=-1)
inter = ((pred == 1) & (masks == 1)).sum().item()
union = (((pred == 1) | (masks == 1)) & (masks != 255)).sum().item()
print("loss", loss.item(), "IoU", inter / union)
assert inter / union > 0.8
