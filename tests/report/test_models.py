"""Figures of what a model computes: activations, filters, feature maps, boundaries."""

import numpy as np
import pytest
from matplotlib.figure import Figure

import fastdl
from fastdl import models, nn, report
from fastdl.errors import ArgumentError, DataError, GraphError, ShapeError

RNG = np.random.default_rng(0)
IMAGES = RNG.random((5, 8, 8, 1), np.float32)
POINTS = RNG.standard_normal((40, 2)).astype(np.float32)
LABELS = (POINTS[:, 0] > 0).astype(np.int64)


@pytest.fixture
def convnet():
    fastdl.manual_seed(0)
    model = models.create("digits_convnet")
    model.build((8, 8, 1))
    return model


def shown(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def text(figure):
    from matplotlib.text import Text

    return "\n".join(each.get_text() for each in figure.findobj(Text))


# Activation histograms


def test_a_histogram_for_each_activation_layer(convnet):
    figure = report.activation_histograms(convnet, IMAGES)
    assert isinstance(figure, Figure)
    titles = [axes.get_title(loc="left") for axes in shown(figure)]
    names = [name for name, m in convnet.named_modules() if isinstance(m, nn.ReLU)]
    assert titles == [f"{name}  ReLU" for name in names]


def test_zeros_are_counted_and_left_out():
    model = nn.Sequential(nn.Identity(), nn.ReLU())
    figure = report.activation_histograms(model, np.array([[-1.0, 0.0, 2.0, 4.0]]))
    (axes,) = shown(figure)
    assert "50% zero" in text(figure)
    assert "mean 1.5" in text(figure)
    assert sum(bar.get_height() for bar in axes.patches) == 2


def test_layers_by_name_and_without_activations():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    x = np.ones((2, 3), np.float32)
    for layers, expected in (
        (None, ["0  Linear", "1  Linear"]),
        (["1"], ["1  Linear"]),
    ):
        figure = report.activation_histograms(model, x, layers)
        assert [axes.get_title(loc="left") for axes in shown(figure)] == expected


def test_an_activation_within_a_block_belongs_to_its_norm():
    model = nn.Sequential(nn.ReLU(), models.BasicBlock(1, 1))
    assert len(shown(report.activation_histograms(model, IMAGES))) == 1
    figure = report.activation_histograms(model, IMAGES - 0.5, ["1.bn1", "1.bn2"])
    for axes in shown(figure):
        assert min(bar.get_x() for bar in axes.patches if bar.get_height()) > 0


def test_the_model_stays_as_it_is(convnet):
    convnet.train()
    before = {name: array.copy() for name, array in convnet.state_dict().items()}
    report.activation_histograms(convnet, IMAGES)
    assert all(module.training for module in convnet.modules())
    assert not any(module._forward_hooks for module in convnet.modules())
    for name, array in convnet.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_activation_histograms_refuse(convnet):
    with pytest.raises(ArgumentError, match="must be a Module, got 3"):
        report.activation_histograms(3, IMAGES)
    with pytest.raises(ArgumentError, match="no layer 'x1'"):
        report.activation_histograms(convnet, IMAGES, ["x1"])
    with pytest.raises(ArgumentError, match="no layer to show"):
        report.activation_histograms(nn.Sequential(nn.Flatten()), IMAGES)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    model[0].weight.data[...] = np.nan
    with pytest.raises(DataError, match=r"layer 1  Tanh gives NaN"):
        report.activation_histograms(model, POINTS)


# Filters


def test_filters_of_one_channel_share_a_scale(convnet):
    figure = report.filters(convnet)
    weight = next(m for m in convnet.modules() if isinstance(m, nn.Conv2d)).weight
    limit = np.abs(weight.numpy()).max()
    panels = shown(figure)
    assert len(panels) == weight.shape[-1]
    for index in (0, len(panels) - 1):
        image = panels[index].images[0]
        np.testing.assert_array_equal(image.get_array(), weight.numpy()[:, :, 0, index])
        assert image.get_clim() == pytest.approx((-limit, limit))
    assert f"{len(panels)} filters of 3 x 3" in text(figure)


def test_filters_of_three_channels_are_colours():
    layer = nn.Conv2d(3, 5, 4)
    figure = report.filters(nn.Sequential(layer), "0")
    panels = shown(figure)
    assert len(panels) == 5
    colours = np.stack([axes.images[0].get_array() for axes in panels], axis=-1)
    assert colours.shape == (4, 4, 3, 5)
    assert 0 <= colours.min() < 0.5 < colours.max() <= 1
    np.testing.assert_array_equal(colours > 0.5, layer.weight.numpy() > 0)


def test_filters_refuse(convnet):
    with pytest.raises(ArgumentError, match="the model has no Conv2d"):
        report.filters(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ArgumentError, match="'2' must be a Conv2d, it is a ReLU"):
        report.filters(convnet, "2")
    with pytest.raises(ShapeError, match=r"1 or 3 channels.*\(3, 3, 2\)"):
        report.filters(nn.Sequential(nn.Conv2d(2, 4, 3)))
    with pytest.raises(GraphError, match=r"call model\.build"):
        report.filters(nn.Sequential(nn.Conv2d(None, 4, 3)))


# Feature maps


def test_feature_maps_are_what_the_layer_gives(convnet):
    figure = report.feature_maps(convnet, IMAGES[0], count=6)
    picture, *maps = shown(figure)
    np.testing.assert_array_equal(picture.images[0].get_array(), IMAGES[0, ..., 0])
    expected = convnet.eval()[:1](IMAGES[:1]).numpy()[0]
    assert len(maps) == 6
    for index, axes in enumerate(maps):
        np.testing.assert_allclose(
            axes.images[0].get_array(), expected[..., index], rtol=1e-5, atol=1e-6
        )
    assert "Layer 0 (Conv2d): 6 of" in text(figure)


def test_feature_maps_after_relu_are_never_vermilion(convnet):
    figure = report.feature_maps(convnet, IMAGES[0], "2")
    assert "vermilion" not in text(figure)
    assert "vermilion" in text(report.feature_maps(convnet, IMAGES[0], "0"))


def test_feature_maps_refuse(convnet):
    with pytest.raises(ShapeError, match=r"one picture.*got \(5, 8, 8, 1\)"):
        report.feature_maps(convnet, IMAGES)
    with pytest.raises(ShapeError, match="before Flatten"):
        report.feature_maps(convnet, IMAGES[0], str(len(convnet) - 1))
    with pytest.raises(ShapeError, match="count"):
        report.feature_maps(convnet, IMAGES[0], count=0)


# Decision boundary


def answers(kind):
    """Return a classifier whose boundary is w1 = 0, and that answers in this form."""
    return {
        "labels": lambda x: (x[:, 0] > 0).astype(int),
        "logits (n,)": lambda x: 2 * x[:, 0],
        "logits (n, 1)": lambda x: 2 * x[:, :1],
        "scores": lambda x: np.stack([-x[:, 0], x[:, 0]], axis=1),
    }[kind]


@pytest.mark.parametrize("kind", ["labels", "logits (n,)", "logits (n, 1)", "scores"])
def test_the_boundary_is_where_the_answer_changes(kind):
    figure = report.decision_boundary(answers(kind), POINTS, LABELS)
    (axes,) = shown(figure)
    lines = [c for c in axes.collections if c.get_linewidth()[0] == 0.8]
    vertices = np.concatenate([p.vertices for c in lines for p in c.get_paths()])
    step = np.ptp(POINTS[:, 0]) / 100
    assert len(vertices) > 100
    areas = [c for c in axes.collections if c.get_alpha() == 0.2]
    left, right = (np.concatenate([p.vertices for p in c.get_paths()]) for c in areas)
    assert left[:, 0].max() < step  # one colour on each side
    assert right[:, 0].min() > -step
    assert np.abs(vertices[:, 0]).max() < step


def test_points_and_classes_are_shown():
    model = nn.Sequential(nn.Linear(2, 3))
    labels = np.arange(len(POINTS)) % 3
    panels = {"one": model, "two": fastdl.Trainer(model).predict}
    figure = report.decision_boundary(panels, POINTS, labels, ["a", "b", "c"])
    assert [axes.get_title(loc="left") for axes in shown(figure)] == ["one", "two"]
    for axes in shown(figure):
        points = {
            c.get_label(): np.asarray(c.get_offsets())
            for c in axes.collections
            if len(c.get_offsets()) > 1
        }
        for label, name in enumerate("abc"):
            np.testing.assert_allclose(points[name], POINTS[labels == label])
    legend = shown(figure)[-1].get_legend()
    assert [each.get_text() for each in legend.get_texts()] == ["a", "b", "c"]


def test_decision_boundary_refuses():
    right = answers("labels")
    with pytest.raises(ShapeError, match=r"\(m, 2\), got \(40, 1\)"):
        report.decision_boundary(right, POINTS[:, :1], LABELS)
    with pytest.raises(ShapeError, match="40 integer labels"):
        report.decision_boundary(right, POINTS, LABELS * 0.5)
    with pytest.raises(ArgumentError, match="at most 6 classes"):
        report.decision_boundary(right, POINTS, np.arange(40) % 7)
    with pytest.raises(ArgumentError, match="2 classes need as many names, got 1"):
        report.decision_boundary(right, POINTS, LABELS, ["a"])
    with pytest.raises(ArgumentError, match="a Module or a function, got 5"):
        report.decision_boundary(5, POINTS, LABELS)
    with pytest.raises(ShapeError, match=r"the classifier gave shape \(3, 2\)"):
        report.decision_boundary(lambda x: np.ones((3, 2)), POINTS, LABELS)


def test_a_layer_of_several_outputs_and_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            self.both = Both()

        def forward(self, x):
            return self.both(x)[0]

    class Both(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return self.layer(x), self.layer(x)

    with pytest.raises(ArgumentError, match="layer 'both' has several outputs"):
        report.activation_histograms(Two(), POINTS, ["both"])
    with pytest.raises(ShapeError, match="activation_histograms: x must be one array"):
        report.activation_histograms(Two(), (POINTS, POINTS[:, :1]), ["both.layer"])
