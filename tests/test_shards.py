"""Parts of a batch compute what the whole does: simulated, each part in a thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from fastdl import data, nn, shards
from fastdl import functional as F
from fastdl.autograd import Tensor
from fastdl.shards import Shard, bounds, spread, using


@pytest.mark.parametrize("total", [0, 1, 3, 4, 7, 32])
@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_parts_cover_a_batch(total, parts):
    places = [bounds(total, part, parts) for part in range(parts)]
    examples = [i for first, end in places for i in range(first, end)]
    assert examples == list(range(total))
    sizes = [end - first for first, end in places]
    assert max(sizes) - min(sizes) <= 1


def test_numbers_of_a_part():
    assert spread(12) == (0, 12)
    with using(Shard(first=4, count=3, total=10)):
        assert spread(12) == (16, 40)  # four an example
        assert spread(7) == (0, 7)  # not about examples
    assert shards.current() is None


def in_parts(function, total, parts):
    """Return what each part's ``function(first, end)`` returns, computed at once."""
    barrier, numbers = Barrier(parts, timeout=60), [None] * parts

    def compute(part):
        def gather(own):
            numbers[part] = own
            barrier.wait()
            everyone = np.stack(numbers)
            barrier.wait()
            return everyone

        first, end = bounds(total, part, parts)
        with using(Shard(first, end - first, total, gather)):
            return function(*((first, end) if first < end else (0, 1)))

    with ThreadPoolExecutor(parts) as pool:
        return list(pool.map(compute, range(parts)))


@pytest.mark.parametrize("shape", [(10, 6), (10, 3, 3, 4), (10, 5, 2)])
@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.4), nn.Dropout2d(0.4), nn.DropPath(0.4)], ids=repr
)
def test_dropout_of_parts(layer, shape):
    if isinstance(layer, nn.Dropout2d) and len(shape) != 4:
        pytest.skip("takes pictures")
    x = np.ones(shape)
    layer.train()
    layer.random_state[:] = 7, 3
    whole = layer(x).numpy()
    after = layer.random_state.copy()
    for part in range(3):
        layer.random_state[:] = 7, 3
        first, end = bounds(10, part, 3)
        with using(Shard(first, end - first, 10)):
            np.testing.assert_array_equal(layer(x[first:end]).numpy(), whole[first:end])
        np.testing.assert_array_equal(layer.random_state, after)


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("parts", [2, 3, 8])
@pytest.mark.usefixtures("each_backend")
def test_batch_norm_of_parts(parts, activation):
    rng = np.random.default_rng(0)
    total = 7  # of 8 parts one is empty
    x = rng.normal(3, 2, (total, 3, 3, 5))
    dy, residual = rng.normal(size=(2, *x.shape))
    start = rng.random((2, 5))

    def compute(first, end):
        layer = nn.BatchNorm2d(5).astype(np.float64)
        layer.weight.data[...], layer.bias.data[...] = start
        part = Tensor(x[first:end], requires_grad=True)
        y = layer(part, activation=activation, residual=residual[first:end])
        shard = shards.current()
        counts = shard is None or shard.count > 0
        y.backward(dy[first:end] * counts)
        moments = layer.running_mean, layer.running_var
        return y.numpy(), part.grad, layer.weight.grad, layer.bias.grad, *moments

    y, dx, dweight, dbias, mean, var = compute(0, total)
    found = in_parts(compute, total, parts)
    for part, (y_, dx_, _, _, mean_, var_) in enumerate(found):
        first, end = bounds(total, part, parts)
        if first < end:
            np.testing.assert_allclose(y_, y[first:end], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(dx_, dx[first:end], rtol=1e-11, atol=1e-12)
        else:
            np.testing.assert_array_equal(dx_, 0)
        np.testing.assert_allclose(mean_, mean, rtol=1e-13)
        np.testing.assert_allclose(var_, var, rtol=1e-12)
    np.testing.assert_allclose(sum(each[2] for each in found), dweight, rtol=1e-11)
    np.testing.assert_allclose(sum(each[3] for each in found), dbias, rtol=1e-11)


def test_one_example_of_a_batch_has_a_variance():
    layer = nn.BatchNorm1d(2)
    x = np.array([[1.0, 5.0], [3.0, 1.0]], np.float32)
    y = in_parts(lambda first, end: layer(x[first:end]).numpy(), 2, 2)
    np.testing.assert_allclose(np.concatenate(y), [[-1, 1], [1, -1]], atol=1e-4)


def test_batch_norm_of_parts_alone():
    """Without gather each part has statistics of its own."""
    x = np.random.default_rng(0).normal(size=(6, 3))
    with using(Shard(0, 4, 6)):
        y = F.batch_norm(x[:4], np.zeros(3), np.ones(3), training=True)
    np.testing.assert_allclose(y.numpy().mean(axis=0), 0, atol=1e-12)


def scaled(x, y, seeds):
    """Depend on the example alone."""
    factor = 1 + data.uniform(seeds, 1).astype(x.dtype)
    return x * factor.reshape(-1, *(1,) * (x.ndim - 1)), y


def shifted(x, y, seeds):
    """Depend on the whole batch."""
    return x + x.mean(), y


@pytest.mark.parametrize("transform", [None, data.Augment(flip=0.5), scaled, shifted])
@pytest.mark.parametrize("parts", [2, 3, 5])
def test_batches_of_parts(transform, parts):
    rng = np.random.default_rng(0)
    x, y, weight = rng.random((27, 2, 2, 1)), np.arange(27), rng.random(27)
    loader = data.DataLoader((x, y, weight), 6, shuffle=True, transform=transform)
    whole = list(loader.batches(1))
    for part in range(parts):
        made = loader.parts(1, part, parts)
        for batch, (total, own) in zip(whole, made, strict=True):
            assert total == len(batch[1])
            first, end = bounds(len(batch[1]), part, parts)
            rows = slice(first, end) if first < end else slice(1)
            for array, of_part in zip(batch, own, strict=True):
                np.testing.assert_array_equal(of_part, array[rows])


def test_only_a_part_is_read():
    read = []

    class Items:
        def __len__(self):
            return 12

        def __getitem__(self, index):
            read.append(int(index))
            return np.zeros(1), 0

    loader = data.DataLoader(Items(), 4, prefetch=0)
    read.clear()
    list(loader.parts(0, 1, 2))
    assert read == [2, 3, 6, 7, 10, 11]
