"""Small files that declare, or inflate to, far more than they should."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastdl.files import write_tensors

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="only Linux tells and limits memory"
)
MEMORY = 32 * 2**20  # bytes beyond what a process with all imports has
FAR = 64 * 2**20  # bytes that a bomb inflates to

CODE = """
import resource, sys
from pathlib import Path
import fastdl
from fastdl.datasets import cifar10
from fastdl.datasets.idx import read_idx
from fastdl.datasets.images import read_image
from fastdl.datasets.npz import read_npz
from fastdl.files import read_tensors
from fastdl.train import open_run
import PIL.PngImagePlugin, tarfile, tqdm, warnings
warnings.simplefilter("ignore")
read = {
    "safetensors": read_tensors,
    "model": fastdl.load,
    "idx": lambda path: read_idx(path, 3),
    "npz": lambda path: read_npz(path, (8, 8), 10),
    "tar": lambda path: cifar10.decode(path, "bomb"),
    "png": read_image,
    "run": open_run,
}
memory, *paths = sys.argv[1:]
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(memory)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in map(Path, paths):
    try:
        read[path.suffix[1:]](path)
        print(path.name, "was read")
    except Exception as error:
        names = str(path) in str(error)
        print(path.name, type(error).__name__, type(error.__cause__).__name__, names)
