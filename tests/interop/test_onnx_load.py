"""ONNX files of ours and of others compute here what they do in onnxruntime."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl import interop, models, nn, optim
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError, DataError
from fastdl.interop.onnx.load import _OPERATORS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.standard_normal(shape, np.float32)


def integers(*values):
    return np.array(values, np.int64)


def write(path, nodes, inputs, constants, outputs=("y",), opset=18):
    """Write a graph; inputs by name with their shapes, whose first size is open."""
    graph = helper.make_graph(
        nodes,
        "theirs",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape[1:]])
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in outputs],
        [numpy_helper.from_array(x, name) for name, x in constants.items()],
    )
    versions = [helper.make_opsetid("", opset)]
    described = helper.make_model(graph, opset_imports=versions, ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(described), path)


def same(path, **inputs):
    """Compare a loaded file with onnxruntime; return the model."""
    session = onnxruntime.InferenceSession(path)
    model = interop.load_onnx(path)
    with no_grad():
        got = model(**inputs)
    got = got if isinstance(got, dict) else {"y": got}
    names = [y.name for y in session.get_outputs()]
    for name, expected in zip(names, session.run(names, inputs), strict=True):
        assert got[name].shape == expected.shape
        largest = np.abs(expected).max()
        np.testing.assert_allclose(got[name].numpy(), expected, 0, 1e-5 * largest)
    return model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "theirs.onnx"


# Operators ---------------------------------------------------------------------------

X = (2, 4, 6, 5)  # a picture (n, c, h, w)
PADS = {"pads": [1, 0, 2, 1]}
# name: (operator, shape of x, other operands, attributes)
CASES = {
    "Abs": ("Abs", X, (), {}),
    "Add": ("Add", X, (numbers(4, 1, 1),), {}),
    "Add, both stretched": ("Add", (3, 1), (numbers(1, 5),), {}),
    "AveragePool": ("AveragePool", X, (), {"kernel_shape": [3, 2], "strides": [2, 2]}),
    "AveragePool, pads": (
        "AveragePool",
        X,
        (),
        {"kernel_shape": [3, 2], "count_include_pad": 1, "pads": [1, 0, 1, 1]},
    ),
    "BatchNormalization": (
        "BatchNormalization",
        X,
        (*numbers(3, 4), RNG.random(4, np.float32)),
        {"epsilon": 1e-3},
    ),
    "BatchNormalization, sequences": (
        "BatchNormalization",
        (2, 4, 7),
        (*numbers(3, 4), RNG.random(4, np.float32)),
        {},
    ),
    "Cast": ("Cast", X, (), {"to": TensorProto.FLOAT}),
    "Clip": ("Clip", X, (np.float32(0), np.float32(6)), {}),
    "Clip, one side": ("Clip", X, (np.float32(-0.5),), {}),
    "Concat": ("Concat", X, (numbers(2, 3, 6, 5),), {"axis": 1}),
    "Conv": ("Conv", X, (numbers(6, 4, 3, 2), numbers(6)), PADS),
    "Conv, groups": (
        "Conv",
        X,
        (numbers(6, 2, 3, 3),),
        {"group": 2, "strides": [2, 1], "dilations": [1, 2]},
    ),
    "Conv, same": ("Conv", X, (numbers(3, 4, 4, 3),), {"auto_pad": "SAME_UPPER"}),
    "ConvTranspose": (
        "ConvTranspose",
        X,
        (numbers(4, 3, 3, 2), numbers(3)),
        {"strides": [2, 2], "pads": [1, 0, 1, 0], "output_padding": [1, 0]},
    ),
    "ConvTranspose, plain": ("ConvTranspose", X, (numbers(4, 3, 3, 2),), {}),
    "CumSum": ("CumSum", X, (np.int64(2),), {}),
    "Div": ("Div", X, (np.float32(3),), {}),
    "Dropout": ("Dropout", X, (), {}),
    "Elu": ("Elu", X, (), {"alpha": 0.5}),
    "Exp": ("Exp", X, (), {}),
    "Expand": ("Expand", (2, 1, 3), (integers(1, 4, 1),), {}),
    "Flatten": ("Flatten", X, (), {"axis": 2}),
    "Gather": ("Gather", X, (integers(2, 0),), {"axis": 1}),
    "Gather, one": ("Gather", X, (np.int64(-1),), {"axis": 2}),
    "Gemm": ("Gemm", (3, 4), (numbers(5, 4), numbers(5)), {"transB": 1}),
    "Gemm, scaled": (
        "Gemm",
        (3, 4),
        (numbers(3, 5), numbers(4, 5)),
        {"transA": 1, "alpha": 0.5, "beta": 2.0},
    ),
    "GlobalAveragePool": ("GlobalAveragePool", X, (), {}),
    "HardSigmoid": ("HardSigmoid", X, (), {"alpha": 1 / 6}),
    "HardSwish": ("HardSwish", X, (), {}),
    "Identity": ("Identity", X, (), {}),
    "InstanceNormalization": ("InstanceNormalization", X, (*numbers(2, 4),), {}),
    "LayerNormalization": (
        "LayerNormalization",
        X,
        (numbers(6, 5), numbers(6, 5)),
        {"axis": 2},
    ),
    "LayerNormalization, the last axis": (
        "LayerNormalization",
        X,
        (numbers(5), numbers(5)),
        {},
    ),
    "LeakyRelu": ("LeakyRelu", X, (), {}),
    "Log": ("Log", X, (), {}),
    "LogSoftmax": ("LogSoftmax", X, (), {"axis": 1}),
    "MatMul": ("MatMul", X, (numbers(5, 3),), {}),
    "MatMul, stacks": ("MatMul", X, (numbers(2, 4, 5, 3),), {}),
    "Max": ("Max", X, (numbers(5), numbers(6, 1)), {}),
    "MaxPool": ("MaxPool", X, (), {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
    "MaxPool, ceil": (
        "MaxPool",
        X,
        (),
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    ),
    "Min": ("Min", X, (numbers(5),), {}),
    "Mul": ("Mul", X, (numbers(2, 1, 6, 1),), {}),
    "Neg": ("Neg", X, (), {}),
    "PRelu": ("PRelu", X, (numbers(4, 1, 1),), {}),
    "Pad": ("Pad", X, (integers(0, 0, 1, 2, 0, 1, 0, 3), np.float32(0.5)), {}),
    "Pow": ("Pow", X, (np.float32(2),), {}),
    "Reciprocal": ("Reciprocal", X, (), {}),
    "ReduceL1": ("ReduceL1", X, (integers(1, 3),), {}),
    "ReduceL2": ("ReduceL2", X, (integers(2),), {"keepdims": 0}),
    "ReduceLogSumExp": ("ReduceLogSumExp", X, (integers(1),), {}),
    "ReduceMax": ("ReduceMax", X, (integers(1, -1),), {"keepdims": 0}),
    "ReduceMean": ("ReduceMean", X, (integers(2, 3),), {}),
    "ReduceMean, of all": ("ReduceMean", X, (), {}),
    "ReduceMin": ("ReduceMin", X, (integers(0),), {"keepdims": 0}),
    "ReduceProd": ("ReduceProd", X, (integers(3),), {}),
    "ReduceSum": ("ReduceSum", X, (integers(1, 2),), {}),
    "Relu": ("Relu", X, (), {}),
    "Reshape": ("Reshape", X, (integers(0, -1, 10),), {}),
    "Resize": (
        "Resize",
        X,
        (None, np.array([1, 1, 2, 3], np.float32)),
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    "Resize, linear": (
        "Resize",
        X,
        (None, None, integers(2, 4, 9, 4)),
        {"coordinate_transformation_mode": "half_pixel", "mode": "linear"},
    ),
    "Resize, corners": (
        "Resize",
        X,
        (None, None, integers(2, 4, 9, 4)),
        {"coordinate_transformation_mode": "align_corners", "mode": "linear"},
    ),
    "Sigmoid": ("Sigmoid", X, (), {}),
    "Slice": ("Slice", X, (integers(1, -1), integers(9, -9), integers(1, 2)), {}),
    "Slice, backwards": (
        "Slice",
        X,
        (integers(-1, 4), integers(-99, 0), integers(1, 2), integers(-1, -2)),
        {},
    ),
    "Softmax": ("Softmax", X, (), {"axis": 1}),
    "Softplus": ("Softplus", X, (), {}),
    "Sqrt": ("Sqrt", X, (), {}),
    "Squeeze": ("Squeeze", (2, 1, 3, 1), (integers(1),), {}),
    "Sub": ("Sub", X, (numbers(4, 6, 5),), {}),
    "Sum": ("Sum", X, (numbers(4, 1, 1), numbers(5)), {}),
    "Tanh": ("Tanh", X, (), {}),
    "Transpose": ("Transpose", X, (), {"perm": [0, 3, 1, 2]}),
    "Transpose, all": ("Transpose", X, (), {}),
    "Unsqueeze": ("Unsqueeze", X, (integers(0, -1),), {}),
}
CASES["Slice"] = (
    *CASES["Slice"][:2],
    (integers(1, -4), integers(9, -1), integers(1, 2)),
    {},
)
POSITIVE = {"Log", "Sqrt", "Reciprocal"}


def case(path, name, before=()):
    """Write the operator of a case behind other nodes that make "x" of "input"."""
    operator, shape, operands, attributes = CASES[name]
    named = {f"c{i}": np.asarray(c) for i, c in enumerate(operands) if c is not None}
    inputs = ["x", *(f"c{i}" if c is not None else "" for i, c in enumerate(operands))]
    node = helper.make_node(operator, inputs, ["y"], **attributes)
    write(path, [*before, node], {"input" if before else "x": shape}, named)
    x = numbers(*shape)
    return np.abs(x) + 0.1 if name in POSITIVE else x


@pytest.mark.parametrize("name", CASES)
def test_operators(name, path):
    same(path, x=case(path, name))


@pytest.mark.parametrize("name", [n for n, (_, s, *_) in CASES.items() if s == X])
def test_operators_behind_a_pooling(name, path):
    """Where pictures lie as (n, h, w, c) here."""
    pool = helper.make_node("MaxPool", ["input"], ["x"], kernel_shape=[1, 1])
    same(path, input=case(path, name, [pool]))


# With more than one output, or other types; see the tests below.
ELSEWHERE = {"Gelu", "Shape", "Split", "Where"}


def test_no_operator_is_left_out():
    assert {name.split(",")[0] for name in CASES} | ELSEWHERE == set(_OPERATORS)


def test_the_page_lists_the_operators():
    page = Path(__file__).parents[2] / "docs" / "onnx.md"
    if not page.exists():
        pytest.skip("there are no pages beside these tests")
    rows = re.findall(r"^\| [a-z ]+ \| ([A-Z].*) \|$", page.read_text("utf-8"), re.M)
    listed = [name for row in rows for name in row.split(", ")]
    assert sorted(listed) == sorted([*_OPERATORS, "Constant"])


def test_gelu(path):
    write(path, [helper.make_node("Gelu", ["x"], ["y"])], {"x": X}, {}, opset=20)
    same(path, x=numbers(*X))


def test_split_and_where(path):
    chosen = RNG.random((3, 1, 5)) > 0.5
    nodes = [
        helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[1, 1]),
        helper.make_node("Split", ["p", "sizes"], ["a", "b"], axis=1),
        helper.make_node("Where", ["chosen", "b", "zero"], ["y"]),
    ]
    constants = {"sizes": integers(1, 3), "chosen": chosen, "zero": np.float32([0])}
    write(path, nodes, {"x": (2, 4, 1, 5)}, constants, ("a", "y"))
    same(path, x=numbers(2, 4, 1, 5))


# Files of others ---------------------------------------------------------------------


def torch_like(path):
    """Write a small network as PyTorch's exporter does, the shape being computed."""
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], **PADS),
        helper.make_node("BatchNormalization", ["c", *NORM], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Shape", ["r"], ["s"]),
        helper.make_node("Constant", [], ["zero"], value_int=0),
        helper.make_node("Gather", ["s", "zero"], ["size"], axis=0),
        helper.make_node("Constant", [], ["first"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["size", "first"], ["batch"]),
        helper.make_node("Constant", [], ["rest"], value_ints=[-1]),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["r", "target"], ["f"]),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], transB=1),
    ]
    constants = {
        "conv.weight": numbers(3, 2, 3, 3),
        "conv.bias": numbers(3),
        **dict(zip(NORM, (*numbers(3, 3), RNG.random(3, np.float32)), strict=True)),
        "fc.weight": numbers(4, 3 * 7 * 5),
        "fc.bias": numbers(4),
    }
    write(path, nodes, {"x": (1, 2, 6, 6)}, constants)
    return constants


