"""One rule for bytes: pictures are scaled to [0, 1]; labels, masks, tables never."""

from functools import partial

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn, optim, train
from fastdl.data import ArrayDataset, DataLoader, Subset, as_float
from fastdl.errors import ArgumentError, DtypeError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (12, 6, 6, 1), np.uint8)
UNIT = PICTURES / np.float32(255)
GREY = PICTURES[..., 0]
TABLE = RNG.integers(0, 256, (12, 5), np.uint8)
ONE_HOT = np.eye(3, dtype=np.uint8)[np.arange(12) % 3]
MASKS = (PICTURES > 99).astype(np.uint8)


def convnet():
    fastdl.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(None, 3)
    )


def autoencoder(kind=nn.Conv2d):
    fastdl.manual_seed(0)
    return kind(1, 1, 3, padding=1)


def loss_after(x, y, loss, model=None):
    trainer = train.Trainer(model or autoencoder(), loss, partial(optim.SGD, lr=0.01))
    trainer.fit(x, y, epochs=2, batch_size=5)
    return trainer.history["loss"]


class OneByOne:
    """A data set that is no array."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.x)

    def take(self, indices):
        return self.x[indices], self.y[indices]


# What is a picture -------------------------------------------------------------------


@pytest.mark.parametrize("x", [PICTURES, GREY, PICTURES.repeat(3, -1), PICTURES[0]])
def test_pictures_are_scaled(x):
    assert as_float(x).dtype == np.float32
    np.testing.assert_array_equal(as_float(x), x / np.float32(255))


@pytest.mark.parametrize(
    "x",
    [
        TABLE,
        ONE_HOT,
        np.arange(9, dtype=np.uint8),
        PICTURES.astype(np.int64),
        PICTURES > 9,
        UNIT,
    ],
    ids=["table", "one-hot", "labels", "int64", "bool", "float32"],
)
def test_all_else_is_left_as_it_is(x):
    assert as_float(x) is x


# Where x is taken ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        lambda x: x,
        lambda x: ArrayDataset(x),
        lambda x: Subset(ArrayDataset(x), np.arange(12)),
        lambda x: OneByOne(x, x[:, 0]),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    ],
    ids=["array", "data set", "subset", "own data set", "view"],
)
def test_the_loader_scales_pictures_and_leaves_tables(source):
    (x, *_), *_ = DataLoader(source(PICTURES), 12)
    np.testing.assert_array_equal(x, UNIT)
    (x, *_), *_ = DataLoader(source(TABLE), 12)
    assert x.dtype == np.uint8
    np.testing.assert_array_equal(x, TABLE)


def test_a_model_takes_bytes_as_predict_does():
    model = convnet().eval()
    expected = model(UNIT).numpy()
    np.testing.assert_array_equal(model(PICTURES).numpy(), expected)
    predicted = train.Trainer(model).predict(PICTURES)
    np.testing.assert_array_equal(predicted, expected)


def test_a_model_of_open_size_takes_bytes():
    fastdl.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(None, 2, 3), nn.Flatten(), nn.Linear(None, 3))
    one = model(PICTURES).numpy()
    np.testing.assert_array_equal(one, model(UNIT).numpy())


def test_a_table_of_bytes_is_numbers_everywhere():
    model = nn.Linear(5, 3)
    expected = model(TABLE.astype(np.float32)).numpy()
    np.testing.assert_array_equal(model(TABLE).numpy(), expected)
    predicted = train.Trainer(model).predict(TABLE)
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)


class Two(nn.Module):
    def forward(self, a, b, scale=1.0):
        return (fastdl.Tensor(a) - fastdl.Tensor(b)) * scale


def test_a_model_of_two_pictures():
    other = PICTURES[::-1]
    expected = UNIT - UNIT[::-1]
    np.testing.assert_array_equal(Two()(PICTURES, other).numpy(), expected)
    np.testing.assert_array_equal(Two()(a=PICTURES, b=other).numpy(), expected)


class Dice(nn.Module):
    """A loss of one's own, on masks."""

    def forward(self, outputs, masks):
        assert masks.dtype == np.uint8
        return (outputs * masks.astype(np.float32)).sum()


def test_a_loss_gets_masks_as_they_are():
    outputs = autoencoder()(UNIT)
    expected = (outputs.numpy() * MASKS).sum()
    assert Dice()(outputs, MASKS).item() == pytest.approx(expected, rel=1e-5)
    yes_no = nn.BCEWithLogitsLoss()
    assert yes_no(outputs, MASKS).item() == yes_no(outputs, MASKS * 1.0).item()


