"""The layer that makes images larger."""

import numpy as np
import pytest

from fastdl import nn
from fastdl.errors import ArgumentError, ShapeError


def test_shapes_without_parameters():
    layer = nn.Upsample(scale_factor=2, mode="bilinear")
    assert layer.build((7, 5, 3)) == (14, 10, 3)
    assert not list(layer.parameters())
    assert nn.Upsample((9, 4)).build((7, 5, 3)) == (9, 4, 3)


def test_values():
    x = np.array([[0.0, 4]], np.float32)[None, :, :, None]
    nearest, linear = nn.Upsample((1, 4)), nn.Upsample((1, 4), mode="bilinear")
    np.testing.assert_array_equal(nearest(x).numpy().reshape(-1), [0, 0, 4, 4])
    np.testing.assert_array_equal(linear(x).numpy().reshape(-1), [0, 1, 3, 4])


def test_in_a_model_that_predicts():
    """The option `mode` does not stand in the way of `Module.mode`."""
    model = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Flatten())
    with model.mode(training=False), model[0].mode(training=False):
        assert model(np.ones((3, 2, 2, 1), np.float32)).shape == (3, 16)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ArgumentError, "Upsample: give either size or scale_factor", {}),
        (
            ArgumentError,
            "Upsample: unknown mode 'cubic'",
            {"size": 3, "mode": "cubic"},
        ),
        (ShapeError, "Upsample: scale_factor must be", {"scale_factor": "2"}),
        (ShapeError, "Upsample: size must be", {"size": (3, 0)}),
    ],
)
def test_arguments_are_checked_at_once(error, message, arguments):
    with pytest.raises(error, match=message):
        nn.Upsample(**arguments)
