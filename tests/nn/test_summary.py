"""The summary table."""

import numpy as np
import pytest

from fastdl import models, nn
from fastdl.errors import ShapeError

S41 = """\
layer                                 output    parameters  multiply-adds
-------------------------------------------------------------------------
input                                 39x39x3            0              0
0 Conv2d(3, 10, 3) + ReLU             37x37x10         280        369,630
2 Conv2d(10, 20, 5, stride=2) + ReLU  17x17x20       5,020      1,445,000
4 Conv2d(20, 40, 5, stride=2) + ReLU  7x7x40        20,040        980,000
6 Flatten                             1960               0              0
7 Linear(1960, 6)                     6             11,766         11,760
-------------------------------------------------------------------------
37,106 parameters (37,106 trainable), 2,806,390 multiply-adds for one example"""


def test_table_of_the_course():
    """S41: 39x39x3, 37x37x10, 17x17x20, 7x7x40, 1960, classes; S40: 280."""
    assert models.create("s41", classes=6).summary((39, 39, 3)) == S41


def test_default_shape_is_that_of_build():
    model = models.create("s41", classes=6)
    with pytest.raises(ShapeError, match="summary: give input_shape"):
        model.summary()
    model.build((39, 39, 3))
    assert model.summary() == S41


def test_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    state = model.state_dict()
    model.summary((4,))
    assert all(m.training and not m._forward_hooks for m in model.modules())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_counts_frozen_nested_and_own_parameters():
    class Scale(nn.Module):
        def __init__(self):
            self.factor = nn.Parameter(np.ones(3, np.float32))
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(self.layer(x)) * self.factor

    model = nn.Sequential(nn.Linear(4, 3).freeze(), Scale())
    lines = model.summary((4,)).splitlines()
    assert [line.split()[:2] + line.split()[-2:] for line in lines[3:7]] == [
        ["0", "Linear(4,", "15", "12"],
        ["1.layer", "Linear(3,", "12", "9"],
        ["1.layer", "Linear(3,", "0", "9"],
        ["1", "Scale", "3", "0"],
    ]
    assert lines[-1].startswith("30 parameters (15 trainable), 30 multiply-adds")


def test_wrong_shape_names_the_layer():
    with pytest.raises(ShapeError, match=r"layer '2' \(Conv2d\): conv2d: the kernel"):
        models.create("s41").summary((5, 5, 3))
