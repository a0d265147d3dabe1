"""Train a convolutional network on real handwriting with the Trainer.

8 x 8 pictures of digits, written by 43 people; those in the test set wrote none of the
training set. The data ship with fastdl. Takes a few seconds on two cores.

    python examples/train_digits.py
"""

from functools import partial
from pathlib import Path

import numpy as np

import fastdl
from fastdl import data, datasets, metrics, nn, optim
from fastdl.train import Schedule


def network(classes: int) -> nn.Sequential:
    """Return two convolutions with batch norm, and a dense layer."""
    return nn.Sequential(
        nn.Conv2d(None, 32, 3, padding="same", bias=False),  # batch norm has its own
        nn.BatchNorm2d(None),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(None, 64, 3, padding="same", bias=False),
        nn.BatchNorm2d(None),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(None, classes),
    )


def main(epochs: int = 20, folder: str = "runs/examples/train_digits") -> float:
    """Train, test, save, load and predict; return the test accuracy."""
    fastdl.manual_seed(0)
    digits = datasets.load("digits")
    train, dev = data.split(digits.train, (0.9, 0.1), seed=0, stratify=True)

    model = network(len(digits.classes))
    print(model.summary((8, 8, 1)))

    trainer = fastdl.Trainer(model, optimizer=partial(optim.Adam, lr=0.003))
    trainer.fit(
        train,
        epochs=epochs,
        batch_size=64,
        validation=dev,
        callbacks=[Schedule(optim.Cosine(0.003))],
        progress=True,
    )

    result = trainer.evaluate(digits.test)
    print(f"\ntest: loss {result['loss']:.4f}, accuracy {result['accuracy']:.2%}")
    logits = trainer.predict(digits.test)
    print(metrics.confusion_matrix(digits.test.y, logits))  # rows: the true digit

    path = Path(folder, "model.safetensors")
    trainer.save(path)
    again = fastdl.Trainer(fastdl.load(path))
    probabilities = again.predict(digits.test.x[:5], probabilities=True)
    print(f"first five: {probabilities.argmax(axis=1)}, in truth {digits.test.y[:5]}")
    assert np.array_equal(probabilities.argmax(axis=1), logits[:5].argmax(axis=1))
    return result["accuracy"]


if __name__ == "__main__":
    main()
