"""Files of arrays are safetensors files, for this library and for any other reader."""

import json
import os
import shlex

import numpy as np
import pytest
import safetensors
import safetensors.numpy as package

import fastdl
from fastdl import datasets, files, interop, nn, train
from fastdl.errors import ArgumentError, DataError
from fastdl.files import read_tensors, tensors, write_tensors

RNG = np.random.default_rng(0)
ARRAYS = {
    dtype: RNG.integers(0, 2, (3, 2)).astype(dtype)
    for dtype in (
        "bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "uint32",
        "float32", "int64", "uint64", "float64",
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


def test_complex_numbers_where_the_package_has_them(tmp_path):
    arrays = {"a": np.array([1 + 2j, 3], np.complex64), "b": np.ones(3)}
    try:
        package.save(arrays)
    except safetensors.SafetensorError:  # early releases
        with pytest.raises(ArgumentError, match="complex64"):
            write_tensors(arrays, tmp_path / "a", {})
    else:
        write_tensors(arrays, tmp_path / "a", {})
        assert_same(read_tensors(tmp_path / "a")[0], arrays)


def test_texts_without_arrays(tmp_path):
    write_tensors({}, tmp_path / "a", {"key": "text"})
    assert read_tensors(tmp_path / "a") == ({}, {"key": "text"})
    with safetensors.safe_open(tmp_path / "a", "numpy") as file:
        assert file.metadata()["key"] == "text"


def test_other_readers_read_it(tmp_path):
    write_tensors(ARRAYS, tmp_path / "a", {"key": "text"})
    assert_same(package.load_file(tmp_path / "a"), ARRAYS)
    with safetensors.safe_open(tmp_path / "a", "numpy") as file:
        assert file.metadata()["key"] == "text"


def test_files_of_other_writers_are_read(tmp_path):
    """Also files of earlier versions of fastdl, which had no checksum."""
    for metadata in ({"key": "text"}, None):
        package.save_file(ARRAYS, tmp_path / "a", metadata)
        state, texts = read_tensors(tmp_path / "a")
        assert_same(state, ARRAYS)
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
        ({"a": np.zeros(2, "i4,i4")}, "cannot write 'a'"),
        ({"__metadata__": np.zeros(2)}, "cannot write '__metadata__'"),
        ({"\ud800": np.zeros(2)}, "surrogates"),
    ],
)
def test_what_the_format_has_not(state, message, tmp_path):
    with pytest.raises(ArgumentError, match=message):
        write_tensors(state, tmp_path / "a", {})
    assert not os.listdir(tmp_path)


def test_a_text_that_is_none(tmp_path):
    with pytest.raises(ArgumentError, match="surrogates"):
        write_tensors({}, tmp_path / "a", {"key": "\ud800"})
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
        header["__metadata__"].pop("fastdl.format")
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[begin:])


def swap(header):
    header["a"], header["b"] = header["b"], header["a"]


def rename(header, key):
    """Change one letter of the name of a text."""
    texts = header["__metadata__"]
    texts[f"{key[:-1]}?"] = texts.pop(key)


