"""Noise mixed into clean signals (SPEC S31)."""

import math
import warnings

import numpy as np
import pytest

from fastdl import Trainer, nn
from fastdl.data import Augment, DataLoader
from fastdl.data.seeds import example_seeds
from fastdl.errors import ArgumentError, DataError, DtypeError, ShapeError
from fastdl.strategy import Mix, mix

SHAPES = {
    "signal": ((500,), (2000,)),
    "shorter noise": ((500,), (37,)),
    "equal noise": ((500,), (500,)),
    "stereo": ((300, 2), (700, 2)),
    "stereo, mono noise": ((300, 2), (100,)),
    "stereo, one channel": ((300, 2), (100, 1)),
    "picture": ((12, 9, 3), (30, 40, 3)),
    "picture, small noise": ((12, 9, 3), (5, 40, 3)),
    "picture, grey noise": ((12, 9, 3), (30, 4)),
}
shapes = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
much_heard = pytest.mark.filterwarnings("ignore:Mix")  # as it is in small tests


def waves(*shape, seed=0, dtype=np.float32):
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    x.flags.writeable = False
    return x


def measured(mixed, signal):
    """Return the signal-to-noise ratio in decibel of a sum."""
    signal = np.asarray(signal, np.float64)
    noise = np.asarray(mixed, np.float64) - signal
    return 10 * math.log10(np.mean(signal**2) / np.mean(noise**2))


def seeds(n, epoch=0):
    return example_seeds(0, epoch, np.arange(n))


# One signal


@shapes
@pytest.mark.parametrize("snr_db", [-20, -3.5, 0, 6, 40])
def test_the_ratio_is_met_exactly(shape, snr_db):
    """S31: for signals (n,), (n, channels) and pictures, at any length of noise."""
    signal, noise = waves(*shape[0], dtype=float), waves(*shape[1], seed=1)
    mixed = mix(signal, 5 * noise, snr_db)
    assert (mixed.shape, mixed.dtype) == (signal.shape, np.float64)
    assert measured(mixed, signal) == pytest.approx(snr_db, abs=1e-9)
    single = mix(signal.astype(np.float32), noise, snr_db)
    assert single.dtype == np.float32
    assert measured(single, signal.astype(np.float32)) == pytest.approx(
        snr_db, abs=1e-3
    )


def test_decibel_as_everybody_counts_them():
    """S31: 0 dB is equal power, 20 dB a tenth of the amplitude."""
    signal, noise = np.array([1.0, -1.0]), np.array([7.0, 7.0])
    np.testing.assert_allclose(mix(signal, noise, 0), [2, 0])
    np.testing.assert_allclose(mix(signal, noise, 20), [1.1, -0.9])
    np.testing.assert_allclose(mix(signal, noise, -20), [11, 9])


@pytest.mark.parametrize("scale", [1e-200, 1e-310, 1e200])
def test_very_soft_and_very_loud_noise(scale):
    signal = waves(50, dtype=float)
    for mixed in (
        mix(signal, scale * waves(50, seed=1, dtype=float), 3),
        mix(scale * signal, waves(50, seed=1, dtype=float), 3) / scale,
    ):
        assert measured(mixed, signal) == pytest.approx(3, abs=1e-3)


def pieces(noise, n, seed):
    """Return what was mixed in, up to its scale."""
    signal = np.ones((n, *noise.shape[1:])) if noise.ndim < 3 else np.ones(n)
    added = mix(signal, noise, 0, seed) - signal
    return added / np.abs(added).max()


def test_of_longer_noise_it_is_one_piece_at_a_random_place():
    noise = np.arange(1.0, 101.0)
    starts = set()
    for seed in range(200):
        piece = pieces(noise, 20, seed)
        steps = np.diff(piece)
        np.testing.assert_allclose(steps, steps[0])  # it is never torn
        starts.add(round(piece[0] / steps[0]) - 1)
    assert min(starts) < 5
    assert max(starts) > 75
    assert max(starts) <= 80
    assert len(starts) > 60


def test_shorter_noise_is_repeated_from_a_random_place():
    noise = np.array([1.0, 2.0, 4.0])
    firsts = set()
    for seed in range(30):
        piece = pieces(noise, 10, seed)
        np.testing.assert_allclose(piece[3:], piece[:-3])
        firsts.add(round(float(piece[0]), 6))
    assert firsts == {0.25, 0.5, 1.0}


