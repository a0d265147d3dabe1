"""Sizes of caches, and that no result depends on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import fastdl
from fastdl.kernels.engine import caches, runtime

SIZES = ("128K", "4M")


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run Python code in a fresh process with more environment variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


# How large they are -------------------------------------------------------------------

INFO = "import fastdl; print(fastdl.info()['caches'])"


@pytest.fixture
def machine(tmp_path):
    """Return a function that writes a folder of caches as Linux shows it."""

    def write(*rows):
        for index, row in enumerate(rows):
            folder = tmp_path / f"index{index}"
            folder.mkdir()
            names = ("level", "type", "size", "shared_cpu_list")
            for name, text in zip(names, row, strict=False):
                (folder / name).write_text(f"{text}\n")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("l1_cpus", "l2", "l2_cpus", "expected"),
    [
        ("0", "512K", "0", 512 << 10),
        ("0,64", "1280K", "0,64", 1280 << 10),  # the two threads of a core
        ("0", "12288K", "0-3", 3 << 20),  # four cores
        ("0-1", "4M", "0-3,8-11", 1 << 20),  # four cores of two threads
    ],
)
def test_cores_share_an_l2_cache_but_threads_of_a_core_do_not(
    l1_cpus, l2, l2_cpus, expected, machine
):
    folder = machine(
        (1, "Data", "48K", l1_cpus),
        (1, "Instruction", "32K", l1_cpus),
        (2, "Unified", l2, l2_cpus),
        (3, "Unified", "36608K", "0-15"),
    )
    assert caches._system_sizes(folder) == {1: 48 << 10, 2: expected, 3: 36608 << 10}


def test_what_a_container_hides_is_asked_of_the_c_library(tmp_path, machine):
    unlisted = caches._system_sizes(tmp_path)
    assert set(unlisted) == {1, 2, 3}
    assert min(unlisted.values()) >= 0
    folder = machine((1, "Data", "24K"), (2, "Unified", "huge", "0"), ("?", "Data"))
    assert caches._system_sizes(folder) == unlisted | {1: 24 << 10}


@pytest.mark.parametrize("size", [0, 4096, 1 << 40])
def test_half_a_megabyte_is_assumed_where_nobody_tells(size, monkeypatch):
    monkeypatch.delenv("FASTDL_L2_CACHE", raising=False)
    assert caches._l2_size(size) == (512 << 10, " (assumed)")
    assert caches._l2_size(1 << 20) == (1 << 20, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("128K", "128K"),
        ("128k", "128K"),
        ("2048K", "2M"),
        ("64M", "64M"),
        ("65536", "64K"),
    ],
)
def test_the_environment_overrides_the_machine(text, told):
    assert f"L2 {told} (FASTDL_L2_CACHE)" in run(INFO, FASTDL_L2_CACHE=text).stdout


@pytest.mark.parametrize(
    "text", ["small", "0", "-1M", "1.5M", "63K", "65M", "1 G", "K", "²M", "9" * 30]
)
def test_wrong_sizes_in_the_environment_are_refused(text):
    error = run(INFO, FASTDL_L2_CACHE=text).stderr
    assert (
        "FASTDL_L2_CACHE: expected a size from 64K to 64M, such as 512K, "
        f"got {text!r}" in error
    )


def test_info_shows_them():
    assert fastdl.info()["caches"] == caches.describe()
    assert run(INFO, FASTDL_L2_CACHE="").stdout.startswith("L1 ")


# What may depend on them --------------------------------------------------------------

RESULTS = """
import hashlib, json
import numpy as np
from fastdl import kernels
from fastdl.kernels.engine import runtime

digests = {}

def note(name, results):
    results = results if isinstance(results, tuple) else (results,)
    content = b"".join(array.tobytes() for array in results)
    digests[str((*case, *name))] = hashlib.sha256(content).hexdigest()

def products():
    for m, k, n in ((1300, 700, 70), (430, 2100, 100), (600, 1100, 40), (33, 5000, 20)):
        a, b = random(m, k), random(k, n)
        for x, transpose_a in ((a, False), (np.ascontiguousarray(a.T), True)):
            for y, transpose_b in ((b, False), (np.ascontiguousarray(b.T), True)):
                name = "matmul", m, k, n, transpose_a, transpose_b
                note(name, kernels.matmul(
                    x, y, transpose_a=transpose_a, transpose_b=transpose_b))

def convolutions():
    for shape, kernel, options in (
        ((2, 40, 40, 16), (3, 3, 16, 24), dict(padding=1)),
        ((3, 30, 30, 64), (3, 3, 64, 64), dict(padding=1)),
        ((1, 28, 28, 96), (3, 3, 96, 160), dict(padding=0)),
        ((1, 8, 8, 128), (3, 3, 128, 128), dict(padding=1)),  # many weights, few tiles
        ((2, 60, 60, 3), (5, 5, 3, 16), dict(stride=2, padding=2)),
        ((2, 32, 32, 32), (3, 3, 32, 48), dict(stride=2, padding=1)),
        ((2, 24, 24, 32), (1, 1, 32, 64), {}),
        ((2, 24, 24, 32), (3, 3, 16, 32), dict(groups=2, padding=1)),
        ((2, 70, 70, 32), (3, 3, 1, 32), dict(groups=32, padding=1)),
        ((2, 71, 69, 40), (5, 5, 1, 40), dict(groups=40, stride=2, padding=2)),
        ((3, 56, 57, 96), (3, 3, 1, 96), dict(groups=96, padding=2, dilation=2)),
    ):
        x, weight = random(*shape), random(*kernel)
        for algorithm in ("direct", "winograd", "auto"):
            kernels.set_conv_algorithm(algorithm)
            y = kernels.conv2d_forward(x, weight, random(kernel[3]), **options)
            dy = random(*y.shape)
            name = shape, kernel, algorithm
            note(("y", *name), y)
            note(("dx", *name), kernels.conv2d_backward_input(
                dy, weight, shape, **options))
            note(("dweight", *name), kernels.conv2d_backward_weight(
                dy, x, kernel[:2], **options))

for isa in ISAS:
    runtime.set_isa(isa)
    for dtype in ("float32", "float64"):
        rng = np.random.default_rng(0)
        random = lambda *shape: rng.standard_normal(shape).astype(dtype)
        case = isa, dtype
        products()
        convolutions()
print(json.dumps(digests))
"""


@pytest.mark.parametrize(
    "isas",
    [
        runtime.available_isas()[-1:],
        pytest.param(runtime.available_isas()[:-1], marks=pytest.mark.soak),
    ],
    ids="+".join,
)
def test_no_result_depends_on_the_caches(isas):
    """Each machine of an instruction set gets the same bits."""
    code = f"ISAS = {isas}\n{RESULTS}"
    processes = {size: run(code, FASTDL_L2_CACHE=size) for size in SIZES}
    digests = {size: json.loads(done.stdout) for size, done in processes.items()}
    expected = digests.pop(SIZES[0])
    assert len(expected) >= 230 * len(isas)
    for size, found in digests.items():
        different = [key for key in expected if found[key] != expected[key]]
        assert not different, size