@pytest.mark.parametrize(
    "change",
    [
        swap,
        lambda header: header.update(c=header.pop("a")),
        lambda header: header["a"].update(dtype="I32"),
        lambda header: header["a"].update(shape=[3, 2]),
        lambda header: header["__metadata__"].update(key="other"),
        lambda header: header["__metadata__"].update({"fastdl.sha256": "0" * 64}),
        lambda header: rename(header, "fastdl.sha256"),
        lambda header: rename(header, "fastdl.format"),
    ],
    ids=[
        "swapped",
        "renamed",
        "type",
        "shape",
        "text",
        "checksum",
        "its name",
        "name of the format",
    ],
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
    "change",
    [
        {"dtype": "F64"},
        {"dtype": ["F32"]},
        {"dtype": "F33"},
        {"shape": [2, 2]},
        {"shape": [-2, -3]},
        {"shape": [2.0, 3]},
        {"shape": [True, 6]},
        {"shape": 6},
        {"shape": [2**32, 2**32, 6]},
        {"shape": [2**62, 6]},
        {"data_offsets": [8, 32]},
        {"data_offsets": [24, 0]},
        {"data_offsets": [0, 2**64 - 1]},
        {"data_offsets": [0]},
        {"data_offsets": None},
        {"shape": [0], "data_offsets": [0, 0]},
    ],
    ids=str,
)
def test_damaged_header(change, tmp_path):
    path = tmp_path / "a"
    write_tensors({"a": np.ones((2, 3), np.float32)}, path, {})
    changed(path, lambda header: header["a"].update(change), keep_checksum=False)
    with pytest.raises(DataError, match=f"^{path} cannot be read as a safetensors"):
        read_tensors(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "F8_E5M2", "shape": [24]}, "has the type 'F8_E5M2', which NumPy"),
        ({"shape": [1] * 65 + [6]}, "dimension"),
    ],
    ids=["float8", "65 axes"],
)
def test_a_tensor_that_numpy_cannot_hold_is_named(change, message, tmp_path):
    path = tmp_path / "a"
    write_tensors({"a": np.ones((2, 3), np.float32)}, path, {})
    changed(path, lambda header: header["a"].update(change), keep_checksum=False)
    with pytest.raises(DataError, match=f"^{path}.* 'a'.*{message}"):
        read_tensors(path)


def test_bfloat16_becomes_float32(tmp_path):
    """Its 16 bits are the upper ones of the same number in float32."""
    numbers = np.array([[1, -2.5, 0], [np.inf, 2**-133, -(2.0**120)]], np.float32)
    bits = (numbers.view("<u4") >> 16).astype("<u2")
    entry = {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}
    write_header({"a": entry}, tmp_path / "a", bits.tobytes())
    assert_same(read_tensors(tmp_path / "a")[0], {"a": numbers})


def tensor(begin, end):
    return {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}


