"""Files of arrays are safetensors files, for this library and for any other reader."""

import json
import os

import numpy as np
import pytest
import safetensors
import safetensors.numpy as package

import fastdl
from fastdl import nn
from fastdl.errors import ArgumentError, DataError
from fastdl.files import read_tensors, tensors, write_tensors

RNG = np.random.default_rng(0)
ARRAYS = {
    dtype: RNG.integers(0, 2, (3, 2)).astype(dtype)
    for dtype in (
        "bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "uint32",
        "float32", "complex64", "int64", "uint64", "float64",
    )
}  # fmt: skip
ARRAYS |= {
    "a number": np.array(3.5, np.float32),
    "nothing": np.zeros((0, 3), np.float64),
    'odd "name" é \n': RNG.standard_normal((2, 3)),
}


def assert_same(state, expected):
    assert state.keys() == expected.keys()
    for name, array in expected.items():
        assert state[name].dtype == array.dtype
        assert state[name].shape == array.shape
        np.testing.assert_array_equal(state[name], array)


def parts(path):
    """Return the header of a file and where the tensors begin."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:begin]), begin


def test_round_trip(tmp_path):
    texts = {"key": "text é", "": ""}
    write_tensors(ARRAYS, tmp_path / "a", texts)
    state, metadata = read_tensors(tmp_path / "a")
    assert_same(state, ARRAYS)
    assert metadata == texts
    assert all(array.flags.writeable for array in state.values())


def test_other_readers_read_it(tmp_path):
    write_tensors(ARRAYS, tmp_path / "a", {"key": "text"})
    known = {k: a for k, a in ARRAYS.items() if k != "complex64"}  # new in the package
    write_tensors(known, tmp_path / "b", {"key": "text"})
    assert_same(package.load_file(tmp_path / "b"), known)
    with safetensors.safe_open(tmp_path / "b", "numpy") as file:
        assert file.metadata()["key"] == "text"


def test_files_of_other_writers_are_read(tmp_path):
    """Also files of earlier versions of fastdl, which had no checksum."""
    known = {k: a for k, a in ARRAYS.items() if k != "complex64"}
    for metadata in ({"key": "text"}, None):
        package.save_file(known, tmp_path / "a", metadata)
        state, texts = read_tensors(tmp_path / "a")
        assert_same(state, known)
        assert texts == (metadata or {})
    model = nn.Linear(3, 2)
    description = {"fastdl.model": json.dumps(nn.to_config(model))}
    package.save_file(model.state_dict(), tmp_path / "a", description)
    assert_same(fastdl.load(tmp_path / "a").state_dict(), model.state_dict())


def test_every_tensor_is_aligned(tmp_path):
    write_tensors(ARRAYS, tmp_path / "a", {"key": "text"})
    header, begin = parts(tmp_path / "a")
    for name, array in ARRAYS.items():
        place = begin + header[name]["data_offsets"][0]
        assert place % array.itemsize == 0, name


def test_arrays_in_other_layouts(tmp_path):
    whole = RNG.standard_normal((4, 6))
    arrays = {
        "fortran": np.asfortranarray(whole),
        "strided": whole[::2, ::-3],
        "big-endian": whole.astype(">f4"),
        "repeated": np.broadcast_to(np.float32(2), (3, 3)),
    }
    write_tensors(arrays, tmp_path / "a", {})
    state, _ = read_tensors(tmp_path / "a")
    for name, array in arrays.items():
        np.testing.assert_array_equal(state[name], array)
        assert state[name].dtype.isnative


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": np.array(["text"])}, "cannot write 'a' of type <U4"),
        ({"a": np.array([None])}, "type object"),
        ({"a": np.zeros(2, np.longdouble)}, "cannot write 'a'"),
        ({"__metadata__": np.zeros(2)}, "cannot write '__metadata__'"),
    ],
)
def test_what_the_format_has_not(state, message, tmp_path):
    with pytest.raises(ArgumentError, match=message):
        write_tensors(state, tmp_path / "a", {})
    assert not os.listdir(tmp_path)


def test_no_header_that_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, "_LARGEST_HEADER", 1000)
    with pytest.raises(ArgumentError, match="1000"):
        write_tensors({}, tmp_path / "a", {"key": "x" * 1000})
    assert not os.listdir(tmp_path)


def changed(path, change, keep_checksum):
    """Change the header of a file."""
    content = path.read_bytes()
    header, begin = parts(path)
    if not keep_checksum:
        header["__metadata__"].pop("fastdl.sha256")
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[begin:])


def swap(header):
    header["a"], header["b"] = header["b"], header["a"]


@pytest.mark.parametrize(
    "change",
    [
        swap,
        lambda header: header.update(c=header.pop("a")),
        lambda header: header["a"].update(dtype="I32"),
        lambda header: header["a"].update(shape=[3, 2]),
        lambda header: header["__metadata__"].update(key="other"),
        lambda header: header["__metadata__"].update({"fastdl.sha256": "0" * 64}),
    ],
    ids=["swapped", "renamed", "type", "shape", "text", "checksum"],
)
def test_the_checksum_is_of_header_and_data(change, tmp_path):
    path = tmp_path / "a"
    arrays = {"a": np.ones((2, 3), np.float32), "b": np.zeros((2, 3), np.float32)}
    write_tensors(arrays, path, {"key": "text"})
    changed(path, lambda header: None, keep_checksum=True)  # other white space
    read_tensors(path)
    changed(path, change, keep_checksum=True)
    with pytest.raises(DataError, match=f"{path} is damaged: .*checksum"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(dtype="BF16"), "'a' has the type 'BF16', which NumPy"),
        (lambda a: a.update(dtype="F64"), "'a' of shape .* lies in"),
        (lambda a: a.update(dtype=["F32"]), "'a' has a type"),
        (lambda a: a.update(shape=[2, 2]), r"'a' of shape \[2, 2\] lies in \[0, 24\]"),
        (lambda a: a.update(shape=[-2, -3]), "'a' has a type, shape"),
        (lambda a: a.update(shape=[2.0, 3]), "'a' has a type, shape"),
        (lambda a: a.update(shape=[True, 6]), "'a' has a type, shape"),
        (lambda a: a.update(shape=[1] * 65 + [6]), "'a' has a type, shape"),
        (lambda a: a.update(shape=6), "'a' has a type, shape"),
        (lambda a: a.update(data_offsets=[8, 32]), "'a' begins at 8, not at 0"),
        (lambda a: a.update(data_offsets=[24, 0]), "'a' of shape"),
        (lambda a: a.update(data_offsets=[0]), "'a' of shape"),
        (lambda a: a.update(data_offsets=None), "'a' has a type"),
        (lambda a: a.update(more=1), "'a' needs dtype, shape, data_offsets"),
        (lambda a: a.pop("shape"), "'a' needs dtype"),
        (
            lambda a: a.update(shape=[0], data_offsets=[0, 0]),
            "tensors of 0 bytes",
        ),
    ],
)
def test_damaged_header(change, message, tmp_path):
    path = tmp_path / "a"
    write_tensors({"a": np.ones((2, 3), np.float32)}, path, {})
    changed(path, lambda header: change(header["a"]), keep_checksum=False)
    with pytest.raises(DataError, match=message) as caught:
        read_tensors(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [b"[]", b"3", b'{"__metadata__": 1}', b'{"__metadata__": {"a": 1}}', b'{"a": 1}',
     b"\xff", b"{", b"", b'{"a": NaN}', b"1" * 5000],
)  # fmt: skip
def test_header_of_other_types(header, tmp_path):
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(DataError, match="a is no safetensors file"):
        read_tensors(tmp_path / "a")


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero", tmp_path / "none"):
        with pytest.raises(DataError, match=f"no file {path}"):
            read_tensors(path)
