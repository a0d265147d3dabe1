"""The figure of an augmentation: what it shows (S22), and what it refuses."""

import numpy as np
import pytest

from fastdl import report
from fastdl.data import ArrayDataset, Augment, DataLoader
from fastdl.errors import ArgumentError, ShapeError

X = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3)).astype(np.uint8)


def images(figure):
    """Return the pictures of the figure, row by row."""
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def labels(figure):
    return [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]


def test_a_row_for_each_picture_the_picture_itself_first():
    """S22."""
    shown = images(report.augmentations(X, Augment(flip=0.5), variants=4))
    assert len(shown) == 3 * 5
    for row, picture in enumerate(X / np.float32(255)):
        np.testing.assert_array_equal(shown[5 * row], picture)
        for variant in shown[5 * row + 1 : 5 * row + 5]:
            assert any((variant == p).all() for p in (picture, picture[:, ::-1]))


def test_of_many_pictures_the_first():
    figure = report.augmentations(np.repeat(X, 100, axis=0), Augment(), variants=1)
    assert len(figure.axes) == 24 * 2
    assert figure.get_supxlabel().endswith("; the first 24 of 300")
    assert "first 24" not in report.augmentations(X, Augment()).get_supxlabel()


def test_shows_what_the_loader_gives_in_the_first_epochs():
    augment = Augment(rotate=30, color=0.2)
    shown = images(report.augmentations(X, augment, variants=3, seed=5))
    loader = DataLoader(X, 3, seed=5, transform=augment)
    for epoch in range(3):
        x, _ = next(iter(loader))
        for row in range(3):
            np.testing.assert_allclose(shown[4 * row + 1 + epoch], x[row], atol=1e-6)


def test_a_row_for_each_named_transform():
    figure = report.augmentations(
        X[:2],
        {
            "nothing": Augment(),
            "mirror $": Augment(flip=1.0),
            "hole": Augment(cutout=3),
        },
        variants=2,
    )
    assert labels(figure) == ["nothing", "mirror $", "hole"]
    shown = images(figure)
    assert len(shown) == 9
    np.testing.assert_array_equal(shown[1], shown[0])
    np.testing.assert_array_equal(shown[4], shown[3][:, ::-1])
    np.testing.assert_array_equal(shown[6], shown[0])  # the pictures in turn
    assert (shown[7] == 0).any()


def test_grey_pictures_can_be_drawn(tmp_path):
    x = np.random.default_rng(0).random((2, 5, 5, 1), np.float32)
    figure = report.augmentations(x, Augment(translate=1), variants=1)
    report.save_figure(figure, tmp_path / "gallery.png")
    assert (tmp_path / "gallery.png").stat().st_size > 1000


def test_a_data_set_and_several_transforms():
    several = [Augment(flip=0.5), Augment(rotate=30)]
    figure = report.augmentations(ArrayDataset(X, np.arange(3)), several, seed=5)
    x, _ = next(iter(DataLoader(X, 3, seed=5, transform=several)))
    for row, picture in zip(images(figure)[1::9], x, strict=True):
        np.testing.assert_allclose(row, picture, atol=1e-6)


@pytest.mark.parametrize(
    "transform", [None, [], {}, {"a": None}, lambda x: x, np.flip, 3]
)
def test_what_is_no_transform(transform):
    with pytest.raises(ArgumentError, match=r"augmentations: .*transform"):
        report.augmentations(X, transform)


@pytest.mark.parametrize(
    "x", [X[0], X[..., :2], X[:0], np.zeros((3, 20))], ids=["one", "2", "none", "rows"]
)
def test_what_is_no_pictures(x):
    with pytest.raises(ShapeError, match=r"augmentations: .* picture"):
        report.augmentations(x, Augment())


def test_no_variants():
    with pytest.raises(ShapeError, match="augmentations: variants"):
        report.augmentations(X, Augment(), variants=0)
