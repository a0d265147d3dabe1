"""Builds the compiled kernels; everything else stands in pyproject.toml.

csrc/microkernels.c is compiled once for each instruction set and real type into
objects that one extension, fastdl.kernels.engine.runtime, links and hands to the
others. They see the table of micro-kernels through table.pxd, which is written here.

FASTDL_BACKEND=reference builds no kernels and needs no compiler;
FASTDL_DEBUG=1 builds with bounds checks, asserts and -O1 -g;
FASTDL_SANITIZE=address,undefined adds sanitizers.

The compiler is GCC or Clang, whose vectors csrc is written in. On Windows, whose own
compiler lacks them, it is MinGW-w64's gcc, or with CC=clang its clang.
"""

import sys

# Only pip reads requires-python, and only after this file has run.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit(f"fastdl needs Python 3.10 or later; this is {sys.version.split()[0]}")

import os
import platform
import re
import runpy
import shutil
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError
from setuptools.modified import newer_group

KERNELS = Path("fastdl/kernels")
RUNTIME = "fastdl.kernels.engine.runtime"
CSRC = [str(path) for path in sorted(Path("csrc").glob("*"))]
TABLE = ["csrc/microkernels.h", "csrc/microkernels.def"]
ACTIVATIONS = "fastdl/shapes/activations.py"
DEBUG = os.environ.get("FASTDL_DEBUG", "0") == "1"
REFERENCE = os.environ.get("FASTDL_BACKEND") == "reference"
SANITIZE = os.environ.get("FASTDL_SANITIZE", "")
WINDOWS = platform.system() == "Windows"

# Not -ffast-math: it would break NaN checks and the order of sums.
FLAGS = ["-std=c11", "-fno-math-errno", "-ffp-contract=fast", "-Wno-psabi"]
# Cython holds the loops over tiles, csrc those over lanes, where the time goes: -O2
# here would double the time to build and save about 1 % of the instructions.
FLAGS += ["-O1", "-g", "-UNDEBUG"] if DEBUG else ["-O1", "-g0"]
KERNEL_FLAGS = [] if DEBUG else ["-O3"]  # for csrc
THREAD_FLAGS = [] if WINDOWS else ["-pthread"]
LINK_FLAGS = [] if DEBUG else ["-Wl,-s"] if platform.system() == "Linux" else []
if WINDOWS:  # no library of the compiler goes with the wheel, so OpenMP stays out
    LINK_FLAGS.append("-static")
if SANITIZE:
    FLAGS += [f"-fsanitize={SANITIZE}", "-w"]  # warnings that it leads to are wrong
    LINK_FLAGS.append(f"-fsanitize={SANITIZE}")

MACROS = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
if not DEBUG:
    MACROS.append(("CYTHON_WITHOUT_ASSERTIONS", "1"))
if WINDOWS:  # which pyconfig.h tells Microsoft's compiler only
    MACROS.append(("MS_WIN64", ""))

X86_FLAGS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": [
        *("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"),
        "-mprefer-vector-width=512",
    ],
}
# GCC aligns stacks of Windows to 16 bytes, and yet moves the wider vectors that it
# keeps there as if they were aligned (its bug 54412). The assembler of binutils 2.38
# can make each such move one that asks for nothing. Clang aligns stacks.
UNALIGNED_MOVES = ["-Wa,-muse-unaligned-vector-move"]
# What is compiled for two processors at once, as by the Python of python.org on macOS,
# says both.
TARGET = """
#if defined(__x86_64__)
const char target[] = "fastdl for x86";
#else
const char target[] = "fastdl for another";
#endif
"""

WITHOUT_KERNELS = (
    "set FASTDL_BACKEND=reference to install without compiled kernels: all works then, "
    "on NumPy, but many times slower"
)
NO_COMPILER = (
    "fastdl needs a C compiler and Python's headers to build its kernels, but "
    "{command} cannot compile one line: install both (Debian, Ubuntu: apt install gcc "
    "python3-dev; Fedora: dnf install gcc python3-devel; macOS: xcode-select "
    f"--install; Windows: MinGW-w64), or {WITHOUT_KERNELS}"
)
NO_SOURCES = (
    "fastdl cannot build its kernels: this source tree has no {missing}; take a whole "
    f"source distribution or clone, or {WITHOUT_KERNELS}"
)


class Build(build):
    """Builds the kernels first, so that what they lack is said before 200 lines."""

    sub_commands = sorted(build.sub_commands, key=lambda item: item[0] != "build_ext")


