"""Gradient checking: right gradients pass, wrong ones are found and named (S09)."""

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import nn, optim, train
from fastdl.autograd import Tensor, record
from fastdl.errors import ArgumentError, NonFiniteError, ShapeError
from fastdl.train import Trainer, gradcheck, numeric_gradient

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 4)).astype(np.float32)
Y = np.array([0, 2, 1, 1, 0])
IMAGES = RNG.standard_normal((4, 6, 6, 2)).astype(np.float32)
LOSS = nn.CrossEntropyLoss()


def dense():
    fastdl.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def convolutional():
    fastdl.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(None, 4, 3, padding="same", bias=False),
        nn.BatchNorm2d(None),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(None, 4, 2),
        nn.LayerNorm(),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(None, 3),
    )


@nn.register
class WrongLinear(nn.Module):
    """A dense layer whose backward pass has one of the usual mistakes."""

    def __init__(self, mistake):
        self.mistake = mistake
        rng = np.random.default_rng(1)
        self.weight = nn.Parameter(rng.standard_normal((4, 3)))
        self.bias = nn.Parameter(rng.standard_normal(3))

    def forward(self, x):
        x, weight = np.asarray(x), self.weight.data

        def backward(node, dy):
            dweight, dbias = x.T @ dy, dy.sum(0)
            if self.mistake == "weight":
                dweight[2, 1] *= 1.01
            elif self.mistake == "bias":
                dbias = dy.mean(0)
            return dweight, dbias

        inputs = (self.weight._node, self.bias._node)
        return record(x @ weight + self.bias.data, backward, inputs)


# Differences


@pytest.mark.parametrize(("two_sided", "value"), [(True, 3.0001), (False, 3.0301)])
def test_theta_cubed(two_sided, value):
    """S09: theta^3 at 1 with eps 0.01, whose derivative is 3."""
    slope = numeric_gradient(lambda theta: theta**3, 1.0, 0.01, two_sided)
    assert slope.shape == ()
    assert float(slope) == pytest.approx(value, abs=1e-12)


def test_numeric_gradient_of_an_array():
    """S09"""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    slopes = numeric_gradient(lambda x: (x**2).sum(), x)
    np.testing.assert_allclose(slopes, 2 * x, atol=1e-9)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("eps", [0, -1, np.nan])
def test_eps(eps):
    with pytest.raises(ArgumentError, match="numeric_gradient: eps must be"):
        numeric_gradient(abs, 1.0, eps)
    with pytest.raises(ArgumentError, match="gradcheck: eps must be"):
        gradcheck(dense(), LOSS, X, Y, eps=eps)


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(1e-7, "great"), (1e-5, "look"), (1e-3, "wrong"), (0, "great"), (1, "wrong")],
)
def test_verdict(ratio, verdict):
    """S09: 1e-7 great, 1e-5 look, 1e-3 wrong."""
    assert train.GradientCheck(
        ratio, [train.ParameterCheck("w", ratio, (0,), 1, 1, 1, 1, 0)], 1.0, 1e-5
    ).verdict == (verdict)


# Models


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("model", "x"), [(dense, X), (convolutional, IMAGES)])
def test_right_gradients_are_great(model, x, training, each_backend):
    """S09: each parameter of each layer, through both backends and in both modes."""
    net = model().train(training)
    net.build(x.shape[1:])
    result = gradcheck(net, LOSS, x, Y[: len(x)])
    assert result.verdict == "great", str(result)
    assert result.ratio <= result.worst.ratio < 1e-7
    assert {row.name: row.size for row in result.parameters} == {
        name: parameter.size for name, parameter in net.named_parameters()
    }
    assert all(row.checked == row.size for row in result.parameters)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (nn.CrossEntropyLoss(class_weight=[1, 2, 3], label_smoothing=0.1), Y),
        (nn.BCEWithLogitsLoss(pos_weight=2.0), RNG.random((5, 3), np.float32)),
        (nn.MSELoss(), RNG.standard_normal((5, 3))),
        (lambda outputs, y: ((outputs - 1) ** 4).mean(), Y),
    ],
)
def test_any_loss(loss, y):
    """S09"""
    assert gradcheck(dense(), loss, X, y).verdict == "great"


