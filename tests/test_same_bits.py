"""The same answer: one training, whose weights have the same bits however it runs."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("fastdl.kernels", reason="the compiled kernels are not built")

from fastdl import backend, data, engine
from fastdl.cli import hashes
from fastdl.kernels.engine import runtime, schedule

RUNTIMES = ("openmp", "pool") if runtime.has_openmp() else ("pool",)
STEPS = 2 * hashes.EPOCH
TABLE = hashes.PUBLISHED.get((runtime.compiler(), platform.machine()))

soak = pytest.mark.soak


@pytest.fixture(autouse=True)
def restored():
    name, isa, threads = backend.name, runtime.get_isa(), runtime.get_num_threads()
    backend.use("compiled")
    yield
    backend.use(name)
    runtime.set_isa(isa)
    runtime.set_runtime(os.environ.get("FASTDL_RUNTIME") or "auto")
    runtime.set_num_threads(threads)


@pytest.fixture(scope="module")
def expected():
    """Return what `alone` found, by instruction set and type."""
    return {}


def alone(expected, dtype):
    """Train on one thread, without workers or prefetch, once for all tests."""
    key = runtime.get_isa(), dtype
    if key not in expected:
        runtime.set_num_threads(1)
        expected[key] = hashes.train(dtype, STEPS, prefetch=0)
    return expected[key]


@pytest.mark.parametrize("dtype", hashes.DTYPES)
@pytest.mark.parametrize(
    ("isa", "name", "threads"),
    [
        pytest.param(isa, name, threads, marks=() if few else soak)
        for isa in runtime.available_isas()
        for name in RUNTIMES
        for threads in range(1, 9)
        for few in [isa == runtime.get_isa() and (name, threads) in {
            ("openmp", 8), ("pool", 3)
        }]
    ],
)  # fmt: skip
def test_for_each_number_of_threads_and_runtime(isa, name, threads, dtype, expected):
    runtime.set_isa(isa)
    wanted = alone(expected, dtype)
    runtime.set_runtime(name)
    runtime.set_num_threads(threads)
    assert hashes.train(dtype, STEPS) == wanted


@pytest.mark.parametrize("dtype", hashes.DTYPES)
@pytest.mark.parametrize(
    ("workers", "prefetch"),
    [(3, 1), *(pytest.param(w, p, marks=soak) for w in (1, 2, 8) for p in (0, 1, 5))],
)
def test_for_each_number_of_workers(workers, prefetch, dtype, expected):
    wanted = alone(expected, dtype)
    assert hashes.train(dtype, STEPS, workers=workers, prefetch=prefetch) == wanted


def test_the_workers_are_those_asked_for(monkeypatch):
    """Else that no number of them makes a difference would show nothing."""
    loaders = []

    class Loader(data.DataLoader):
        def __init__(self, *arguments, **options):
            loaders.append((options["workers"], options["prefetch"]))
            super().__init__(*arguments, **options)

    monkeypatch.setattr(data, "DataLoader", Loader)
    hashes.train(steps=hashes.EPOCH, workers=3, prefetch=1)
    assert loaders == [(3, 1)]


@pytest.mark.parametrize("dtype", hashes.DTYPES)
def test_across_resume(dtype, expected, tmp_path):
    wanted = alone(expected, dtype)
    path = tmp_path / "checkpoint"
    first = hashes.train(dtype, STEPS // 2, checkpoint=path)
    runtime.set_num_threads(2)
    assert first != hashes.train(dtype, STEPS, checkpoint=path) == wanted


@pytest.mark.parametrize("threads", [pytest.param(2, marks=soak), 8])
def test_the_training_is_shared_by_all_threads(threads):
    """Otherwise the tests above would compare one thread with itself."""
    runtime.set_num_threads(threads)
    schedule.record_tasks()
    try:
        hashes.train(steps=hashes.EPOCH)
    finally:
        loops = schedule.take_record()
    assert {shares for shares, _ in loops} == {1, threads}
    full = [times for shares, times in loops if shares > 1 and len(times) > threads]
    assert len(full) > 10 * hashes.EPOCH  # of each step, several with a task for each


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/task"), reason="this system lists no threads"
)
@pytest.mark.parametrize(
    "name", [RUNTIMES[0], *(pytest.param(n, marks=soak) for n in RUNTIMES[1:])]
)
def test_eight_threads_are_eight_also_on_fewer_cores(name):
    code = """
import os
from fastdl.cli import hashes
before = len(os.listdir("/proc/self/task"))
hashes.train(steps=hashes.EPOCH, prefetch=0)
print(len(os.listdir("/proc/self/task")) - before)
"""
    assert run(code, FASTDL_NUM_THREADS="8", FASTDL_RUNTIME=name) == "7"


def test_the_training_multiplies_by_winograd(expected, monkeypatch):
    wanted = alone(expected, "float32")
    monkeypatch.setattr(engine, "set_conv_algorithm", lambda name: None)
    backend.set_conv_algorithm("direct")
    try:
        assert hashes.train("float32", STEPS) != wanted
    finally:
        backend.set_conv_algorithm("auto")


# Other processes ---------------------------------------------------------------------


def run(code: str, **environment: str) -> str:
    """Return what a fresh process prints."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


TRAIN = f"""
from fastdl.cli import hashes
print(*(hashes.train(dtype, {STEPS}) for dtype in hashes.DTYPES))
"""


def features() -> str:
    """Return what NumPy chooses by the processor that it runs on."""
    try:
        from numpy._core import _multiarray_umath as core
    except ImportError:  # NumPy 1
        from numpy.core import _multiarray_umath as core
    found = core.__cpu_features__
    return " ".join(name for name in core.__cpu_dispatch__ if found.get(name))


