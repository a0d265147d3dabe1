"""What is no path is told as such, with the name of the function that was called."""

from __future__ import annotations

import pytest

import fastdl
from fastdl import interop, nn, optim
from fastdl.errors import ArgumentError


@pytest.mark.parametrize("path", [None, 3])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("save", lambda model, path: fastdl.save(model, path)),
        ("load", lambda model, path: fastdl.load(path)),
        ("save_weights", lambda model, path: fastdl.save_weights(model, path)),
        ("load_weights", lambda model, path: fastdl.load_weights(model, path)),
        ("save_torch_state", lambda model, path: interop.save_torch_state(model, path)),
        ("export_onnx", lambda model, path: interop.export_onnx(model, path)),
        ("load_onnx", lambda model, path: interop.load_onnx(path)),
    ],
)
def test_what_is_no_path(name, call, path):
    model = nn.Linear(3, 4)
    with pytest.raises(ArgumentError, match=f"^{name}: expected a path, .* got {path}"):
        call(model, path)


@pytest.mark.parametrize(
    "call", [fastdl.save, fastdl.save_weights, fastdl.load_weights,
             interop.save_torch_state, interop.load_torch_state, interop.export_onnx]
)  # fmt: skip
def test_arguments_in_the_wrong_order(call):
    with pytest.raises(ArgumentError, match=f"^{call.__name__}: model must be a Modul"):
        call("model.safetensors", nn.Linear(3, 4))


def test_parameters_instead_of_a_model():
    model = nn.Linear(3, 4)
    for groups in (optim.depth_groups, optim.decay_groups):
        with pytest.raises(ArgumentError, match="got a generator; give the model itse"):
            groups(model.parameters(), 0.1)
