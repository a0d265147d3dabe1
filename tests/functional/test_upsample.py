"""Upsampling: gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl.errors import ArgumentError, ShapeError


@pytest.mark.parametrize(
    "options",
    [
        {"scale_factor": 2},
        {"size": (7, 3)},
        {"scale_factor": 2, "mode": "bilinear"},
        {"scale_factor": (1.5, 3), "mode": "bilinear"},
        {"size": (7, 9), "mode": "bilinear", "align_corners": True},
    ],
    ids=str,
)
def test_gradients(options, rng, check_gradients):
    x = rng.standard_normal((2, 3, 4, 2))
    check_gradients(lambda x: F.upsample(x, **options), x)


def test_a_constant_stays_constant():
    y = F.upsample(np.full((1, 3, 5, 2), 0.7), 11, mode="bilinear")
    np.testing.assert_allclose(y.data, 0.7, rtol=1e-15)


def test_errors_name_the_operation():
    with pytest.raises(ShapeError, match="upsample: expected x of shape"):
        F.upsample(np.ones((2, 2, 1)), 3)
    with pytest.raises(ArgumentError, match="upsample: unknown mode 'cubic'"):
        F.upsample(np.ones((1, 2, 2, 1)), 3, mode="cubic")
