"""Modules as JSON data."""

import inspect
import json

import numpy as np
import pytest

from fastdl import models, nn
from fastdl.errors import ArgumentError, DataError, FastdlError
from fastdl.nn import registry
from fastdl.nn.module import required_inputs

LAYERS = [
    nn.Linear(3, 4, bias=False),
    nn.Conv2d(None, 4, (3, 2), padding=((1, 0), (2, 1)), dilation=2),
    nn.MaxPool2d(3, stride=2),
    nn.AvgPool2d((2, 1), padding=0),
    nn.GlobalAvgPool2d(),
    nn.AdaptiveAvgPool2d((None, 3)),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.AvgPool2d(3, 1, 1, count_include_pad=False),
    nn.Upsample(scale_factor=(2, 1.5), mode="bilinear", align_corners=True),
    nn.PReLU(3, init=0.1),
    nn.Conv2d(2, 3, 3, flip=True),
    nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1, groups=2),
    nn.BatchNorm1d(3, eps=1e-3, momentum=0.2),
    nn.BatchNorm2d(None),
    nn.ReLU(),
    nn.LeakyReLU(0.2),
    nn.Dropout(0.3),
    nn.Flatten(),
    nn.Dropout2d(keep_prob=0.3),
    nn.DropPath(0.2),
    nn.LayerNorm((3, 4), eps=1e-3),
    nn.GroupNorm(2, 6),
    nn.Linear(3, 4, weight_init="orthogonal"),
    nn.CrossEntropyLoss(reduction="sum"),
    nn.CrossEntropyLoss(class_weight=np.array([1, 2.5]), label_smoothing=0.1),
    nn.CrossEntropyLoss(ignore_index=np.int64(-100)),
    nn.NLLLoss(class_weight=np.array([1, 2.5]), ignore_index=-1),
    nn.BCELoss("sum"),
    nn.BCEWithLogitsLoss(pos_weight=3),
    nn.L1Loss("sum"),
    nn.HuberLoss(delta=0.5),
    nn.FocalLoss(gamma=1, alpha=np.array([1, 2.5])),
    nn.SigmoidFocalLoss(alpha=None),
    nn.DiceLoss(smooth=0.1),
    nn.TripletMarginLoss(margin=0.2, p=1),
    nn.KLDivLoss(),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_round_trip(layer):
    config = json.loads(json.dumps(nn.to_config(layer)))
    assert repr(nn.from_config(config)) == repr(layer)


@pytest.mark.parametrize("name", models.names())
def test_round_trip_of_models(name):
    widths = inspect.signature(getattr(models, name)).parameters
    model = models.create(
        name, **({"width_mult": 0.125} if "width_mult" in widths else {})
    )
    config = json.loads(json.dumps(nn.to_config(model)))
    assert repr(nn.from_config(config)) == repr(model)


def test_every_layer_is_registered():
    layers = [
        value
        for name in nn.__all__
        if isinstance(value := getattr(nn, name), type) and issubclass(value, nn.Module)
    ]
    known = registry._layers.values()
    assert set(layers) - {nn.Module} == {
        cls for cls in known if cls.__module__.startswith("fastdl.nn.")
    }


def test_own_class_with_modules_inside():
    @nn.register
    class Both(nn.Module):
        def __init__(self, branches, scale=1.0):
            self.branches = branches
            self.scale = scale

    model = Both([nn.ReLU(), nn.Sequential(nn.Tanh())], scale=np.float32(2))
    again = nn.from_config(json.loads(json.dumps(nn.to_config(model))))
    assert isinstance(again, Both)
    assert repr(again) == repr(model)
    assert again.scale == 2


def test_name_of_another_class_is_taken():
    with pytest.raises(ArgumentError, match="the name Linear is taken by fastdl"):

        @nn.register
        class Linear(nn.Module):
            pass


def test_class_that_is_not_registered():
    class Private(nn.Module):
        pass

    with pytest.raises(FastdlError, match=r"class Private is not registered.*@fastdl"):
        nn.to_config(nn.Sequential(Private()))


def test_argument_that_is_no_plain_value():
    @nn.register
    class WithArray(nn.Module):
        def __init__(self, table):
            self.table = table

    with pytest.raises(FastdlError, match="an argument of WithArray is a ndarray"):
        nn.to_config(WithArray(np.zeros(3)))


def test_shared_layers_are_refused_when_they_have_state():
    layer, relu = nn.Linear(3, 3), nn.ReLU()
    nn.to_config(nn.Sequential(relu, layer, relu))
    with pytest.raises(FastdlError, match="one Linear object stands at two places"):
        nn.to_config(nn.Sequential(layer, relu, layer))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"class": "Conv2D"}, "unknown layer 'Conv2D'; did you mean 'Conv2d'"),
        ({"class": "Linear", "in": 3}, "from_config: Linear: .*'in'"),
        ({"class": "Linear"}, "from_config: Linear: .*missing"),
        ({"layers": []}, "expected a dict with the key 'class'"),
        ([1, 2], "expected a dict with the key 'class'"),
    ],
)
def test_foreign_data(config, message):
    with pytest.raises(FastdlError, match=message):
        nn.from_config(config)
    assert issubclass(DataError, FastdlError)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("x", ["text", None, {}, [[1], [1, 2]]], ids=repr)
def test_no_layer_takes_what_is_no_array(layer, x):
    """A layer that looks at x before an operation does must check it itself."""
    with pytest.raises(FastdlError):
        layer(*[x] * required_inputs(layer))


@nn.register
class AllKinds(nn.Module):
    """Its arguments are passed in every way that Python has."""

    def __init__(self, first, /, second, *rest, third=3, **others):
        self.first, self.second, self.rest = first, second, rest
        self.third, self.others = third, others


def test_arguments_of_all_kinds():
    model = AllKinds(1, nn.ReLU(), nn.Linear(2, 2), 4, third=5, fourth=(6,), fifth=7)
    again = nn.from_config(json.loads(json.dumps(nn.to_config(model))))
    assert isinstance(again.second, nn.ReLU)
    assert isinstance(again.rest[0], nn.Linear)
    assert (again.first, again.rest[1], again.third) == (1, 4, 5)
    assert again.others == {"fourth": (6,), "fifth": 7}