NORM = ("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")


def test_a_network_of_pytorch(path):
    constants = torch_like(path)
    model = same(path, x=numbers(5, 2, 6, 6))
    assert model.input_shape == (2, 6, 6)
    trained = [name for name, _ in model.named_parameters()]
    assert set(trained) == set(constants) - set(NORM[2:])
    assert {name for name, _ in model.named_buffers()} == set(NORM[2:])


def test_pictures_may_have_the_channels_last(path):
    torch_like(path)
    first = interop.load_onnx(path)
    last = interop.load_onnx(path, channels_last=True)
    assert last.input_shape == (6, 6, 2)
    x = numbers(3, 2, 6, 6)
    with no_grad():
        expected, got = first(x), last(x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-5, atol=1e-5)


def test_a_loaded_network_learns(path):
    torch_like(path)
    model = interop.load_onnx(path).train()
    mean = dict(model.named_buffers())["bn.running_mean"].copy()
    x, y = numbers(8, 2, 6, 6), np.arange(8) % 4
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert not np.allclose(dict(model.named_buffers())["bn.running_mean"], mean)


def test_weights_and_precision(path, tmp_path):
    torch_like(path)
    model, x = interop.load_onnx(path), numbers(3, 2, 6, 6)
    fastdl.save_weights(model, tmp_path / "weights.safetensors")
    other = interop.load_onnx(path)
    for parameter in other.parameters():
        parameter.data[...] = 0
    fastdl.load_weights(other, tmp_path / "weights.safetensors")
    with no_grad():
        np.testing.assert_array_equal(other(x).numpy(), model(x).numpy())
        double = model.astype(np.float64)(x.astype(np.float64)).numpy()
        np.testing.assert_allclose(other(x).numpy(), double, rtol=1e-3, atol=1e-4)


