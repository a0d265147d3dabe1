"""Normalisation of the inputs, part of the model (SPEC S16)."""

import warnings

import numpy as np
import pytest

import fastdl
from fastdl import nn
from fastdl.data import ArrayDataset, Augment, DataLoader, split
from fastdl.datasets import Splits
from fastdl.errors import ArgumentError, DataError, NonFiniteError, ShapeError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_features_get_mean_0_and_deviation_1(rng):
    """S16: mean and standard deviation per feature."""
    x = rng.normal([1, -200, 3e4], [0.1, 30, 7], (500, 3)).astype(np.float32)
    layer = nn.Standardize.fit(x)
    np.testing.assert_allclose(layer.mean, x.mean(axis=0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(layer.std, x.std(axis=0, dtype=float), rtol=1e-5)
    y = layer(x).numpy()
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-4)


@pytest.mark.parametrize("size", [3, None])
def test_fit_fits_the_layer_itself(rng, size):
    """S16: as scikit-learn's."""
    x = rng.normal(5, 2, (50, 3))
    layer = nn.Standardize(size)
    model = nn.Sequential(layer, nn.Linear(3, 2))
    assert layer.fit(x) is layer
    np.testing.assert_allclose(layer.mean, x.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(model.state_dict()["0.mean"], layer.mean)
    assert layer.examples == 50
    mean = layer.mean
    layer.fit(x[:20] + 1)  # again, from other data, into the same arrays
    np.testing.assert_allclose(mean, x[:20].mean(axis=0) + 1, rtol=1e-6)
    assert layer.examples == 20
    layer.astype(np.float64).fit(x)
    np.testing.assert_allclose(layer.mean, x.mean(axis=0), rtol=1e-12)


def test_fit_of_the_class_makes_a_layer(rng):
    x = rng.random((9, 4))
    first, second = nn.Standardize.fit(x), nn.Standardize.fit(x + 1)
    assert first is not second
    np.testing.assert_allclose(second.mean, first.mean + 1, rtol=1e-6)
    assert "training set" in nn.Standardize.fit.__doc__


def test_fit_refuses_another_number_of_features():
    layer = nn.Standardize(30)
    with pytest.raises(ShapeError, match=r"for 30 features .* but the data have 4"):
        layer.fit(np.eye(4))
    assert not layer.mean.any()
    assert layer.examples is None


def test_open_size_is_taken_from_the_first_input(tmp_path):
    model = nn.Sequential(nn.Standardize(), nn.Linear(None, 2))
    model.build((3,))
    assert model[0].num_features == 3
    nn.save(model, tmp_path / "m")
    assert nn.load(tmp_path / "m")[0].num_features == 3


def test_images_per_channel(rng):
    """S16: one pair for each channel; bytes count as [0, 1]."""
    x = rng.integers(0, 256, (40, 5, 6, 3)).astype(np.uint8)
    layer = nn.Standardize.fit(x)
    real = x / 255
    np.testing.assert_allclose(layer.mean, real.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(layer.std, real.std(axis=(0, 1, 2)), rtol=1e-6)
    y = layer(real.astype(np.float32)).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-5)


def test_dev_and_test_data_get_the_same_pair(rng):
    """S16: the pair of the training set, whatever the mode or the batch."""
    train, test = rng.normal(5, 2, (100, 4)), rng.normal(50, 9, (7, 4))
    layer = nn.Standardize.fit(train).astype(np.float64)
    expected = (test - train.mean(axis=0)) / train.std(axis=0)
    for mode in (True, False):
        layer.train(mode)
        np.testing.assert_allclose(layer(test).numpy(), expected, rtol=1e-5)
    np.testing.assert_allclose(layer(test[:1]).numpy(), expected[:1], rtol=1e-5)


def test_many_chunks_are_one_sum(rng, monkeypatch):
    x = rng.normal(1e6, 1, (1000, 2))
    whole = nn.Standardize.fit(x)
    monkeypatch.setattr("fastdl.nn.standardize._CHUNK", 14)
    parts = nn.Standardize.fit(x)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-7)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-6)
    np.testing.assert_allclose(parts.std, x.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6, -3e-5])
def test_constant_feature_does_not_divide_by_zero(value):
    """S16: it becomes 0."""
    x = np.full((1001, 2), value, np.float32)
    x[:, 1] = np.arange(1001)
    layer = nn.Standardize.fit(x)
    assert layer.std[0] == 1
    y = layer(x).numpy()
    np.testing.assert_allclose(y[:, 0], 0, atol=1e-6)
    assert y[:, 1].std() == pytest.approx(1, rel=1e-5)


def test_features_of_extreme_size(rng):
    x = rng.random((50, 2)) * [1e-45, 1e30]
    y = nn.Standardize.fit(x)(x.astype(np.float32)).numpy()
    assert np.isfinite(y).all()
    assert y[:, 1].std() == pytest.approx(1, rel=1e-3)


