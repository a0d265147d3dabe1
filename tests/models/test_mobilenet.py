"""MobileNet v1 and v2, and the inverted residual block."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import gradcheck, models, nn
from fastdl.errors import ShapeError
from fastdl.models import InvertedResidual
from fastdl.models.convolution import divisible


def images(shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("mobilenet_v1", 4_231_976), ("mobilenet_v2", 3_504_872)],
)
def test_published_parameter_counts(name, parameters, counted):
    """S43: 1,000 classes; Keras and torchvision have the same."""
    assert counted(name)[0] == parameters


@pytest.mark.parametrize(
    ("alpha", "parameters", "millions"),
    [(0.75, 2.6, 325), (0.5, 1.3, 149), (0.25, 0.5, 41)],
)
def test_thinner_versions_of_v1(alpha, parameters, millions, counted):
    """Table 6 of the paper."""
    weights, work = counted("mobilenet_v1", width_mult=alpha)
    assert round(weights / 1e6, 1) == parameters
    assert work == pytest.approx(1e6 * millions, rel=0.02)


def test_names_are_torchvisions():
    model = models.mobilenet_v2(width_mult=0.25)
    model.build((32, 32, 3))
    names = [name for name, _ in model.named_parameters()]
    assert names[:3] == [
        "features.0.0.weight",
        "features.0.1.weight",
        "features.0.1.bias",
    ]
    assert [name for name in names if name.startswith("features.1.")] == [
        *("features.1.conv.0.0.weight", "features.1.conv.0.1.weight"),
        *("features.1.conv.0.1.bias", "features.1.conv.1.weight"),
        *("features.1.conv.2.weight", "features.1.conv.2.bias"),
    ]
    assert "features.17.conv.2.weight" in names
    assert names[-5:] == [
        *("features.18.0.weight", "features.18.1.weight", "features.18.1.bias"),
        *("classifier.1.weight", "classifier.1.bias"),
    ]


@pytest.mark.parametrize(
    ("channels", "rounded"), [(1, 8), (8, 8), (11.9, 16), (24 * 1.1, 24), (18, 24)]
)
def test_channels_are_multiples_of_8(channels, rounded):
    """At most 10 % fewer: 18 would become 16."""
    assert divisible(channels) == rounded


def test_the_last_convolution_becomes_only_wider():
    narrow, wide = (models.mobilenet_v2(width_mult=m) for m in (0.5, 1.4))
    assert narrow.features[18][0].out_channels == 1280
    assert wide.features[18][0].out_channels == 1792


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("stride", "has_skip"), [(1, True), (2, False)])
def test_a_block_is_its_formula(training, stride, has_skip):
    block = InvertedResidual(4, 4, stride, expansion=3).train(training)
    x = images((3, 6, 6, 4))
    expand, depthwise, convolution, norm = block.conv
    assert depthwise[0].groups == 12
    y = F.relu6(depthwise[1](depthwise[0](F.relu6(expand[1](expand[0](x))))))
    y = norm(convolution(y))
    expected = y + x if has_skip else y
    np.testing.assert_allclose(block(x).data, expected.data, 1e-5, 1e-5)


def test_without_expansion_there_are_two_convolutions():
    block = InvertedResidual(4, 6, expansion=1)
    assert [type(layer) for layer in block.conv] == [
        *(nn.Sequential, nn.Conv2d, nn.BatchNorm2d)
    ]
    assert block(images((3, 6, 6, 4))).shape == (3, 6, 6, 6)


@pytest.mark.parametrize("arguments", [(4, 4), (4, 6, 2), (4, 4, 1, 1)])
def test_gradients_of_a_block(arguments):
    model = nn.Sequential(InvertedResidual(*arguments), nn.GlobalAvgPool2d())
    x, y = images((3, 5, 4, 4)), np.array([0, 1, 2])
    assert gradcheck(model, F.cross_entropy, x, y).ratio < 1e-7


def test_sizes_that_are_none():
    with pytest.raises(ShapeError, match="InvertedResidual: expansion must be"):
        InvertedResidual(4, 4, expansion=0)


def test_depthwise_multiply_adds():
    """Each channel is filtered alone: k x k x channels for each pixel."""
    model = InvertedResidual(4, 4, 1, expansion=2)
    depthwise = model.conv[1][0]
    assert depthwise.multiply_adds((5, 6, 8)) == 5 * 6 * 8 * 9
    pointwise = model.conv[2]
    assert pointwise.multiply_adds((5, 6, 4)) == 5 * 6 * 8 * 4
