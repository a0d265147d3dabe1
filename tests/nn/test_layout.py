"""Axes in the order of another library: noticed where the shapes would fit."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from safetensors.numpy import save_file

from fastdl import models, nn
from fastdl.autograd import Tensor
from fastdl.errors import ShapeError

FIRST = "look like pictures with the channels first.*transpose"


def zeros(*shape):
    return np.zeros(shape, np.float32)


# Pictures ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 16, 16), (3, 48, 64)])
@pytest.mark.parametrize("layer", [lambda: nn.Conv2d(None, 2, 1), nn.BatchNorm2d])
def test_channels_first_into_an_open_layer_warns(layer, shape):
    def make():
        return nn.Sequential(layer() if layer is not nn.BatchNorm2d else layer(None))

    with pytest.warns(UserWarning, match=FIRST):
        make().build(shape)
    with pytest.warns(UserWarning, match=FIRST):
        make()(zeros(2, *shape))


def test_the_models_that_come_with_fastdl_warn_too():
    with pytest.warns(UserWarning, match=FIRST):
        models.create("resnet20").build((3, 32, 32))


def test_standardize_warns_too():
    x = np.random.default_rng(0).random((5, 3, 8, 8))
    with pytest.warns(UserWarning, match=rf"^Standardize: .*{FIRST}"):
        nn.Standardize().fit(x)
    nn.Standardize(8).fit(x)  # said so


@pytest.mark.parametrize(
    "shape",
    [
        *((28, 28, 1), (32, 32, 3), (8, 8, 8), (2, 16, 16)),
        *((3, 3, 64), (4, 4, 512), (1, 1, 2048), (3, 7, 7)),  # of late feature maps
        *((1, 100, 12), (1, 300, 64), (3, 128, 1), (3, 100, 8)),  # of sequences
        (1, 480, 640),
    ],
)
def test_shapes_that_are_no_such_sign(shape):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.Conv2d(None, 2, 1).build(shape)


def test_what_earlier_layers_gave_and_stated_sizes_are_taken_as_they_are():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.Conv2d(None, 2, 1)(Tensor(zeros(2, 1, 64, 64)))
        nn.Conv2d(64, 2, 1)(zeros(2, 1, 64, 64))
        nn.Sequential(nn.Conv2d(1, 16, (64, 1)), nn.Conv2d(None, 2, 1)).build(
            (64, 16, 1)
        )


# Weights -----------------------------------------------------------------------------

UNDECIDED = (
    r"'0\.weight' does not tell .* PyTorch, load them by "
    r"fastdl\.interop\.load_torch_state, or give weight\.transpose\(1, 0\)"
)


def dense(*sizes):
    return nn.Sequential(*(nn.Linear(*pair) for pair in pairwise(sizes)))


def test_a_foreign_file_of_square_weights_warns(tmp_path):
    model = dense(4, 4)
    save_file(model.state_dict(), tmp_path / "w")
    with pytest.warns(UserWarning, match=rf"^load_weights: .*w: .*{UNDECIDED}"):
        nn.load_weights(model, tmp_path / "w")
    save_file(model.state_dict(), tmp_path / "w", {"format": "pt"})
    with pytest.warns(UserWarning, match=UNDECIDED):
        nn.load_weights(model, tmp_path / "w")


def test_a_square_filter_too(tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 3, 3))
    save_file(model.state_dict(), tmp_path / "w")
    with pytest.warns(UserWarning, match=r"give weight\.transpose\(2, 3, 1, 0\)"):
        nn.load_weights(model, tmp_path / "w")


def test_files_of_fastdl_do_not_warn(tmp_path):
    model = dense(4, 4)
    nn.save_weights(model, tmp_path / "w")
    nn.load_weights(model, tmp_path / "w")
    nn.save(model, tmp_path / "m")
    nn.load_weights(model, tmp_path / "m")
    nn.load(tmp_path / "m")


@pytest.mark.parametrize(
    "model",
    [
        dense(4, 4, 3),  # the last one would not fit if it were PyTorch's
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.Linear(4, 4)),
        dense(1, 1),  # the same either way
        nn.Sequential(nn.BatchNorm1d(4)),
    ],
)
def test_a_weight_that_fits_in_one_order_settles_it(model, tmp_path):
    save_file(model.state_dict(), tmp_path / "w")
    nn.load_weights(model, tmp_path / "w")


class FromPyTorch:
    """Stands for a tensor of PyTorch, which shares its memory with NumPy."""

    __module__ = "torch"

    def __init__(self, array):
        self._array = array
        self.__array_interface__ = array.__array_interface__


@pytest.mark.parametrize("convert", [lambda x: x, np.asarray])
def test_arrays_that_come_from_pytorch_as_they_are(convert):
    model = dense(4, 4)
    state = model.state_dict()
    weight = convert(FromPyTorch(state["0.weight"]))
    with pytest.warns(UserWarning, match=f"^load_state_dict: .*{UNDECIDED}"):
        model.load_state_dict(state | {"0.weight": weight})
    model.load_state_dict(state | {"0.weight": np.asarray(weight).T})
    model.load_state_dict(state | {"0.weight": np.asarray(weight).T.copy()})
    # Only those that did not fit were transposed: that settles nothing for the others.
    model = dense(4, 4, 3)
    other = np.asarray(FromPyTorch(zeros(3, 4))).T
    with pytest.warns(UserWarning, match=UNDECIDED):
        model.load_state_dict(
            model.state_dict() | {"0.weight": weight, "1.weight": other}
        )


HINT = r"from PyTorch\? Use fastdl\.interop\.load_torch_state, or give "


def test_an_error_of_shapes_says_what_to_transpose():
    for layer, shape, axes in (
        (nn.LayerNorm((5, 3, 2)), (2, 5, 3), r"1, 2, 0"),
        (nn.Linear(3, 2), (2, 3), r"1, 0"),
        (nn.Conv2d(3, 4, 5), (4, 3, 5, 5), r"2, 3, 1, 0"),
    ):
        state = layer.state_dict() | {"weight": zeros(*shape)}
        with pytest.raises(ShapeError, match=rf"{HINT}weight\.transpose\({axes}\)"):
            layer.load_state_dict(state)
    with pytest.raises(ShapeError) as caught:
        layer.load_state_dict(layer.state_dict() | {"weight": zeros(9, 9, 9, 9)})
    assert "PyTorch" not in str(caught.value)
