"""U-Net."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl
from fastdl import gradcheck, models, nn, optim
from fastdl.errors import ShapeError


def squares(count, side):
    """Return noisy pictures with a bright square each, and where it is."""
    rng = np.random.default_rng(0)
    y = np.zeros((count, side, side, 1), np.float32)
    for mask in y:
        top, left = rng.integers(0, side // 2, 2)
        mask[top : top + side // 3, left : left + side // 3] = 1
    x = y + rng.standard_normal((count, side, side, 3))
    return x.astype(np.float32), y


def test_published_parameter_count(counted):
    """At the paper's width, as in the usual version with batch norms."""
    parameters, _ = counted("unet", (32, 32, 1), classes=2, width=64)
    assert parameters == 31_036_546


@pytest.mark.parametrize(
    ("depth", "shape"), [(1, (2, 6)), (2, (12, 4)), (3, (16, 8)), (4, (16, 48))]
)
def test_each_pixel_has_logits(depth, shape):
    model = models.unet(3, width=2, depth=depth)
    assert model.build((*shape, 1)) == (*shape, 3)
    assert len(model.down) == depth + 1
    assert model.down[-1][0].out_channels == 2 * 2**depth


@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (9, 8)])
def test_sizes_that_cannot_be_halved(shape):
    model = models.unet(width=2, depth=3)
    with pytest.raises(ShapeError, match=r"multiples of 2\^depth = 8, got x of shape"):
        model.build((*shape, 1))


def test_gradients():
    fastdl.manual_seed(0)
    x, y = squares(2, 8)
    model = models.unet(width=2, depth=2)
    assert gradcheck(model, nn.BCEWithLogitsLoss(), x, y, sample=2).ratio < 1e-6


def test_learns_32_masks_by_heart():
    fastdl.manual_seed(0)
    x, y = squares(32, 16)
    model = models.unet(width=8, depth=2)
    model.build(x.shape[1:])
    loss = nn.BCEWithLogitsLoss()
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        logits = model(x)
        if ((logits.data > 0) == (y > 0)).all():
            return
        loss(logits, y).backward()
        optimizer.step()
    pytest.fail("not learnt in 150 steps")


def test_saved_and_loaded(tmp_path):
    x, _ = squares(2, 8)
    model = models.unet(2, width=2, depth=2)
    model(x)
    nn.save(model.eval(), tmp_path / "unet.safetensors")
    loaded = nn.load(tmp_path / "unet.safetensors")
    np.testing.assert_array_equal(loaded(x).data, model(x).data)


def test_a_new_head_is_saved(tmp_path):
    model = models.unet(1, width=2, depth=1)
    model.build((4, 4, 1))
    nn.save(model.replace_head(3), tmp_path / "unet.safetensors")
    assert nn.load(tmp_path / "unet.safetensors").build((4, 4, 1)) == (4, 4, 3)