# Files of ours -----------------------------------------------------------------------


def test_what_we_export(path):
    """S43: with its input shape, its classes, and trainable weights."""
    model = models.create("digits_convnet")
    model.build((8, 8, 1))
    model.class_names = tuple("abcdefghij")
    interop.export_onnx(model, path)
    loaded = interop.load_onnx(path)
    assert loaded.input_shape == (8, 8, 1)
    assert loaded.class_names == model.class_names
    names = [name for name, _ in model.named_parameters()]
    assert [name for name, _ in loaded.named_parameters()] == names
    x = numbers(3, 8, 8, 1)
    with no_grad():
        got, expected = loaded(x).numpy(), model.eval()(x).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


class Two(nn.Module):
    def forward(self, a, b):
        return {"sum": F.add(a, b), "product": F.multiply(a, b)}


def test_several_inputs_and_outputs(path):
    interop.export_onnx(Two(), path, {"a": (3,), "b": (3,)})
    model = interop.load_onnx(path)
    assert model.input_shape == {"a": (3,), "b": (3,)}
    a, b = numbers(2, 3), numbers(2, 3)
    for outputs in (model(a, b), model(b=b, a=a), model(a, b=b)):
        np.testing.assert_array_equal(outputs["sum"].numpy(), a + b)
        np.testing.assert_array_equal(outputs["product"].numpy(), a * b)
    for wrong in ({"a": a}, {"a": a, "b": b, "c": a}):
        with pytest.raises(ArgumentError, match="inputs a, b"):
            model(**wrong)
    with pytest.raises(ArgumentError, match="inputs a, b"):
        model(a, b, a)


