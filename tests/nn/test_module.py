"""Module: what is inside, modes, state, conversion, errors."""

import copy

import numpy as np
import pytest

from fastdl import Tensor, functional, interop, nn, optim, train
from fastdl.errors import ArgumentError, DtypeError, FastdlError, GraphError, ShapeError
from fastdl.nn.module import run


class Residual(nn.Module):
    """A module as a user writes it: no super().__init__(), lists of layers."""

    def __init__(self, width):
        self.width = width
        self.scale = nn.Parameter(np.ones(width, np.float32))
        self.body = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.heads = [nn.Linear(width, 2), nn.Linear(width, 3)]

    def forward(self, x):
        x = self.body(x) * self.scale + x
        return self.heads[0](x)


def batch(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def convnet():
    return nn.Sequential(
        nn.Conv2d(None, 4, 3),
        nn.BatchNorm2d(None),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(None, 3),
    )


def test_parameters_are_found_by_attribute_also_in_lists():
    names = [name for name, _ in Residual(5).named_parameters()]
    assert names == [
        "scale",
        "body.0.weight",
        "body.0.bias",
        "heads.0.weight",
        "heads.0.bias",
        "heads.1.weight",
        "heads.1.bias",
    ]


def test_named_modules_yields_each_once():
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Sequential(relu, nn.Flatten()))
    assert [name for name, _ in model.named_modules()] == ["", "0", "1", "1.1"]
    assert list(model.children()) == [model[0], model[1]]


def test_shared_parameter_counts_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    names = [name for name, _ in model.named_parameters()]
    assert names == ["0.weight", "0.bias", "1.bias"]


def test_buffers_are_saved_but_not_trained():
    model = nn.Sequential(nn.BatchNorm1d(3))
    assert [name for name, _ in model.named_buffers()] == [
        "0.running_mean",
        "0.running_var",
        "0.num_batches_tracked",
    ]
    assert len(list(model.buffers())) == 3
    assert len(list(model.parameters())) == 2


def test_train_and_eval_reach_all_layers():
    model = Residual(3)
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())


def test_build_infers_all_sizes_and_returns_the_output_shape():
    model = convnet()
    model[1].eval()
    assert model.build((8, 8, 2)) == (3,)
    assert model[0].weight.shape == (3, 3, 2, 4)
    assert model[1].num_features == 4
    assert model[4].weight.shape == (6 * 6 * 4, 3)
    assert [module.training for module in model] == [True, False, True, True, True]
    assert model.input_shape == (8, 8, 2)


def test_first_call_infers_all_sizes():
    model = convnet()
    assert model(batch(2, 8, 8, 2)).shape == (2, 3)
    assert model[0].in_channels == 2


def test_build_runs_a_module_with_its_own_forward():
    class Flat(nn.Module):
        def __init__(self):
            self.head = nn.Linear(None, 2)

        def forward(self, x):
            return self.head(functional.reshape(x, (x.shape[0], -1)))

    model = Flat()
    assert model.build((2, 3)) == (2,)
    assert model.head.weight.shape == (6, 2)


@pytest.mark.parametrize("shape", [(None, 3), (0, 3), (2.5,)])
def test_build_refuses_a_shape(shape):
    with pytest.raises(ShapeError, match="build: each size of input_shape"):
        nn.Linear(None, 3).build(shape)


def test_parameters_of_open_size():
    with pytest.raises(GraphError, match=r"layer '0' \(Conv2d\).*model\.build"):
        list(convnet().parameters())
    with pytest.raises(GraphError, match=r"^Linear has no parameters yet"):
        list(nn.Linear(None, 2).parameters())
    half_built = nn.Sequential(nn.Linear(2, 3), nn.Linear(None, 3))
    with pytest.raises(GraphError, match=r"layer '1' \(Linear\).*model\.build"):
        half_built.state_dict()


def test_error_names_the_layer():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Conv2d(3, 4, 3))
    with pytest.raises(ShapeError, match=r"^layer '2' \(Conv2d\): conv2d: "):
        model(batch(2, 4))