def test_standardize_counts_as_the_model_will():
    pictures, table = nn.Standardize.fit(PICTURES), nn.Standardize.fit(TABLE)
    np.testing.assert_allclose(pictures.mean, UNIT.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(table.mean, TABLE.mean(0), rtol=1e-5)
    np.testing.assert_allclose(pictures(PICTURES).numpy().mean(), 0, atol=1e-5)
    np.testing.assert_allclose(table(TABLE).numpy().mean(0), 0, atol=1e-5)


# y ------------------------------------------------------------------------------------


def test_labels_and_one_hot_rows_are_never_scaled():
    for y in (ONE_HOT, ONE_HOT.argmax(1).astype(np.uint8), MASKS):
        (_, got), *_ = DataLoader((PICTURES, y), 12)
        assert got.dtype == y.dtype
        np.testing.assert_array_equal(got, y)
    expected = loss_after(UNIT, ONE_HOT.argmax(1), None, convnet())
    assert loss_after(PICTURES, ONE_HOT, None, convnet()) == pytest.approx(expected)


@pytest.mark.parametrize(
    "view",
    [lambda x: x, lambda x: x[2:9], lambda x: x[::2]],
    ids=["all", "part", "2nd"],
)
def test_an_autoencoder_gets_its_input_as_target(view):
    """Both are the same array, which cannot be anything but pictures."""
    part = ArrayDataset(view(PICTURES), view(PICTURES))
    for data in (part, Subset(part, slice(None))):
        (x, y), *_ = DataLoader(data, 12)
        np.testing.assert_array_equal(x, view(UNIT))
        np.testing.assert_array_equal(y, view(UNIT))
        assert not np.shares_memory(x, y)


@pytest.mark.parametrize("loss", [nn.MSELoss(), F.mse_loss], ids=["layer", "function"])
@pytest.mark.parametrize("y", [PICTURES, PICTURES.copy()], ids=["same", "another"])
def test_targets_of_a_regression_are_scaled_like_x(loss, y):
    expected = loss_after(UNIT, UNIT, nn.MSELoss())
    assert expected[0] < 2
    assert loss_after(PICTURES, y, loss) == pytest.approx(expected, rel=1e-6)
    trainer = train.Trainer(autoencoder(), loss)
    assert trainer.evaluate(PICTURES, y) == pytest.approx(
        trainer.evaluate(UNIT, UNIT), rel=1e-6
    )


def test_tables_as_targets_are_numbers():
    y = TABLE[:, :1]
    model = [nn.Sequential(nn.Flatten(), nn.Linear(36, 1)) for _ in range(2)]
    model[1].load_state_dict(model[0].state_dict())
    expected = loss_after(UNIT, y.astype(np.float32), nn.MSELoss(), model[0])
    assert loss_after(PICTURES, y, nn.MSELoss(), model[1]) == pytest.approx(expected)


def test_masks_of_the_shape_of_x_are_never_scaled():
    loss = nn.BCEWithLogitsLoss()
    expected = loss_after(UNIT, MASKS.astype(np.float32), loss)
    assert loss_after(PICTURES, MASKS, loss) == pytest.approx(expected, rel=1e-6)
    by_function = F.binary_cross_entropy_with_logits
    assert loss_after(PICTURES, MASKS, by_function) == pytest.approx(expected, rel=1e-6)


def test_an_autoencoder_under_the_binary_cross_entropy():
    loss = nn.BCEWithLogitsLoss()
    expected = loss_after(UNIT, UNIT, loss)
    assert loss_after(PICTURES, PICTURES, loss) == pytest.approx(expected, rel=1e-6)


def test_pictures_or_masks_a_loss_of_ones_own_has_to_be_told():
    def absolute(outputs, y):
        return (outputs - y).abs().mean()

    trainer = train.Trainer(autoencoder(), absolute)
    before = trainer.model.state_dict()
    with pytest.raises(ArgumentError, match=r"as_float\(y\).*y.astype\(np.float32\)"):
        trainer.fit(PICTURES, PICTURES.copy())
    np.testing.assert_array_equal(before["weight"], trainer.model.weight.data)
    told = loss_after(PICTURES, as_float(PICTURES), absolute)
    assert loss_after(PICTURES, PICTURES, absolute) == pytest.approx(told, rel=1e-6)


def test_the_squared_error_refuses_bytes_that_may_be_pictures():
    """In a loop of one's own nobody else compares y with x."""
    outputs = autoencoder()(UNIT)
    with pytest.raises(DtypeError, match=r"mse_loss: .*as_float.*astype\(np.float32\)"):
        F.mse_loss(outputs, PICTURES)
    numbers = nn.Linear(5, 5)(TABLE)
    assert F.mse_loss(numbers, TABLE).item() == pytest.approx(
        np.square(numbers.numpy() - TABLE).mean(), rel=1e-5
    )


def test_gradcheck_takes_bytes_as_fit_does():
    loss = nn.MSELoss()
    cost = train.gradcheck(autoencoder(), loss, PICTURES, PICTURES.copy()).cost
    assert cost == pytest.approx(train.gradcheck(autoencoder(), loss, UNIT, UNIT).cost)

    def absolute(outputs, y):
        return (outputs - y).abs().mean()

    same = train.gradcheck(autoencoder(), absolute, PICTURES, PICTURES)
    assert same.cost == pytest.approx(
        train.gradcheck(autoencoder(), absolute, UNIT, UNIT).cost
    )
