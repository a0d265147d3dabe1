"""Random changes of pictures (SPEC S22)."""

import math

import numpy as np
import pytest

from fastdl import Trainer, nn, optim
from fastdl.data import ArrayDataset, Augment, DataLoader, Mixup
from fastdl.data.seeds import example_seeds
from fastdl.errors import ArgumentError, DataError, DtypeError, FastdlError, ShapeError
from fastdl.shapes import FILLS

EVERYTHING = {
    "flip": 0.5,
    "flip_vertical": 0.5,
    "crop": 2,
    "translate": 1.5,
    "rotate": 20,
    "zoom": (0.8, 1.3),
    "shear": 15,
    "elastic": 1.5,
    "brightness": 0.2,
    "contrast": 0.3,
    "color": 0.1,
    "cutout": 3,
}

PIXELS = ("crop", "translate", "elastic", "cutout")  # options that count in pixels


def pictures(n=6, h=12, w=9, c=3, dtype=np.float32):
    x = np.random.default_rng(0).random((n, h, w, c)).astype(dtype)
    x.flags.writeable = False
    return x


def seeds(n, epoch=0):
    return example_seeds(0, epoch, np.arange(n))


def changed(x, **options):
    y, labels = Augment(**options)(x, None, seeds(len(x)))
    assert labels is None
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert y.flags.c_contiguous
    assert np.isfinite(y).all()
    return y