def test_error_names_nested_layers():
    inner = nn.Sequential(nn.Identity(), nn.Linear(7, 3))
    model = nn.Sequential(nn.Identity(), nn.Sequential(inner, nn.ReLU()))
    with pytest.raises(ShapeError, match=r"^layer '1\.0\.1' \(Linear\): ") as caught:
        model(batch(2, 4))
    assert str(caught.value).count("layer '") == 1


def test_error_of_a_lone_layer_has_no_name():
    with pytest.raises(ShapeError, match=r"^conv2d: "):
        nn.Conv2d(3, 4, 3)(batch(2, 5, 5, 4))


def test_forward_hook_sees_outputs_until_removed():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    x = batch(5, 3)
    fused = model(x).numpy()
    seen = []
    handle = model[0].register_forward_hook(lambda *call: seen.append(call))
    y = model(x).numpy()
    handle.remove()
    model(x)
    [(module, inputs, output)] = seen
    assert module is model[0]
    assert inputs[0].data is x
    assert output.numpy().min() < 0  # before the activation
    np.testing.assert_array_equal(y, fused)


def test_mode_is_restored_for_each_module_also_after_an_error():
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    model[1].eval()
    before = [module.training for module in model.modules()]
    with model.mode(training=False):
        assert not any(module.training for module in model.modules())
    with model.mode(training=True):
        assert all(module.training for module in model.modules())
    with pytest.raises(ZeroDivisionError), model.mode(training=False):
        _ = 1 / 0
    assert [module.training for module in model.modules()] == before


def test_freeze_and_unfreeze():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    model[:2].freeze()
    model(batch(6, 3)).sum().backward()
    assert [p.grad is None for p in model.parameters()] == [True] * 4 + [False] * 2
    assert model[1].num_batches_tracked == 0
    assert not model[1].running_mean.any()
    model.unfreeze()
    model(batch(6, 3)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model[1].num_batches_tracked == 1


def test_zero_grad():
    model = nn.Linear(3, 2)
    model(batch(4, 3)).sum().backward()
    model.zero_grad()
    assert model.weight.grad is None


def test_apply_reaches_every_module():
    seen = []
    model = Residual(2)
    assert model.apply(seen.append) is model
    assert seen == list(model.modules())


def test_astype_converts_parameters_and_buffers():
    model = convnet()
    model.build((5, 5, 1))
    assert model.astype(np.float64) is model
    state = model.state_dict()
    counter = state.pop("1.num_batches_tracked")
    assert counter.dtype == np.int64
    assert {array.dtype for array in state.values()} == {np.dtype(np.float64)}
    assert model(np.ones((2, 5, 5, 1))).dtype == np.float64
    with pytest.raises(DtypeError, match="astype: expected dtype float32 or float64"):
        model.astype(np.float16)


def test_deepcopy_is_independent():
    model = Residual(3)
    optim.SGD(model.parameters(), lr=0.1)
    clone = copy.deepcopy(model)
    clone.body[0].weight.data[...] = 0
    assert model.body[0].weight.data.all()
    assert isinstance(clone.scale, nn.Parameter)


# State


def test_state_dict_round_trip():
    first, second = convnet(), convnet()
    x = batch(4, 6, 6, 1)
    first(x)  # changes the running statistics
    second.build((6, 6, 1))
    assert second.load_state_dict(first.state_dict()) == ([], [])
    np.testing.assert_array_equal(first.eval()(x).numpy(), second.eval()(x).numpy())
    assert second[1].num_batches_tracked == 1


def test_state_dict_is_a_snapshot():
    model = nn.Linear(3, 2)
    state = model.state_dict()
    model.weight.data[...] = 7
    assert not (state["weight"] == 7).any()


def test_load_state_dict_copies_into_the_existing_arrays():
    model = nn.Linear(3, 2)
    weight = model.weight.data
    model.load_state_dict({"weight": np.full((3, 2), 2.0), "bias": np.ones(2)})
    assert model.weight.data is weight
    assert (weight == 2).all()
    assert weight.dtype == np.float32


def test_load_state_dict_names_missing_and_unexpected():
    model = nn.Linear(3, 2)
    state = {"wieght": np.zeros((3, 2)), "bias": np.ones(2)}
    with pytest.raises(FastdlError) as caught:
        model.load_state_dict(state)
    message = str(caught.value)
    assert "missing 'weight'" in message
    assert "unexpected 'wieght'; did you mean 'weight'?" in message
    assert not model.bias.data.any()  # nothing was changed
    assert model.load_state_dict(state, strict=False) == (["weight"], ["wieght"])
    assert model.bias.data.all()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("weight", "what"),
    [
        (np.zeros((2, 3)), r"\(3, 2\), got float64 of shape \(2, 3\)"),
        (np.full((3, 2), "a"), r"expected float32 .* got <U1"),
    ],
)
def test_load_state_dict_refuses_entries(weight, what, strict):
    model = nn.Linear(3, 2)
    before = model.state_dict()
    with pytest.raises(ShapeError, match=rf"(?s)do not fit.*'weight': .*{what}"):
        model.load_state_dict({"bias": np.ones(2), "weight": weight}, strict)
    np.testing.assert_array_equal(model.bias.data, before["bias"])