class BuildKernels(build_ext):
    """Compiles the micro-kernels, then all extensions, in parallel."""

    def finalize_options(self) -> None:
        """Use every core unless told otherwise."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()
        self.compiler = self.compiler or ("mingw32" if WINDOWS else None)

    def run(self) -> None:
        """Build; on Windows setuptools runs the compiler before anything is checked."""
        command = os.environ.get("CC", "gcc")
        if WINDOWS and self.extensions and not shutil.which(command):
            sys.exit(NO_COMPILER.format(command=command))
        super().run()

    def build_extensions(self) -> None:
        """Add the micro-kernels' objects to the runtime, then build as usual."""
        self.check_compiler()
        declare_table()
        for extension, module in zip(
            self.extensions, translate(self.extensions, self.parallel), strict=True
        ):
            extension.sources = module.sources
            extension.extra_compile_args += [*FLAGS, "-Wno-unused-function"]
            extension.extra_link_args += LINK_FLAGS
            if extension.name == RUNTIME and self.is_stale(extension):
                openmp = self.openmp_flags()
                extension.extra_compile_args += openmp
                extension.extra_link_args += [*THREAD_FLAGS, *openmp]
                extension.extra_objects += self.compile_microkernels()
        super().build_extensions()

    def check_compiler(self) -> None:
        """Exit with one sentence, and no traceback, where nothing can be built."""
        if not self.can_build("#include <Python.h>\nint main() { return 0; }", []):
            sys.exit(NO_COMPILER.format(command=self.compiler.compiler_so[0]))

    def openmp_flags(self) -> list[str]:
        """Return what switches OpenMP on; nothing where the compiler lacks it.

        The thread sanitizer does not understand GCC's library, only LLVM's.
        """
        program = "#include <omp.h>\nint main() { return omp_in_parallel(); }"
        is_gcc = "clang" not in self.compiler.compiler_so[0]
        if WINDOWS or ("thread" in SANITIZE and is_gcc):
            return []
        return ["-fopenmp"] if self.can_build(program, ["-fopenmp"]) else []

    def is_windows_gcc(self) -> bool:
        """Whether GCC, not Clang, compiles for Windows."""
        program = "#ifndef __clang__\n#error\n#endif\nint main() { return 0; }"
        return WINDOWS and not self.can_build(program, [])

    def isa_flags(self) -> dict[str, list[str]]:
        """Return the flags of each instruction set that the target may have.

        The target is what the compiler makes code for, which need not be this machine.
        """
        with TemporaryDirectory() as folder:
            source = Path(folder, "target.c")
            source.write_text(TARGET)
            (made,) = self.compiler.compile(
                [str(source)], output_dir=folder, extra_postargs=["-fno-lto"]
            )
            targets = set(re.findall(rb"fastdl for (\w+)", Path(made).read_bytes()))
        sets = {"generic": []}
        if b"x86" in targets:
            for isa, flags in X86_FLAGS.items():
                if b"another" in targets:  # csrc/microkernels.c is empty for that one
                    flags = [word for flag in flags for word in ("-Xarch_x86_64", flag)]
                sets[isa] = ["-DX86_ONLY=1", *flags]
        return sets

    def can_build(self, program: str, flags: list[str]) -> bool:
        """Whether a small program compiles and links."""
        with TemporaryDirectory() as folder:
            source = Path(folder, "small.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=flags
                )
                self.compiler.link_executable(
                    objects, "small", output_dir=folder, extra_postargs=flags
                )
            except (CompileError, LinkError):
                return False
        return True

    def is_stale(self, extension: Extension) -> bool:
        """Whether the extension is older than its sources."""
        built = self.get_ext_fullpath(extension.name)
        return self.force or newer_group(
            [*extension.sources, *extension.depends], built
        )

    def compile_microkernels(self) -> list[str]:
        """Compile csrc once for each instruction set and real type."""

        def compile_one(source: str, name: str, flags: list[str]) -> list[str]:
            return self.compiler.compile(
                [source],
                output_dir=os.path.join(self.build_temp, name),
                extra_postargs=[
                    *FLAGS,
                    *KERNEL_FLAGS,
                    "-Wall",
                    "-Wextra",
                    *flags,
                ],
            )

        jobs = [
            ("csrc/dispatch.c", "dispatch", []),
            ("csrc/pool.c", "pool", THREAD_FLAGS),
            ("csrc/team.c", "team", THREAD_FLAGS),
        ]
        stack = UNALIGNED_MOVES if self.is_windows_gcc() else []
        for isa, flags in self.isa_flags().items():
            for bits in (32, 64):
                name = f"{isa}_f{bits}"
                macros = [
                    f"-DREAL_BITS={bits}",
                    f"-DTABLE=fastdl_{name}",
                    f"-DACTIVATIONS={activations()}",
                ]
                jobs.append(("csrc/microkernels.c", name, [*macros, *flags, *stack]))
        with ThreadPoolExecutor(self.parallel) as pool:
            objects = pool.map(lambda job: compile_one(*job), jobs)
            return [path for paths in objects for path in paths]


