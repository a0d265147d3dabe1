"""``fastdl export``."""

import json

import numpy as np
import pytest

import fastdl
from fastdl import datasets, models

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def model(tmp_path):
    """The file of a network for digits, and the network."""
    model = models.create("digits_convnet")
    model.build((8, 8, 1))
    model.class_names = tuple("0123456789")
    fastdl.save(model, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors", model.eval()


def test_the_file_gives_the_same_answers(fastdl_command, model, tmp_path):
    saved, network = model
    path = tmp_path / "new" / "digits.onnx"
    code, out, _ = fastdl_command("export", saved, "--onnx", path)
    assert code == 0
    assert out.startswith(f"{path}: ")
    assert out.endswith("takes pictures of 8x8x1, gives logits of 10 classes\n")
    session = onnxruntime.InferenceSession(path)
    x = datasets.load("digits").test.x[:7]
    (logits,) = session.run(["output"], {"input": x})
    np.testing.assert_allclose(logits, network(x).numpy(), rtol=1e-3, atol=1e-4)
    names = session.get_modelmeta().custom_metadata_map["class_names"]
    assert json.loads(names) == list("0123456789")


def test_wrong_arguments(fastdl_command, model, tmp_path):
    saved, _ = model
    code, _, err = fastdl_command("export", saved)
    assert code == 2
    assert "--onnx" in err
    code, _, err = fastdl_command("export", saved, "--onnx", tmp_path)
    assert code == 2
    assert str(tmp_path) in err
