"""A Keras user's fourth script: data that come from folders and generators.

He wanted image_dataset_from_directory with an image_size, augmentation, a Sequence of
his own, and a generator without an end with steps_per_epoch.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import fastdl
from fastdl import data, datasets, nn, optim

fastdl.manual_seed(0)
rng = np.random.default_rng(0)
folder = Path(tempfile.mkdtemp())
for part, count in (("train", 40), ("val", 10), ("test", 15)):
    for name in ("upright", "lying"):
        (folder / part / name).mkdir(parents=True)
        for i in range(count):
            picture = rng.integers(0, 90, (24, 30, 3), dtype=np.uint8)
            at = rng.integers(6, 18)
            if name == "upright":
                picture[:, at : at + 4] += 150
            else:
                picture[at : at + 4] += 150
            Image.fromarray(picture).save(folder / part / name / f"{i}.png")

# image_dataset_from_directory(folder, image_size=(16, 16)): all parts at once.
pictures = datasets.image_folder(folder, size=(16, 16))
augment = data.Augment(flip=0.5, translate=0.1, brightness=0.1)
loader = data.DataLoader(pictures.train, batch_size=16, shuffle=True, transform=augment)

model = nn.Sequential(
    nn.Conv2d(None, 8, 3, padding="same"),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(None, 16, 3, padding="same"),
    nn.ReLU(),
    nn.GlobalAvgPool2d(),
    nn.Linear(None, 2),
)
trainer = fastdl.Trainer(model, optimizer=partial(optim.Adam, lr=0.01))
trainer.fit(loader, epochs=10, validation=pictures.dev)
result = trainer.evaluate(pictures.test)
print(pictures.classes, result)


# A keras.utils.Sequence returns batches; here an object returns single examples.
class Noisy:
    """Digits with noise that is new each time."""

    def __init__(self, part, count):
        self.x, self.y = part.x[:count], part.y[:count]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        noise = rng.normal(0, 0.1, self.x[i].shape)
        return (self.x[i] + noise).astype("float32"), self.y[i]


digits = datasets.load("digits")
network = nn.Sequential(
    nn.Flatten(), nn.Linear(None, 32), nn.ReLU(), nn.Linear(None, 10)
)
of_digits = fastdl.Trainer(network, optimizer=partial(optim.Adam, lr=0.003))
of_digits.fit(Noisy(digits.train, 1000), epochs=3)


# A generator without an end: fit refuses it, so each "epoch" is cut by hand.
def generate(batch_size=50):
    while True:
        rows = rng.integers(0, len(digits.train.y), batch_size)
        yield digits.train.x[rows], digits.train.y[rows]


batches = generate()
for _ in range(3):  # steps_per_epoch=20, epochs=3
    parts = [next(batches) for _ in range(20)]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts))
    of_digits.fit(x, y, epochs=1, batch_size=50)
accuracy = of_digits.evaluate(digits.test)["accuracy"]
print(accuracy)

assert pictures.train.x.shape == (80, 16, 16, 3)
assert tuple(pictures.classes) == ("lying", "upright")
assert result["accuracy"] > 0.9, result
assert accuracy > 0.88, accuracy
assert len(of_digits.history["loss"]) == 6