@pytest.mark.parametrize(
    ("mistake", "parameter", "index"),
    [("weight", "1.weight", (2, 1)), ("bias", "1.bias", None)],
)
def test_a_wrong_gradient_is_found_and_its_parameter_named(mistake, parameter, index):
    """S09"""
    net = nn.Sequential(nn.Flatten(), WrongLinear(mistake))
    result = gradcheck(net, LOSS, X, Y)
    assert result.verdict == "wrong"
    assert result.worst.name == parameter
    assert index is None or result.worst.index == index
    assert {row.name: row.verdict == "wrong" for row in result.parameters} == {
        "1.weight": mistake == "weight",
        "1.bias": mistake == "bias",
    }
    lines = str(result).splitlines()
    (line,) = [line for line in lines if line.startswith(parameter)]
    assert f"{result.worst.analytic: .6e}" in line
    assert f"{result.worst.numeric: .6e}" in line
    assert lines[-1].endswith(f"wrong, because of '{parameter}'")


def test_a_right_layer_of_ones_own():
    net = nn.Sequential(nn.Flatten(), WrongLinear("none"))
    assert gradcheck(net, LOSS, X, Y).verdict == "great"


def test_the_gradient_of_the_penalty_is_part_of_it():
    """S09: it includes regularisation."""
    penalties = [nn.L2(0.3), nn.L1(0.1)]
    result = gradcheck(dense(), LOSS, X, Y, regularization=penalties)
    assert result.verdict == "great"
    plain = gradcheck(dense(), LOSS, X, Y)
    expected = sum(penalty(dense()).item() for penalty in penalties)
    assert result.cost - plain.cost == pytest.approx(expected, rel=1e-6)

    def forgotten(model):
        return Tensor(nn.L2(0.3)(model).item(), dtype=np.float64)  # no gradient

    wrong = gradcheck(dense(), LOSS, X, Y, regularization=forgotten)
    assert [row.verdict for row in wrong.parameters] == [
        "wrong",
        "great",
        "wrong",
        "great",
    ]


def test_again_after_some_training():
    """S09: it can be run again after some training, and leaves the model alone."""
    net = convolutional()
    trainer = Trainer(net, regularization=nn.L2(0.01))
    trainer.fit((IMAGES, Y[:4]), epochs=3, batch_size=4)
    before = {name: a.tobytes() for name, a in net.state_dict().items()}
    optimizer = trainer.optimizer
    gradients = [parameter.grad for parameter in net.parameters()]
    result = gradcheck(net, LOSS, IMAGES, Y[:4], regularization=nn.L2(0.01))
    assert result.verdict == "great", str(result)
    assert {name: a.tobytes() for name, a in net.state_dict().items()} == before
    assert net[0].weight.dtype == np.float32
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        assert parameter.grad is gradient
    optimizer.step()  # the flat arrays are still those of the model
    assert net[0].weight.data.tobytes() != before["0.weight"]


def test_batch_statistics_take_part_in_training_mode():
    """S09: the running ones are frozen; in evaluation they are constants."""
    net = convolutional()
    net.build(IMAGES.shape[1:])
    costs = [
        gradcheck(net.train(mode), LOSS, IMAGES, Y[:4]).cost for mode in (True, False)
    ]
    assert costs[0] != costs[1]
    assert net[1].num_batches_tracked == 0
    assert not net[1].running_mean.any()


@pytest.mark.parametrize("layer", [nn.Dropout, nn.Dropout2d, nn.DropPath])
def test_active_dropout_is_refused(layer):
    """S09"""
    net = nn.Sequential(nn.Conv2d(2, 3, 3), layer(0.5), nn.Flatten(), nn.Linear(48, 3))
    with pytest.raises(ArgumentError, match=r"layer '1' \(Drop.*its p to 0.*eval"):
        gradcheck(net, LOSS, IMAGES, Y[:4])
    assert gradcheck(net.eval(), LOSS, IMAGES, Y[:4], sample=5).verdict == "great"
    net.train()[1].p = 0
    assert gradcheck(net, LOSS, IMAGES, Y[:4], sample=5).verdict == "great"


