"""Builds the compiled kernels; everything else stands in pyproject.toml.

csrc/microkernels.c is compiled once for each instruction set and real type into
objects that one extension, fastdl.kernels.runtime, links and hands to the others.

FASTDL_DEBUG=1 builds with bounds checks, asserts and -O1 -g;
FASTDL_SANITIZE=address,undefined adds sanitizers.
"""

import os
import platform
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError
from setuptools.modified import newer_group

CSRC = [str(path) for path in sorted(Path("csrc").iterdir())]
DEBUG = os.environ.get("FASTDL_DEBUG", "0") == "1"
SANITIZE = os.environ.get("FASTDL_SANITIZE", "")
X86 = platform.machine().lower() in ("x86_64", "amd64")

# Not -ffast-math: it would break NaN checks and the order of sums.
FLAGS = ["-std=c11", "-fno-math-errno", "-ffp-contract=fast", "-Wno-psabi"]
FLAGS += ["-O1", "-g", "-UNDEBUG"] if DEBUG else ["-O2", "-g0"]
KERNEL_FLAGS = [] if DEBUG else ["-O3"]  # for csrc; elsewhere it only takes time
LINK_FLAGS = [] if DEBUG else ["-Wl,-s"] if platform.system() == "Linux" else []
if SANITIZE:
    FLAGS.append(f"-fsanitize={SANITIZE}")
    LINK_FLAGS.append(f"-fsanitize={SANITIZE}")

MACROS = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
if not DEBUG:
    MACROS.append(("CYTHON_WITHOUT_ASSERTIONS", "1"))

ISA_FLAGS = {"generic": []}
if X86:
    ISA_FLAGS["avx2"] = ["-mavx2", "-mfma"]
    ISA_FLAGS["avx512"] = [
        *("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"),
        "-mprefer-vector-width=512",
    ]


class BuildKernels(build_ext):
    """Compiles the micro-kernels, then all extensions, in parallel."""

    def finalize_options(self) -> None:
        """Use every core unless told otherwise."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        """Add the micro-kernels' objects to the runtime, then build as usual."""
        for extension in self.extensions:
            extension.extra_compile_args += [*FLAGS, "-Wno-unused-function"]
            extension.extra_link_args += LINK_FLAGS
            if extension.name == "fastdl.kernels.runtime" and self.is_stale(extension):
                openmp = self.openmp_flags()
                extension.extra_compile_args += openmp
                extension.extra_link_args += ["-pthread", *openmp]
                extension.extra_objects += self.compile_microkernels()
        super().build_extensions()

    def openmp_flags(self) -> list[str]:
        """Return what switches OpenMP on; nothing where the compiler lacks it."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "openmp.c")
            source.write_text(
                "#include <omp.h>\nint main() { return omp_in_parallel(); }"
            )
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=["-fopenmp"]
                )
                self.compiler.link_executable(
                    objects, str(Path(folder, "openmp")), extra_postargs=["-fopenmp"]
                )
            except (CompileError, LinkError):
                return []
        return ["-fopenmp"]

    def is_stale(self, extension: Extension) -> bool:
        """Whether the extension is older than its sources."""
        built = self.get_ext_fullpath(extension.name)
        return self.force or newer_group([*extension.sources, *CSRC], built)

    def compile_microkernels(self) -> list[str]:
        """Compile csrc once for each instruction set and real type."""

        def compile_one(source: str, name: str, flags: list[str]) -> list[str]:
            return self.compiler.compile(
                [source],
                output_dir=os.path.join(self.build_temp, name),
                extra_postargs=[
                    *FLAGS,
                    *KERNEL_FLAGS,
                    "-fPIC",
                    "-Wall",
                    "-Wextra",
                    *flags,
                ],
            )

        jobs = [
            ("csrc/dispatch.c", "dispatch", [f"-DFASTDL_X86={int(X86)}"]),
            ("csrc/pool.c", "pool", ["-pthread"]),
            ("csrc/team.c", "team", ["-pthread"]),
        ]
        for isa, flags in ISA_FLAGS.items():
            for bits in (32, 64):
                name = f"{isa}_f{bits}"
                macros = [f"-DREAL_BITS={bits}", f"-DTABLE=fastdl_{name}"]
                jobs.append(("csrc/microkernels.c", name, [*macros, *flags]))
        with ThreadPoolExecutor(self.parallel) as pool:
            objects = pool.map(lambda job: compile_one(*job), jobs)
            return [path for paths in objects for path in paths]


extensions = [
    Extension(
        f"fastdl.kernels.{path.stem}",
        [str(path)],
        include_dirs=["csrc", numpy.get_include()],
        define_macros=MACROS,
        depends=CSRC if path.stem == "runtime" else ["csrc/table.h"],
    )
    for path in sorted(Path("fastdl/kernels").glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        nthreads=0,
        compiler_directives={
            "language_level": 3,
            "cdivision": True,
            "embedsignature": True,
            "embedsignature.format": "python",
        },
    ),
    cmdclass={"build_ext": BuildKernels},
)
