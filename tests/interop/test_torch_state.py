"""Weights in PyTorch's names and layout; PyTorch itself is in test_against_torch.py."""

import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import fastdl
from fastdl import functional as F
from fastdl import interop, models, nn
from fastdl.errors import ArgumentError, DataError, FastdlError, GraphError
from fastdl.interop.layout import layouts

RNG = np.random.default_rng(0)
PICTURE = (6, 4, 3)  # no two sizes are equal


def convnet(*behind):
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        *behind,
    )  # fmt: skip
    model.build(PICTURE)
    return model.eval()


def random_state(model):
    """Return what PyTorch could have for a model; all variances are positive."""
    return {
        name: np.asarray(0.5 + RNG.random(array.shape), array.dtype)
        for name, array in interop.torch_state(model).items()
    }


def unchanged(model):
    """Return a function that asserts that no array has changed."""
    before = model.state_dict()

    def check():
        for name, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[name])

    return check


# PyTorch's definitions, channels first -----------------------------------------------


def conv2d(x, weight, bias=0.0, groups=1):
    """Convolve x (n, c, h, w) with filters (oc, c / groups, 3, 3), padding 1."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    parts = [
        np.einsum("ncijhw,ochw->noij", part, filters)
        for part, filters in zip(
            np.split(windows, groups, axis=1), np.split(weight, groups), strict=True
        )
    ]
    return np.concatenate(parts, axis=1) + np.reshape(bias, (-1, 1, 1))


def batch_norm(x, state, name):
    mean, var, weight, bias = (
        state[f"{name}.{part}"].reshape(-1, *[1] * (x.ndim - 2))
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-5) * weight + bias


def linear(x, state, name):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def trunk(x, state):
    """Compute what `convnet` has before the layers behind, from x (n, c, h, w)."""
    y = conv2d(x, state["0.weight"], state["0.bias"])
    y = np.maximum(batch_norm(y, state, "1"), 0)
    n, c, h, w = y.shape
    return y.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def assert_computes(model, state, expected):
    """Load the state and compare with a function of x (n, c, h, w) and the state."""
    assert interop.load_torch_state(model, state) == ([], [])
    x = RNG.standard_normal((5, *PICTURE), np.float32)
    y = model.eval()(x).numpy()
    np.testing.assert_allclose(
        y, expected(x.transpose(0, 3, 1, 2), state), rtol=1e-4, atol=1e-4
    )


# The rule of layouts -----------------------------------------------------------------


def test_a_dense_layer_behind_a_flatten():
    model = convnet(nn.Flatten(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 5))

    def expected(x, state):
        y = linear(trunk(x, state).reshape(len(x), -1), state, "5")
        return linear(np.maximum(y, 0), state, "7")

    assert_computes(model, random_state(model), expected)


def test_layers_between_flatten_and_dense_keep_the_order():
    model = convnet(
        nn.Flatten(), nn.Dropout(0.5), nn.BatchNorm1d(24), nn.Tanh(), nn.Linear(24, 24)
    )

    def expected(x, state):
        y = batch_norm(trunk(x, state).reshape(len(x), -1), state, "6")
        return linear(np.tanh(y), state, "8")

    assert_computes(model, random_state(model), expected)


class Own(nn.Module):
    """A module that flattens by itself."""

    def __init__(self, flatten):
        self.trunk = convnet()
        self.flatten = flatten
        self.head = nn.Linear(24, 5)

    def forward(self, x):
        return self.head(self.flatten(self.trunk(x)))


@pytest.mark.parametrize(
    "flatten",
    [
        lambda x: x.reshape(len(x.data), -1),
        lambda x: F.relu(x.reshape(-1, 24)) * 1.0,
        lambda x: nn.Flatten()(nn.Identity()(x)),
        # PyTorch's order, made on purpose: nothing is left to be re-ordered.
        lambda x: F.transpose(x, 0, 3, 1, 2).reshape(-1, 24),
    ],
)
def test_a_forward_of_ones_own(flatten):
    model = Own(flatten)
    model.build(PICTURE)
    state = random_state(model)

    def expected(x, state):
        inside = {name.removeprefix("trunk."): a for name, a in state.items()}
        return linear(trunk(x, inside).reshape(len(x), -1), inside, "head")

    assert_computes(model, state, expected)


class Both(nn.Module):
    """Two inputs by name, two outputs."""

    def __init__(self):
        self.picture = convnet(nn.Flatten(), nn.Linear(24, 5))
        self.row = nn.Linear(6, 5)

    def forward(self, picture, row):
        return {"a": self.picture(picture), "b": self.row(row)}


def test_several_inputs():
    model = Both()
    model.build({"picture": PICTURE, "row": (6,)})
    state = random_state(model)
    assert interop.load_torch_state(model, state) == ([], [])
    inside = {n.removeprefix("picture."): a for n, a in state.items()}
    alone = convnet(nn.Flatten(), nn.Linear(24, 5))
    interop.load_torch_state(
        alone, {n: a for n, a in inside.items() if not n.startswith("row")}
    )
    np.testing.assert_array_equal(model.picture[5].weight.data, alone[5].weight.data)
    np.testing.assert_array_equal(model.row.weight.data, state["row.weight"].T)


class Rows(nn.Module):
    """Two flattened pictures and a table, which `join` makes to the rows of a layer."""

    def __init__(self, join, features):
        self.a, self.b = convnet(nn.Flatten()), convnet(nn.Flatten())
        self.table = nn.Linear(6, 24)
        self.head = nn.Linear(features, 5)
        self.join = join

    def forward(self, picture, row):
        return self.head(self.join(self.a(picture), self.b(picture), self.table(row)))


def of_rows(model, state, x, row, join):
    """Compute what `Rows` has in PyTorch, from x (n, c, h, w)."""
    parts = []
    for prefix in ("a.", "b."):
        inside = {n.removeprefix(prefix): a for n, a in state.items()}
        parts.append(trunk(x, inside).reshape(len(x), -1))
    return linear(join(*parts, linear(row, state, "table")), state, "head")


@pytest.mark.parametrize(
    ("join", "join_arrays", "features"),
    [
        (
            lambda a, b, z: F.concatenate([a, z, b], axis=1),
            lambda a, b, z: np.concatenate([a, z, b], axis=1),
            72,
        ),
        (
            lambda a, b, z: F.relu(F.concatenate([z, F.tanh(a)], axis=-1)),
            lambda a, b, z: np.maximum(np.concatenate([z, np.tanh(a)], axis=1), 0),
            48,
        ),
        # The dense layer of the table has to give its features in the pictures' order.
        (lambda a, b, z: a + z * 2, lambda a, b, z: a + z * 2, 24),
        (lambda a, b, z: F.maximum(z - a, b), lambda a, b, z: np.maximum(z - a, b), 24),
        (
            lambda a, b, z: F.concatenate([z, b], axis=1)[:, 24:] + a,
            lambda a, b, z: a + b,
            24,
        ),
        (lambda a, b, z: F.flip(a, 1), lambda a, b, z: a[:, ::-1], 24),
    ],
)
def test_rows_that_are_joined(join, join_arrays, features):
    model = Rows(join, features)
    model.build((PICTURE, (6,)))
    model.eval()
    state = random_state(model)
    assert interop.load_torch_state(model, state) == ([], [])
    x = RNG.standard_normal((5, *PICTURE), np.float32)
    row = RNG.standard_normal((5, 6), np.float32)
    expected = of_rows(model, state, x.transpose(0, 3, 1, 2), row, join_arrays)
    np.testing.assert_allclose(model(x, row).numpy(), expected, rtol=1e-4, atol=1e-4)
    back = interop.torch_state(model)
    for name, values in state.items():
        np.testing.assert_array_equal(back[name], values)


@pytest.mark.parametrize(
    "join",
    [
        lambda a, b, z: F.split(a, 12, axis=1)[0],
        lambda a, b, z: a[:, ::2],
        lambda a, b, z: a.reshape(-1, 2, 12)[:, 1],
        lambda a, b, z: F.concatenate([a[:, 12:], a[:, :12]], axis=1),
    ],
)
def test_an_order_that_cannot_be_told_is_an_error(join):
    features = join(np.zeros((1, 24)), None, None).shape[1]
    model = Rows(join, features)
    model.build((PICTURE, (6,)))
    state = model.state_dict()
    own = {
        name: np.zeros(layout.torch_shape, layout.array.dtype)
        for name, layout in layouts(model).items()
    }
    check = unchanged(model)
    with pytest.raises(
        GraphError, match=r"order of the features of 'head'.*skip='head'"
    ):
        interop.load_torch_state(model, own)
    check()
    with pytest.raises(GraphError, match=r"torch_state: the order of .* 'head'"):
        interop.torch_state(model)
    assert interop.load_torch_state(model, own, skip="head") == ([], [])
    np.testing.assert_array_equal(model.head.weight.data, state["head.weight"])


def test_a_layer_for_rows_of_two_orders():
    head = nn.Linear(24, 24)
    model = convnet(nn.Flatten(), head, nn.ReLU(), head)
    with pytest.raises(GraphError, match="features of '5'"):
        interop.torch_state(model)


class Decoder(nn.Module):
    """Pictures from rows."""

    def __init__(self, to_picture):
        self.fc = nn.Linear(6, 24, bias=False)
        self.bn = nn.BatchNorm1d(24)
        self.to_picture = to_picture
        self.conv = nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, x):
        z = F.relu(self.bn(self.fc(x)))
        return self.conv(F.tanh(self.to_picture(z)))


@pytest.mark.parametrize(
    "to_picture",
    [
        lambda z: z.reshape(-1, 3, 2, 4),
        # PyTorch's order, made on purpose.
        lambda z: z.reshape(-1, 4, 3, 2).transpose(0, 2, 3, 1),
    ],
)
def test_rows_that_become_pictures(to_picture):
    model = Decoder(to_picture)
    model.build((6,))
    model.eval()
    state = random_state(model)
    interop.load_torch_state(model, state)
    x = RNG.standard_normal((5, 6), np.float32)
    z = np.maximum(batch_norm(x @ state["fc.weight"].T, state, "bn"), 0)
    picture = np.tanh(z.reshape(5, 4, 3, 2))
    expected = conv2d(picture, state["conv.weight"], state["conv.bias"])
    np.testing.assert_allclose(
        model(x).numpy().transpose(0, 3, 1, 2), expected, rtol=1e-4, atol=1e-4
    )


def test_averages_over_all_pixels_are_no_flatten():
    for pool in ([nn.GlobalAvgPool2d()], [nn.AvgPool2d((3, 2)), nn.Flatten()]):
        model = convnet(*pool, nn.Linear(4, 5))
        last = f"{len(model) - 1}"

        def expected(x, state, last=last):
            return linear(trunk(x, state).mean(axis=(2, 3)), state, last)

        assert_computes(model, random_state(model), expected)


@pytest.mark.parametrize("groups", [1, 3])
def test_filters_of_groups(groups):
    model = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, groups=groups, bias=False))
    model.build(PICTURE)
    state = random_state(model)
    assert state["0.weight"].shape == (6, 3 // groups, 3, 3)

    def expected(x, state):
        y = conv2d(x, state["0.weight"], groups=groups)
        return y.transpose(0, 2, 3, 1)

    assert_computes(model, state, expected)


@pytest.mark.parametrize("groups", [1, 3])
def test_filters_of_a_transposed_convolution(groups):
    model = nn.Sequential(nn.ConvTranspose2d(3, 6, 2, stride=2, groups=groups))
    model.build(PICTURE)
    state = random_state(model)
    assert state["0.weight"].shape == (3, 6 // groups, 2, 2)

    def expected(x, state):
        parts = [
            np.einsum("nchw,coij->nohiwj", part, filters)
            for part, filters in zip(
                np.split(x, groups, axis=1), np.split(state["0.weight"], groups),
                strict=True,
            )
        ]  # fmt: skip
        y = np.concatenate(parts, axis=1).reshape(len(x), 6, 12, 8)
        return (y + state["0.bias"].reshape(-1, 1, 1)).transpose(0, 2, 3, 1)

    assert_computes(model, state, expected)


@pytest.mark.parametrize("shape", [(6, 4, 3), (3,)])
def test_a_layer_norm_of_pictures_has_its_channels_first_too(shape):
    model = nn.Sequential(nn.LayerNorm(shape))
    model.build(PICTURE)
    state = random_state(model)
    assert state["0.weight"].shape == ((3, 6, 4) if len(shape) == 3 else (3,))

    def expected(x, state):
        weight, bias = state["0.weight"], state["0.bias"]
        if weight.ndim == 3:
            mean, var = x.mean((1, 2, 3)), x.var((1, 2, 3))
            mean, var = mean.reshape(-1, 1, 1, 1), var.reshape(-1, 1, 1, 1)
        else:
            mean, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
            weight, bias = weight.reshape(3, 1, 1), bias.reshape(3, 1, 1)
        y = (x - mean) / np.sqrt(var + 1e-5) * weight + bias
        return y.transpose(0, 2, 3, 1)

    assert_computes(model, state, expected)


def test_group_norm_and_plain_parameters_stay_as_they_are():
    class Scaled(nn.Module):
        def __init__(self):
            self.norm = nn.GroupNorm(3, 3)
            self.table = nn.Parameter(RNG.random((4, 4)).astype(np.float32))

        def forward(self, x):
            return self.norm(x)

    model = Scaled()
    model.build(PICTURE)
    state = random_state(model)
    interop.load_torch_state(model, state)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


def test_the_model_is_left_in_its_mode_and_without_hooks():
    model = convnet(nn.Flatten(), nn.Linear(24, 5)).train()
    model[1].eval()
    model.freeze()
    before = model.state_dict()
    interop.torch_state(model)
    assert [m.training for m in model] == [True, False, True, True, True, True]
    assert not any(m._forward_hooks for m in model.modules())
    assert all(p.grad is None for p in model.parameters())
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


# Files -------------------------------------------------------------------------------


def head(dropout=0.5):
    return convnet(nn.Flatten(), nn.Dropout(dropout), nn.Linear(24, 5))


def test_save_and_load_give_the_same_bits(tmp_path):
    model, other = head(), head()
    interop.load_torch_state(model, random_state(model))
    model.train()(RNG.random((2, *PICTURE), np.float32))  # moves the statistics
    interop.save_torch_state(model, tmp_path / "w")
    assert interop.load_torch_state(other, tmp_path / "w") == ([], [])
    states = model.state_dict(), other.state_dict()
    for state in states:
        del state["5.random_state"]
    for name, array in states[0].items():
        np.testing.assert_array_equal(states[1][name], array)


def test_a_saved_file_is_what_pytorch_expects(tmp_path):
    interop.save_torch_state(head(), tmp_path / "w")
    state = load_file(tmp_path / "w")
    assert {name: (a.dtype.name, a.shape) for name, a in state.items()} == {
        "0.weight": ("float32", (4, 3, 3, 3)),
        "0.bias": ("float32", (4,)),
        "1.weight": ("float32", (4,)),
        "1.bias": ("float32", (4,)),
        "1.running_mean": ("float32", (4,)),
        "1.running_var": ("float32", (4,)),
        "1.num_batches_tracked": ("int64", ()),
        "6.weight": ("float32", (5, 24)),
        "6.bias": ("float32", (5,)),
    }


def test_torch_state_is_a_copy():
    model = head()
    state = interop.torch_state(model)
    check = unchanged(model)
    for array in state.values():
        assert array.flags.c_contiguous
        array[...] = 0
    check()


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_other_widths_of_numbers(kind, tmp_path):
    model = head()
    state = random_state(model)
    wanted = {n: a.astype(kind) if a.ndim else a for n, a in state.items()}
    save_file(wanted, tmp_path / "w")
    interop.load_torch_state(model, tmp_path / "w")
    for name, array in interop.torch_state(model).items():
        assert array.dtype == state[name].dtype
        np.testing.assert_array_equal(array, wanted[name].astype(array.dtype))


def test_a_model_of_float64():
    model = head().astype(np.float64)
    state = random_state(model)
    interop.load_torch_state(model, state)
    for name, array in interop.torch_state(model).items():
        np.testing.assert_array_equal(array, state[name])


def test_counters_of_early_releases_may_be_missing():
    model = head()
    state = random_state(model)
    del state["1.num_batches_tracked"]
    assert interop.load_torch_state(model, state) == ([], [])


class Tensor:
    """Stands for a tensor of PyTorch that needs a gradient."""

    __module__ = "torch"

    def __init__(self, array, dtype="torch.float32", detached=False):
        self.array, self.dtype, self.detached = array, dtype, detached

    def detach(self):
        return Tensor(self.array, self.dtype, detached=True)

    def cpu(self):
        return self

    def float(self):
        return Tensor(self.array, detached=self.detached)

    def __array__(self, dtype=None, copy=None):
        if self.dtype == "torch.bfloat16" or not self.detached:
            raise TypeError("not a tensor for NumPy")
        return np.asarray(self.array, dtype)


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16"])
def test_tensors_of_pytorch(dtype):
    model = head()
    state = random_state(model)
    interop.load_torch_state(model, {n: Tensor(a, dtype) for n, a in state.items()})
    for name, array in interop.torch_state(model).items():
        np.testing.assert_array_equal(array, state[name])


def test_gradients_notice_that_weights_were_loaded():
    model = head()
    state = random_state(model)
    y = model(RNG.random((2, *PICTURE), np.float32)).sum()
    interop.load_torch_state(model, state)
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


# Errors ------------------------------------------------------------------------------


def test_all_that_does_not_fit_is_listed_at_once():
    model = head()
    state = random_state(model)
    state["6.wieght"] = state.pop("6.weight")
    state["0.weight"] = state["0.weight"][:, :1]
    state["1.bias"] = state["1.bias"].astype(np.int8)
    check = unchanged(model)
    with pytest.raises(FastdlError) as caught:
        interop.load_torch_state(model, state)
    assert str(caught.value) == (
        "load_torch_state: the dict does not fit this model\n"
        "  missing '6.weight' (5, 24)\n"
        "  unexpected '6.wieght'; did you mean '6.weight'?\n"
        "  wrong '0.weight': expected shape (4, 3, 3, 3), got (4, 1, 3, 3)\n"
        "  wrong '1.bias': expected float32, got int8"
    )
    check()


def test_not_strict_takes_what_fits(tmp_path):
    model = head()
    state = random_state(model)
    state["other.weight"] = state.pop("0.weight")
    save_file(state, tmp_path / "w")
    missing, unexpected = interop.load_torch_state(model, tmp_path / "w", strict=False)
    assert (missing, unexpected) == (["0.weight"], ["other.weight"])
    np.testing.assert_array_equal(
        interop.torch_state(model)["6.weight"], state["6.weight"]
    )
    state["1.bias"] = state["1.bias"][1:]
    check = unchanged(model)
    with pytest.raises(FastdlError, match=r"'1\.bias': expected shape"):
        interop.load_torch_state(model, state, strict=False)
    with pytest.raises(FastdlError, match="does not fit"):
        interop.load_torch_state(model, {"a.weight": np.ones(3)}, strict=False)
    check()


def test_a_head_of_other_classes_can_be_skipped():
    model = head()
    state = random_state(model)
    state["6.weight"], state["6.bias"] = np.ones((9, 24)), np.ones(9)
    check = unchanged(model)
    with pytest.raises(FastdlError, match="skip='6' leaves this layer as it is"):
        interop.load_torch_state(model, state)
    check()
    before = model.state_dict()
    for skip in ("6", ("6",)):
        assert interop.load_torch_state(model, state, skip=skip) == ([], [])
    np.testing.assert_array_equal(model.state_dict()["6.weight"], before["6.weight"])
    assert not np.array_equal(model.state_dict()["1.bias"], before["1.bias"])
    del state["6.weight"], state["6.bias"]
    assert interop.load_torch_state(model, state, skip="6") == ([], [])


def test_weights_of_another_architecture():
    model, other = models.create("resnet20"), models.create("resnet32")
    model.build((32, 32, 3))
    other.build((32, 32, 3))
    with pytest.raises(FastdlError, match=r"look like the weights of resnet32$") as no:
        interop.load_torch_state(model, interop.torch_state(other))
    assert "choose from" not in str(no.value)  # hundreds of names
    state = interop.torch_state(model)
    state["typo"] = state.pop("13.weight")
    with pytest.raises(FastdlError) as caught:  # of this one
        interop.load_torch_state(model, state)
    assert "look like" not in str(caught.value)


def test_skipping_what_does_not_exist():
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    model.build(PICTURE)
    with pytest.raises(ArgumentError, match=r"no layer 'O'; choose from '0'"):
        interop.load_torch_state(model, random_state(model), skip="O")


def test_a_model_that_is_not_built():
    for model in (nn.Linear(3, 4), nn.Sequential(nn.Linear(None, 4))):
        for use in (interop.torch_state, lambda m: interop.load_torch_state(m, {})):
            with pytest.raises(GraphError, match=r"call model\.build\(input_shape\)"):
                use(model)


def test_things_that_are_no_state():
    model = head()
    with pytest.raises(ArgumentError, match=r"got Sequential.*give its state_dict\(\)"):
        interop.load_torch_state(model, model)
    with pytest.raises(ArgumentError, match=r"give checkpoint\['state_dict'\]"):
        interop.load_torch_state(model, {"epoch": 3, "state_dict": {"a": 1}})


@pytest.mark.parametrize("begin", [b"PK\x03\x04", b"\x80\x02"])
@pytest.mark.parametrize("name", ["resnet.pth", "model.bin"])
def test_pickles_are_refused_with_the_line_that_converts_them(begin, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(begin + b"\0\0\x08\x08archive/data.pkl")
    with pytest.raises(DataError, match="is a pickle") as caught:
        interop.load_torch_state(head(), path)
    line = str(caught.value).splitlines()[-1]
    code = re.fullmatch(
        rf'  python -c "(.*)" {re.escape(str(path))} .*\.safetensors', line
    )
    compile(code[1], "-c", "exec")


def test_files_of_fastdl_are_refused(tmp_path):
    model = head()
    for write in (fastdl.save, fastdl.save_weights):
        write(model, tmp_path / "w")
        with pytest.raises(DataError, match="load it by load_weights"):
            interop.load_torch_state(model, tmp_path / "w")


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="no file"):
        interop.load_torch_state(head(), tmp_path / "w.pth")


# Hostile files -----------------------------------------------------------------------


def test_damaged_files_raise_and_change_nothing(tmp_path):
    """Cut off, or with wrong bytes in the header; wrong numbers are found by ours."""
    model = head()
    save_file(random_state(model), tmp_path / "good")
    good = (tmp_path / "good").read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    outcomes = set()
    for case in range(200):
        content = bytearray(good)
        for place in RNG.integers(header, size=1 + case % 3):
            content[place] = RNG.integers(256)
        (tmp_path / "bad").write_bytes(content[: RNG.integers(len(good) * 2)])
        check = unchanged(model)
        try:
            interop.load_torch_state(model, tmp_path / "bad")
            outcomes.add("loaded")
        except FastdlError as error:
            outcomes.add(type(error).__name__)
            check()
    assert {"DataError"} <= outcomes


def test_a_flipped_bit_of_our_own_file_is_noticed(tmp_path):
    model = head()
    interop.save_torch_state(model, tmp_path / "w")
    content = bytearray((tmp_path / "w").read_bytes())
    check = unchanged(model)
    for place in (-1, -100, -400):
        content[place] ^= 4
        (tmp_path / "w").write_bytes(content)
        with pytest.raises(DataError, match="is damaged"):
            interop.load_torch_state(model, tmp_path / "w")
        content[place] ^= 4
    check()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2**40, 0), np.float32), r"got \(1099511627776, 0\)"),
        (np.zeros((1,) * 32, np.float32), r"got \(1, 1, 1"),
        (np.zeros((4, 3, 3, 3), np.int64), "got int64"),
        (np.zeros((4, 3, 3, 3), bool), "got bool"),
        (np.float32(1), r"got \(\)"),
        ("text", r"got \(\)"),
    ],
)
def test_entries_that_are_something_else(values, message):
    model = head()
    check = unchanged(model)
    with pytest.raises(FastdlError, match=message):
        interop.load_torch_state(model, random_state(model) | {"0.weight": values})
    check()


def test_an_entry_that_gives_no_array_is_named():
    class Sparse:
        def __array__(self, *arguments, **options):
            raise NotImplementedError("Cannot copy out of meta tensor")

    model = head()
    state = random_state(model)
    name = list(state)[-1]
    message = f"'{name}' cannot be read as an array: Cannot copy"
    with pytest.raises(DataError, match=message):
        interop.load_torch_state(model, state | {name: Sparse()})
