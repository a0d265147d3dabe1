"""Targets of uint8: pictures are scaled, masks are not, and doubts are refused."""

from functools import partial

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import nn, optim
from fastdl.data import DataLoader
from fastdl.errors import ArgumentError, FastdlError
from fastdl.train import Trainer

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (8, 4, 4, 1), np.uint8)
OTHERS = RNG.integers(0, 256, PICTURES.shape, np.uint8)
MASKS = RNG.integers(0, 2, PICTURES.shape, np.uint8)
LOSSES = [
    nn.MSELoss(),
    F.mse_loss,
    partial(F.mse_loss, reduction="mean"),
    nn.L1Loss(),
    partial(F.huber_loss, delta=2.0),
]


def one_to_one(loss=None):
    return Trainer(nn.Sequential(nn.Conv2d(1, 1, 1)), loss or nn.MSELoss())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_masks_are_no_pictures(loss, method):
    with pytest.raises(ArgumentError, match=r"pictures or masks\?.*astype\(np.float32"):
        getattr(one_to_one(loss), method)(PICTURES, MASKS)


def test_masks_of_the_validation_are_refused_before_the_first_step():
    trainer = one_to_one()
    with pytest.raises(ArgumentError, match="pictures or masks"):
        trainer.fit(PICTURES, OTHERS, validation=(PICTURES, MASKS))
    assert len(trainer.history) == 0


@pytest.mark.parametrize("loss", LOSSES)
def test_other_bytes_of_the_shape_of_x_are_scaled(loss):
    trainer = one_to_one(loss)
    expected = trainer.evaluate(PICTURES, OTHERS / np.float32(255))
    assert trainer.evaluate(PICTURES, OTHERS) == pytest.approx(expected)


def test_an_own_loss_gets_bytes_of_another_shape_as_they_are():
    seen = []

    def loss(outputs, y):
        seen.append(y)
        return F.mse_loss(outputs.mean(axis=(1, 2, 3)), y.mean(axis=(1, 2)) / 255)

    squares = OTHERS[:, :2, :2, 0]
    one_to_one(loss).evaluate(PICTURES, squares)
    np.testing.assert_array_equal(seen[-1], squares, strict=True)


def test_dark_pictures_at_the_beginning_are_pictures():
    """The whole set tells."""
    y = OTHERS.copy()
    y[:4] = 0
    trainer = one_to_one()
    expected = trainer.evaluate(PICTURES, y / np.float32(255))["loss"]
    measured = trainer.evaluate(DataLoader((PICTURES, y), 2))["loss"]
    assert measured == pytest.approx(expected)
    trainer.fit(DataLoader((PICTURES, y), 2))


def test_a_transform_may_make_masks():
    def threshold(x, y, seeds):
        return x, (y > 128).astype(np.uint8)

    with pytest.raises(ArgumentError, match="pictures or masks"):
        one_to_one().fit(DataLoader((PICTURES, OTHERS), 2, transform=threshold))


def test_x_itself_is_scaled_whatever_it_holds():
    trainer = one_to_one()
    expected = trainer.evaluate(MASKS, MASKS / np.float32(255))
    assert trainer.evaluate(MASKS, MASKS) == pytest.approx(expected)
    trainer.fit(MASKS, MASKS)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_pictures_of_another_shape_are_refused(loss, method):
    """Of super-resolution, colouring: x would be scaled, and y not."""
    model = nn.Sequential(nn.Conv2d(1, 3, 1))
    colours = RNG.integers(0, 256, (8, 4, 4, 3), np.uint8)
    with pytest.raises(ArgumentError, match=r"as_float\(y\).*y.astype\(np.float32\)"):
        getattr(Trainer(model, loss), method)(PICTURES, colours)


def test_masks_stay_masks_under_the_binary_cross_entropy():
    trainer = one_to_one(nn.BCEWithLogitsLoss())
    expected = trainer.evaluate(PICTURES, MASKS.astype(np.float32))
    assert trainer.evaluate(PICTURES, MASKS) == expected


@pytest.mark.parametrize("mark", [255, None])
def test_classes_of_pixels(mark):
    """A network of pixels learns the classes of masks; marked pixels do not count."""
    x = RNG.random((16, 4, 4, 3)).astype(np.float32)
    classes = x.argmax(-1).astype(np.uint8)
    masks = classes.copy()
    if mark is not None:
        masks[:, 0] = mark
    trainer = Trainer(
        nn.Conv2d(3, 3, 1),
        nn.CrossEntropyLoss(ignore_index=mark),
        partial(optim.Adam, lr=0.3),
        metrics=(),
    )
    trainer.fit(x, masks, epochs=20, batch_size=4)
    predicted = trainer.model(x).numpy().argmax(-1)
    assert (predicted == classes).mean() > 0.9
    rows = slice(1 if mark else 0, None)
    expected = F.cross_entropy(trainer.model(x)[:, rows], classes[:, rows]).item()
    measured = trainer.evaluate((x, masks), batch_size=3)["loss"]
    assert measured == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(8, int), "end it with a Flatten"),
        (np.zeros((8, 4, 5), int), r"fit: training labels: expected labels of shape"),
        (np.full((8, 4, 4), 3), r"fit: training labels: expected labels from 0 to 2"),
        (np.full((8, 4, 4), 255), "ignore_index=255. leaves"),
    ],
)
def test_classes_of_pixels_that_do_not_fit(y, message):
    trainer = Trainer(nn.Conv2d(1, 3, 1), nn.CrossEntropyLoss())
    with pytest.raises(FastdlError, match=message):
        trainer.fit(PICTURES, y)