def test_other_random_numbers_are_noticed():
    def noisy(outputs, y):
        return F.mse_loss(F.dropout(outputs), np.ones(outputs.shape))

    with pytest.raises(ArgumentError, match="another one when it is computed again"):
        gradcheck(dense(), noisy, X, Y)


def test_sample_of_a_large_model():
    """S09: so many elements of each parameter, the same for the same seed."""
    net = nn.Sequential(nn.Linear(4, 400), nn.Tanh(), nn.Linear(400, 3))
    first = gradcheck(net, LOSS, X, Y, sample=7)
    assert [row.checked for row in first.parameters] == [7, 7, 7, 3]
    assert first.verdict == "great"
    assert gradcheck(net, LOSS, X, Y, sample=7) == first
    other = gradcheck(net, LOSS, X, Y, sample=7, seed=1)
    assert other.parameters[0].analytic != first.parameters[0].analytic


def test_a_sample_has_no_element_twice():
    moved = set()

    class Watched(nn.Linear):
        def forward(self, x):
            moved.update(np.flatnonzero(self.weight.data != start).tolist())
            return super().forward(x)

    net = Watched(4, 30)
    start = net.weight.data.astype(np.float64)
    gradcheck(net, LOSS, X, Y, sample=119)
    assert len(moved) == 119


def test_kinks_are_left_out_and_counted():
    """At ReLU's kink there is no derivative: biases of 0 under blank inputs."""
    fastdl.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    x = X.copy()
    x[0] = 0
    result = gradcheck(net, LOSS, x, Y)
    rows = {row.name: row for row in result.parameters}
    assert rows["0.bias"].kinks == rows["0.bias"].size == 6
    assert rows["0.bias"].verdict == "unknown"
    assert rows["2.weight"].kinks == 0
    assert result.verdict == "great"
    assert "6 at a kink" in str(result)
    assert (
        str(result).splitlines()[-1].startswith("not checked: '0.bias'; the cost has")
    )

    net[0].bias.data[...] = 0.1
    rows = {row.name: row for row in gradcheck(net, LOSS, x, Y).parameters}
    assert rows["0.bias"].verdict == "great"
    assert rows["0.bias"].kinks == 0


def test_near_kinks_are_resolved_by_smaller_steps():
    net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    net[0].weight.data[...] = 1.0
    net[0].bias.data[...] = 4e-6  # within eps of the kink of x = 0
    x = np.zeros((1, 1))
    result = gradcheck(net, lambda outputs, y: outputs.sum(), x, Y[:1], eps=1e-5)
    bias = result.parameters[1]
    assert (bias.checked, bias.kinks, bias.analytic) == (1, 0, 1)
    assert bias.numeric == pytest.approx(1, rel=1e-7)


def test_gradients_below_rounding_count_as_zero():
    """A bias before batch norm has no influence; its numeric gradient is noise."""
    fastdl.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    result = gradcheck(net, LOSS, X, Y)
    bias = result.parameters[1]
    assert (bias.name, bias.analytic, bias.numeric, bias.ratio) == ("0.bias", 0, 0, 0)
    assert result.verdict == "great"


def test_rounding_grows_with_the_loss():
    """A loss of a million has a coarser numeric gradient."""
    net = nn.Linear(4, 3)

    def loss(outputs, y):
        return LOSS(outputs, y) * 1e-6 + 1e6

    result = gradcheck(net, loss, X, Y)
    assert [(row.analytic, row.numeric) for row in result.parameters] == [(0, 0)] * 2
    assert result.verdict == "great"


def test_frozen_and_unused_parameters():
    net = dense()
    net.unused = nn.Parameter(np.ones(2, np.float32))
    net[0].freeze()
    result = gradcheck(net, LOSS, X, Y)
    assert [row.name for row in result.parameters] == ["unused", "2.weight", "2.bias"]
    assert result.verdict == "great"
    with pytest.raises(ArgumentError, match="no parameter of the model is trained"):
        gradcheck(dense().freeze(), LOSS, X, Y)