def test_saved_with_the_model_and_applied_in_predict(rng, tmp_path):
    """S16."""
    x = rng.normal(300, 40, (60, 4)).astype(np.float32)
    y = (x[:, 0] > 300).astype(int)
    model = nn.Sequential(nn.Standardize.fit(x), nn.Linear(4, 2))
    trainer = fastdl.Trainer(model, optimizer=lambda p: fastdl.optim.Adam(p, lr=0.1))
    trainer.fit((x, y), epochs=20)
    assert trainer.evaluate((x, y))["accuracy"] > 0.9
    trainer.save(tmp_path / "model.safetensors")
    loaded = fastdl.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(fastdl.Trainer(loaded).predict(x), trainer.predict(x))
    np.testing.assert_array_equal(loaded[0].mean, model[0].mean)
    assert not list(model[0].parameters())  # it is not trained


def test_gradient_flows_through(rng, check_gradients):
    layer = nn.Standardize.fit(rng.normal(2, 3, (20, 3))).astype(np.float64)
    check_gradients(layer, rng.random((4, 3)))


def test_data_sets_of_any_kind(rng):
    x = rng.random((30, 3))
    data = ArrayDataset(x, np.arange(30))
    for given in (data, (x, np.arange(30))):
        np.testing.assert_allclose(nn.Standardize.fit(given).mean, x.mean(axis=0))
    part, _ = split(data, (20, 10))
    np.testing.assert_allclose(nn.Standardize.fit(part).mean, part.x.mean(axis=0))
    assert nn.Standardize.fit(part).examples == 20


def test_after_augmentation(rng):
    """The augmented pictures are standardised, not the other way round."""
    x = rng.integers(0, 256, (16, 8, 8, 3)).astype(np.uint8)
    layer = nn.Standardize.fit(x)
    augment = Augment(brightness=0.1, flip=0.5)
    for batch, _ in DataLoader(x, 8, transform=augment):
        assert abs(layer(batch).numpy().mean()) < 1


# Too much, or nothing to fit on -------------------------------------------------------


def test_of_whole_splits_only_the_training_part_counts(rng):
    """S16: it warns, and leaves the test data alone."""
    train, test = rng.random((20, 3)), rng.random((10, 3)) + 5
    splits = Splits("toy", ArrayDataset(train), ArrayDataset(test), ("a",))
    with pytest.warns(UserWarning, match="got the test data too"):
        layer = nn.Standardize.fit(splits)
    np.testing.assert_allclose(layer.mean, train.mean(axis=0), rtol=1e-6)


def test_training_warns_when_more_than_the_training_set_was_seen(rng):
    """S16: fitted before the dev set was split off."""
    x, y = rng.random((40, 3), np.float32), np.arange(40) % 2

    def fit(layer, train):
        model = nn.Sequential(layer, nn.Linear(3, 2))
        fastdl.Trainer(model).fit(train)

    train, _ = split((x, y), (30, 10))
    with pytest.warns(UserWarning, match="40 examples, .* training set has 30"):
        fit(nn.Standardize.fit(x), train)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(nn.Standardize.fit(train), train)
        fit(nn.Standardize.fit(x).freeze(), train)  # statistics of another task


def test_training_warns_when_the_layer_was_never_fitted(rng):
    x, y = rng.random((8, 3), np.float32) + 3, np.arange(8) % 2
    model = nn.Sequential(nn.Standardize(3), nn.Linear(3, 2))
    with pytest.warns(UserWarning, match=r"layer '0' .* not fitted.*\.fit\(train\)"):
        fastdl.Trainer(model).fit((x, y))
    model[0].load_state_dict(nn.Standardize.fit(x).state_dict())
    fastdl.Trainer(model).fit((x, y))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_finite_is_named(bad):
    x = np.zeros((10, 4))
    x[7, 2] = bad
    with pytest.raises(NonFiniteError, match=r"NaN or infinity in feature .* 2;"):
        nn.Standardize.fit(x)


def test_mistakes():
    with pytest.raises(DataError, match="empty"):
        nn.Standardize.fit(np.zeros((0, 3)))
    with pytest.raises(ShapeError, match=r"use x\[:, np.newaxis\]"):
        nn.Standardize.fit(np.zeros(5))
    layer = nn.Standardize.fit(np.eye(3))
    with pytest.raises(ShapeError, match="fitted on 3 features or channels, got x of"):
        layer(np.zeros((2, 4), np.float32))
    with pytest.raises(ShapeError, match="num_features"):
        nn.Standardize(0)
    with pytest.raises(ShapeError, match=r"got \(n,\)"):
        nn.Standardize()(np.zeros(3, np.float32))


def test_fit_on_several_inputs_names_them():
    data = {"left": np.ones((4, 2)), "right": np.ones((4, 3))}
    with pytest.raises(ArgumentError, match=r"several inputs, x\['left'\]"):
        nn.Standardize().fit(data)
