"""Builds, in the current folder, no more of the kernels than one change touches.

- ``python -m tests.mutants.build PATH`` builds what the file PATH is part of. Of csrc
  that is one instance of its micro-kernels, put in place of those of a usual build; it
  prints the first instruction set and real type for which the machine code is another
  one than that of ``build/csrc``, or "same".
- ``--link`` links the runtime of a usual build again.
"""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from Cython.Compiler.Errors import CompileError

NEW = Path("build/mutants")
USUAL = f"build/temp.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
RUNTIME = "fastdl.kernels.engine.runtime"
NO_CODE = (
    3  # the exit code where the change cannot be compiled, any other but 0 a fault
)
USED = {"pool2d_backward.c": ("pool2d.c",)}  # beside the activations
WITH_THREADS = ("pool", "team", "dispatch")  # files of csrc that are compiled once

# The functions of a changed file, in a copy of the table of all.
COPY = """
#include "microkernels.h"
extern const MicroKernels original;
MicroKernels TABLE;
__attribute__((constructor(101))) static void copy(void) { TABLE = original; }
"""
PART = """
%s
extern MicroKernels TABLE;
__attribute__((constructor(102))) static void install(void) { %s }
"""


@contextmanager
def refusable() -> Iterator[None]:
    """End with NO_CODE where the compiler, or Cython, refuses the change."""
    try:
        yield
    except (subprocess.CalledProcessError, CompileError):
        traceback.print_exc()
        sys.exit(NO_CODE)