def test_bytes_of_pictures():
    pixels = RNG.integers(0, 256, (4, 6, 6, 2), np.uint8)
    net = convolutional()
    net.build((6, 6, 2))
    result = gradcheck(net, LOSS, pixels, Y[:4], sample=3)
    assert result.cost == gradcheck(net, LOSS, pixels / np.float32(255), Y[:4]).cost


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (nn.CrossEntropyLoss("none"), ShapeError, "gradcheck: the loss must be one"),
        (nn.CrossEntropyLoss, ArgumentError, "gradcheck: loss must be a loss such as"),
        (lambda outputs, y: outputs.sum() * np.nan, NonFiniteError, "the cost is nan"),
    ],
)
def test_losses_that_cannot_be_checked(loss, error, message):
    with pytest.raises(error, match=message):
        gradcheck(dense(), loss, X, Y)


def test_sample_must_be_positive():
    with pytest.raises(ShapeError, match="gradcheck: sample must be an integer"):
        gradcheck(dense(), LOSS, X, Y, sample=0)


def test_a_gradient_that_is_nan_is_wrong():
    def loss(outputs, y):
        return (outputs * 0).abs().sqrt().mean()  # the slope of the root is infinite

    with np.errstate(divide="ignore", invalid="ignore"):
        result = gradcheck(dense(), loss, X, Y)
    assert result.verdict == "wrong"
    assert result.worst.ratio == np.inf


def test_an_optimisers_view_is_checked_as_well():
    net = dense()
    optim.Adam(net.parameters())
    assert gradcheck(net, LOSS, X, Y).verdict == "great"


def test_layers_and_parameters_in_dicts_and_lists_are_checked():
    class Heads(nn.Module):
        def __init__(self):
            self.scales = [nn.Parameter(np.ones(4, np.float32))]
            self.heads = {"a": [nn.Linear(4, 3)], "b": nn.Linear(4, 3)}

        def forward(self, x):
            x = x * self.scales[0]
            return self.heads["a"][0](x) + self.heads["b"](x)

    result = gradcheck(Heads(), LOSS, X, Y)
    assert result.verdict == "great"
    assert [row.name for row in result.parameters] == [
        "scales.0",
        "heads.a.0.weight",
        "heads.a.0.bias",
        "heads.b.weight",
        "heads.b.bias",
    ]


def test_the_relative_difference_of_the_course():
    """S09: ||a - b|| / (||a|| + ||b||)."""
    assert train.relative_difference([3.0, 4.0], [3.0, 4.0]) == 0
    assert train.relative_difference([3.0, 4.0], [-3.0, -4.0]) == 1
    assert train.relative_difference([0.0, 0.0], [3.0, 4.0]) == 1
    assert train.relative_difference(np.zeros((2, 2)), np.zeros((2, 2))) == 0
    one, other = RNG.standard_normal((2, 5, 3))
    norms = [np.linalg.norm(each) for each in (one - other, one, other)]
    ratio = train.relative_difference(one, other)
    assert ratio == pytest.approx(norms[0] / (norms[1] + norms[2]), rel=1e-14)
    parts = train.relative_difference(
        {"W": one[:2], "b": one[2:]}, {"b": Tensor(other[2:]), "W": other[:2]}
    )
    assert parts == pytest.approx(ratio, rel=1e-14)
    assert train.relative_difference((one, one[0]), (other, other[0])) > 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e200])
def test_the_relative_difference_of_what_is_not_finite(wrong):
    assert train.relative_difference([1.0, wrong], [1.0, 2.0]) == np.inf


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        ([1.0, 2.0], [[1.0, 2.0]], ShapeError),
        ({"W": [1.0]}, {"V": [1.0]}, ArgumentError),
        (([1.0],), [1.0], ArgumentError),
    ],
)
def test_what_has_no_relative_difference(a, b, error):
    with pytest.raises(error, match="relative_difference"):
        train.relative_difference(a, b)


def test_a_check_is_true_unless_a_gradient_is_wrong():
    """S09: ``assert gradcheck(...)``, as in PyTorch."""

    def half(outputs, y):
        return F.cross_entropy(outputs.detach() + outputs * 0.5, y)

    assert gradcheck(dense(), LOSS, X, Y)
    assert not gradcheck(dense(), half, X, Y)