def check_sources() -> None:
    """Exit with one sentence where a file is missing that the kernels need.

    Without it a tree with no .pyx files would install silently without kernels.
    """
    imports = (KERNELS / "__init__.py").read_text(encoding="utf-8")
    modules = {RUNTIME, *re.findall(r"^from (fastdl\.kernels\.[\w.]+)", imports, re.M)}
    needed = [Path(*name.split(".")).with_suffix(".pyx") for name in sorted(modules)]
    needed += [Path("csrc/microkernels.c"), *map(Path, [*TABLE, ACTIVATIONS])]
    missing = [str(path) for path in needed if not path.exists()]
    if missing:
        sys.exit(NO_SOURCES.format(missing=" and no ".join(missing[:2])))


def declare_table() -> None:
    """Write engine/table.pxd: the structs of csrc/microkernels.h in Cython's words.

    The last one is the table, whose functions are listed in csrc/microkernels.def.
    """
    header, functions = (Path(path).read_text(encoding="utf-8") for path in TABLE)
    lines = [
        f"# Written by setup.py from {' and '.join(TABLE)}.",
        "",
        "from libc.stdint cimport int64_t, uint64_t",
        "",
        'cdef extern from "microkernels.h" nogil:',
    ]
    structs = re.findall(r"^typedef struct {\n(.*?)^} (\w+);", header, re.M | re.S)
    for body, name in structs:
        lines.append(f"    ctypedef struct {name}:")
        for field in re.findall(r"^  (\w[^;]*);", body, re.M):
            first, *others = re.split(r", (?=\*)", " ".join(field.split()))
            kind = first.partition("*")[0]  # Cython wants a line for each pointer
            lines += [f"        {one}" for one in [first, *map(kind.__add__, others)]]
    pattern = r"^MICROKERNEL\((\w+), (\(.*\))\)$"
    for name, arguments in re.findall(pattern, functions, re.M):
        whole = f"void (*{name}){arguments}".replace(" ", "~").replace(",~", ", ")
        wrapped = textwrap.wrap(
            whole, 73, initial_indent=" " * 8, subsequent_indent=" " * 12
        )
        lines += [line.replace("~", " ") for line in wrapped]
        lines[-1] += " noexcept nogil"
    text = "\n".join(lines) + "\n"
    path = KERNELS / "engine/table.pxd"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def activations() -> str:
    """Return the list that csrc/activation.c is made of, from its table in Python."""
    table = runpy.run_path(ACTIVATIONS)["ACTIVATIONS"]
    return " ".join(
        f"KIND({kind}, {row.parameter.usual if row.parameter else 0.0})"
        for kind, row in table.items()
    )


def translate(extensions: list[Extension], processes: int) -> list[Extension]:
    """Translate Cython to C where it changed."""
    return cythonize(
        extensions,
        nthreads=processes,
        quiet=True,
        compiler_directives={
            "language_level": 3,
            "cdivision": True,
            "binding": False,  # built-in functions: a tenth of the C less
            "embedsignature": True,
            "embedsignature.format": "clinic",  # what inspect.signature reads of them
        },
    )


def extensions() -> list[Extension]:
    """Return one extension for each module of the kernels."""
    check_sources()
    modules = {
        ".".join(path.with_suffix("").parts): str(path)
        for path in sorted(KERNELS.rglob("*.pyx"))
    }
    return [
        Extension(
            name,
            [path],
            include_dirs=["csrc", numpy.get_include()],
            define_macros=MACROS,
            depends=[*CSRC, ACTIVATIONS] if name == RUNTIME else TABLE,
        )
        for name, path in modules.items()
    ]


if __name__ == "__main__":  # not again in the processes of `translate`
    setup(
        ext_modules=[] if REFERENCE else extensions(),
        cmdclass={"build": Build, "build_ext": BuildKernels},
    )