# Errors ------------------------------------------------------------------------------


def test_operators_that_are_missing(path):
    nodes = [
        helper.make_node("Erf", ["x"], ["e"]),
        helper.make_node("Celu", ["e"], ["c"]),
        helper.make_node("Erf", ["c"], ["y"]),
    ]
    write(path, nodes, {"x": (2, 3)}, {})
    with pytest.raises(DataError, match=r"theirs\.onnx .*has not: Celu, Erf$"):
        interop.load_onnx(path)


def test_a_constant_of_texts(path):
    nodes = [
        helper.make_node("Constant", [], ["c"], value_string="a"),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    write(path, nodes, {"x": (2, 3)}, {})
    with pytest.raises(DataError, match=r"Constant with .*value_string"):
        interop.load_onnx(path)


@pytest.mark.parametrize(
    ("operator", "operands", "attributes", "message"),
    [
        ("MaxPool", (), {"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilations"),
        ("Conv", (numbers(3, 4, 2, 2),), {"auto_pad": "SAME_LOWER"}, "SAME_LOWER"),
        ("Pad", (integers(0, 0, 1, 1, 0, 0, 1, 1),), {"mode": "reflect"}, "reflect"),
        (
            "Resize",
            ("", np.array([1, 1, 2, 2], np.float32)),
            {"mode": "cubic"},
            "cubic",
        ),
        ("CumSum", (np.int64(1),), {"reverse": 1}, "reverse"),
        ("MatMul", (numbers(5),), {}, "a vector"),
    ],
)
def test_forms_of_operators_that_are_missing(
    operator, operands, attributes, message, path
):
    CASES["refused"] = (
        operator,
        X,
        tuple(None if isinstance(c, str) else c for c in operands),
        attributes,
    )
    try:
        x = case(path, "refused")
    finally:
        del CASES["refused"]
    with pytest.raises(DataError, match=f"{operator} with .*{message}"):
        interop.load_onnx(path)(x)


def test_weights_lie_as_our_layers_take_them(path):
    for name, shape in (("Conv", (3, 2, 4, 6)), ("ConvTranspose", (3, 2, 3, 4))):
        case(path, name)
        shapes = [p.shape for _, p in interop.load_onnx(path).named_parameters()]
        assert shape in shapes, name


def test_a_convolution_of_sequences(path):
    write(
        path,
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        {"x": (2, 4, 6)},
        {"w": numbers(3, 4, 2)},
    )
    with pytest.raises(DataError, match=r"Conv with .*3 axes"):
        interop.load_onnx(path)(numbers(2, 4, 6))


@pytest.mark.parametrize("name", ["_graph", "_axes", "_integers", "forward"])
def test_a_constant_called_like_something_of_the_model(name, path):
    nodes = [helper.make_node("Add", ["x", name], ["y"])]
    write(path, nodes, {"x": (1, 3)}, {name: numbers(3)})
    with pytest.raises(DataError, match=f"cannot have the name '{name}'"):
        interop.load_onnx(path)


def test_a_type_that_does_not_exist(path):
    write(path, [helper.make_node("Relu", ["c"], ["y"])], {}, {"c": numbers(3)})
    described = onnx.load(path)
    described.graph.initializer[0].data_type = -(2**31)
    path.write_bytes(described.SerializeToString())
    with pytest.raises(DataError, match="as an ONNX model"):
        interop.load_onnx(path)


def with_constants_outside(path, location):
    """Write a model whose constant is in another file."""
    nodes = [helper.make_node("Add", ["x", "c"], ["y"])]
    write(path, nodes, {"x": (1, 3)}, {"c": np.arange(3, dtype=np.float32)})
    described = onnx.load(path)
    (constant,) = described.graph.initializer
    content = constant.raw_data
    constant.ClearField("raw_data")
    constant.data_location = TensorProto.EXTERNAL
    constant.external_data.add(key="location", value=str(location))
    path.write_bytes(described.SerializeToString())
    return content


def test_constants_in_a_file_beside_the_model(path):
    content = with_constants_outside(path, "constants.bin")
    path.with_name("constants.bin").write_bytes(content)
    y = interop.load_onnx(path)(numbers(1, 3) * 0)
    np.testing.assert_array_equal(y.numpy(), [[0, 1, 2]])


@pytest.mark.parametrize(
    "location", ["../c.bin", "{folder}/../c.bin", "/dev/zero", "link", ".", "", "none"]
)
def test_constants_in_any_other_file_are_not_read(location, path, tmp_path):
    path = tmp_path / "models" / "model.onnx"
    path.parent.mkdir()
    content = with_constants_outside(path, location.format(folder=path.parent))
    (tmp_path / "c.bin").write_bytes(content)
    (path.parent / "link").symlink_to(tmp_path / "c.bin")
    with pytest.raises(DataError, match="in the folder of the model"):
        interop.load_onnx(path)


def test_files_that_are_none(path, tmp_path):
    with pytest.raises(DataError, match=r"none\.onnx"):
        interop.load_onnx(tmp_path / "none.onnx")
    path.write_bytes(b"no model")
    with pytest.raises(DataError, match="as an ONNX model"):
        interop.load_onnx(path)
    write(path, [helper.make_node("Relu", ["x"], ["y"])], {"x": (2, 3)}, {}, opset=12)
    with pytest.raises(DataError, match="opset 12; 13 and later"):
        interop.load_onnx(path)