def point(n=1, h=9, w=11):
    """Return dark pictures with a bright point in the middle."""
    x = np.zeros((n, h, w, 1), np.float64)
    x[:, h // 2, w // 2] = 1
    return x


def centres(x):
    """Return the centre of gravity of each picture, from the middle: (n, 2)."""
    _, h, w, _ = x.shape
    i, j = np.indices((h, w))
    mass = x[..., 0].sum(axis=(1, 2))
    rows, columns = ((x[..., 0] * k).sum(axis=(1, 2)) / mass for k in (i, j))
    return np.stack([rows - (h - 1) / 2, columns - (w - 1) / 2], axis=1)


def bar(angle, size=33):
    """Return a picture of a soft line through the middle, turned counter-clockwise."""
    i, j = np.indices((size, size)) - (size - 1) / 2
    across = i * math.cos(angle) + j * math.sin(angle)
    along = j * math.cos(angle) - i * math.sin(angle)
    return np.exp(-(across**2) / 8 - along**2 / 50)[None, :, :, None]


def direction(picture):
    """Return the angle of a line, counter-clockwise, in degrees."""
    i, j = (
        np.indices(picture.shape[:2])
        - (np.array(picture.shape[:2]) - 1)[:, None, None] / 2
    )
    a, b, c = ((picture[..., 0] * m).sum() for m in (j * j, -i * j, i * i))
    return math.degrees(0.5 * math.atan2(2 * b, a - c))


# Each option --------------------------------------------------------------------------


def test_nothing_is_changed_by_default():
    x = pictures()
    np.testing.assert_array_equal(changed(x), x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("option", "view"),
    [("flip", np.s_[:, :, ::-1]), ("flip_vertical", np.s_[:, ::-1])],
    ids=["horizontal", "vertical"],
)
def test_flips_are_exact(option, view, dtype):
    """S22."""
    x = pictures(dtype=dtype)
    np.testing.assert_array_equal(changed(x, **{option: 1.0}), x[view])
    x = np.repeat(x[:1], 400, axis=0)
    flipped = (changed(x, **{option: 0.3}) == x[view]).all(axis=(1, 2, 3))
    same = (changed(x, **{option: 0.3}) == x).all(axis=(1, 2, 3))
    assert (flipped ^ same).all()
    assert flipped.mean() == pytest.approx(0.3, abs=0.07)


@pytest.mark.parametrize("fill", FILLS)
def test_crop_is_an_exact_crop_of_the_padded_picture(fill):
    """S22: every shift by whole pixels, all equally likely."""
    x = np.repeat(pictures(n=1, h=5, w=6), 900, axis=0)
    padded = np.pad(x[0], ((1, 1), (1, 1), (0, 0)), fill)
    crops = np.stack([padded[i : i + 5, j : j + 6] for i in range(3) for j in range(3)])
    y = changed(x, crop=1, fill=fill)
    found = (y[:, None] == crops).all(axis=(2, 3, 4))
    assert (found.sum(axis=1) == 1).all()
    counts = found.sum(axis=0)
    assert (np.abs(counts - 100) < 40).all()  # four standard deviations


def test_translation_is_uniform_in_both_directions():
    """S22."""
    moved = centres(changed(point(4000), translate=2))
    assert moved.min() == pytest.approx(-2, abs=0.01)
    assert moved.max() == pytest.approx(2, abs=0.01)
    for axis in range(2):
        counts, _ = np.histogram(moved[:, axis], bins=4, range=(-2, 2))
        assert (np.abs(counts - 1000) < 120).all()  # four standard deviations
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.06


def test_rotation_turns_by_the_angle_about_the_middle():
    """S22."""
    x = np.repeat(bar(0), 200, axis=0)
    y = changed(x, rotate=30)
    angles = [direction(picture) for picture in y]
    assert min(angles) == pytest.approx(-30, abs=1)
    assert max(angles) == pytest.approx(30, abs=1)
    assert np.mean(angles) == pytest.approx(0, abs=5)
    np.testing.assert_allclose(centres(y), 0, atol=0.05)
    # A turn is the picture of a turned line: nothing is stretched.
    for picture, angle in zip(y[:10], angles[:10], strict=True):
        np.testing.assert_allclose(picture, bar(math.radians(angle))[0], atol=0.05)


def test_zoom_enlarges_by_the_factor():
    """S22: areas grow by the square of the factor."""
    i, j = np.indices((41, 41)) - 20
    x = np.repeat(np.exp(-(i**2 + j**2) / 18)[None, :, :, None], 300, axis=0)
    growth = np.sqrt(changed(x, zoom=(0.5, 1.5)).sum(axis=(1, 2, 3)) / x[0].sum())
    assert growth.min() == pytest.approx(0.5, abs=0.02)
    assert growth.max() == pytest.approx(1.5, abs=0.02)
    growth = np.sqrt(changed(x, zoom=1.25).sum(axis=(1, 2, 3)) / x[0].sum())
    assert growth.min() == pytest.approx(0.8, abs=0.02)
    assert growth.max() == pytest.approx(1.25, abs=0.02)
    # Up to 1.2 and down to 1 / 1.2 equally often.
    assert np.median(np.log(growth)) == pytest.approx(0, abs=0.04)


def test_shear_slants_by_the_angle():
    """S22: a vertical line is slanted; its length along the vertical stays."""
    x = np.repeat(bar(math.pi / 2), 200, axis=0)
    y = changed(x, shear=20)
    i, j = np.indices((33, 33)) - 16
    slopes = (y[..., 0] * i * j).sum(axis=(1, 2)) / (y[..., 0] * i * i).sum(axis=(1, 2))
    slants = np.degrees(np.arctan(slopes))
    assert slants.min() == pytest.approx(-20, abs=1)
    assert slants.max() == pytest.approx(20, abs=1)
    np.testing.assert_allclose(y.sum(axis=2), x.sum(axis=2), atol=0.25)


def test_elastic_bends_smoothly_and_at_most_so_far():
    """S22: distortion."""
    n, h, w = 50, 40, 30
    i, j = np.indices((h, w), np.float64)
    places = np.repeat(np.stack([i, j], axis=-1)[None], n, axis=0)
    moved = changed(places, elastic=4, fill="edge") - places
    inner = moved[:, 5:-5, 5:-5]
    assert np.abs(inner).max() <= 4
    assert np.abs(inner).max() > 2
    assert 0.7 < inner.std() < 1.6
    assert abs(inner.mean()) < 0.1
    assert np.abs(np.diff(inner, axis=1)).max() < 0.75  # no folds
    assert np.abs(np.diff(inner, axis=1, n=2)).max() < 0.2


def test_brightness_is_added():
    """S22."""
    x = np.full((300, 2, 2, 3), 0.5)
    shift = changed(x, brightness=0.2) - 0.5
    assert shift.min() == pytest.approx(-0.2, abs=0.01)
    assert shift.max() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(np.ptp(shift, axis=(1, 2, 3)), 0, atol=1e-12)


def test_contrast_scales_about_the_mean():
    """S22."""
    x = np.repeat(0.4 + 0.2 * pictures(1, dtype=np.float64), 300, axis=0)
    y = changed(x, contrast=0.5)
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), x[0].mean())
    scale = y.std(axis=(1, 2, 3)) / x[0].std()
    assert scale.min() == pytest.approx(0.5, abs=0.02)
    assert scale.max() == pytest.approx(1.5, abs=0.02)