"""


def header(fields, rest=b""):
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return len(text).to_bytes(8, "little") + text + rest


def idx(sizes, content=b""):
    return b"\0\0\10\3" + b"".join(n.to_bytes(4, "big") for n in sizes) + content


def zeros(before=b""):
    """Return so many zeros, deflated, with something before."""
    return gzip.compress(before) + gzip.compress(bytes(2**20)) * (FAR // 2**20)


def npy(shape, version=1, dtype="|u1"):
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes((version, 0)) + length + text


def npz(first, far=0, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        with archive.open("x_train.npy", "w") as member:
            member.write(first)
            for _ in range(far // 2**20):
                member.write(bytes(2**20))
        for name in ("y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", npy((0, 8, 8) if name[0] == "x" else (0,)))
    return file.getvalue()


def member(kind, size, name="train/cat/0.jpg"):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def with_checksum(block):
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def sparse(real_size, extended):
    """Return the member of a file that is nearly all a hole."""
    block = bytearray(member(tarfile.GNUTYPE_SPARSE, 0))
    block[482] = extended
    block[483:495] = b"%011o\0" % real_size
    return with_checksum(block)


def negative_size():
    block = bytearray(member(tarfile.GNUTYPE_LONGNAME, 0))
    block[124:136] = b"\xff" * 10 + b"\xfe\0"
    return with_checksum(block)


def png(height, width):
    """Return a picture that says it has this size."""
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def tar_of(content):
    head = member(tarfile.REGTYPE, len(content))
    return gzip.compress(head + content + bytes(-len(content) % 512 + 1024))


ONE = {"dtype": "F32", "shape": [10**11], "data_offsets": [0, 4 * 10**11]}
WIDE = {"class": "Linear", "in_features": 10**6, "out_features": 10**6}
BOMBS = {
    "long header.safetensors": lambda: (2**63).to_bytes(8, "little") + b"{}",
    "99 MB header.safetensors": lambda: (99 * 10**6).to_bytes(8, "little") + b"{}",
    "nested.safetensors": lambda: header(b'{"a":' + b"[" * 100_000),
    "1e11 weights.safetensors": lambda: header({"a": ONE}, bytes(99)),
    "overlaid.safetensors": lambda: header(
        {
            str(n): {"dtype": "U8", "shape": [2**20], "data_offsets": [0, 2**20]}
            for n in range(1000)
        },
        bytes(2**20),
    ),
    "empty but wide.safetensors": lambda: header(
        {"a": {"dtype": "F32", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}
    ),
    "wide layer.model": lambda: header(
        {
            "__metadata__": {"fastdl.model": json.dumps(WIDE)},
            "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        },
        bytes(8),
    ),
    "declared.idx": lambda: gzip.compress(idx([2**32 - 1] * 3)),
    "declared and short.idx": lambda: gzip.compress(idx([1000, 1000, 1000])),
    "more than declared.idx": lambda: zeros(idx([2, 28, 28])),
    "declared.npz": lambda: npz(npy((10**11, 8, 8))),
    "declared twice.npz": lambda: npz(npy((10**400, 8, 8))),
    "other shape.npz": lambda: npz(npy((FAR,)), FAR),
    "other type.npz": lambda: npz(npy((FAR // 512, 8, 8), dtype="<f8"), FAR),
    "more images than labels.npz": lambda: npz(npy((FAR // 64, 8, 8)), FAR),
    "more than declared.npz": lambda: npz(npy((0, 8, 8)), FAR),
    "long header.npz": lambda: npz(
        b"\x93NUMPY\2\0" + (FAR - 2**20).to_bytes(4, "little"), FAR
    ),
    "lzma.npz": lambda: npz(npy((9, 8, 8)), 0, zipfile.ZIP_LZMA),
    "nested header.npz": lambda: npz(npy("(" * 9000)),
    "long name.tar": lambda: zeros(member(tarfile.GNUTYPE_LONGNAME, FAR)),
    "negative size.tar": lambda: zeros(negative_size()),
    "pax header.tar": lambda: zeros(member(tarfile.XHDTYPE, FAR)),
    "large picture.tar": lambda: zeros(member(tarfile.REGTYPE, FAR)),
    "a hole.tar": lambda: gzip.compress(sparse(2**33 - 1, 0) + bytes(9999)),
    "many holes.tar": lambda: zeros(sparse(9, 1) + b"\1" * 2**20),
    "many members.tar": lambda: gzip.compress(member(tarfile.REGTYPE, 0) * 1000) * 200,
    "pixels.tar": lambda: tar_of(png(9000, 9000)),
    "2e7 pixels.png": lambda: png(2000, 10_000),
    "1e8 pixels.png": lambda: png(10_000, 10_000),
    "long chunk.png": lambda: png(8, 8)[:33] + b"\x7f\xff\xff\xffIDAT" + bytes(99),
    "2e9 pixels.png": lambda: png(50_000, 40_000),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Read all bombs in a process with little memory; return a line for each."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, make in BOMBS.items():
        content = make()
        assert len(content) < FAR // 40
        (folder / name).write_bytes(content)
    (folder / "nested.run").mkdir()
    (folder / "nested.run" / "config.json").write_text("[" * 100_000)
    names = [*BOMBS, "nested.run"]
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(MEMORY), *(folder / name for name in names)],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(names, result.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("name", [*BOMBS, "nested.run"])
def test_refused_in_little_memory(name, outcomes):
    line = outcomes[name]
    assert line.startswith(f"{name} DataError")
    assert line.endswith("True"), "the error names no file"
    assert "MemoryError" not in line


def test_what_is_whole_is_read_in_little_memory(tmp_path):
    """The limit leaves room for honest files of the same kinds."""
    path = tmp_path / "file.idx"
    path.write_bytes(gzip.compress(idx([10, 1000, 1000], bytes(10**7))))
    arrays = {
        "x_train": np.zeros((10**5, 8, 8), np.uint8),
        "y_train": np.zeros(10**5, np.uint8),
        "x_test": np.asfortranarray(np.zeros((9, 8, 8), np.uint8)),
        "y_test": np.zeros(9, np.int64),
    }
    np.savez_compressed(tmp_path / "file.npz", **arrays)
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(MEMORY), path, tmp_path / "file.npz"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "file.idx was read\nfile.npz was read\n"


def test_a_whole_file_for_which_the_memory_does_not_suffice(tmp_path):
    """The package, out of memory itself, would abort or hang."""
    path = tmp_path / "large.safetensors"
    write_tensors({"a": np.zeros(FAR, np.uint8)}, path, {})
    result = subprocess.run(
        [sys.executable, "-c", CODE, str(FAR + MEMORY), path],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout == "large.safetensors DataError MemoryError True\n"