def write_header(header, path, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize(
    "header",
    [
        {"a": tensor(0, 4), "b": tensor(0, 4)},
        {"a": tensor(0, 4), "b": tensor(2, 6)},
        {"a": tensor(0, 3), "b": tensor(4, 8)},
        {"__metadata__": tensor(0, 8)},
        b'{"a":%s,"a":%s}' % (b"1", json.dumps(tensor(0, 8)).encode()),
        b'{"__metadata__":{"a":"1"},"__metadata__":{"a":"2"},"a":%s}'
        % json.dumps(tensor(0, 8)).encode(),
    ],
    ids=["overlaid", "overlap", "gap", "a tensor for texts", "twice", "texts twice"],
)
def test_every_byte_belongs_to_one_tensor(header, tmp_path):
    write_header(header, tmp_path / "a", bytes(8))
    with pytest.raises(DataError, match="a cannot be read as a safetensors file"):
        read_tensors(tmp_path / "a")


@pytest.mark.parametrize(
    "header",
    [b"[]", b"3", b'{"__metadata__": 1}', b'{"__metadata__": {"a": 1}}', b'{"a": 1}',
     b'{"__metadata__": {"a": NaN}}', b"\xff", b"{", b"", b'{"a": NaN}', b"1" * 5000,
     b'{"\\ud800": {}}'],
)  # fmt: skip
def test_header_of_other_types(header, tmp_path):
    write_header(header, tmp_path / "a")
    with pytest.raises(DataError, match="a cannot be read as a safetensors file"):
        read_tensors(tmp_path / "a")


@pytest.mark.parametrize("value", [b"[" * 10**5 + b"]" * 10**5, b"1" * 5000])
def test_what_the_package_skips_in_a_header(value, tmp_path):
    """It takes no notice of fields that it does not know, however deep."""
    fields = json.dumps(tensor(0, 0)).encode()[:-1]
    write_header(b'{"a":%s,"more":%s}}' % (fields, value), tmp_path / "a")
    with pytest.raises(DataError, match=f"{tmp_path / 'a'} "):
        read_tensors(tmp_path / "a")


def test_many_names(tmp_path):
    state = {f"{n} é": np.zeros(0, np.uint8) for n in range(20_000)}
    write_tensors(state, tmp_path / "a", {})
    assert read_tensors(tmp_path / "a")[0].keys() == state.keys()


def test_same_arrays_make_same_bytes(tmp_path):
    texts = {str(n): "é" for n in range(9)}
    for name in "ab":
        write_tensors(ARRAYS, tmp_path / name, texts)
        texts = dict(reversed(texts.items()))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_checksum_does_not_ask_for_the_layout(tmp_path):
    """A program that sorts and spaces the header otherwise may keep the checksum."""
    arrays = {"a": np.ones(3, np.float32), "b": np.zeros((2, 2)), "c": np.int8(4)}
    write_tensors(arrays, tmp_path / "a", {"key": "text", "a": ""})
    with safetensors.safe_open(tmp_path / "a", "numpy") as file:
        metadata = file.metadata()
    content, place, header = b"", 0, {"__metadata__": dict(reversed(metadata.items()))}
    for name, array in package.load_file(tmp_path / "a").items():
        kind = {"f": "F", "i": "I"}[array.dtype.kind] + str(8 * array.itemsize)
        end = place + array.nbytes
        header[name] = {
            "shape": array.shape, "data_offsets": [place, end], "dtype": kind,
        }  # fmt: skip
        content, place = content + array.tobytes(), end
    write_header(header, tmp_path / "b", content)
    assert_same(read_tensors(tmp_path / "b")[0], read_tensors(tmp_path / "a")[0])


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero", tmp_path / "none"):
        with pytest.raises(DataError, match=f"no file {path}"):
            read_tensors(path)


ZIP = b"PK\x03\x04\0\0\x08\x08"


@pytest.mark.parametrize("begin", [ZIP + b"archive/data.pkl", b"\x80\x02\x8a\nl\xfc"])
def test_whoever_reads_a_pickle_is_told_how_to_convert_it(begin, tmp_path):
    path = tmp_path / "my weights.pth"
    path.write_bytes(begin + bytes(100))
    for read in (
        read_tensors,
        fastdl.load,
        lambda path: nn.load_weights(nn.Linear(2, 2), path),
        train.Pretrained,
    ):
        with pytest.raises(DataError, match=r"is a pickle.*If you trust it") as caught:
            read(path)
        line = str(caught.value).splitlines()[-1]
        *_, source, target = shlex.split(line)
        assert (source, target) == (str(path), str(path.with_suffix(".safetensors")))


def test_an_archive_of_numpy_is_no_pickle(tmp_path):
    np.savez(tmp_path / "a.npz", weight=np.ones(3))
    with pytest.raises(DataError, match=r"is a zip archive.*no safetensors file"):
        read_tensors(tmp_path / "a.npz")


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_a_length_of_the_header_that_looks_like_a_pickle(length, tmp_path):
    """Files begin with it; these are protocols 2 to 5."""
    path = tmp_path / "a.safetensors"
    write_tensors({"a": np.ones(3)}, path, {"key": ""})
    _, begin = parts(path)
    write_tensors({"a": np.ones(3)}, path, {"key": "x" * (length - begin + 8)})
    assert path.read_bytes()[:2] == length.to_bytes(2, "little")
    assert_same(read_tensors(path)[0], {"a": np.ones(3)})


def test_a_folder_for_a_file_and_a_file_for_a_folder(tmp_path):
    with pytest.raises(DataError, match=f"no file {tmp_path}: it is a folder"):
        read_tensors(tmp_path)
    file = tmp_path / "a"
    file.write_bytes(b"")
    for read in (train.open_run, datasets.image_folder):
        with pytest.raises(DataError, match=f"no .*folder {file}: it is a file"):
            read(file)


@pytest.mark.parametrize("path", [None, 3, 2.5, b"a", ["a"]], ids=repr)
def test_what_is_no_path(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = nn.Linear(2, 2)
    for use in (
        fastdl.load,
        lambda path: fastdl.save(model, path),
        lambda path: fastdl.save_weights(model, path),
        lambda path: fastdl.load_weights(model, path),
        lambda path: interop.save_torch_state(model, path),
        files.check_writable,
        files.read_settings,
        train.CSVLog,
        train.ModelCheckpoint,
        train.RunFolder,
        train.Pretrained,
        train.open_run,
        datasets.image_folder,
    ):
        model.build((2,))
        with pytest.raises(ArgumentError, match="expected a path, a text or an"):
            use(path)
    assert not list(tmp_path.iterdir())