def test_color_shifts_each_channel_on_its_own():
    """S22: colour shift."""
    x = np.full((300, 2, 2, 3), 0.5)
    shift = changed(x, color=0.1) - 0.5
    np.testing.assert_allclose(np.ptp(shift, axis=(1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(np.corrcoef(shift[:, 0, 0].T), np.eye(3), atol=0.2)
    assert np.abs(shift).max() == pytest.approx(0.1, abs=0.01)


def test_colours_stay_within_their_range():
    y = changed(pictures(100), brightness=1, contrast=1, color=1)
    assert y.min() == 0
    assert y.max() == 1


def test_colours_after_a_warp_of_white():
    """Interpolation rounds, so a white pixel may become a little more than 1."""
    white = np.ones((50, 9, 9, 3), np.float32)
    turned = changed(white, rotate=45, zoom=1.5, fill="edge")
    assert changed(turned, brightness=0.1).max() <= 1


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_cutout_is_a_square_with_its_centre_in_the_picture(size):
    """S22: every square whose middle pixel lies in the picture; its borders are cut."""
    h, w = 6, 7
    x = np.ones((600, h, w, 2))
    holes = changed(x, cutout=size) == 0
    assert (holes[..., 0] == holes[..., 1]).all()
    possible = set()
    for row in range(h):
        for column in range(w):
            hole = np.zeros((h, w), bool)
            top, left = row - size // 2, column - size // 2
            hole[max(top, 0) : top + size, max(left, 0) : left + size] = True
            possible.add(hole.tobytes())
    assert {hole.tobytes() for hole in holes[..., 0]} == possible
    assert x.all()  # as it was


def test_one_warp_moves_what_several_options_ask_for():
    """Flip, then crop, is exact together too."""
    x = pictures(n=40, h=5, w=6)
    y = changed(x, flip=1, crop=1, fill="edge")
    padded = np.pad(x[:, :, ::-1], ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
    for one, source in zip(y, padded, strict=True):
        crops = [source[i : i + 5, j : j + 6] for i in range(3) for j in range(3)]
        assert any((one == crop).all() for crop in crops)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 1), (4, 4, 7), (7, 3, 2)])
def test_pictures_of_any_shape(shape):
    room = min(shape[:2])
    options = {name: min(EVERYTHING[name], room - 1) for name in PIXELS}
    assert changed(pictures(3, *shape), **EVERYTHING | options).shape == (3, *shape)


@pytest.mark.parametrize("option", PIXELS)
def test_a_picture_is_not_moved_out_of_sight(option):
    """Nor cut out as a whole."""
    x = pictures(n=2, h=6, w=9)
    changed(x, **{option: 5})
    message = rf"{option} must be less than the sides of the pictures, 6 x 9, got 6"
    with pytest.raises(ArgumentError, match=message):
        changed(x, **{option: 6})


def test_no_pictures():
    assert changed(pictures(0), **EVERYTHING).shape == (0, 12, 9, 3)


# Seeds --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 7, 20])
def test_same_pictures_for_any_workers_batches_and_prefetch(workers, batch_size):
    """S22: seeded per (seed, epoch, example)."""
    x = (255 * pictures(20)).astype(np.uint8)

    def epochs(**options):
        loader = DataLoader(
            (x, np.arange(20)), seed=3, transform=Augment(**EVERYTHING), **options
        )
        found = []
        for _ in range(2):
            batches, labels = zip(*loader, strict=True)
            order = np.argsort(np.concatenate(labels))
            found.append([row.tobytes() for row in np.concatenate(batches)[order]])
        return found

    plain = epochs(batch_size=20, prefetch=0)
    other = epochs(batch_size=batch_size, workers=workers, shuffle=True)
    assert other == plain
    assert all(a != b for a, b in zip(*plain, strict=True))  # new each epoch


def test_seed_of_the_loader_counts():
    def first(seed):
        loader = DataLoader(pictures(), 6, seed=seed, transform=Augment(rotate=30))
        return next(iter(loader))[0].tobytes()

    assert first(1) == first(1) != first(2)


@pytest.mark.parametrize("option", list(EVERYTHING)[1:])
def test_an_option_more_leaves_the_others_alone(option):
    """The numbers of an option do not depend on which others are on."""
    light = np.repeat(np.linspace(0.3, 0.7, 15)[:, None], 3, axis=1)
    x = np.tile(light, (40, 15, 1, 1))

    def flipped(**options):
        y = changed(x, flip=0.5, **options)
        return y[:, :, :7].mean(axis=(1, 2, 3)) > y[:, :, 8:].mean(axis=(1, 2, 3))

    alone = flipped()
    assert 5 < alone.sum() < 35
    np.testing.assert_array_equal(flipped(**{option: EVERYTHING[option]}), alone)


# Mistakes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": -0.1}, "flip must be a probability from 0 to 1, got -0.1"),
        ({"flip": 1.5}, "flip must be a probability"),
        ({"flip": True}, "flip must be a probability from 0 to 1, got True"),
        ({"flip": "horizontal"}, "flip must be a probability"),
        ({"flip_vertical": math.nan}, "flip_vertical must be a probability"),
        ({"crop": -1}, "crop must be an integer >= 0, got -1"),
        ({"crop": 2.5}, "crop must be an integer"),
        ({"translate": -1}, "translate must be pixels, from 0, got -1"),
        ({"translate": math.inf}, "translate must be pixels"),
        ({"translate": 10**400}, "translate must be pixels"),
        ({"zoom": [1, 10**400]}, "zoom"),
        ({"zoom": True}, "zoom"),
        ({"rotate": 181}, "rotate must be degrees from 0 to 180"),
        ({"rotate": (-10, 10)}, "rotate must be degrees"),
        ({"zoom": 0}, "zoom must be a factor from 1, .* got 0"),
        ({"zoom": 0.9}, "zoom must be a factor from 1"),
        ({"zoom": -2}, "zoom must be a factor"),
        ({"zoom": (0, 1)}, r"0 < low <= high, .* got \(0, 1\)"),
        ({"zoom": (1.2, 0.8)}, "low <= high"),
        ({"zoom": (1, 2, 3)}, "zoom"),
        ({"zoom": "2"}, "zoom"),
        ({"zoom": None}, "zoom"),
        ({"shear": 90}, "shear must be degrees from 0 to 89"),
        ({"elastic": -1}, "elastic must be pixels"),
        ({"brightness": 1.1}, "brightness must be a number from 0 to 1"),
        ({"contrast": -0.5}, "contrast must be a number from 0 to 1"),
        ({"color": 255}, "color must be a number from 0 to 1"),
        ({"cutout": 0.5}, "cutout must be an integer >= 0"),
        ({"fill": "wrap"}, "Augment: unknown fill 'wrap'; choose from 'constant'"),
        ({"fill": "reflec"}, "did you mean 'reflect'"),
    ],
    ids=str,
)
def test_wrong_options_are_named(options, message):
    with pytest.raises((ArgumentError, ShapeError), match=message) as caught:
        Augment(**options)
    assert str(caught.value).startswith("Augment: ")
    assert isinstance(caught.value, FastdlError)


