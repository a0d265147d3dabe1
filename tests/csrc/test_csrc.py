"""csrc called from C: its runtime, and its micro-kernels where Python is not at hand.

Programs for other systems are built by cross compilers and run by emulators. Debian
has both: gcc-aarch64-linux-gnu, qemu-user, gcc-mingw-w64-x86-64, wine.
"""

from __future__ import annotations

import ctypes
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
CSRC, HERE = ROOT / "csrc", Path(__file__).parent
KERNELS = re.findall(
    r"^MICROKERNEL\((\w+)", (CSRC / "microkernels.def").read_text(), re.M
)
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{CSRC}"]
RUNTIME = [HERE / "runtime.c", CSRC / "pool.c", CSRC / "team.c"]
ISAS = ("generic", "avx2", "avx512")

Lines = list[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Target:
    """Another system: what compiles for it and what runs it here."""

    name: str
    compiler: str
    runner: str
    flags: tuple[str, ...]
    isas: tuple[str, ...]
    forks: str = ""  # whatever is said here leaves forks out

    def run(self, *arguments: object) -> int:
        """Run a program of this system to its end."""
        environment = {**os.environ, "WINEDEBUG": "-all"}
        command = [self.runner, *map(str, arguments)]
        return subprocess.run(command, env=environment, timeout=600).returncode


TARGETS = [
    Target(
        "aarch64",
        "aarch64-linux-gnu-gcc",
        "qemu-aarch64",
        ("-static", "-pthread"),
        ISAS[:1],
        "QEMU has no threads in the child of a process that has threads",
    ),
    Target("windows", "x86_64-w64-mingw32-gcc", "wine", ("-static",), ISAS),
]


@pytest.fixture(scope="module", params=TARGETS, ids=lambda target: target.name)
def target(request: pytest.FixtureRequest) -> Target:
    """Each system whose compiler and emulator are here."""
    target: Target = request.param
    for tool in (target.compiler, target.runner):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    return target


@pytest.fixture(scope="module")
def compiler() -> str:
    """This machine's."""
    return shutil.which("cc") or pytest.skip("no C compiler is installed")


@pytest.fixture(scope="module")
def build_flags() -> dict[str, Any]:
    """What setup.py compiles with."""
    pytest.importorskip("setuptools")
    pytest.importorskip("Cython")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        flags = runpy.run_path("setup.py")
        return {**flags, "ACTIVATIONS": flags["activations"]()}


def build(*command: object) -> None:
    """Compile, or link, without a warning."""
    result = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def read(path: Path) -> Lines:
    """Return what microkernels.c wrote: the name and the values of each array."""
    lines = []
    with path.open("rb") as file:
        while line := file.readline():
            name, count = line.decode().split()
            lines.append((name, np.frombuffer(file.read(8 * int(count)), np.float64)))
    return lines


def assert_same(actual: Lines, expected: Lines, bits: int) -> None:
    """Compare arrays up to the rounding of sums and of coordinates."""
    assert [name for name, _ in actual] == [name for name, _ in expected]
    tolerance = 64 * float(np.finfo(f"float{bits}").eps)
    for (name, a), (_, e) in zip(actual, expected, strict=True):
        finite = np.abs(e[np.isfinite(e)])
        scale = max(1.0, float(finite.max(initial=0)))
        np.testing.assert_allclose(
            a, e, rtol=tolerance, atol=scale * tolerance, err_msg=name
        )


@pytest.fixture(scope="module")
def by_this_machine(
    compiler: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, int], Lines]:
    """What a table of the installed kernels computes."""
    runtime = pytest.importorskip("fastdl.kernels.engine.runtime")
    folder = tmp_path_factory.mktemp("this machine")
    build(
        *(compiler, *WARNINGS, "-shared", "-fPIC", HERE / "microkernels.c"),
        *("-lm", "-o", folder / "microkernels.so"),
    )
    run = ctypes.CDLL(str(folder / "microkernels.so")).fastdl_try_microkernels
    run.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    table = ctypes.CDLL(runtime.__file__).fastdl_microkernels
    table.argtypes, table.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p

    def lines(isa: str, bits: int) -> Lines:
        path = folder / f"{isa}_f{bits}"
        if not path.exists():
            run(table(isa.encode(), bits // 8), bytes(path))
        return read(path)

    return lines


@pytest.mark.parametrize(
    "sanitizers",
    [
        "",
        *(
            pytest.param(s, marks=pytest.mark.soak)
            for s in ("address,undefined", "thread")
        ),
    ],
)
def test_runtime(sanitizers: str, compiler: str, tmp_path: Path) -> None:
    """The sanitizers, where they are installed, find leaks and races too."""
    program = tmp_path / "runtime"
    flags = ["-g", f"-fsanitize={sanitizers}"] if sanitizers else []
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }")
    command = [compiler, *flags, tmp_path / "empty.c", "-o", program]
    if sanitizers and subprocess.run(command, capture_output=True).returncode:
        pytest.skip(f"{compiler} lacks the library of -fsanitize={sanitizers}")
    build(compiler, *WARNINGS, "-O1", *flags, *RUNTIME, "-pthread", "-o", program)
    environment = {key: value for key, value in os.environ.items() if "SAN" not in key}
    options = "detect_leaks=1:allocator_may_return_null=1:die_after_fork=0"
    environment |= {"ASAN_OPTIONS": options, "TSAN_OPTIONS": options, "LD_PRELOAD": ""}
    done = subprocess.run(
        [program], capture_output=True, text=True, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("bits", [32, 64])
def test_tables_agree(bits: int, by_this_machine: Callable[[str, int], Lines]) -> None:
    runtime = pytest.importorskip("fastdl.kernels.engine.runtime")
    expected = by_this_machine("generic", bits)
    tried = dict.fromkeys(name.partition(".")[0] for name, _ in expected)
    assert list(tried) == KERNELS
    for isa in runtime.available_isas()[1:]:
        assert_same(by_this_machine(isa, bits), expected, bits)


@pytest.mark.soak
def test_runtime_elsewhere(target: Target, tmp_path: Path) -> None:
    program = tmp_path / "runtime.exe"
    build(
        *(target.compiler, *WARNINGS, "-O1", *RUNTIME, *target.flags),
        *("-o", program),
    )
    assert target.run(program, *[target.forks] * bool(target.forks)) == 0


@pytest.fixture(scope="module")
def objects(
    target: Target,
    build_flags: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Path]:
    """The micro-kernels of a system, built as setup.py does."""
    folder = tmp_path_factory.mktemp(target.name)
    flags = [*WARNINGS, *build_flags["FLAGS"], *build_flags["KERNEL_FLAGS"]]
    flags += build_flags["UNALIGNED_MOVES"] if target.name == "windows" else []

    def compile_one(source: str, name: str, *own: str) -> Path:
        path = folder / f"{name}.o"
        build(target.compiler, *flags, *own, "-c", CSRC / source, "-o", path)
        return path

    jobs: list[tuple[str, ...]] = [("dispatch.c", "dispatch")]
    for isa in target.isas:
        for bits in (32, 64):
            macros = [f"-DREAL_BITS={bits}", f"-DTABLE=fastdl_{isa}_f{bits}"]
            macros += [f"-DACTIVATIONS={build_flags['ACTIVATIONS']}"]
            own = [*macros, *build_flags["X86_FLAGS"].get(isa, [])]
            jobs.append(("microkernels.c", f"{isa}_f{bits}", *own))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: compile_one(*job), jobs))


