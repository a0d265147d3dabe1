"""Models drawn as SVG: boxes, and who takes whose output."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from fastdl import functional as F
from fastdl import models, nn, report
from fastdl.errors import ArgumentError, ShapeError
from fastdl.report.diagram.graph import trace
from fastdl.report.diagram.layout import arrange

SVG = "{http://www.w3.org/2000/svg}"


def graph(model, shape, depth=1):
    """Return {box: its sources}, each by its name, or by its title without one."""

    def called(box):
        return box.name or box.title

    boxes = trace(model, shape, depth)
    return {called(box): [called(source) for source in box.sources] for box in boxes}


class Skip(nn.Module):
    def __init__(self):
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.first(x)
        return F.relu(x + self.second(x))


class Branches(nn.Module):
    """Two inputs through one layer, two outputs."""

    def __init__(self):
        self.shared = nn.Linear(3, 4)
        self.heads = nn.ModuleDict({"a": nn.Linear(8, 1), "b": nn.Linear(8, 2)})

    def forward(self, left, right):
        both = F.concatenate([self.shared(left), self.shared(right)], axis=1)
        return {name: head(both) for name, head in self.heads.items()}


class Block(nn.Module):
    def __init__(self, width):
        self.width = width
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return self.norm(self.conv(x), activation="relu", residual=x)


def test_a_chain():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Softmax())
    assert graph(model, (2, 2, 1)) == {
        "input": [],
        "0": ["input"],
        "1": ["0"],
        "2": ["1"],
        "output": ["2"],
    }


def test_a_skip_goes_around_a_layer():
    assert graph(Skip(), (4,)) == {
        "input": [],
        "first": ["input"],
        "second": ["first"],
        "+": ["first", "second"],
        "activation": ["+"],
        "output": ["activation"],
    }


def test_several_inputs_and_outputs_and_a_shared_layer():
    boxes = trace(Branches(), {"left": (3,), "right": (3,)}, 2)
    assert [box.name or box.title for box in boxes] == [
        "input['left']",
        "input['right']",
        "shared",
        "shared",
        "concatenate",
        "heads.a",
        "heads.b",
        "output['a']",
        "output['b']",
    ]
    assert [box.parameters for box in boxes[2:7]] == [16, 0, 0, 9, 18]
    assert boxes[4].sources == boxes[2:4]
    assert boxes[8].sources == [boxes[6]]
    assert boxes[8].shape == (2,)


def test_a_residual_that_is_passed_by_name_is_seen():
    assert graph(Block(4), (6, 6, 4)) == {
        "input": [],
        "conv": ["input"],
        "norm": ["conv", "input"],
        "output": ["norm"],
    }


def test_many_skips_inside_of_a_box():
    """There are 2^60 paths through it."""

    class Skips(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            x = self.layer(x)
            for _ in range(60):
                x = x + F.relu(x)
            return x

    assert graph(nn.Sequential(Skips(), nn.Flatten()), (4,)) == {
        "input": [],
        "0": ["input"],
        "1": ["0"],
        "output": ["1"],
    }


def test_many_operations_between_boxes():
    class Steps(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            x = self.layer(x)
            for _ in range(1500):
                x = F.tanh(x)
            return x

    assert len(trace(Steps(), (4,), 1)) == 1 + 1 + 1500 + 1


def test_norm_activation_and_dropout_stand_with_the_layer_before():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.5), nn.Flatten()
    )
    boxes = trace(model, (5, 5, 1), 1)
    assert [box.title for box in boxes[1:3]] == [
        "Conv2d(1, 2, 3) + BatchNorm2d + ReLU + Dropout",
        "Flatten",
    ]
    assert boxes[1].parameters == 20 + 4


def test_an_activation_of_what_others_take_too_stays_apart():
    class Two(nn.Module):
        def __init__(self):
            self.layer, self.relu = nn.Linear(3, 3), nn.ReLU()

        def forward(self, x):
            x = self.layer(x)
            return self.relu(x) + x

    assert graph(Two(), (3,))["+"] == ["relu", "layer"]


def test_blocks_that_are_alike_are_one_box():
    model = nn.Sequential(*[Block(4) for _ in range(3)], nn.Flatten())
    boxes = trace(model, (6, 6, 4), 1)
    assert [(box.name, box.repeats) for box in boxes[1:-1]] == [("0 to 2", 3), ("3", 1)]
    assert boxes[1].parameters == 3 * (4 * 4 * 9 + 4 + 8)
    assert len(trace(model, (6, 6, 4), 2)) == 1 + 3 * 2 + 1 + 1


def test_large_networks_stay_readable():
    model = models.create("resnet50", 10)
    boxes = trace(model, (64, 64, 3), None)
    assert len(boxes) <= 30
    assert "Bottleneck" in {box.title for box in boxes}
    assert sum(box.parameters for box in boxes) == sum(
        parameter.size for parameter in model.parameters()
    )


@pytest.mark.parametrize("shape", [(4,), None])
def test_the_drawing(shape):
    model = Skip()
    model.build((4,))
    root = ElementTree.fromstring(report.diagram(model, shape))
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title").text == "Skip, 40 parameters"
    texts = [each.text for each in root.iter(f"{SVG}text")]
    assert texts[:5] == ["input", "4", "Linear(4, 4)", "first", "4 · 20 parameters"]
    # One edge around "second" has a place beside it.
    assert len(list(root.iter(f"{SVG}path"))) == 7


def test_names_are_escaped():
    model = nn.Sequential({"<a&b>": nn.Linear(2, 2)})
    assert "&lt;a&amp;b&gt;" in report.diagram(model, (2,))


def test_boxes_of_a_row_do_not_overlap():
    boxes = trace(Branches(), ((3,), (3,)), 2)
    rows = arrange(boxes, [40.0] * len(boxes), gap=10)
    for row in rows:
        places = [point.x for point in row]
        assert (np.diff(places) > 0).all()
        widths = [point.width for point in row]
        room = (np.array(widths[1:]) + widths[:-1]) / 2 + 10
        assert (np.diff(places) >= room - 1e-6).all()
    assert [len(row) for row in rows] == [2, 2, 1, 2, 2]


def test_the_model_is_as_before():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    model.build((5, 5, 1))
    before = model.state_dict()
    report.diagram(model, (5, 5, 1))
    assert all(not module._forward_hooks for module in model.modules())
    assert all(module.training for module in model.modules())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_wrong_arguments():
    with pytest.raises(ArgumentError, match="diagram: model must be a Module"):
        report.diagram("resnet20", (3,))
    with pytest.raises(ShapeError, match="diagram: give input_shape"):
        report.diagram(Skip())
    with pytest.raises(ShapeError, match="diagram: depth"):
        report.diagram(Skip(), (4,), depth=0)