LESS_NUMPY = {
    "NPY_DISABLE_CPU_FEATURES": features(),
    "OPENBLAS_CORETYPE": "Nehalem",  # without AVX and without multiply-adds
    "OPENBLAS_NUM_THREADS": "1",
}
LESS_LIBC = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F"}


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "7", **LESS_NUMPY, **LESS_LIBC},
        *(
            pytest.param(each, marks=soak)
            for each in (
                LESS_NUMPY,
                LESS_LIBC,
                {"PYTHONHASHSEED": "0"},
                {"PYTHONHASHSEED": "123"},
                {"PYTHONHASHSEED": "0"},  # the same again
                {"FASTDL_L2_CACHE": "64K"},
                {"FASTDL_L2_CACHE": "64M"},
                {"OMP_NUM_THREADS": "3"},
            )
        ),
    ],
    ids=lambda each: "+".join(each),
)
def test_in_another_process(environment, expected):
    """Whatever the order of its hashes, and NumPy and the C library find of the CPU."""
    wanted = [alone(expected, dtype) for dtype in hashes.DTYPES]
    isa = runtime.get_isa()
    assert run(TRAIN, **environment, FASTDL_ISA=isa).split() == wanted


@soak
@pytest.mark.parametrize("name", ["auto", *RUNTIMES])
def test_beside_processes_that_take_the_cores(name, expected):
    wanted = [alone(expected, dtype) for dtype in hashes.DTYPES]
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        for threads in (2, 8):
            runtime.set_runtime(name)
            runtime.set_num_threads(threads)
            found = [hashes.train(dtype, STEPS) for dtype in hashes.DTYPES]
            assert found == wanted
    finally:
        for process in busy:
            process.kill()
            process.wait()


BESIDE = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")  # of forks beside threads

def train():
    from fastdl.cli import hashes
    print(hashes.train(steps=10), flush=True)

def use():
    import numpy as np
    {use}

for turn in {turns}:
    turn()
train()
end = threading.Event()
other = threading.Thread(target=lambda: [use() for _ in iter(end.is_set, True)])
other.start()
train()
end.set()
other.join()
child = os.fork()
if child == 0:
    train()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
USES = {
    "torch": "import torch; torch.ones(500, 500) @ torch.ones(500, 500)",
    "sklearn": (
        "from sklearn.cluster import KMeans; "
        "KMeans(2, n_init=1).fit(np.random.default_rng(0).random((500, 9)))"
    ),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    "turns", ["[use, train]", pytest.param("[train, use]", marks=soak)]
)
@pytest.mark.parametrize("other", USES)
def test_beside_another_library_with_threads_of_its_own(other, turns):
    """Whichever comes first, at the same time too, and in the child of a fork."""
    if find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    found = run(
        BESIDE.format(use=USES[other], turns=turns),
        FASTDL_NUM_THREADS="2",
        FASTDL_ISA=runtime.get_isa(),
    ).split()
    assert found == 4 * [hashes.train(steps=10)]


# What NumPy computes, in operations that have no kernel: exp, log and powers by arrays.
OF_NUMPY = {
    *("exp", "log", "logsumexp", "logsumexp, of rows", "log_softmax"),
    *("focal_loss", "focal_loss, weights", "kl_div"),
    *("sigmoid_focal_loss", "sigmoid_focal_loss, of tensors"),
    *("binary_cross_entropy", "binary_cross_entropy, of tensors"),
    *("power", "power, stretched", "norm, of rows"),
}  # fmt: skip

OPERATIONS = """
import hashlib, json
import numpy as np
from fastdl import random
from fastdl.autograd import Tensor
from tests.functional.test_every_operation import CALLS, VARIANTS

digests = {}
for name, (function, *values) in (CALLS | VARIANTS).items():
    content = b""
    for dtype in (np.float32, np.float64):
        random.seed(0)
        tensors = [Tensor(v, requires_grad=True, dtype=dtype) for v in values]
        y = function(*tensors)
        content += y.data.tobytes()
        if y.requires_grad:
            dy = np.random.default_rng(0).standard_normal(y.shape)
            y.backward(dy.astype(dtype))
            content += b"".join(x.grad.tobytes() for x in tensors if x.grad is not None)
    digests[name] = hashlib.sha256(content).hexdigest()
print(json.dumps(digests))
"""


@soak
def test_only_what_numpy_computes_depends_on_what_it_finds():
    usual = json.loads(run(OPERATIONS))
    less = json.loads(run(OPERATIONS, **LESS_NUMPY))
    different = {name for name in usual if usual[name] != less[name]}
    assert len(usual) > 100
    assert different <= OF_NUMPY


# Published ---------------------------------------------------------------------------


@pytest.mark.skipif(
    TABLE is None,
    reason=f"no hashes are published for {runtime.compiler()}, {platform.machine()}",
)
def test_hashes_are_as_published():
    found = list(hashes.measure())
    assert {line.isa for line in found} == set(runtime.available_isas())
    for line in found:
        assert line.published is not None
        assert line.found == line.published, line


@pytest.mark.parametrize("table", hashes.PUBLISHED.values())
def test_the_table_is_whole(table):
    """No two trainings agree by chance, and each line is the hash of a training."""
    lines = [line for isa in table.values() for line in isa]
    assert all(len(isa) == len(hashes.DTYPES) for isa in table.values())
    assert len({*lines}) == len(lines)
    assert all(len(bytes.fromhex(line)) == 32 for line in lines)