@pytest.fixture(scope="module")
def program(target: Target, objects: list[Path]) -> Path:
    """What runs the micro-kernels of a system."""
    path = objects[0].with_name("microkernels.exe")
    sources = [HERE / "main.c", HERE / "microkernels.c"]
    build(
        target.compiler, *WARNINGS, *sources, *objects, *target.flags, "-lm", "-o", path
    )
    return path


@pytest.mark.soak
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [32, 64])
def test_tables_agree_elsewhere(
    isa: str,
    bits: int,
    target: Target,
    program: Path,
    by_this_machine: Callable[[str, int], Lines],
    tmp_path: Path,
) -> None:
    if isa not in target.isas:
        pytest.skip(f"{target.name} has no {isa}")
    status = target.run(program, isa, bits, tmp_path / "lines")
    if status == 3:
        pytest.skip(f"this processor lacks {isa}")
    assert status == 0
    assert_same(read(tmp_path / "lines"), by_this_machine("generic", bits), bits)


@pytest.mark.soak
def test_windows_moves_ask_for_no_alignment(
    target: Target, objects: list[Path]
) -> None:
    """GCC aligns its stack to 16 bytes only; a run can be lucky."""
    if target.name != "windows":
        pytest.skip("of Windows alone")
    dump = ["x86_64-w64-mingw32-objdump", "-d", "--no-show-raw-insn"]
    for path in objects:
        code = subprocess.run([*dump, path], capture_output=True, text=True, check=True)
        assert "vmovup" in code.stdout or "avx" not in path.name
        assert not re.search(r"vmov(ap|dqa).*[yz]mm", code.stdout), path.name
