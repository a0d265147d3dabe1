import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

import fastdl
from fastdl import backend, reference
from fastdl.errors import ArgumentError
from fastdl.reference import _engine

try:
    from fastdl import kernels
except ImportError as error:
    built, why = False, f"the compiled kernels are not built: {error}"
else:
    built, why = True, ""
needs_kernels = pytest.mark.skipif(not built, reason=why)


@pytest.fixture(autouse=True)
def restored():
    before = backend.name
    yield
    backend.use(before)


def test_the_reference_has_no_runtime_of_threads():
    backend.use("reference")
    found = fastdl.get_runtime()
    assert (found.name, found.why) == ("numpy", "the NumPy reference computes")


def run(code, **environment):
    """Run a fresh Python, as the backend is chosen at import."""
    variables = {k: v for k, v in os.environ.items() if k != "FASTDL_BACKEND"}
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env=variables | environment,
        capture_output=True,
        text=True,
        check=False,
    )


BESIDE = [
    "empty",
    "zeros",
    "empty_cache",
    "memory_stats",
    "set_conv_algorithm",
    "get_conv_algorithm",
]
WITHOUT_KERNELS = "import sys; sys.modules['fastdl.kernels.engine.runtime'] = None; "
PRINT_NAME = "from fastdl import backend; print(backend.name)"


def test_use_reference_binds_every_kernel():
    backend.use("reference")
    assert backend.name == "reference"
    for name in reference.__all__:
        assert getattr(backend, name) is getattr(reference, name)
    for name in BESIDE:
        assert getattr(backend, name) is getattr(_engine, name)


@needs_kernels
def test_use_compiled_binds_every_kernel():
    backend.use("compiled")
    assert backend.name == "compiled"
    for name in [*reference.__all__, *BESIDE]:
        assert getattr(backend, name) is getattr(kernels, name)


@needs_kernels
@pytest.mark.parametrize("name", reference.__all__)
def test_signatures_are_equal(name):
    def parameters(function):
        listed = inspect.signature(function).parameters.values()
        return [(p.name, p.kind, p.default) for p in listed]

    compiled = parameters(getattr(kernels, name))
    assert compiled == parameters(getattr(reference, name))


@pytest.mark.parametrize(
    "name", ["reference", pytest.param("compiled", marks=needs_kernels)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3, 4, 5)])
def test_allocators(name, dtype, shape):
    backend.use(name)
    for allocate in (backend.empty, backend.zeros):
        array = allocate(shape, dtype)
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
    np.testing.assert_array_equal(array, np.zeros(shape, dtype))


def test_unknown_name():
    with pytest.raises(ArgumentError, match="'compild'; did you mean 'compiled'"):
        backend.use("compild")


def test_environment_chooses_the_reference():
    result = run(PRINT_NAME, FASTDL_BACKEND="reference")
    assert result.stdout == "reference\n"
    assert result.stderr == ""


@needs_kernels
@pytest.mark.parametrize("environment", [{}, {"FASTDL_BACKEND": "compiled"}])
def test_compiled_is_the_default(environment):
    result = run(PRINT_NAME, **environment)
    assert result.stdout == "compiled\n"
    assert result.stderr == ""


def test_unknown_name_in_the_environment():
    result = run(PRINT_NAME, FASTDL_BACKEND="numpy")
    assert result.returncode != 0
    assert (
        "unknown backend 'numpy'; choose from 'compiled', 'reference'" in result.stderr
    )


def test_reference_takes_over_with_one_warning():
    result = run(WITHOUT_KERNELS + PRINT_NAME)
    assert result.stdout == "reference\n"
    assert (
        result.stderr.count("RuntimeWarning: the compiled kernels are not avail") == 1
    )


def test_compiled_by_name_never_falls_back():
    result = run(WITHOUT_KERNELS + PRINT_NAME, FASTDL_BACKEND="compiled")
    assert result.returncode != 0
    assert "ImportError: the compiled kernels are not available" in result.stderr
    assert "build them with `pip install .`" in result.stderr


def test_public_functions_beside_the_operations_need_no_kernels():
    code = """
import fastdl
fastdl.empty_cache()
print(fastdl.memory_stats(), fastdl.get_conv_algorithm())
fastdl.set_conv_algorithm("winograd")
print(fastdl.get_conv_algorithm())
fastdl.set_conv_algorithm(None)
print(fastdl.get_conv_algorithm())
"""
    result = run(WITHOUT_KERNELS + code, FASTDL_BACKEND="reference")
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "{'in_use': 0, 'cached': 0, 'cache_limit': 0} auto",
        "winograd",
        "auto",
    ]


@pytest.mark.parametrize(
    "name", ["reference", pytest.param("compiled", marks=needs_kernels)]
)
def test_unknown_algorithm(name):
    backend.use(name)
    for wrong in ("winogard", ""):
        message = f"^set_conv_algorithm: unknown algorithm '{wrong}'"
        with pytest.raises(ArgumentError, match=message):
            fastdl.set_conv_algorithm(wrong)
    assert fastdl.get_conv_algorithm() == "auto"


@needs_kernels
def test_public_functions_follow_the_backend():
    backend.use("compiled")
    array = backend.empty(1000)
    assert fastdl.memory_stats()["in_use"] >= array.nbytes
    fastdl.set_conv_algorithm("direct")
    try:
        backend.use("reference")
        assert fastdl.memory_stats()["in_use"] == 0
        assert fastdl.get_conv_algorithm() == "direct"
        fastdl.set_conv_algorithm("winograd")
        backend.use("compiled")
        assert kernels.get_conv_algorithm() == "winograd"
    finally:
        fastdl.set_conv_algorithm("auto")