def test_what_holds_no_pictures():
    augment = Augment(flip=0.5, brightness=0.1)
    rows = np.zeros((4, 20), np.float32)
    with pytest.raises(
        ShapeError, match=r"Augment: expected x of shape \(n, h, w, c\)"
    ):
        augment(rows, None, seeds(4))
    with pytest.raises(ShapeError, match="grey images without a channel axis"):
        augment(np.zeros((4, 8, 8), np.float32), None, seeds(4))
    with pytest.raises(DtypeError, match="Augment: x is int64"):
        augment(np.zeros((4, 8, 8, 1), np.int64), None, seeds(4))
    with pytest.raises(
        DataError, match=r"pictures in \[0, 1\], got values from -2 to 0"
    ):
        augment(np.linspace(-2, 0, 64).reshape(1, 8, 8, 1), None, seeds(1))
    with pytest.raises(DataError, match="from nan to nan"):
        augment(np.full((1, 8, 8, 1), np.nan), None, seeds(1))
    with pytest.raises(ShapeError, match="Augment: expected x"):
        list(DataLoader(rows, transform=augment))


# Mixup --------------------------------------------------------------------------------


def test_mixup_blends_examples_and_labels_alike():
    x = np.eye(8, dtype=np.float32)
    y = np.arange(8)
    blends, rows = Mixup(alpha=1.0, classes=8)(x, y, seeds(8))
    np.testing.assert_allclose(blends, rows)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
    assert ((rows > 0).sum(axis=1) <= 2).all()
    assert (rows[y, y] > 0).all()
    assert ((rows > 0).sum(axis=1) == 2).any()