def test_pictures_are_cut_in_both_directions():
    noise = np.add.outer(100 * np.arange(50.0), np.arange(30.0))[..., np.newaxis] + 1
    corners = set()
    for seed in range(40):
        added = mix(np.ones((4, 5, 1)), noise, 0, seed)[..., 0] - 1
        scale = added[0, 1] - added[0, 0]
        np.testing.assert_allclose(np.diff(added, axis=1), scale)
        np.testing.assert_allclose(np.diff(added, axis=0), 100 * scale)
        corners.add(divmod(round(added[0, 0] / scale) - 1, 100))
    rows, columns = map(set, zip(*corners, strict=True))
    assert min(len(rows), len(columns)) > 10


def test_the_seed_decides():
    signal, noise = waves(50), waves(500, seed=1)
    first, again, other = (mix(signal, noise, 3, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("dtype", "result"),
    [
        (np.int16, np.float32),
        (np.int32, np.float64),
        (np.uint16, np.float32),
        (np.float16, np.float32),
        (np.float64, np.float64),
    ],
    ids=str,
)
def test_integers_become_real_and_nothing_is_clipped(dtype, result):
    """S31: 16-bit sound near its limits keeps the ratio that was asked for."""
    signal = (30_000 * np.sin(np.arange(400))).clip(0).astype(dtype)
    mixed = mix(signal, waves(100), 0)
    assert mixed.dtype == result
    assert mixed.max() > 32_767
    assert measured(mixed, signal) == pytest.approx(0, abs=1e-4)


def test_pictures_of_bytes_lie_in_0_to_1():
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    expected = mix(picture.astype(np.float32) / 255, waves(9, 9, 3), 10)
    np.testing.assert_allclose(mix(picture, waves(9, 9, 3), 10), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("signal", "noise", "error", "message"),
    [
        (np.zeros(9), waves(9), DataError, "the signal is silent"),
        (waves(9), np.zeros(9), DataError, "the noise is silent"),
        (waves(9), [1.0, np.nan], DataError, "noise has values that are not finite"),
        ([1.0, np.inf], waves(9), DataError, "signal has values that are not finite"),
        (waves(9, 2), waves(9, 3), ShapeError, "does not fit a signal"),
        (waves(9), waves(9, 2), ShapeError, "does not fit a signal"),
        (waves(9, 9, 3), waves(9), ShapeError, "does not fit a signal"),
        (waves(2, 9, 9, 3), waves(2, 9, 9, 3), ShapeError, "a signal has shape"),
        (np.ones(0), waves(9), ShapeError, "signal is empty"),
        (waves(9), np.ones(0), ShapeError, "noise is empty"),
        (1.0, waves(9), ShapeError, "signal is empty or a single number"),
        (waves(9), np.ones(9, bool), DtypeError, "noise needs real numbers, got bool"),
        (np.ones(9, complex), waves(9), DtypeError, "complex"),
        (["a"], waves(9), DtypeError, "signal needs real numbers"),
    ],
    ids=str,
)
def test_what_cannot_be_mixed(signal, noise, error, message):
    with pytest.raises(error, match=message):
        mix(signal, noise, 10)


@pytest.mark.parametrize("snr_db", [math.nan, math.inf, 1000, "10", True, None])
def test_bad_levels(snr_db):
    with pytest.raises(ArgumentError, match="snr_db must be decibel"):
        mix(waves(9), waves(9), snr_db)
    with pytest.raises(ArgumentError, match="snr_db"):
        Mix([waves(9)], snr_db)


def test_bad_seed():
    with pytest.raises(ShapeError, match="mix: seed"):
        mix(waves(9), waves(9), 0, seed=-1)


# In a loader


@much_heard
@shapes
def test_levels_are_drawn_from_the_range(shape):
    """S31: each example has a level of its own, met exactly."""
    x = waves(400, *shape[0], dtype=float)
    mixed, y = Mix([waves(*shape[1], seed=1)], (-5, 15))(x, None, seeds(400))
    levels = [measured(*pair) for pair in zip(mixed, x, strict=True)]
    assert y is None
    assert -5 - 1e-9 <= min(levels) < -4
    assert 14 < max(levels) <= 15 + 1e-9
    assert np.mean(levels) == pytest.approx(5, abs=1)


@much_heard
def test_sources_are_drawn_equally_often():
    x = np.ones((3000, 10))
    sources = [np.full(length, sign) for length, sign in ((5, 1.0), (500, -1.0))]
    mixed, _ = Mix(sources, 0)(x, None, seeds(3000))
    assert set(mixed[:, 0].round(9)) == {0, 2}
    assert np.mean(mixed[:, 0] == 2) == pytest.approx(0.5, abs=0.04)


def test_probability():
    x = waves(2000, 10)
    for probability in (0, 0.3, 1):
        mixed, _ = Mix(waves(4, 800, seed=1), 0, probability)(x, None, seeds(2000))
        changed = (mixed != x).any(axis=1)
        assert np.mean(changed) == pytest.approx(probability, abs=0.04)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_same_for_any_workers_batches_and_prefetch(workers, batch_size):
    """S31: seeded per (seed, epoch, example)."""
    x, noise = waves(20, 30), waves(5, 400, seed=1)

    def epochs(**options):
        loader = DataLoader(
            (x, np.arange(20)), seed=3, transform=Mix(noise, (0, 10), 0.7), **options
        )
        found = []
        for _ in range(2):
            batches, labels = zip(*loader, strict=True)
            order = np.argsort(np.concatenate(labels))
            found.append([row.tobytes() for row in np.concatenate(batches)[order]])
        return found

    plain = epochs(batch_size=20, prefetch=0)
    assert epochs(batch_size=batch_size, workers=workers, shuffle=True) == plain
    assert plain[0] != plain[1]


def test_pictures_of_bytes_with_other_transforms():
    x = np.random.default_rng(0).integers(1, 256, (10, 8, 8, 1), np.uint8)
    noise = np.random.default_rng(1).integers(1, 256, (3, 20, 20, 1), np.uint8)
    loader = DataLoader(x, 10, transform=[Augment(flip=1.0), Mix(noise, 10)])
    ((mixed, _),) = loader
    assert mixed.dtype == np.float32
    flipped = x[:, :, ::-1].astype(float) / 255
    for each, clean in zip(mixed, flipped, strict=True):
        assert measured(each, clean) == pytest.approx(10, abs=1e-3)


def test_sound_of_integers_in_a_loader():
    x = (20_000 * waves(6, 50)).clip(-30_000, 30_000).astype(np.int16)
    ((mixed, _),) = DataLoader(x, 6, transform=Mix([waves(90)], 5))
    assert mixed.dtype == np.float32
    assert measured(mixed[2], x[2]) == pytest.approx(5, abs=1e-3)


@much_heard
@pytest.mark.parametrize("shape", [(), (2,)], ids=["mono", "stereo"])
def test_silence_in_noise_is_passed_over(shape):
    """A source with a single click in it gives a click, wherever it is."""
    for length, click in ((1000, 0), (1000, 999), (1000, 500), (7, 3)):
        noise = np.zeros((length, *shape))
        noise[click] = 1
        for seed in range(5):
            assert (mix(np.ones((10, *shape)), noise, 0, seed) != 1).any()
        mixed, _ = Mix([noise], 0)(np.ones((50, 10, *shape)), None, seeds(50))
        assert (mixed != 1).reshape(50, -1).any(axis=1).all()


@much_heard
def test_a_dark_picture_of_noise_with_one_bright_point():
    noise = np.zeros((40, 50, 1))
    noise[35, 2] = 1
    mixed, _ = Mix([noise], 0)(np.ones((20, 8, 60, 1)), None, seeds(20))
    assert (mixed != 1).reshape(20, -1).any(axis=1).all()


@much_heard
def test_a_network_resists_noise_that_it_was_trained_with():
    """S31: which of two tones, under noise."""
    time = np.arange(64)
    rng = np.random.default_rng(0)

    def tones(m):
        y = np.arange(m) % 2
        phase = rng.uniform(0, 2 * np.pi, (m, 1))
        return np.sin(np.outer(0.3 + 0.2 * y, time) + phase).astype(np.float32), y

    train, (x, y) = tones(600), tones(400)
    noisy = np.stack([mix(row, waves(5000, seed=9), -6, i) for i, row in enumerate(x)])
    accuracy = {}
    for name, transform in {
        "clean": None,
        "mixed": Mix(waves(100, 300, seed=5), (-10, 10)),
    }.items():
        model = nn.Sequential(
            *(nn.Linear(None, 64), nn.ReLU(), nn.Linear(None, 2)),
        )
        trainer = Trainer(model)
        trainer.fit(DataLoader(train, 50, True, transform=transform), epochs=15)
        accuracy[name] = trainer.evaluate(noisy, y)["accuracy"]
    assert accuracy["mixed"] > accuracy["clean"] + 0.05


@pytest.mark.parametrize(
    ("noise", "options", "error", "message"),
    [
        ([], {}, DataError, "no source"),
        ([waves(9), np.zeros(9)], {}, DataError, "source 1 is silent"),
        ([waves(9), waves(9, 2)], {}, ShapeError, "source 1 has shape"),
        (waves(9), {}, ShapeError, "single number"),
        ([waves(9)], {"snr_db": (5, 0)}, ArgumentError, "low <= high"),
        ([waves(9)], {"snr_db": (0, 5, 9)}, ArgumentError, "low <= high"),
        ([waves(9)], {"probability": 1.2}, ArgumentError, "probability"),
        ([waves(9)], {"probability": True}, ArgumentError, "probability"),
    ],
    ids=str,
)
def test_bad_options(noise, options, error, message):
    with pytest.raises(error, match=message):
        Mix(noise, **options)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.ones((3, 9, 2)), ShapeError, "source 0: noise of shape"),
        (np.ones((3, 4, 4, 4, 1)), ShapeError, "a signal has shape"),
        (np.append(np.ones((2, 9)), np.zeros((1, 9)), 0), DataError, "silent"),
        (np.full((2, 9), np.nan), DataError, "not finite"),
        (np.ones((2, 9), bool), DtypeError, "real numbers"),
    ],
    ids=["channels", "axes", "silence", "nan", "bool"],
)
def test_examples_that_do_not_fit(x, error, message):
    with pytest.raises(error, match=message):
        Mix([waves(9, 3)] if x.ndim == 3 else [waves(9)])(x, None, seeds(len(x)))