def test_load_state_dict_after_forward_is_noticed():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    loss = model(batch(4, 3)).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


# Description


def test_repr():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding="same"), nn.Sequential(nn.ReLU()))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Conv2d(1, 4, 3, padding='same')\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "  )\n"
        ")"
    )


def test_repr_of_a_module_that_keeps_no_arguments():
    class Scale(nn.Module):
        def __init__(self, factor):
            self._factor = factor

    assert repr(Scale(2)) == "Scale()"
    with pytest.raises(FastdlError, match="Scale cannot be described: keep each"):
        Scale(2).config()


@pytest.mark.parametrize(
    "use",
    [
        lambda model: optim.depth_groups(model, 0.1),
        lambda model: optim.decay_groups(model, 0.1),
        lambda model: nn.save(model, "m"),
        lambda model: nn.save_weights(model, "m"),
        lambda model: nn.load_weights(model, "m"),
        lambda model: interop.load_torch_state(model, {}),
        lambda model: interop.save_torch_state(model, "m"),
        interop.torch_state,
        lambda model: train.FrozenTrunk(model, "0"),
        lambda model: train.gradcheck(model, nn.MSELoss(), [[1.0]], [[1.0]]),
        train.Trainer,
    ],
)
def test_what_takes_a_model_and_gets_something_else(use, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(2, 2)
    for other in ("m", (model,), model.parameters(), model.state_dict(), nn.Linear):
        with pytest.raises(ArgumentError, match=r"^\w+: model must be a Module, got "):
            use(other)
    with pytest.raises(ArgumentError, match=r"got Trainer; give trainer\.model"):
        use(train.Trainer(model))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_forward_gets_tensors(dtype):
    """The same line means the same in the first layer and behind it."""

    class Net(nn.Module):
        def forward(self, x):
            return x.view(x.shape[0], -1).flatten(1)

    x = np.ones((2, 3, 4, 1), dtype)
    assert Net()(x).shape == Net()(Tensor(Net()(x).data)).shape == (2, 12)


def test_targets_and_labels_stay_arrays():
    seen = []

    class Own(nn.Module):
        def forward(self, outputs, y):
            seen.append(type(y))
            return outputs

    Own()(Tensor(np.ones(2)), np.ones(2))
    Own()(np.ones(2), np.ones(2, int))
    assert seen == [np.ndarray, np.ndarray]


class Sum(nn.Module):
    def forward(self, a, b):
        if b is None:
            raise TypeError("b is None")
        return a + b


ROW = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (ROW, "missing a required argument: 'b'"),
        ((ROW,), "missing a required argument: 'b'"),
        ((ROW, ROW, ROW), "too many positional arguments"),
        ({"b": ROW}, "missing a required argument: 'a'"),
        ({"a": ROW, "b": ROW, "c": ROW}, "unexpected keyword argument 'c'"),
    ],
)
def test_inputs_that_forward_does_not_take(x, reason):
    message = rf"forward of Sum takes \(a, b\), which .*: .*{reason}; a tuple of"
    with pytest.raises(ArgumentError, match=message):
        run(Sum(), x)


def test_a_type_error_of_forward_itself():
    with pytest.raises(TypeError, match="b is None"):
        run(Sum(), (ROW, None))
    assert run(Sum(), {"a": ROW, "b": ROW}).numpy().tolist() == (2 * ROW).tolist()