def test_mixup_follows_the_beta_distribution():
    n = 4000
    x = np.arange(n, dtype=np.float64)[:, None]
    for alpha in (0.2, 1.0, 3.0):
        _, rows = Mixup(alpha, 2)(x, np.arange(n) % 2, seeds(n))
        mixed = (rows > 0).all(axis=1)
        own = rows[np.arange(n), np.arange(n) % 2][mixed]
        assert own.mean() == pytest.approx(0.5, abs=0.03)
        variance = 1 / (4 * (2 * alpha + 1))
        assert own.var() == pytest.approx(variance, rel=0.1)


def test_mixup_of_rows_of_probabilities_and_of_pictures():
    x = pictures(5)
    rows = np.full((5, 4), 0.25)
    blends, mixed = Mixup(0.4, 4)(x, rows, seeds(5))
    assert blends.shape == x.shape
    assert mixed.dtype == x.dtype
    np.testing.assert_allclose(mixed, 0.25)
    assert x.min() <= blends.min()
    assert blends.max() <= x.max()


@pytest.mark.parametrize("workers", [1, 3])
def test_mixup_does_not_depend_on_the_workers(workers):
    def batches(**options):
        loader = DataLoader(
            (pictures(20), np.arange(20) % 4),
            6,
            shuffle=True,
            transform=[Augment(flip=0.5), Mixup(0.3, 4)],
            **options,
        )
        return [array.tobytes() for batch in loader for array in batch]

    assert batches(workers=workers) == batches(prefetch=0)


def test_mixup_is_safe_with_every_loss_that_takes_probabilities():
    """Soft labels go straight into the cross-entropy."""
    data = ArrayDataset(pictures(12), np.arange(12) % 3)
    ((x, y),) = DataLoader(data, 12, transform=Mixup(1.0, 3))
    model = nn.Sequential(nn.Flatten(), nn.Linear(None, 3))
    logits = model(x)
    loss = nn.CrossEntropyLoss()(logits, y)
    z = logits.numpy() - logits.numpy().max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    assert loss.item() == pytest.approx(-(y * log_p).sum(axis=1).mean(), rel=1e-5)
    loss.backward()
    assert np.isfinite(model[1].weight.grad).all()
    assert math.isfinite(nn.BCEWithLogitsLoss()(model(x), y).item())


def test_training_on_blends():
    """The accuracy while training counts the class with the largest share."""
    x = np.repeat(np.eye(4, dtype=np.float32), 16, axis=0)
    loader = DataLoader(
        (x, np.arange(64) // 16), 16, shuffle=True, transform=Mixup(0.2, 4)
    )
    trainer = Trainer(nn.Linear(4, 4), optimizer=lambda p: optim.Adam(p, lr=0.1))
    history = trainer.fit(loader, epochs=15, validation=(x, np.arange(64) // 16))
    assert history["val_accuracy"][-1] == 1
    assert history["accuracy"][-1] > 0.8


@pytest.mark.parametrize("alpha", [0, -1, math.nan, math.inf, "1", True])
def test_mixup_alpha(alpha):
    with pytest.raises(ArgumentError, match="Mixup: alpha must be positive"):
        Mixup(alpha, 3)


def test_mixup_mistakes():
    with pytest.raises(ShapeError, match="Mixup: classes"):
        Mixup(0.2, 0)
    mixup = Mixup(0.2, 3)
    x = np.zeros((2, 4), np.float32)
    with pytest.raises(DataError, match="no labels"):
        mixup(x, None, seeds(2))
    with pytest.raises(ArgumentError, match="Mixup: expected labels from 0 to 2"):
        mixup(x, np.array([0, 3]), seeds(2))
    with pytest.raises(DtypeError, match="Mixup: x is int64"):
        mixup(np.zeros((2, 4), np.int64), np.array([0, 1]), seeds(2))
    assert repr(mixup) == "Mixup(alpha=0.2, classes=3)"