def compile_c(source: Path, target: Path, *flags: str) -> bytes:
    """Compile a file; return the object."""
    target.parent.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    command = [*compiler, "-fPIC", "-w", "-DNDEBUG", *flags]
    command += ["-c", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    return target.read_bytes()


def compile_part(file: str, csrc: Path, target: Path, *flags: str) -> bytes:
    """Compile the micro-kernels of one file of csrc."""
    text = (csrc / file).read_text(encoding="utf-8")
    listed = re.findall(
        r"^MICROKERNEL\((\w+),", (csrc / "microkernels.def").read_text(), re.M
    )
    names = [
        name for name in listed if re.search(rf"^static void {name}\(", text, re.M)
    ]
    source = target.with_name(f"part_{file}")
    source.parent.mkdir(parents=True, exist_ok=True)
    install = " ".join(f"TABLE.{name} = {name};" for name in names)
    # microkernels.c includes all in turn, and some use those before them.
    used = dict.fromkeys(("activation.c", *USED.get(file, ()), file))
    includes = "\n".join(f'#include "{each}"' for each in used)
    source.write_text(PART % (includes, install))
    return compile_c(source, target, f"-I{csrc}", *flags)


def build_csrc(setup: dict, path: str) -> str:
    """Build the changed micro-kernels; return for which table, or "same"."""
    changed = Path(path).name
    files = [changed]
    if path.endswith(".h"):
        files = [
            p.name for p in sorted(Path("csrc").glob("*.c")) if includes(p, changed)
        ]
        files = [
            name for name in files if name[:-2] not in (*WITH_THREADS, "microkernels")
        ]
    x86 = {k: ["-DX86_ONLY=1", *flags] for k, flags in setup["X86_FLAGS"].items()}
    for isa, more in {"generic": [], **x86}.items():
        for bits in (32, 64):
            table = f"{isa}_f{bits}"
            flags = [*setup["FLAGS"], *setup["KERNEL_FLAGS"], *more]
            flags += [
                f"-DREAL_BITS={bits}",
                f"-DTABLE=fastdl_{table}",
                f"-DACTIVATIONS={setup['activations']()}",
            ]
            parts = []
            for file in files:
                target = NEW / f"{file[:-2]}.o"
                kept = NEW / f"{file[:-2]}_{table}.o"  # of the file as it was
                if not kept.exists():
                    compile_part(file, Path("build/csrc"), kept, *flags)
                with refusable():
                    after = compile_part(file, Path("csrc"), target, *flags)
                if after != kept.read_bytes():
                    parts.append(target)
            if parts:
                copy = NEW / "copy.c"
                copy.write_text(COPY)
                compile_c(copy, NEW / "copy.o", "-Icsrc", *flags)
                rename = ["objcopy", "--redefine-sym", f"fastdl_{table}=original"]
                usual = str(Path(USUAL, table, "csrc/microkernels.o"))
                subprocess.run([*rename, usual, str(NEW / "usual.o")], check=True)
                link_runtime({usual: [NEW / "usual.o", NEW / "copy.o", *parts]})
                return f"{table} {' '.join(part.stem for part in parts)}"
    return "same"


def includes(path: Path, header: str) -> bool:
    """Whether a file of csrc includes a header, by way of others too."""
    for name in re.findall(r'^#include "([\w.]+\.h)"', path.read_text(), re.M):
        if name == header or includes(path.with_name(name), header):
            return True
    return False


def link_runtime(instead: dict[str, list[Path]]) -> None:
    """Link the runtime of a usual build with some other objects."""
    objects = [Path(USUAL, *RUNTIME.split(".")).with_suffix(".o")]
    for path in sorted(Path(USUAL).glob("*/csrc/*.o")):
        objects += instead.get(str(path), [path])
    link(RUNTIME, objects)


def link(name: str, objects: list[Path]) -> None:
    """Link one module."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    target = Path(*name.split(".")).with_suffix(suffix)
    target.unlink(missing_ok=True)  # another process may have mapped it
    linker = shlex.split(sysconfig.get_config_var("LDSHARED"))
    files = [*map(str, objects), "-o", str(target)]
    subprocess.run([*linker, *files, "-fopenmp", "-pthread"], check=True)


def build_cython(setup: dict, names: list[str]) -> None:
    """Translate and compile some modules."""
    chosen = [each for each in setup["extensions"]() if each.name in names]
    with refusable():
        translated = setup["translate"](chosen, 1)
    for extension in translated:
        target = NEW / f"{extension.name}.o"
        flags = [f"-I{each}" for each in extension.include_dirs]
        flags += [f"-I{sysconfig.get_path('include')}", *setup["FLAGS"]]
        flags += [f"-D{name}={value}" for name, value in extension.define_macros]
        with refusable():
            compile_c(Path(extension.sources[0]), target, *flags, "-fopenmp")
        if extension.name == RUNTIME:
            usual = str(Path(USUAL, *RUNTIME.split(".")).with_suffix(".o"))
            others = sorted(Path(USUAL).glob("*/csrc/*.o"))
            assert Path(usual).exists()
            link(RUNTIME, [target, *others])
        else:
            link(extension.name, [target])


def modules_of(path: str) -> list[str]:
    """Return the modules that a file of Cython is part of."""
    name = path[:-4].replace("/", ".")
    if path.endswith(".pyx"):
        return [name]
    parent, _, last = name.rpartition(".")
    own, above = re.escape(name), re.escape(parent)
    pattern = rf"from {own} cimport|from {above} cimport .*\b{last}\b"
    found = {name} if Path(path).with_suffix(".pyx").exists() else set()
    for ending in ("*.pyx", "*.pxd"):
        for user in Path("fastdl/kernels").rglob(ending):
            text = user.read_text(encoding="utf-8")
            if str(user) != path and re.search(pattern, text):
                found.update(modules_of(str(user)))
    return sorted(found)


def main(path: str) -> None:
    """Build what the file is part of."""
    setup = runpy.run_path("setup.py", run_name="setup")
    setup["declare_table"]()
    name = Path(path).stem
    flags = [*setup["FLAGS"], *setup["KERNEL_FLAGS"]]
    if path == "--link":
        link_runtime({})
    elif not path.startswith("csrc/"):
        build_cython(setup, modules_of(path))
    elif name in WITH_THREADS:
        usual = str(Path(USUAL, name, "csrc", f"{name}.o"))
        with refusable():
            compile_c(Path(path), NEW / f"{name}.o", *flags, "-pthread")
        link_runtime({usual: [NEW / f"{name}.o"]})
    else:
        print(build_csrc(setup, path))


if __name__ == "__main__":
    main(*sys.argv[1:])
