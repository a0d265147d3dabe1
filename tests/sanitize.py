"""Runs tests with kernels that sanitizers watch: what `make sanitize` does.

Each build lies in a copy of this tree, build/sanitize/<name>, so the usual kernels stay
where they are. What a sanitizer says, in any process that a test starts, becomes a file
there; one is enough to fail.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILDS = ROOT / "build" / "sanitize"
NOT_COPIED = (
    ".git",
    ".venv",
    ".*_cache",
    "build",
    "dist",
    "runs",
    "*.so",
    "*.egg-info",
)
FLOORS_1_AND_2 = ("tests/kernels", "tests/functional", "tests/autograd")
# LLVM's OpenMP itself ends the process when it is limited like that.
NOT_OPENMP = ("-k", "not test_a_limit_above_the_cores_holds")
# What another compilation rounds otherwise, and memory that is the sanitizer's.
OF_THE_USUAL_BUILD = (
    "test_accuracy.py::test_no_error_is_larger_than_published",
    "test_same_bits.py::test_hashes_are_as_published",
    "files/test_bombs.py::test_a_whole_file_for_which_the_memory_does_not_suffice",
    "train/test_mapped_arrays.py::test_gigabytes_are_not_read",
    "train/test_steady_memory.py",
)
CLANGS = ("clang", *(f"clang-{version}" for version in range(30, 13, -1)))


def find_compiler() -> str:
    """Return the compiler that builds the kernels."""
    return os.environ.get("CC", "cc")


def find_clang() -> str:
    """Return the name of Clang here, "clang" where there is none."""
    return next(filter(shutil.which, CLANGS), "clang")


@dataclass(frozen=True)
class Build:
    """One build of the kernels, and the tests that it runs."""

    finds: str
    sanitizers: str
    libraries: tuple[str, ...]  # of the compiler, loaded before Python's; and Archer
    options: dict[str, str]  # of the sanitizers' run time
    short: tuple[str, ...]  # arguments of pytest
    long: tuple[str, ...]
    compiler: Callable[[], str] = find_compiler
    environment: dict[str, str] = field(default_factory=dict)

    def library(self, name: str) -> str | None:
        """Return where a library of the compiler lies, None if it has it not."""
        command = [self.compiler(), f"-print-file-name={name}"]
        if shutil.which(command[0]) is None:
            return None
        path = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        if os.path.isabs(path):
            return path
        # Debian's LLVM keeps that of OpenMP above the resources of its compiler.
        command[1] = "-print-resource-dir"
        folder = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        path = os.path.join(folder, "..", "..", name)
        return os.path.realpath(path) if folder and os.path.exists(path) else None

    def missing(self) -> list[str]:
        """Name what this machine lacks for it."""
        return [name for name in self.libraries if self.library(name) is None]


IN_ADDRESS = "detect_leaks=0:allocator_may_return_null=1:halt_on_error=1"
IN_THREADS = (
    "allocator_may_return_null=1:die_after_fork=0:history_size=4"
    ":exitcode=0:report_signal_unsafe=0"  # Python's handlers of signals are its own
)
BUILDS_OF = {
    "address": Build(
        "wrong addresses and undefined behaviour",
        "address,undefined",
        ("libasan.so", "libstdc++.so.6"),  # else a throw of matplotlib's is not found
        {
            "ASAN_OPTIONS": IN_ADDRESS,
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        },
        FLOORS_1_AND_2,
        ("tests", *(f"--deselect=tests/{test}" for test in OF_THE_USUAL_BUILD)),
    ),
    "pool": Build(
        "races between threads of our own pool",
        "thread",
        ("libtsan.so",),
        {"TSAN_OPTIONS": IN_THREADS},
        ("tests/kernels",),
        (*FLOORS_1_AND_2, "tests/nn", "tests/optim", "tests/data", "tests/train"),
        environment={"FASTDL_RUNTIME": "pool"},
    ),
    "openmp": Build(
        "races between threads of OpenMP",
        "thread",
        ("libclang_rt.tsan-x86_64.so", "libarcher.so"),
        {"TSAN_OPTIONS": f"{IN_THREADS}:ignore_noninstrumented_modules=1"},
        (*NOT_OPENMP, "tests/kernels"),
        (*NOT_OPENMP, *FLOORS_1_AND_2),
        find_clang,
        {"FASTDL_RUNTIME": "openmp"},
    ),
}


def copy_tree(folder: Path) -> None:
    """Bring a copy of this tree up to date; what was built in it stays."""
    for path in folder.rglob("*"):
        is_built = path.suffix in (".so", ".o", ".c")
        if path.is_file() and not is_built:
            path.unlink()
    shutil.copytree(
        ROOT, folder, ignore=shutil.ignore_patterns(*NOT_COPIED), dirs_exist_ok=True
    )


def compile_kernels(name: str) -> None:
    """Build the kernels in a copy of the tree."""
    build, folder = BUILDS_OF[name], BUILDS / name
    copy_tree(folder)
    environment = {"CC": build.compiler(), "FASTDL_DEBUG": "1"}
    environment |= {"FASTDL_SANITIZE": build.sanitizers}
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(command, cwd=folder, env=os.environ | environment, check=True)


def run_tests(name: str, arguments: list[str]) -> bool:
    """Run tests and print what the sanitizers say; whether all is well."""
    build, folder = BUILDS_OF[name], BUILDS / name
    # NumPy's own threads are not compiled for the thread sanitizer.
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"} | build.environment
    environment |= {"PYTHONPATH": str(folder)}
    loaded = {name: str(build.library(name)) for name in build.libraries}
    if archer := loaded.pop("libarcher.so", None):  # knows what OpenMP orders
        environment |= {"OMP_TOOL_LIBRARIES": archer}
    environment |= {"LD_PRELOAD": " ".join(loaded.values())}
    for variable, options in build.options.items():
        environment[variable] = f"{options}:log_path={folder}/report"
    for report in folder.glob("report.*"):
        report.unlink()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["-m", "not soak", *arguments]
    failed = subprocess.run(command, cwd=folder, env=environment).returncode
    texts = [path.read_text(errors="replace") for path in folder.glob("report.*")]
    # A size that no machine has is asked for by tests, and refused.
    reports = [text for text in texts if re.search("SUMMARY|runtime error", text)]
    print("\n".join(reports))
    print(f"{name}: {len(reports)} reports, tests {'failed' if failed else 'passed'}")
    return not failed and not reports


def run(name: str, is_long: bool, more: list[str]) -> bool:
    """Build and test with one sanitizer; whether all is well, or it is not here."""
    build, start = BUILDS_OF[name], time.monotonic()
    print(f"{name}: {build.finds}", flush=True)
    missing = build.missing()
    if missing:
        need = " (Debian: apt install clang libomp-dev)" * (name == "openmp")
        print(
            f"{name}: skipped, as {build.compiler()} lacks {', '.join(missing)}{need}"
        )
        return True
    compile_kernels(name)
    built = time.monotonic()
    is_well = run_tests(name, [*more, *(build.long if is_long else build.short)])
    seconds = time.monotonic() - built
    print(
        f"{name}: {built - start:.0f} s to build, {seconds:.0f} s to test", flush=True
    )
    return is_well


def main() -> None:
    """Run the builds that are asked for; exit with 1 if one finds something."""
    parser = argparse.ArgumentParser("make sanitize", description=__doc__)
    parser.add_argument(
        "--build", action="append", choices=BUILDS_OF, help="one of the builds: all"
    )
    parser.add_argument("--long", action="store_true", help="the whole suite")
    arguments, more = parser.parse_known_args()
    results = [run(name, arguments.long, more) for name in arguments.build or BUILDS_OF]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
