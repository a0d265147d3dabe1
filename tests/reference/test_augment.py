"""The warp of images, against its definition and against another library (S22)."""

import numpy as np
import pytest

from fastdl.errors import ArgumentError, ShapeError
from fastdl.reference import affine_warp
from fastdl.shapes import FILLS


def matrices(*rows):
    return np.array(rows, float)


def pictures(rng, n=2, h=5, w=7, c=3):
    return rng.random((n, h, w, c))


IDENTITY = matrices([[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("fill", FILLS)
def test_identity_is_exact(rng, fill):
    x = pictures(rng, n=1)
    np.testing.assert_array_equal(affine_warp(x, IDENTITY, fill=fill), x)


def test_flips_and_turns_by_right_angles_are_exact(rng):
    x = pictures(rng, n=1, h=6, w=6)
    cases = {
        "left and right": ([[1, 0, 0], [0, -1, 5]], x[:, :, ::-1]),
        "top and bottom": ([[-1, 0, 5], [0, 1, 0]], x[:, ::-1]),
        "diagonal": ([[0, 1, 0], [1, 0, 0]], x.transpose(0, 2, 1, 3)),
        "quarter turn": ([[0, 1, 0], [-1, 0, 5]], np.rot90(x, axes=(1, 2))),
    }
    for name, (matrix, expected) in cases.items():
        y = affine_warp(x, matrices(matrix))
        np.testing.assert_array_equal(y, expected, err_msg=name)


@pytest.mark.parametrize("fill", FILLS)
def test_shift_by_whole_pixels_is_a_crop_of_the_padded_picture(rng, fill):
    x = pictures(rng, n=1)
    padded = np.pad(x, ((0, 0), (3, 3), (3, 3), (0, 0)), fill)
    for down in range(-3, 4):
        for right in range(-3, 4):
            y = affine_warp(x, matrices([[1, 0, down], [0, 1, right]]), fill=fill)
            expected = padded[:, 3 + down : 8 + down, 3 + right : 10 + right]
            np.testing.assert_array_equal(y, expected)


def test_half_a_pixel_is_the_mean_of_two(rng):
    x = pictures(rng, n=1)
    y = affine_warp(x, matrices([[1, 0, 0.5], [0, 1, 0]]))
    np.testing.assert_allclose(y[:, :-1], (x[:, 1:] + x[:, :-1]) / 2)
    np.testing.assert_allclose(y[:, -1], x[:, -1] / 2)  # beyond are zeros


def test_displacement_is_added_to_the_place(rng):
    x = pictures(rng)
    eye = np.repeat(IDENTITY, 2, axis=0)
    displacement = np.zeros((2, 2, 5, 7))
    displacement[1, 0, 2, 3] = 1.0
    displacement[1, 1, 2, 3] = -2.0
    y = affine_warp(x, eye, displacement)
    expected = x.copy()
    expected[1, 2, 3] = x[1, 3, 1]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("fill", FILLS)
def test_a_linear_picture_is_interpolated_exactly(fill):
    """Inside, bilinear interpolation has no error on a plane."""
    i, j = np.indices((9, 8))
    x = (2.0 * i - 3.0 * j)[None, :, :, None]
    matrix = matrices([[0.4, 0.1, 2.0], [-0.1, 0.5, 2.0]])
    u = 0.4 * i + 0.1 * j + 2.0
    v = -0.1 * i + 0.5 * j + 2.0
    y = affine_warp(x, matrix, fill=fill)
    np.testing.assert_allclose(y[0, ..., 0], 2 * u - 3 * v, atol=1e-12)


@pytest.mark.parametrize("fill", FILLS)
def test_like_scipy(rng, fill):
    ndimage = pytest.importorskip("scipy.ndimage")
    mode = {"constant": "grid-constant", "edge": "nearest", "reflect": "mirror"}[fill]
    x = pictures(rng, n=1, h=12, w=9)
    matrix = matrices([[1.3, -0.8, 2.2], [0.6, 1.1, -3.7]])
    y = affine_warp(x, matrix, fill=fill)
    for channel in range(3):
        expected = ndimage.affine_transform(
            x[0, ..., channel], matrix[0], order=1, mode=mode
        )
        np.testing.assert_allclose(y[0, ..., channel], expected, atol=1e-12)


def test_one_pixel_is_its_own_mirror_image():
    x = np.full((1, 1, 1, 2), 7.0)
    matrix = matrices([[1, 0, 5.5], [0, 1, -2.5]])
    np.testing.assert_array_equal(affine_warp(x, matrix, fill="reflect"), x)


def test_bad_arguments(rng):
    x = pictures(rng)
    eye = np.repeat(IDENTITY, 2, axis=0)
    with pytest.raises(ShapeError, match=r"matrix of shape \(2, 2, 3\), got \(1, 2"):
        affine_warp(x, IDENTITY)
    with pytest.raises(ShapeError, match="displacement of shape"):
        affine_warp(x, eye, np.zeros((2, 5, 7, 2)))
    with pytest.raises(ShapeError, match=r"expected x of shape \(n, h, w, c\)"):
        affine_warp(x[0], eye)
    with pytest.raises(ArgumentError, match="'reflexion'; did you mean 'reflect'"):
        affine_warp(x, eye, fill="reflexion")