# How much noise there is


def test_one_hour_of_noise_for_ten_thousand_of_speech():
    """S31: the course's example; a warning with numbers."""
    speech = np.broadcast_to(np.float32(1), (10_000, 3600))  # an hour each, at 1 Hz
    found = Mix([waves(3600)]).coverage(speech, rate=1)
    assert found.sources == 1
    assert found.ratio == 1e-4
    assert found.repeats == 10_000
    assert found.seen == 1
    assert str(found) == (
        "1 source of noise, 1 h, for 10,000 h of clean signal (0.01 %)\n"
        "in 1 epoch each sample of the noise is heard 10,000 times, and 100 % of it at "
        "least once\n"
        "each sample of the noise is heard 10,000 times: the network may learn it by "
        "heart; add sources"
    )


def test_much_noise_is_no_problem():
    found = Mix(waves(50, 1000), probability=0.5).coverage(np.ones((100, 100)), 4)
    assert found.noise == 50_000
    assert found.clean == 10_000
    assert found.repeats == 0.4
    assert found.problem is None
    assert "50 sources of noise, 50,000 samples, for 10,000 samples" in str(found)


@shapes
def test_the_share_that_is_heard_is_that_of_a_simulation(shape):
    """S31: coverage as a number, held against counts."""
    signal, size = shape
    axes = 2 if len(signal) == 3 else 1
    other = (3 * size[0], *size[1:])
    heard = [np.zeros(each[:axes], int) for each in (size, other)]
    rng = np.random.default_rng(0)
    m = 12
    for _ in range(300):
        now = [np.zeros_like(each) for each in heard]
        for source in rng.integers(0, 2, m):
            ranges = []
            for n, there in zip(signal, now[source].shape, strict=False):
                start = rng.integers(0, there - n + 1 if there > n else there)
                ranges.append(np.unique(np.arange(start, start + n) % there))
            now[source][np.ix_(*ranges)] = 1
        for total, each in zip(heard, now, strict=True):
            total += each
    share = sum(each.sum() for each in heard) / 300 / sum(each.size for each in heard)
    found = Mix([np.ones(size), np.ones(other)]).coverage(np.ones((m, *signal)))
    assert found.seen == pytest.approx(share, abs=0.015)


def test_a_warning_once_when_few_sources_repeat():
    """S31: when all of the noise was heard 20 times."""
    loader = DataLoader(waves(100, 10), 10, transform=Mix([waves(100)]), prefetch=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(loader)
        list(loader)
    with pytest.warns(UserWarning, match="1 source of noise so far heard 20 times"):
        list(loader)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(loader)


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (np.ones((0, 9)), {}, DataError, "empty"),
        (np.ones((2, 9, 2)), {}, None, ""),
        (np.ones((2, 9, 9, 1)), {}, ShapeError, "does not fit"),
        (np.ones((2, 9)), {"epochs": 0}, ShapeError, "epochs"),
        (np.ones((2, 9)), {"rate": -1}, ArgumentError, "rate must be positive"),
        (np.ones((2, 9)), {"rate": "16 kHz"}, ArgumentError, "rate must be positive"),
    ],
    ids=str,
)
def test_bad_coverage(data, options, error, message):
    mixing = Mix([waves(9)])
    if error is None:
        assert mixing.coverage(data, **options).repeats == 2
        return
    with pytest.raises(error, match=message):
        mixing.coverage(data, **options)
